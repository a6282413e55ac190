"""Claims about several processes at one journal, and about one that is killed."""

import random
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.journal.journal_file import looking_at

APPEND = """
import datetime, pathlib, sys
from junmai_svc.storage.journal.events import event_type, stream_name
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.journal.uuid7 import uuid7

path, count = pathlib.Path(sys.argv[1]), int(sys.argv[2])
run = uuid7()
stream = stream_name("migration", run)
clock = lambda: datetime.datetime.now(datetime.UTC)
with Journal.open(path, create=True, actor="ann@desk", clock=clock, tool_version="1") as journal:
    print("ready", flush=True)
    sys.stdin.readline()
    event = journal.append(stream, event_type("migration", "requested"), {}, correlation=run)
    print(event.position, event.id, flush=True)
    for number in range(1, count):
        step = event_type("migration", "table_copied")
        event = journal.append(stream, step, {"n": number}, correlation=run)
        print(event.position, event.id, flush=True)
"""


def let_go(running: subprocess.Popen[str]) -> None:
    assert running.stdin is not None
    running.stdin.write("\n")
    running.stdin.flush()


def next_line(running: subprocess.Popen[str]) -> str:
    assert running.stdout is not None
    return running.stdout.readline().strip()


def test_two_processes_appending_at_once_leave_no_gap_and_lose_nothing(
    process: Callable[..., subprocess.Popen[str]], opened: Callable[..., Journal], path: Path
) -> None:
    both = [process(APPEND, path, 100) for _ in range(2)]
    for running in both:
        assert next_line(running) == "ready"
    for running in both:
        let_go(running)
    lines = [line for running in both for line in running.communicate()[0].splitlines()]
    assert [running.returncode for running in both] == [0, 0]
    journal = opened(create=False)
    found = [(event.position, event.id) for event in journal.read()]
    assert [position for position, _ in found] == list(range(201))
    acknowledged = [(int(position), id_) for position, id_ in (line.split() for line in lines)]
    assert sorted(acknowledged) == found[1:]
    for stream in journal.streams_open():
        assert [event.version for event in journal.read(stream)] == list(range(1, 101))


def test_a_killed_process_loses_no_event_that_it_was_told_is_recorded(
    process: Callable[..., subprocess.Popen[str]], opened: Callable[..., Journal], path: Path
) -> None:
    """Killed after different numbers of events, always while it goes on appending."""
    acknowledged: set[str] = set()
    for count in (1, 2, 30, 77):
        running = process(APPEND, path, 1_000_000)
        assert next_line(running) == "ready"
        let_go(running)
        acknowledged.update(next_line(running).split()[1] for _ in range(count))
        running.kill()
        rest, _ = running.communicate()
        # A last line may have been cut; the event of a whole one was acknowledged.
        whole = rest.splitlines() if rest.endswith("\n") else rest.splitlines()[:-1]
        acknowledged.update(line.split()[1] for line in whole)
    recorded = {event.id for event in opened(create=False).read()}
    assert len(acknowledged) >= 110
    assert acknowledged <= recorded


CRASHING_SECONDS = 6.0
CRASHERS = 8


def test_eight_processes_that_are_killed_at_random_lose_nothing_acknowledged(
    process: Callable[..., subprocess.Popen[str]], opened: Callable[..., Journal], path: Path
) -> None:
    """Each is killed while it appends and takes its place again, until the time is up."""
    chance = random.Random(4)  # noqa: S311  # which one, not when: that the machine decides
    opened()
    acknowledged: list[list[str]] = []
    reading: list[threading.Thread] = []

    def begin() -> subprocess.Popen[str]:
        running = process(APPEND, path, 1_000_000)
        lines: list[str] = []
        acknowledged.append(lines)
        assert running.stdout is not None
        stream = running.stdout
        reader = threading.Thread(
            target=lambda: lines.extend(line for line in stream if line.endswith("\n"))
        )
        reader.start()
        reading.append(reader)
        let_go(running)
        return running

    alive = [begin() for _ in range(CRASHERS)]
    kills = 0
    end = time.monotonic() + CRASHING_SECONDS
    while time.monotonic() < end:
        time.sleep(chance.uniform(0.05, 0.25))
        alive.pop(chance.randrange(len(alive))).kill()
        kills += 1
        alive.append(begin())
    for running in alive:
        running.kill()
    for reader in reading:
        reader.join()
    told = {tuple(line.split()) for lines in acknowledged for line in lines if line != "ready\n"}
    found = [(str(event.position), event.id) for event in opened(create=False).read()]
    assert kills >= CRASHERS
    assert [int(position) for position, _ in found] == list(range(len(found)))
    assert len(told) >= CRASHERS
    assert told <= set(found)
    with looking_at(path) as file:
        examined = file.examine([], fold=True)
        assert (examined.damage.total, examined.gaps.total) == (0, 0)
        assert file.head() == (examined.size, examined.tree.root)
    kept = opened(create=False)
    assert kept.rebuild()[0] == kept.rebuild()[1]
