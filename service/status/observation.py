"""What a daemon has looked at, as plain values: all that `service.status.fold` judges by.

All times are aware and in UTC, all sizes in bytes. A database and a store are named as the
configuration names them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from junmai_svc.storage.journal.projection import Run
from junmai_svc.storage.snapshots.manifest import Reason


class Schedule(Protocol):
    """When something is to happen; `service.schedule` parses one."""

    def next_after(self, when: datetime, /) -> datetime:
        """Return the first time that is later than `when`."""


class ProofOutcome(StrEnum):
    """What became of an attempt to prove a snapshot; INCONCLUSIVE says nothing about it."""

    PROVEN = "proven"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"


class JobOutcome(StrEnum):
    """How a scheduled job ended, or why it did not begin."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    MISSED = "missed"
    OVERLAPPED = "overlapped"


@dataclass(frozen=True, slots=True)
class StoredSnapshot:
    """A snapshot as a store lists it. `size` is of its image, `new_bytes` what the store grew by.

    `new_bytes` is None where nobody knows; `database` is empty where it is of no configured one.
    """

    name: str
    database: str
    taken: datetime
    size: int
    new_bytes: int | None = None
    reason: Reason = Reason.SCHEDULED


@dataclass(frozen=True, slots=True)
class Listing:
    """What a store held when it was last `looked` at (None: not yet).

    `problem` says why that look failed; the snapshots are then those of an earlier one, if any.
    `unreadable` names the manifests that can't be used.
    """

    store: str
    looked: datetime | None = None
    snapshots: tuple[StoredSnapshot, ...] = ()
    unreadable: tuple[str, ...] = ()
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Proof:
    """One attempt to prove a snapshot of a store.

    `store` is None where the journal does not say; the proof then counts only where a single store
    has a snapshot of that name, so that nothing is claimed of bytes that were never read.
    """

    snapshot: str
    when: datetime
    outcome: ProofOutcome = ProofOutcome.PROVEN
    store: str | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class Watched:
    """A configured database. Without a `schedule` it is never due, only looked at.

    Without `overdue_after` a snapshot is overdue half a period (but an hour at least) after it was
    due. `path` and `aliases` are how runs of the journal may call it.
    """

    name: str
    path: str
    stores: tuple[str, ...]
    schedule: Schedule | None = None
    overdue_after: timedelta | None = None
    aliases: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Job:
    """A scheduled job: how it last ended, and how often each way since the daemon `started`.

    `name` is backup, prune, drill, check or publish. `failures` counts those since the last
    success. A job that concerns all databases or stores names none.
    """

    name: str
    database: str | None = None
    store: str | None = None
    outcome: JobOutcome | None = None
    finished: datetime | None = None
    seconds: float | None = None
    message: str = ""
    failures: int = 0
    succeeded: datetime | None = None
    next_run: datetime | None = None
    counts: Mapping[JobOutcome, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class JournalFacts:
    """The journal's size and what is not published yet; None where it has no place to publish to.

    `problem` says why it can't be read or written.
    """

    size: int = 0
    events: int = 0
    unpublished: int | None = None
    published: datetime | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Unsent:
    """Since when notifications can't be sent, and why."""

    since: datetime
    problem: str


@dataclass(frozen=True, slots=True)
class Observation:
    """Everything, at one moment. `runs` are newest first, as `fold_runs` returns them.

    `started` is when the daemon did, `drill` when it proves snapshots (None: it doesn't).
    `unsent` is None where messages arrive, or there was none to send.
    """

    now: datetime
    started: datetime
    version: str = ""
    databases: tuple[Watched, ...] = ()
    listings: tuple[Listing, ...] = ()
    proofs: tuple[Proof, ...] = ()
    runs: tuple[Run, ...] = ()
    jobs: tuple[Job, ...] = ()
    journal: JournalFacts = JournalFacts()
    drill: Schedule | None = None
    unsent: Unsent | None = None
