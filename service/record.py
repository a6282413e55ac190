"""What the journal says a run left behind: snapshots, table digests, a recipe. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from junmai_svc.storage.journal.entry import Event
from junmai_svc.storage.journal.events import Role, kind_of
from junmai_svc.storage.journal.projection import Run


@dataclass(frozen=True)
class Kept:
    """A snapshot that a run took or read; `checksum` is the recorded SHA-256 of its image."""

    name: str
    checksum: str | None = None


@dataclass(frozen=True)
class Pruned:
    """The event that recorded a snapshot's deletion."""

    run: str
    position: int
    time: str


@dataclass
class Record:
    """One run as its own stream, and those that it led to, tell it.

    `planned` and `verified` are what those events of a migration hold; `pruned` says by name which
    snapshots have been deleted since.
    """

    run: str
    kind: str
    status: str
    start: Mapping[str, Any]
    planned: Mapping[str, Any] = field(default_factory=dict)
    verified: Mapping[str, Any] = field(default_factory=dict)
    migrated_from: Kept | None = None
    kept: dict[str, Kept] = field(default_factory=dict)
    pruned: dict[str, Pruned] = field(default_factory=dict)

    @property
    def database(self) -> Path:
        """The database that the run was on."""
        return self.placed(str(self.start.get("database") or self.start.get("source") or ""))

    @property
    def store(self) -> Path | None:
        """The folder of the store that the run named, None where it named none."""
        named = self.start.get("store")
        return self.placed(named) if isinstance(named, str) else None

    def placed(self, path: str) -> Path:
        """A path as the run recorded it, from the folder in which it ran."""
        process = self.start.get("process")
        folder = process.get("folder") if isinstance(process, dict) else None
        return Path(folder) / path if isinstance(folder, str) else Path(path)


def record_of(run: Run, events: Iterable[Event]) -> Record:
    """Return what the events of a whole journal tell of one run."""
    record = Record(run.id, run.kind, run.status, {})
    stored: dict[str, Kept] = {}
    for event in events:
        found = kind_of(event.type)
        if found is None:
            continue
        if found.name == "snapshot_deleted":
            for name in event.data.get("snapshots") or ():
                prune = event.stream.partition("/")[2]
                record.pruned[name] = Pruned(prune, event.position, event.time.isoformat())
        elif found.name == "stored":
            kept = _kept(event.data)
            if kept is not None:
                stored[kept.name] = kept
                if event.correlation == run.id:
                    record.kept.setdefault(kept.name, kept)
        if event.stream == f"{run.kind}/{run.id}":
            _told(record, event, found.role, found.name)
    record.kept = {name: stored.get(name, kept) for name, kept in record.kept.items()}
    return record


def _told(record: Record, event: Event, role: Role, name: str) -> None:
    """Take in an event of the run's own stream."""
    if role is Role.START:
        record.start = event.data
    elif name == "planned":
        record.planned = event.data
    elif name == "verified" and record.kind == "migration":
        record.verified = event.data
    if role is Role.START or name == "backup_linked":
        kept = _kept(event.data)
        if kept is not None:
            record.kept[kept.name] = kept
            if name == "backup_linked":
                record.migrated_from = kept


def _kept(data: Mapping[str, Any]) -> Kept | None:
    name, checksum = data.get("snapshot"), data.get("checksum")
    if not isinstance(name, str):
        return None
    return Kept(name, checksum if isinstance(checksum, str) else None)
