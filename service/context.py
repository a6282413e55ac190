"""What every use case works with: the journal, the store, the clock and where progress shows."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from junmai_svc.service.progress import Progress, Silent
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.snapshots.store import FileStore


def now() -> datetime:
    """The time in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Context:
    """The surroundings of a use case; made by `service.wiring` only."""

    journal: Journal
    store: FileStore
    progress: Progress = field(default_factory=Silent)
    clock: Callable[[], datetime] = now
