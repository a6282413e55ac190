"""When each database was last backed up into each store, as the journal tells it: a pure fold.

It tells of the daemon's backups and of those by hand alike.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

from junmai_svc.storage.journal.entry import Event
from junmai_svc.storage.journal.events import event_type

_STARTED = event_type("backup", "started")
_STORED = event_type("backup", "stored")
_VERIFIED = event_type("backup", "verified")
# Only taken to undo something: no backup that anybody may count on.
_UNDO = {"pre-restore", "pre-overwrite"}

Place = tuple[str, str]


def absolute(place: str, folder: Path) -> str:
    """Return the path of a file or a local store that counts from a folder; a URL as it is."""
    return place if "://" in place else str((folder / place).resolve())


def last_backups(events: Iterable[Event]) -> dict[Place, datetime]:
    """Return the newest backups by database and store, both as `absolute` names them.

    A time is when the backup began, as what was written after that is not in it.
    """
    begun: dict[str, tuple[Event, str, Path]] = {}
    stored: dict[str, set[str]] = {}
    newest: dict[Place, datetime] = {}
    for event in events:
        if event.type == _STARTED and event.data.get("reason") not in _UNDO:
            folder = _folder(event.data)
            begun[event.stream] = event, absolute(str(event.data.get("source")), folder), folder
        elif event.type == _STORED and event.stream in begun:
            start, _, folder = begun[event.stream]
            store = event.data.get("store") or start.data.get("store")
            stored.setdefault(event.stream, set()).add(absolute(str(store), folder))
        elif event.type == _VERIFIED and event.stream in begun:
            start, database, _ = begun.pop(event.stream)
            for store in stored.pop(event.stream, ()):
                newest[database, store] = start.time
    return newest


def _folder(data: Mapping[str, object]) -> Path:
    process = data.get("process")
    folder = process.get("folder") if isinstance(process, dict) else None
    return Path(folder) if isinstance(folder, str) else Path()
