"""Claims about a store that is down, and what people hear of it: little, and all of it."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
import time_machine
from tests.daemon.simulation import World

from junmai_svc.service.context import now
from junmai_svc.service.daemon.job_memory import Memory
from junmai_svc.service.daemon.jobs import Job, JobKind, Part
from junmai_svc.service.notify.crier import Crier
from junmai_svc.service.schedule import parse
from junmai_svc.storage.errors import (
    IntegrityError,
    JunmaiError,
    NoSpaceError,
    StorageUnavailableError,
)

MIDNIGHT = datetime(2026, 11, 23, tzinfo=UTC)
DOWN = MIDNIGHT + timedelta(hours=2, minutes=31)
BACK = MIDNIGHT + timedelta(hours=21, minutes=4)
NAMES = "abcdefgh"
STORES = ("nas", "usb")

Failing = Callable[[str, str], JunmaiError | None]


class Told(Crier):
    """A crier that keeps what it told and when."""

    def __init__(self) -> None:
        self.told: list[tuple[datetime, str, str]] = []
        super().__init__(self._hear, lambda _kind: None)

    def _hear(self, title: str, text: str) -> None:
        self.told.append((now(), title, text))

    def record(self, _name: str, _data: Mapping[str, Any]) -> None:
        """Hear of an event."""


class Office:
    """Eight databases, backed up hourly to two stores, which are kept in order too."""

    def __init__(self, world: World, told: Told) -> None:
        self.world, self.told = world, told
        self.failing: Failing = lambda _subject, _store: None
        self.down: Callable[[], bool] = lambda: False
        self.boot(Memory(MIDNIGHT))

    def boot(self, memory: Memory) -> None:
        """Start a daemon, as a process does."""
        jobs = self._jobs()
        for each in jobs:
            for part in each.parts:
                memory.learn(part.subject, now())
        self.world.boot(memory)
        self.world.daemon.store_is_down = lambda store: store == "nas" and self.down()
        self.told.configured({part.subject: part.store for job in jobs for part in job.parts})
        self.world.daemon.start(jobs)

    def run(self, length: timedelta) -> None:
        """Let time go on, with a look round now and then."""
        self.world.run(length, lambda: self.told.flush(now()))

    def until(self, when: datetime) -> None:
        """Let time go on until then."""
        self.run(when - now())

    def _jobs(self) -> list[Job]:
        jobs = [self._job(f"backup {n}", "backup", "0 * * * *", f"of {n} in ") for n in NAMES]
        others: list[tuple[JobKind, str]] = [
            ("prune", "30 3 * * *"),
            ("check", "0 5 * * *"),
            ("publish", "every 15m"),
        ]
        return jobs + [self._job(kind, kind, when, "in ") for kind, when in others]

    def _job(self, name: str, kind: JobKind, schedule: str, of: str) -> Job:
        return Job(
            name,
            kind,
            parse(schedule),
            tuple(self._part(f"{kind} {of}{store}", store) for store in STORES),
        )

    def _part(self, subject: str, store: str) -> Part:
        def act() -> dict[str, Any]:
            if store == "nas" and self.down():
                raise StorageUnavailableError("The store nas does not answer")
            if (problem := self.failing(subject, store)) is not None:
                raise problem
            return {}

        return Part(subject, act, None, store)


@pytest.fixture
def office() -> Iterator[Office]:
    with time_machine.travel(MIDNIGHT, tick=False) as traveller:
        told = Told()
        yield Office(World(traveller, told), told)


def test_a_store_that_is_down_for_a_day_makes_four_messages_and_every_end_is_told(
    office: Office,
) -> None:
    office.down = lambda: DOWN <= now() < BACK
    office.run(timedelta(days=2))
    assert [title for _, title, _ in office.told.told] == [
        "junmai-svc: store nas down",
        "junmai-svc: 8 overdue",
        "junmai-svc: 10 recovered",
        "junmai-svc: 2 recovered",
    ]
    (down, _, first), _, (_, _, ends), (_, _, last) = office.told.told
    assert down < DOWN + timedelta(minutes=30)
    assert first == "The store nas does not answer. It holds up: publish in nas."
    assert "Not made good yet: check in nas, prune in nas." in ends
    subjects = {f"backup of {name} in nas" for name in NAMES} | {
        f"{kind} in nas" for kind in ("prune", "check", "publish")
    }
    assert all(f"{subject} recovered" in ends + last for subject in subjects)
    assert all(each.trouble is None for each in office.told.standings().values())
    assert office.told.held() == []


def test_a_store_that_is_down_for_days_is_told_of_once_a_day_with_all_that_waits_for_it(
    office: Office,
) -> None:
    office.down = lambda: now() >= DOWN
    office.run(timedelta(days=4))
    titles = [title for _, title, _ in office.told.told]
    assert (
        titles
        == ["junmai-svc: store nas down", "junmai-svc: 8 overdue"]
        + ["junmai-svc: store nas down"] * 3
    )
    assert "check in nas" in office.told.told[-1][2]
    assert "backup of h in nas" in office.told.told[-1][2]


def test_what_the_store_does_not_explain_is_told_at_once(office: Office) -> None:
    office.down = lambda: now() >= DOWN
    damaged = DOWN + timedelta(hours=1)

    def failing(subject: str, _store: str) -> JunmaiError | None:
        if subject == "backup of c in usb" and now() >= damaged:
            return IntegrityError("The database c is damaged")
        return None

    office.failing = failing
    office.until(MIDNIGHT + timedelta(hours=4, minutes=1))
    [(when, title, text)] = [each for each in office.told.told if "is damaged" in each[2]]
    assert "backup of c in usb failed" in title + text
    assert when <= MIDNIGHT + timedelta(hours=4, minutes=1)


def test_damage_found_once_the_store_is_back_is_told_at_once(office: Office) -> None:
    office.down = lambda: DOWN <= now() < BACK

    def failing(subject: str, _store: str) -> JunmaiError | None:
        if subject in {"check in nas", "publish in nas"} and now() >= BACK:
            return IntegrityError("The store nas is damaged")
        return None

    office.failing = failing
    office.until(BACK + timedelta(hours=2))
    told = [when for when, _, text in office.told.told if "is damaged" in text]
    assert told
    assert told[0] <= BACK + timedelta(hours=1)


def test_a_store_that_is_full_makes_no_flood_either(office: Office) -> None:
    def failing(subject: str, store: str) -> JunmaiError | None:
        full = store == "nas" and subject.startswith("backup") and now() >= DOWN
        return NoSpaceError("There is no room in nas") if full else None

    office.failing = failing
    office.until(MIDNIGHT + timedelta(hours=9))
    said = "\n".join(f"{title}\n{text}" for _, title, text in office.told.told)
    assert all(f"backup of {name} in nas" in said for name in NAMES)
    times = [when for when, _, _ in office.told.told]
    assert len(times) <= 4
    assert all(b - a >= timedelta(minutes=10) for a, b in pairwise(times))
