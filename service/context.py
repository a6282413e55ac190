"""What every use case works with: the journal, the stores, the clock and where progress shows."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from junmai_svc.service.progress import Progress, Silent
from junmai_svc.storage.errors import JunmaiError
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.snapshots.base import SnapshotStore
from junmai_svc.storage.snapshots.store import FileStore


def now() -> datetime:
    """The time in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class StoreProblem:
    """A store that could not be used, and why."""

    store: str
    problem: JunmaiError


@dataclass(frozen=True)
class Context:
    """The surroundings of a use case; made by `service.wiring` only.

    `stores` are those that could be opened, at least one; `down` are the others that were named.
    `beside` is a local folder for what no store can hold, `cache` one for what may be lost.
    `forked` are the stores that tell another history than the journal.
    """

    journal: Journal
    stores: tuple[SnapshotStore, ...]
    progress: Progress = field(default_factory=Silent)
    clock: Callable[[], datetime] = now
    down: tuple[StoreProblem, ...] = ()
    beside: Path | None = None
    cache: Path | None = None
    forked: tuple[StoreProblem, ...] = ()

    @property
    def store(self) -> SnapshotStore:
        """The first of the stores: where single things are read and kept."""
        return self.stores[0]

    @property
    def folder(self) -> Path:
        """The local folder for logs and for what no snapshot can hold."""
        for store in self.stores:
            if isinstance(store, FileStore):
                return store.folder
        return self.beside or Path()
