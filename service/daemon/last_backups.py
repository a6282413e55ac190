"""When each database was last backed up into each store, as the journal tells it: a fold.

It tells of the daemon's backups and of those by hand alike.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

from junmai_svc.storage.files import without_links
from junmai_svc.storage.journal.entry import Event
from junmai_svc.storage.journal.events import Role, kind_of

# Only taken to undo something: no backup that anybody may count on.
_UNDO = {"pre-restore", "pre-overwrite"}

Place = tuple[str, str]


def absolute(place: str, folder: Path) -> str:
    """Return the path of a file or a local store that counts from a folder; a URL as it is."""
    return place if "://" in place else str(without_links(folder / place))


class LastBackups:
    """The newest backups by database and store, both as `absolute` names them.

    A time is when the backup began, as what was written after that is not in it.
    """

    def __init__(self) -> None:
        self.newest: dict[Place, datetime] = {}
        self.position = -1
        self._begun: dict[str, tuple[Event, str, Path]] = {}
        self._stored: dict[str, set[str]] = {}

    def feed(self, events: Iterable[Event]) -> dict[Place, datetime]:
        """Hear of later events than before, in order, and return what they add."""
        added: dict[Place, datetime] = {}
        for event in events:
            self.position = event.position
            kind = kind_of(event.type)
            if kind is None or kind.category != "backup":
                continue
            if kind.role is Role.START and event.data.get("reason") not in _UNDO:
                folder = folder_of(event.data)
                source = absolute(str(event.data.get("source")), folder)
                self._begun[event.stream] = event, source, folder
            elif kind.name == "stored" and event.stream in self._begun:
                start, _, folder = self._begun[event.stream]
                store = event.data.get("store") or start.data.get("store")
                self._stored.setdefault(event.stream, set()).add(absolute(str(store), folder))
            elif kind.role is Role.TERMINAL and event.stream in self._begun:
                start, source, _ = self._begun.pop(event.stream)
                stores = self._stored.pop(event.stream, set())
                if kind.name == "verified":
                    added.update({(source, store): start.time for store in stores})
        self.newest.update(added)
        return added


def folder_of(data: Mapping[str, object]) -> Path:
    """Return the folder in which a run was started, from which its paths count."""
    process = data.get("process")
    folder = process.get("folder") if isinstance(process, dict) else None
    return Path(folder) if isinstance(folder, str) else Path()
