"""What nothing in a store leads to any more: as a plan, and as what became of it.

Ages are told by the clock of the place itself, as that is what its times of objects are told by.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import uuid4

from junmai_svc.storage.backends.base import Backend, RetainedError
from junmai_svc.storage.backends.probe import FOLDER as TRIALS
from junmai_svc.storage.errors import JunmaiError, NotFoundError

CLOCKS = "state/clocks/"

# A writer that has just stored an object may be about to name it.
YOUNG = timedelta(hours=1)
# Nobody needs that long between two steps; who does finds out and starts anew.
STALE = timedelta(days=1)


@dataclass(frozen=True)
class Locked:
    """An object that a lock keeps `until` then (UTC); None where it has no date or is not told."""

    name: str
    until: datetime | None


@dataclass(frozen=True)
class Garbage:
    """Objects that nothing leads to, with their bytes; `problems` say why that can't be known."""

    objects: Mapping[str, int] = field(default_factory=dict)
    problems: tuple[JunmaiError, ...] = ()

    @property
    def size(self) -> int:
        """Their bytes."""
        return sum(self.objects.values())


@dataclass(frozen=True)
class Collected:
    """What was deleted, with its bytes, and what a lock keeps.

    Where there are `problems`, nothing was deleted: what can't be read may lead to anything.
    """

    deleted: Mapping[str, int] = field(default_factory=dict)
    locked: tuple[Locked, ...] = ()
    problems: tuple[JunmaiError, ...] = ()

    @property
    def freed(self) -> int:
        """The bytes that were deleted."""
        return sum(self.deleted.values())

    def and_then(self, later: "Collected") -> "Collected":
        """Return what two collections came to, the second one after the first."""
        return Collected({**self.deleted, **later.deleted}, later.locked, later.problems)


@dataclass(frozen=True)
class Repacked:
    """What rewriting packs came to: how many maps have new versions, and the new packs.

    `locked` are maps that a lock keeps as they are; `problems` say which packs could not be moved.
    """

    maps: int = 0
    packs: tuple[str, ...] = ()
    locked: tuple[Locked, ...] = ()
    problems: tuple[JunmaiError, ...] = ()


def time_of(backend: Backend) -> datetime:
    """Return the time in UTC by the clock of a place: that of an object which is put there now.

    Raises:
        JunmaiError: the place can't be written.
    """
    while True:
        name = f"{CLOCKS}{uuid4()}"
        backend.put(name, b"")
        # Whoever pauses here for hours may find that another pruner has tidied up.
        with suppress(NotFoundError):
            now = backend.stat(name).modified
            let_go(backend, name)
            return now


def let_trials_go(backend: Backend) -> None:
    """Delete what a look at the place's abilities left that ended too early.

    Raises:
        JunmaiError: the place can't be listed or written.
    """
    trials = list(backend.list(f"{TRIALS}/"))
    now = time_of(backend) if trials else None
    for found in trials:
        if now is not None and now - found.modified > STALE:
            let_go(backend, found.name)


def let_go(backend: Backend, name: str) -> None:
    """Delete what is only for passing use; where the place locks all by itself, it may stay.

    Raises:
        JunmaiError: it can't be deleted.
    """
    with suppress(RetainedError):
        backend.delete(name)
