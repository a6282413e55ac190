"""Claims about the daemon and time: every due time is done, or accounted for by name."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from tests.daemon.simulation import World

from junmai_svc.service.context import now
from junmai_svc.service.daemon.job_memory import Memory
from junmai_svc.service.daemon.jobs import Job, JobKind, Part
from junmai_svc.service.daemon.lock import Note
from junmai_svc.service.notify.notices import Trouble
from junmai_svc.service.schedule import parse
from junmai_svc.storage.errors import IntegrityError, StorageUnavailableError

# The night in which clocks in Europe go back: 03:00 CEST comes twice, 01:00 UTC does not.
SATURDAY = datetime(2026, 10, 24, 12, 0, tzinfo=UTC)
WEEK = timedelta(days=7)


def remembered(memory: Memory) -> dict[str, datetime]:
    texts = memory.noted_in(Note(), {}).waiting
    return {subject: datetime.fromisoformat(text) for subject, text in texts.items()}


class Work:
    """Something to do: counts, and fails while it is told to."""

    def __init__(self) -> None:
        self.times: list[datetime] = []
        self.failing: Callable[[], BaseException | None] = lambda: None

    def __call__(self) -> dict[str, Any]:
        """Do it once.

        Raises:
            BaseException: it is told to fail.
        """
        self.times.append(now())
        if (error := self.failing()) is not None:
            raise error
        return {}


def job(kind: JobKind, schedule: str, *works: Work, overdue_after: timedelta | None = None) -> Job:
    parts = tuple(Part(f"{kind} {number}", work) for number, work in enumerate(works))
    return Job(kind, kind, parse(schedule), parts, overdue_after)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    with time_machine.travel(SATURDAY, tick=False) as traveller:
        yield World(traveller)


def test_in_a_week_every_hour_is_kept_also_where_the_clocks_change(world: World) -> None:
    backup, prune, drill = Work(), Work(), Work()
    world.daemon.start(
        [
            job("backup", "0 * * * *", backup),
            job("prune", "30 3 * * *", prune),
            job("drill", "0 4 * * sun", drill),
        ]
    )
    world.run(WEEK)
    # One at once, as there was none, then one each hour.
    assert backup.times == [SATURDAY + timedelta(hours=n) for n in range(7 * 24 + 1)]
    assert [when.strftime("%a %H:%M") for when in prune.times] == [
        f"{day} 03:30" for day in ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
    ]
    assert drill.times == [datetime(2026, 10, 25, 4, 0, tzinfo=UTC)]
    assert world.heard.events == []
    assert world.heard.wrong == []


def test_after_a_sleep_one_backup_is_taken_at_once_and_the_missed_are_counted(
    world: World,
) -> None:
    backup = Work()
    world.daemon.start([job("backup", "every 15m", backup)])
    world.run(timedelta(minutes=20))
    world.sleep(timedelta(minutes=50))  # 12:30, 12:45 and 13:00 pass
    world.run(timedelta(minutes=1))
    assert [when.strftime("%H:%M") for when in backup.times] == ["12:00", "12:15", "13:10"]
    assert world.heard.total("jobs_missed") == 2  # 12:30 itself was done late
    world.run(timedelta(hours=1))
    assert len(backup.times) == 3 + 4


def test_what_was_slept_through_for_longer_than_an_hour_is_missed_and_done_at_once(
    world: World,
) -> None:
    backup = Work()
    world.daemon.start([job("backup", "0 13 * * *", backup)])
    world.run(timedelta(minutes=1))
    world.sleep(timedelta(hours=9))
    world.run(timedelta(minutes=1))
    assert [when.strftime("%H:%M") for when in backup.times] == ["12:00", "21:01"]
    assert world.heard.total("jobs_missed") == 1
    [(_, _, told)] = world.heard.events
    assert told["since"] == "2026-10-24T13:00:00+00:00"


def test_a_clock_that_is_put_back_a_month_does_not_stop_backups_for_a_month(world: World) -> None:
    backup = Work()
    world.daemon.start([job("backup", "0 * * * *", backup)])
    world.run(timedelta(hours=2))
    world.set(now() - timedelta(days=30))
    before = len(backup.times)
    world.run(timedelta(hours=3))
    assert len(backup.times) == before + 3


def test_a_clock_that_jumps_ahead_a_year_takes_one_backup_at_once(world: World) -> None:
    backup = Work()
    world.daemon.start([job("backup", "every 2s", backup)])
    world.run(timedelta(seconds=6))
    before = len(backup.times)
    world.set(now() + timedelta(days=400))
    world.run(timedelta(seconds=1))
    assert len(backup.times) == before + 1
    assert world.heard.total("jobs_missed") >= 1_000  # counted that far and no farther


def test_a_store_that_is_down_for_a_day_stops_nobody_else_and_is_told_once(world: World) -> None:
    far, near, other = Work(), Work(), Work()
    down = SATURDAY + timedelta(days=1), SATURDAY + timedelta(days=2)
    problem = StorageUnavailableError("The store offsite does not answer")
    far.failing = lambda: problem if down[0] <= now() < down[1] else None
    world.daemon.start(
        [job("backup", "0 * * * *", far, near), job("prune", "30 3 * * *", far, other)]
    )
    world.run(timedelta(days=3))
    assert len(near.times) == 3 * 24 + 1
    assert len(other.times) == 3
    # Each hour is tried a few times again, never endlessly, and ends as a failure that is recorded.
    tries = [when for when in far.times if down[0] <= when < down[1]]
    assert 24 * 4 <= len(tries) <= 24 * 11
    assert world.heard.total("job_failed", "backup") == 24
    well = [when for when, subject in world.heard.well if subject == "backup 0"]
    # With the hour after it, at the latest, all is well again.
    assert min(when for when in well if when >= down[1]) <= down[1] + timedelta(minutes=1)
    overdue = [when for when, _, trouble, _ in world.heard.wrong if trouble is Trouble.OVERDUE]
    assert overdue
    assert down[0] + timedelta(hours=1) < overdue[0] < down[0] + timedelta(hours=2)


def test_after_a_sleep_all_parts_are_done_though_only_one_was_to_be_tried_again(
    world: World,
) -> None:
    near, far = Work(), Work()
    world.daemon.start([job("backup", "0 2 * * *", near, far)])
    world.run(timedelta(hours=1))
    asleep = datetime(2026, 10, 25, 2, 1, tzinfo=UTC)
    far.failing = lambda: StorageUnavailableError("down") if now() < asleep else None
    world.run(asleep - now() - timedelta(seconds=50))  # at 02:00:10, between two tries
    before = len(near.times), len(far.times)
    world.set(datetime(2026, 10, 28, 3, 1, tzinfo=UTC))
    world.run(timedelta(minutes=1))
    assert (len(near.times), len(far.times)) == (before[0] + 1, before[1] + 1)
    assert world.heard.total("jobs_missed") == 3
    assert world.heard.wrong == []


def test_a_daily_backup_is_told_of_after_some_tries_and_tried_on_until_its_store_is_back(
    world: World,
) -> None:
    backup = Work()
    memory = Memory(now())
    memory.learn("backup 0", now())
    world.boot(memory)
    down = datetime(2026, 10, 25, 2, 0, tzinfo=UTC), datetime(2026, 10, 25, 7, 30, tzinfo=UTC)
    problem = StorageUnavailableError("The store offsite does not answer")
    backup.failing = lambda: problem if down[0] <= now() < down[1] else None
    world.daemon.start([job("backup", "0 2 * * *", backup)])
    world.run(timedelta(days=1))
    assert world.heard.total("job_failed") == 1
    [(told, *_)] = [each for each in world.heard.wrong if each[2] is Trouble.FAILED]
    assert down[0] < told < down[0] + timedelta(minutes=30)
    [(well, _)] = world.heard.well
    assert down[1] <= well < down[1] + timedelta(hours=1)
    assert len(backup.times) < 25


def test_a_failure_that_passes_is_tried_again_soon_and_told_to_nobody(world: World) -> None:
    backup = Work()
    backup.failing = lambda: StorageUnavailableError("busy") if len(backup.times) < 3 else None
    world.daemon.start([job("backup", "0 * * * *", backup)])
    world.run(timedelta(minutes=10))
    # Half a minute and a minute, shortened by a quarter here.
    assert [(when - SATURDAY).total_seconds() for when in backup.times] == [0, 22.5, 67.5]
    assert world.heard.events == []
    assert world.heard.wrong == []


def test_a_damaged_database_is_not_tried_again_before_its_time(world: World) -> None:
    backup = Work()
    backup.failing = lambda: IntegrityError("The database is damaged")
    world.daemon.start([job("backup", "0 * * * *", backup)])
    world.run(timedelta(hours=2, minutes=30))
    assert len(backup.times) == 3
    assert world.heard.total("job_failed") == 3


def test_only_the_part_that_failed_is_tried_again(world: World) -> None:
    far, near = Work(), Work()
    far.failing = lambda: StorageUnavailableError("busy") if len(far.times) < 2 else None
    world.daemon.start([job("backup", "0 * * * *", far, near)])
    world.run(timedelta(minutes=30))
    assert (len(far.times), len(near.times)) == (2, 1)
    world.run(timedelta(hours=1))
    assert (len(far.times), len(near.times)) == (3, 2)


def test_a_bug_in_one_part_stops_neither_the_others_nor_the_next_time(world: World) -> None:
    odd, even = Work(), Work()
    odd.failing = ZeroDivisionError
    world.daemon.start([job("backup", "0 * * * *", odd, even)])
    world.run(timedelta(hours=1, minutes=1))
    assert (len(odd.times), len(even.times)) == (2, 2)
    assert world.heard.total("job_failed") == 2


def test_after_a_restart_a_due_backup_is_taken_at_once_and_another_one_is_not(
    world: World,
) -> None:
    backup = Work()
    jobs = [job("backup", "0 * * * *", backup)]
    world.daemon.start(jobs)
    world.run(timedelta(minutes=10))
    for away, taken in ((timedelta(minutes=5), 0), (timedelta(hours=3), 1)):
        world.scheduler.shutdown()
        world.sleep(away)
        memory = Memory(now())
        memory.learn("backup 0", backup.times[-1])
        world.boot(memory)
        before = len(backup.times)
        world.daemon.start(jobs)
        world.run(timedelta(seconds=30))
        assert len(backup.times) == before + taken
    assert world.heard.total("jobs_missed") == 3


def test_a_machine_that_is_off_at_night_still_comes_to_its_nightly_work(world: World) -> None:
    drill = Work()
    jobs = [job("drill", "0 4 * * sun", drill)]
    memory = Memory(now())
    for _ in range(9):
        world.boot(memory)
        world.daemon.start(jobs)
        world.run(timedelta(hours=8))
        world.scheduler.shutdown()
        memory = Memory(now(), remembered(memory))
        world.sleep(timedelta(hours=16))
    assert [when.strftime("%a %H:%M") for when in drill.times] == ["Sun 12:00", "Sun 12:00"]


def test_a_new_configuration_counts_from_now_on_and_nothing_is_done_twice(world: World) -> None:
    old, new = Work(), Work()
    world.daemon.start([job("backup", "0 * * * *", old)])
    world.run(timedelta(minutes=30))
    world.daemon.replace([job("backup", "every 10m", new)])
    world.run(timedelta(minutes=29))
    assert (len(old.times), len(new.times)) == (1, 3)


def test_once_it_is_to_stop_nothing_is_begun(world: World) -> None:
    backup = Work()
    world.daemon.start([job("backup", "0 * * * *", backup)])
    world.stop.signum = 15
    world.run(timedelta(hours=2))
    assert backup.times == []
    assert world.daemon.close(1, lambda _: None)
