"""What the journal says a run left behind: snapshots, table digests, a recipe. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from junmai_svc.storage.journal.addresses import address_of
from junmai_svc.storage.journal.entry import Event
from junmai_svc.storage.journal.events import Role, kind_of
from junmai_svc.storage.journal.projection import Run

_STORED = {"stored", "copied"}


@dataclass(frozen=True)
class Kept:
    """A snapshot in one store; `checksum` is the recorded SHA-256 of its image.

    None where the journal does not tell: of a snapshot that it only saw being read.
    """

    name: str
    checksum: str | None = None
    store: str | None = None


@dataclass(frozen=True)
class Deleted:
    """The event that recorded a snapshot's deletion from a store."""

    run: str
    position: int
    time: str
    store: str | None


@dataclass
class Record:
    """One run as its own stream, those that it led to and those that came after tell it.

    `planned` and `verified` are what those events of a migration hold, `source` is the name of the
    snapshot that it migrated from. `kept` are all copies of the snapshots that it took or read,
    `deleted` tells by name what became of them. `details` are the SHA-256s of what its events
    left in the stores, by what it is.
    """

    run: str
    kind: str
    status: str
    start: Mapping[str, Any] = field(default_factory=dict)
    planned: Mapping[str, Any] = field(default_factory=dict)
    verified: Mapping[str, Any] = field(default_factory=dict)
    source: str | None = None
    kept: list[Kept] = field(default_factory=list)
    deleted: dict[str, list[Deleted]] = field(default_factory=dict)
    details: dict[str, str] = field(default_factory=dict)

    @property
    def database(self) -> Path:
        """The database that the run was on."""
        return Path(address_of(self.start, self.start.get("database")) or "")

    @property
    def target(self) -> Path | None:
        """The database that a verified migration made."""
        named = address_of(self.start, self.start.get("target")) if self.verified else None
        return Path(named) if named is not None else None

    @property
    def stores(self) -> list[str]:
        """The addresses of the stores that the run used, the first one first."""
        own = address_of(self.start, self.start.get("store"))
        found = dict.fromkeys(kept.store for kept in self.kept)
        return [store for store in dict.fromkeys([own, *found]) if store is not None]


def record_of(run: Run, events: Iterable[Event]) -> Record:
    """Return what the events of a whole journal tell of one run."""
    record = Record(run.id, run.kind, run.status)
    names: dict[str, Kept] = {}
    stored: dict[str, list[Kept]] = {}
    starts: dict[str, Mapping[str, Any]] = {}
    for event in events:
        kind = kind_of(event.type)
        if kind is None:
            continue
        if kind.role is Role.START:
            starts[event.stream] = event.data
        start = starts.get(event.stream, {})
        kept = _kept(event.data, start)
        is_own = event.stream == f"{run.kind}/{run.id}"
        if kind.name == "snapshot_deleted":
            _deleted(record, event, start)
        elif kind.name in _STORED and kept is not None:
            stored.setdefault(kept.name, []).append(kept)
        if is_own:
            _told(record, event, kind.role, kind.name)
        if kept is not None and (is_own or (kind.name == "stored" and event.correlation == run.id)):
            names.setdefault(kept.name, kept)
        if kind.role is Role.TERMINAL:
            starts.pop(event.stream, None)
    for name, kept in names.items():
        record.kept += dict.fromkeys(stored.get(name, [kept]))
    return record


def _told(record: Record, event: Event, role: Role, name: str) -> None:
    """Take in an event of the run's own stream."""
    for field_name, what in (("plan", "plan"), ("details", f"details of event {event.position}")):
        if isinstance(event.data.get(field_name), str):
            record.details[what] = event.data[field_name]
    if role is Role.START:
        record.start = event.data
    elif name == "planned":
        record.planned = event.data
    elif name == "verified" and record.kind == "migration":
        record.verified = event.data
    elif name == "backup_linked":
        snapshot = event.data.get("snapshot")
        record.source = snapshot if isinstance(snapshot, str) else None


def _kept(data: Mapping[str, Any], start: Mapping[str, Any]) -> Kept | None:
    name, checksum = data.get("snapshot"), data.get("checksum")
    if not isinstance(name, str):
        return None
    store = data.get("store") or start.get("store")
    return Kept(name, checksum if isinstance(checksum, str) else None, address_of(start, store))


def _deleted(record: Record, event: Event, start: Mapping[str, Any]) -> None:
    run, store = event.stream.partition("/")[2], address_of(start, start.get("store"))
    for name in event.data.get("snapshots") or ():
        gone = Deleted(run, event.position, event.time.isoformat(timespec="seconds"), store)
        record.deleted.setdefault(name, []).append(gone)
