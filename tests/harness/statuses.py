"""Observations to judge and to show: nothing yet, all well, much data, a failure."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from junmai_svc.service.status.observation import (
    Job,
    JobOutcome,
    JournalFacts,
    Listing,
    Observation,
    Proof,
    ProofOutcome,
    StoredSnapshot,
    Watched,
)
from junmai_svc.storage.journal.projection import Run
from junmai_svc.storage.snapshots.manifest import Reason

NOW = datetime(2026, 11, 23, 12, 17, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


class Every:
    """A schedule without a calendar: at every multiple of a period since 1970."""

    def __init__(self, period: timedelta) -> None:
        self.period = period

    def next_after(self, when: datetime) -> datetime:
        """Return the first multiple that is later."""
        epoch = datetime(1970, 1, 1, tzinfo=UTC)
        return epoch + ((when - epoch) // self.period + 1) * self.period


HOURLY, WEEKLY = Every(HOUR), Every(7 * DAY)


def run_id(number: int) -> str:
    return f"0190163d-8694-739b-aea5-{number:012x}"


def run(kind: str, database: str, status: str, age: timedelta, number: int = 1, **more: str) -> Run:
    started = NOW - age
    return Run(
        id=run_id(number),
        kind=kind,
        status=status,
        started=started,
        ended=None if status == "running" else started + timedelta(seconds=14),
        actor="somebody",
        database=database,
        source=None,
        target=more.get("target"),
        command=kind,
        snapshot=None,
        message=more.get("message"),
    )


def snapshots(
    database: str, count: int, *, size: int = 40_000_000, seed: int = 1, new: bool = True
) -> tuple[StoredSnapshot, ...]:
    """Hourly snapshots up to the last full hour, of a database that grows."""
    dice = random.Random(seed)  # noqa: S311
    found, last = [], NOW.replace(minute=0)
    for number in range(count):
        growth = dice.choice([0, 40_000, 400_000, 400_000, 1_600_000])
        size += growth
        taken = last - (count - 1 - number) * HOUR
        found.append(
            StoredSnapshot(
                f"{database}_backup_{taken:%Y%m%d_%H%M%S}",
                database,
                taken,
                size,
                (growth + 24_000 if new else size),
                Reason.MIGRATION if number == count // 2 else Reason.SCHEDULED,
            )
        )
    return tuple(found)


def nothing() -> Observation:
    return Observation(NOW, NOW - timedelta(minutes=2), "0.1.0")


def well(count: int = 60) -> Observation:
    """One database in one store, every hour, proven a day ago."""
    own = snapshots("junmai", count)
    return Observation(
        now=NOW,
        started=NOW - 9 * DAY,
        version="0.1.0",
        databases=(Watched("junmai", "/home/ren/junmai/data/junmai.db", ("local",), HOURLY),),
        listings=(Listing("local", NOW - timedelta(seconds=20), own),),
        proofs=tuple(
            Proof(each.name, each.taken + HOUR, store="local") for each in own[:-2][::-24]
        ),
        runs=(
            run("backup", "/home/ren/junmai/data/junmai.db", "verified", timedelta(minutes=17)),
            run("verification", "junmai", "completed", DAY, 2),
            run("migration", "junmai", "verified", 3 * DAY, 3, target="data/junmai_new.db"),
        ),
        jobs=(
            job("backup", "junmai", "local"),
            job("drill", "junmai", "local", next_run=NOW + 2 * DAY),
            job("prune", None, "local", next_run=NOW + 15 * HOUR),
            job("publish", None, None, next_run=NOW + timedelta(minutes=8)),
        ),
        journal=JournalFacts(1_280_000, 4812, 0, NOW - timedelta(minutes=7)),
        drill=WEEKLY,
    )


def job(
    name: str,
    database: str | None,
    store: str | None,
    outcome: JobOutcome | None = JobOutcome.SUCCEEDED,
    **more: object,
) -> Job:
    made = Job(
        name,
        database,
        store,
        outcome,
        finished=NOW - timedelta(minutes=17),
        seconds=1.25,
        succeeded=NOW - timedelta(minutes=17),
        next_run=NOW + timedelta(minutes=43),
        counts={JobOutcome.SUCCEEDED: 217},
    )
    return replace(made, **more)  # type: ignore[arg-type]


def much() -> Observation:
    """Three databases in three stores with 700 snapshots each."""
    names, stores = ("junmai", "lightroom catalogue", "accounts"), ("local", "nas", "offsite")
    return Observation(
        now=NOW,
        started=NOW - 31 * DAY,
        version="0.1.0",
        databases=tuple(
            Watched(name, f"/srv/data/{name.replace(' ', '_')}.db", stores, HOURLY)
            for name in names
        ),
        listings=tuple(
            Listing(
                store,
                NOW - timedelta(seconds=5),
                tuple(
                    snapshot
                    for number, name in enumerate(names)
                    for snapshot in snapshots(
                        name, 700, size=10**7 * 9**number, seed=number, new=store != "local"
                    )
                ),
            )
            for store in stores
        ),
        proofs=tuple(
            Proof(snapshot.name, snapshot.taken + HOUR, store=store)
            for store in stores
            for number, name in enumerate(names)
            for snapshot in snapshots(name, 700, seed=number)[:-3][::-168]
        ),
        runs=tuple(
            run(
                "migration" if number % 5 == 4 else "backup",
                names[number % 3],
                "verified",
                number * HOUR,
                number,
            )
            for number in range(60)
        ),
        jobs=tuple(
            job(kind, name, store)
            for name in names
            for store in stores
            for kind in ("backup", "drill")
        ),
        journal=JournalFacts(48_000_000, 184_211, 12, NOW - timedelta(minutes=14)),
        drill=WEEKLY,
    )


def failing() -> Observation:
    """A store that is down, a backup that failed, one overdue, a bad snapshot, a lost migration."""
    good = well()
    own = good.listings[0].snapshots
    notes = tuple(
        replace(each, taken=each.taken - 7 * HOUR)
        for each in snapshots("notes", 30, size=9_000_000)
    )
    failure = "The store did not answer: connection refused by s3.example.org:443"
    return replace(
        good,
        databases=(
            replace(good.databases[0], stores=("local", "offsite")),
            Watched("notes", "/home/ren/notes.db", ("local",), HOURLY),
            Watched("wine", "/home/ren/wine.db", ("local",), HOURLY),
        ),
        listings=(
            Listing("local", NOW, (*own, *notes), unreadable=("junmai_backup_20261101_000000",)),
            Listing("offsite", NOW - timedelta(minutes=4), own[:-27], problem=failure),
        ),
        proofs=(
            *good.proofs,
            Proof(
                own[-3].name,
                NOW - HOUR,
                ProofOutcome.FAILED,
                "local",
                "the SHA-256 of its image is not the recorded one",
            ),
        ),
        runs=(
            run("backup", "junmai", "failed", timedelta(minutes=17), 7, message=failure),
            run(
                "migration",
                "notes",
                "failed",
                5 * HOUR,
                8,
                target="notes_new.db",
                message="3 rows of entries differ; the target was not published",
            ),
            run("backup", "notes", "running", timedelta(minutes=1), 9),
            *good.runs,
        ),
        jobs=(
            *good.jobs,
            job(
                "backup",
                "junmai",
                "offsite",
                JobOutcome.FAILED,
                message=failure,
                failures=26,
                succeeded=NOW - 27 * HOUR,
            ),
            job("backup", "notes", "local", JobOutcome.MISSED),
            job("publish", None, "offsite", JobOutcome.FAILED, message=failure, failures=104),
            job("check", None, None, None, finished=None, seconds=None, succeeded=None),
        ),
        journal=JournalFacts(1_280_000, 4812, 1311, NOW - 26 * HOUR),
    )


STATES = {"nothing": nothing, "well": well, "much": much, "failing": failing}
