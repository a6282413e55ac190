"""How one database stands in one store: a pure fold, no clock, no files.

Nothing is claimed that was not seen: a store that did not answer leaves its databases `unknown` at
best, and a proof counts only for the store whose bytes were read.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from junmai_svc.service.status.observation import (
    Job,
    JobOutcome,
    Listing,
    Observation,
    Proof,
    ProofOutcome,
    StoredSnapshot,
    Watched,
)

GRACE = timedelta(hours=1)

ProofKey = tuple[str, str]


class State(StrEnum):
    """How a database stands in a store, from best to worst.

    DUE: a backup is due and has time yet. UNKNOWN: the store did not answer. OVERDUE: a backup
    should have been there by now. FAILING: the last backup failed, or the last proof did.
    """

    OK = "ok"
    DUE = "due"
    UNKNOWN = "unknown"
    OVERDUE = "overdue"
    FAILING = "failing"

    @property
    def severity(self) -> int:
        """The place from best (0) to worst."""
        return tuple(State).index(self)


@dataclass(frozen=True, slots=True)
class Point:
    """A snapshot in the course of time, and the last attempt to prove it."""

    snapshot: StoredSnapshot
    proof: Proof | None

    @property
    def proven(self) -> bool:
        """True where the last attempt proved it."""
        return self.proof is not None and self.proof.outcome is ProofOutcome.PROVEN

    @property
    def failed(self) -> bool:
        """True where the last attempt found it damaged."""
        return self.proof is not None and self.proof.outcome is ProofOutcome.FAILED

    @property
    def proved(self) -> datetime:
        """When that attempt was; for one that was never tried, before all others."""
        return self.proof.when if self.proof is not None else datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Coverage:
    """One database in one store. `history` is oldest first; `due` and `overdue` are moments.

    `last_good` is the newest snapshot that was not taken only to undo something and did not fail
    its proof, `last_proven` the newest proven one. `backup` is the job that takes them. `taken` is
    when the last good one was: as the store lists it, or as the job has told since it was seen.
    """

    database: str
    store: str
    state: State
    last_good: Point | None
    last_proven: Point | None
    history: tuple[Point, ...]
    due: datetime | None
    overdue: datetime | None
    backup: Job | None
    listing: Listing
    taken: datetime | None

    @property
    def size(self) -> int:
        """The bytes of all images together, before the store shares or compresses any."""
        return sum(point.snapshot.size for point in self.history)

    @property
    def newest(self) -> Point | None:
        """The newest snapshot of all that were not taken only to undo something."""
        return next((p for p in reversed(self.history) if not p.snapshot.reason.is_undo), None)

    @property
    def failed_proofs(self) -> tuple[Point, ...]:
        """The snapshots that failed their proof, oldest first."""
        return tuple(point for point in self.history if point.failed)

    @property
    def fails_proof(self) -> bool:
        """True where the newest snapshot failed its proof, or the last proof of any failed."""
        newest = self.newest
        if newest is not None and newest.failed:
            return True
        decided = [p for p in self.history if p.proven or p.failed]
        last = max(decided, key=lambda p: (p.proved, p.snapshot.taken), default=None)
        return last is not None and last.failed

    def is_overdue(self, now: datetime) -> bool:
        """True where a snapshot should have been there by now, and the store was seen without."""
        answered = self.listing.looked is not None and self.listing.problem is None
        seen = answered or self.taken is not None
        return seen and self.overdue is not None and now > self.overdue

    def age(self, now: datetime) -> timedelta | None:
        """How old the last good snapshot is; never negative."""
        return max(timedelta(), now - self.taken) if self.taken else None

    def proven_age(self, now: datetime) -> timedelta | None:
        """How old the newest proven snapshot is; never negative."""
        return age_of(self.last_proven, now)


def age_of(point: Point | None, now: datetime) -> timedelta | None:
    """Return the age of a snapshot; a clock that went back makes none younger than nothing."""
    return max(timedelta(), now - point.snapshot.taken) if point else None


def worst(states: Iterable[State]) -> State:
    """Return the worst of some states, OK where there are none."""
    return max(states, key=lambda each: each.severity, default=State.OK)


def last_proofs(observation: Observation) -> Mapping[ProofKey, Proof]:
    """Return the last attempt to prove each snapshot, by store and name."""
    holders: dict[str, list[str]] = {}
    for listing in observation.listings:
        for name in {snapshot.name for snapshot in listing.snapshots}:
            holders.setdefault(name, []).append(listing.store)
    found: dict[ProofKey, Proof] = {}
    for proof in sorted(observation.proofs, key=lambda each: each.when):
        own = holders.get(proof.snapshot, [])
        store = proof.store or (own[0] if len(own) == 1 else None)
        # An attempt that came to nothing takes no earlier result back.
        known = found.get((store or "", proof.snapshot))
        if store and (known is None or proof.outcome is not ProofOutcome.INCONCLUSIVE):
            found[store, proof.snapshot] = proof
    return found


def cover(
    observation: Observation, watched: Watched, store: str, proofs: Mapping[ProofKey, Proof]
) -> Coverage:
    """Judge one database in one of its stores."""
    listing = next((each for each in observation.listings if each.store == store), Listing(store))
    history = tuple(
        Point(snapshot, proofs.get((store, snapshot.name)))
        for snapshot in sorted(
            (each for each in listing.snapshots if each.database == watched.name),
            key=lambda each: (each.taken, each.name),
        )
    )
    good = next((p for p in reversed(history) if _is_good(p)), None)
    job = backup_job(observation.jobs, watched.name, store)
    taken = _taken(good, job, listing)
    due, overdue = deadlines(watched, taken, observation.started)
    coverage = Coverage(
        watched.name,
        store,
        State.OK,
        good,
        next((p for p in reversed(history) if p.proven and not p.snapshot.reason.is_undo), None),
        history,
        due,
        overdue,
        job,
        listing,
        taken,
    )
    return _judged(coverage, observation.now)


def backup_job(jobs: Iterable[Job], database: str, store: str) -> Job | None:
    """Return the job that backs a database up to a store; the one that names both goes first."""
    fitting = [
        job
        for job in jobs
        if job.name == "backup" and job.database in {database, None} and job.store in {store, None}
    ]
    return min(fitting, key=lambda job: (job.database is None, job.store is None), default=None)


def _taken(good: Point | None, job: Job | None, listing: Listing) -> datetime | None:
    """When the last good one was taken; a success counts where the store was not seen since."""
    listed = good.snapshot.taken if good is not None else None
    told = job.succeeded if job is not None else None
    seen = listing.looked if listing.problem is None else None
    if told is None or (seen is not None and told < seen):
        return listed
    return told if listed is None else max(told, listed)


def deadlines(
    watched: Watched, taken: datetime | None, started: datetime
) -> tuple[datetime | None, datetime | None]:
    """Return when the next snapshot is due and when it is overdue; None for never.

    `taken` is when the last one was. Where there is none yet, one is due since the daemon started.
    """
    if taken is None:
        within = watched.overdue_after or GRACE
        wanted = watched.schedule is not None or watched.overdue_after is not None
        return (started, started + within) if wanted else (None, None)
    due = watched.schedule.next_after(taken) if watched.schedule else None
    if watched.overdue_after is not None:
        return due, taken + watched.overdue_after
    if watched.schedule is None or due is None:
        return due, None
    return due, due + max(GRACE, (watched.schedule.next_after(due) - due) / 2)


def failed_since(coverage: Coverage) -> Job | None:
    """Return the backup job if it failed last and no good snapshot came after that."""
    job = coverage.backup
    if job is None or job.outcome is not JobOutcome.FAILED:
        return None
    taken = coverage.taken
    later = taken is not None and job.finished is not None and taken > job.finished
    return None if later else job


def _is_good(point: Point) -> bool:
    return not point.failed and not point.snapshot.reason.is_undo


def _judged(coverage: Coverage, now: datetime) -> Coverage:
    states = {
        State.FAILING: failed_since(coverage) is not None or coverage.fails_proof,
        State.OVERDUE: coverage.is_overdue(now),
        State.UNKNOWN: coverage.listing.problem is not None or coverage.listing.looked is None,
        State.DUE: coverage.due is not None and now >= coverage.due,
    }
    return replace(coverage, state=worst(state for state, holds in states.items() if holds))
