"""Claims about which runs are alive."""

import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from junmai_svc.storage.errors import LockedError, UsageError
from junmai_svc.storage.journal import liveness
from junmai_svc.storage.journal.liveness import RunLock, forget_dead, is_alive
from junmai_svc.storage.journal.uuid7 import uuid7

RUN = "0190163d-8694-739b-aea5-966c26f8ad91"

HOLD = """
import pathlib, sys
from junmai_svc.storage.journal.liveness import RunLock
with RunLock(pathlib.Path(sys.argv[1]), sys.argv[2]):
    print("held", flush=True)
    sys.stdin.readline()
"""


def held_by(running: subprocess.Popen[str]) -> None:
    assert running.stdout is not None
    assert running.stdout.readline() == "held\n"


def locks(path: Path) -> list[str]:
    folder = path.with_name(path.name + ".runs")
    return sorted(file.name for file in folder.iterdir() if file.name != "probe.lock")


def test_a_run_is_alive_while_it_holds_its_lock_and_then_its_file_is_gone(path: Path) -> None:
    assert not is_alive(path, RUN)
    with RunLock(path, RUN):
        assert locks(path) == [f"{RUN}.lock"]
        assert is_alive(path, RUN)
        assert not is_alive(path, uuid7())
    assert not is_alive(path, RUN)
    assert locks(path) == []


def test_asking_does_not_end_a_life(path: Path) -> None:
    with RunLock(path, RUN):
        assert [is_alive(path, RUN) for _ in range(3)] == [True, True, True]


def test_a_run_of_another_process_is_alive_until_it_ends(
    process: Callable[..., subprocess.Popen[str]], path: Path
) -> None:
    running = process(HOLD, path, RUN)
    held_by(running)
    assert is_alive(path, RUN)
    running.communicate("\n")
    assert not is_alive(path, RUN)
    assert locks(path) == []


def test_a_killed_run_is_dead_at_once_and_what_it_left_is_cleared_away(
    process: Callable[..., subprocess.Popen[str]], path: Path
) -> None:
    running = process(HOLD, path, RUN)
    held_by(running)
    running.kill()
    running.wait()
    assert locks(path) == [f"{RUN}.lock"]
    assert not is_alive(path, RUN)
    assert locks(path) == []


def test_the_locks_of_dead_runs_are_cleared_away_and_no_others(
    process: Callable[..., subprocess.Popen[str]], path: Path
) -> None:
    killed = process(HOLD, path, RUN)
    held_by(killed)
    killed.kill()
    killed.wait()
    other = path.with_name(path.name + ".runs") / "of somebody else.lock"
    other.touch()
    alive = uuid7()
    with RunLock(path, alive):
        forget_dead(path)
        assert locks(path) == [f"{alive}.lock", other.name]
        assert is_alive(path, alive)


def test_where_no_run_ever_was_there_is_nothing_to_clear_away(path: Path) -> None:
    forget_dead(path)
    assert not path.with_name(path.name + ".runs").exists()


def test_the_same_run_can_not_go_on_twice(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(liveness, "_WAIT_SECONDS", 0.05)
    with RunLock(path, RUN):
        with pytest.raises(LockedError, match=f"{RUN} is going on already"), RunLock(path, RUN):
            pass
        assert is_alive(path, RUN)


def test_those_who_look_at_a_dead_run_at_once_do_not_take_each_other_for_it(
    process: Callable[..., subprocess.Popen[str]], path: Path
) -> None:
    running = process(HOLD, path, RUN)
    held_by(running)
    running.kill()
    running.wait()
    left = path.with_name(path.name + ".runs") / f"{RUN}.lock"
    verdicts: list[bool] = []

    def look() -> None:
        for _ in range(50):
            left.touch()
            verdicts.append(is_alive(path, RUN))

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert verdicts == [False] * 200


def test_every_name_of_the_journal_leads_to_the_same_lock(path: Path) -> None:
    path.touch()
    roundabout = path.parent / "." / ".." / path.parent.name / path.name
    with RunLock(path, RUN):
        assert is_alive(roundabout, RUN)


def test_a_lock_may_be_given_back_by_another_thread(path: Path) -> None:
    lock = RunLock(path, RUN)
    lock.__enter__()
    thread = threading.Thread(target=lock.__exit__, args=(None, None, None))
    thread.start()
    thread.join()
    assert not is_alive(path, RUN)


@pytest.mark.parametrize("run_id", ["", "../../etc/passwd", "C:\\x", RUN.upper()])
def test_a_run_that_is_no_uuid_names_no_file(path: Path, run_id: str) -> None:
    with pytest.raises(UsageError, match="A run is named by a UUID"):
        is_alive(path, run_id)
    with pytest.raises(UsageError, match="A run is named by a UUID"):
        RunLock(path, run_id)
