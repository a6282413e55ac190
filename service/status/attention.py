"""What needs attention first, in plain sentences, each with what to do. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from junmai_svc.service.status.coverage import Coverage, failed_since
from junmai_svc.service.status.observation import Job, JobOutcome, Listing, Observation
from junmai_svc.service.status.phrases import ago, duration, listed, moment
from junmai_svc.storage.journal.projection import Run

FRESH = timedelta(days=7)  # how long a failed migration is news
FIRST_LOOK = timedelta(minutes=2)  # how long the first look at a store may take
_LOST = {
    "failed": "failed",
    "abandoned": "was abandoned",
    "rolled_back": "was rolled back",
}


class Level(StrEnum):
    """WRONG makes `/healthz` answer 503; a NOTICE is for people."""

    WRONG = "wrong"
    NOTICE = "notice"


@dataclass(frozen=True, slots=True)
class Attention:
    """One sentence and what to do. `rank` orders those of a level, lowest first.

    `database`, `store` and `run` say what it is about, where it is about one.
    """

    level: Level
    rank: int
    text: str
    hint: str = ""
    database: str | None = None
    store: str | None = None
    run: str | None = None


def attention(
    observation: Observation, coverages: Sequence[Coverage], migrations: Sequence[Run]
) -> tuple[Attention, ...]:
    """Return all that needs attention, what is worst first, each sentence once."""
    found = [
        *(each for coverage in coverages for each in _of_coverage(coverage, observation)),
        *(each for listing in observation.listings for each in _of_store(listing, observation)),
        *_of_journal(observation),
        *_of_notifications(observation),
        *(each for job in observation.jobs for each in _of_job(job, coverages, observation)),
        *_of_migrations(migrations, observation.now),
    ]
    once: dict[str, Attention] = {}
    for each in found:
        once.setdefault(each.text, each)
    return tuple(sorted(once.values(), key=lambda each: (each.level is Level.NOTICE, each.rank)))


def _of_coverage(coverage: Coverage, observation: Observation) -> Iterator[Attention]:
    now, database, store = observation.now, coverage.database, coverage.store
    job = failed_since(coverage)
    overdue = _overdue(coverage, now) if coverage.is_overdue(now) else None
    if job is not None:
        where = f" to {store}" if job.store else ""
        why = _because(job.message)
        if is_explained(job, observation.listings):
            why = f", as {store} could not be read."
        yield Attention(
            Level.WRONG,
            0,
            f"The last backup of {database}{where} failed{_when(job.finished, now)}"
            f"{_in_a_row(job)}{why}{f' {overdue}' if overdue else ''}",
            _next(job, now),
            database,
            store,
        )
    elif overdue:
        yield Attention(
            Level.WRONG,
            2,
            overdue,
            "See the daemon's log, or take one now with `junmai-svc backup`.",
            database,
            store,
        )
    yield from _of_proof(coverage, observation)
    if coverage.last_good is not None and coverage.last_good.snapshot.taken > now:
        ahead = duration(coverage.last_good.snapshot.taken - now)
        yield Attention(
            Level.NOTICE,
            0,
            f"The newest snapshot of {database} in {store} is dated {ahead} ahead.",
            "Check this computer's clock.",
            database,
            store,
        )


def _overdue(coverage: Coverage, now: datetime) -> str:
    if coverage.taken is None:
        return f"There is no good snapshot of {coverage.database} in {coverage.store} at all."
    old = duration(now - coverage.taken)
    due = ", longer than it may be"  # where it may be less than its schedule has it
    if coverage.due is not None and coverage.due <= now:
        due = f"; one was due {ago(coverage.due, now)}"
    return f"The newest good snapshot of {coverage.database} in {coverage.store} is {old} old{due}."


def _of_proof(coverage: Coverage, observation: Observation) -> Iterator[Attention]:
    now, database, store = observation.now, coverage.database, coverage.store
    failed = max(coverage.failed_proofs, key=lambda point: point.proved, default=None)
    if failed is not None and failed.proof is not None:
        others = len(coverage.failed_proofs) - 1
        yield Attention(
            Level.WRONG if coverage.fails_proof else Level.NOTICE,
            1,
            f"The snapshot {failed.snapshot.name} of {database} in {store} failed its proof"
            f"{_when(failed.proved, now)}{f', and {others} more' if others else ''}"
            f"{_because(failed.proof.message)}",
            "Don't rely on it. Take a new backup, and look at the store's disk.",
            database,
            store,
        )
    if observation.drill is None or coverage.last_good is None:
        return
    # Weighed by the proof, or the first snapshot there could have been one of.
    proven = coverage.last_proven
    since = proven.proved if proven else coverage.history[0].snapshot.taken
    due = observation.drill.next_after(since)
    late = due + max(timedelta(hours=1), (observation.drill.next_after(due) - due) / 2)
    if now > late:
        last = f"since {moment(since)}" if proven else "yet"
        yield Attention(
            Level.NOTICE,
            1,
            f"No snapshot of {database} in {store} was proven {last}.",
            "A drill restores the newest one and proves it; see why it does not run.",
            database,
            store,
        )


def is_explained(job: Job, listings: Iterable[Listing]) -> bool:
    """Tell whether a job failed by what its store could not be read for, either."""
    return any(
        each.store == job.store and each.problem and job.message.startswith(each.problem)
        for each in listings
    )


def _of_store(listing: Listing, observation: Observation) -> Iterator[Attention]:
    now, store = observation.now, listing.store
    if listing.problem is not None:
        failed = [
            f"{job.name} of {job.database}" if job.database else job.name
            for job in observation.jobs
            if job.outcome is JobOutcome.FAILED and is_explained(job, [listing])
        ]
        yield Attention(
            Level.WRONG,
            -1 if failed else 3,  # it comes before what it explains
            f"The store {store} could not be read{_when(listing.looked, now)}"
            f"{_because(listing.problem)}"
            f"{f' By that failed: {listed(tuple(sorted(failed)), 8)}.' if failed else ''}",
            "What is shown of it may be old. `junmai-svc config check` probes it.",
            store=store,
        )
    elif listing.looked is None and any(store in each.stores for each in observation.databases):
        late = now - observation.started > FIRST_LOOK
        level = Level.WRONG if late else Level.NOTICE
        yield Attention(level, 4, f"The store {store} has not been looked at yet.", store=store)
    if listing.unreadable:
        count = len(listing.unreadable)
        yield Attention(
            Level.NOTICE,
            2,
            f"{count} manifest{'s' if count > 1 else ''} in {store} can't be used:"
            f" {listed(listing.unreadable)}.",
            "`junmai-svc snapshots` says what is wrong with each.",
            store=store,
        )


def _of_journal(observation: Observation) -> Iterator[Attention]:
    problem = observation.journal.problem
    if problem is not None:
        yield Attention(
            Level.WRONG,
            -2,
            f"The journal can't be used{_because(problem)}",
            "Without it no backup is recorded, and none is taken.",
        )


def _of_notifications(observation: Observation) -> Iterator[Attention]:
    unsent = observation.unsent
    if unsent is not None:
        yield Attention(
            Level.WRONG,
            5,
            f"Notifications can't be sent since {moment(unsent.since)}{_because(unsent.problem)}",
            "They are kept and tried again. `junmai-svc notify test` tries the addresses.",
        )


def _of_job(
    job: Job, coverages: Iterable[Coverage], observation: Observation
) -> Iterator[Attention]:
    """Jobs other than backups, which `_of_coverage` tells of with what they mean."""
    if job.name == "backup" or job.outcome is not JobOutcome.FAILED:
        return
    if is_explained(job, observation.listings):
        return  # told with its store
    now = observation.now
    failed_proof = job.name == "drill" and any(
        coverage.fails_proof
        for coverage in coverages
        if job.database in {coverage.database, None} and job.store in {coverage.store, None}
    )
    if not failed_proof:
        of = f" of {job.database}" if job.database else ""
        where = f" in {job.store}" if job.store else ""
        yield Attention(
            Level.WRONG,
            5,
            f"The last {job.name}{of}{where} failed{_when(job.finished, now)}"
            f"{_in_a_row(job)}{_because(job.message)}",
            _next(job, now),
            job.database,
            job.store,
        )


def _of_migrations(migrations: Iterable[Run], now: datetime) -> Iterator[Attention]:
    seen: set[str | None] = set()
    for run in migrations:
        if run.database in seen:
            continue
        seen.add(run.database)
        if run.status in _LOST and run.ended is not None and now - run.ended < FRESH:
            yield Attention(
                Level.NOTICE,
                3,
                f"The last migration of {run.database} {_LOST[run.status]} {ago(run.ended, now)}"
                f"{_because(run.message or '')}",
                "The source is untouched; its report says what was found.",
                run=run.id,
            )


def _when(when: datetime | None, now: datetime) -> str:
    return f" {ago(when, now)}" if when else ""


def _because(message: str) -> str:
    """The message as the end of a sentence, its own full stop or ours behind it."""
    text = " ".join(message.split())
    if not text:
        return "."
    return f": {text}" if text[-1] in ".!?" else f": {text}."


def _in_a_row(job: Job) -> str:
    return f" ({job.failures} times in a row)" if job.failures > 1 else ""


def _next(job: Job, now: datetime) -> str:
    return f"It is tried again {ago(job.next_run, now)}." if job.next_run else "See the log."
