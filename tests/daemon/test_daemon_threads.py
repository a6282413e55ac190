"""Claims about the daemon's threads, with the real scheduler: jobs that overlap, hang, or stop."""

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from tests.daemon.simulation import Heard

from junmai_svc.service.context import now
from junmai_svc.service.daemon.job_memory import JobOutcome, Memory
from junmai_svc.service.daemon.jobs import Facts, Job, Part
from junmai_svc.service.daemon.scheduler import WORKERS, Daemon, background_scheduler
from junmai_svc.service.daemon.stopping import Stop
from junmai_svc.service.schedule import parse

Act = Callable[[], Facts]


def job(name: str, act: Act, schedule: str = "every 1s") -> Job:
    return Job(name, "backup", parse(schedule), (Part(name, act),), timedelta(days=1))


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def daemon(heard: Heard) -> Iterator[Daemon]:
    made = Daemon(background_scheduler(), Stop(), heard.record, heard, now, Memory(now()))
    yield made
    made.stop.signum = 15
    assert made.close(10, time.sleep)


def wait_for(seen: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not seen():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_job_is_never_begun_twice_and_the_times_it_missed_so_are_recorded(
    daemon: Daemon, heard: Heard
) -> None:
    running, most, go_on = [], [0], threading.Event()

    def act() -> Facts:
        running.append(1)
        most[0] = max(most[0], len(running))
        go_on.wait(20)
        running.pop()
        return {}

    daemon.start([job("slow", act)])
    # Three due times pass while the first run goes on.
    wait_for(
        lambda: (
            daemon.memory.courses()[0].counts[JobOutcome.OVERLAPPED] >= 3
            if daemon.memory.courses()
            else False
        )
    )
    go_on.set()
    wait_for(lambda: heard.total("job_skipped") >= 3)
    assert most == [1]


def test_jobs_that_hang_do_not_keep_the_others_waiting(daemon: Daemon) -> None:
    go_on, done = threading.Event(), threading.Event()

    def hang() -> Facts:
        go_on.wait(20)
        return {}

    def quick() -> Facts:
        done.set()
        return {}

    hanging = [job(f"hanging {number}", hang) for number in range(WORKERS - 1)]
    daemon.start([*hanging, job("quick", quick)])
    assert done.wait(10)
    go_on.set()


def test_what_a_sleep_let_pass_is_done_as_soon_as_the_daemon_looks_round(heard: Heard) -> None:
    """The scheduler's timer stands still in a sleep: here it would wait for another hour."""
    times: list[datetime] = []

    def act() -> Facts:
        times.append(now())
        return {}

    with time_machine.travel(datetime(2026, 11, 23, 10, 30, tzinfo=UTC), tick=True) as clock:
        daemon = Daemon(background_scheduler(), Stop(), heard.record, heard, now, Memory(now()))
        daemon.start([job("hourly", act, "0 * * * *")])
        wait_for(lambda: len(times) == 1)
        clock.shift(timedelta(minutes=45))
        time.sleep(0.3)
        assert len(times) == 1
        daemon.look_round()
        wait_for(lambda: len(times) == 2)
        daemon.stop.signum = 15
        assert daemon.close(10, time.sleep)


def test_what_runs_may_end_and_what_does_not_is_named(heard: Heard) -> None:
    go_on, begun = threading.Event(), threading.Event()

    def hang() -> Facts:
        begun.set()
        go_on.wait(20)
        return {}

    daemon = Daemon(background_scheduler(), Stop(), heard.record, heard, now, Memory(now()))
    daemon.start([job("hanging", hang)])
    assert begun.wait(10)
    daemon.stop.signum = 15
    assert not daemon.close(0.2, time.sleep)
    assert daemon.running() == ["hanging"]
    go_on.set()
    wait_for(lambda: not daemon.running())
