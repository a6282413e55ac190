"""Claims about several processes at one journal, and about one that is killed."""

import subprocess
from collections.abc import Callable
from pathlib import Path

from junmai_svc.storage.journal.journal import Journal

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
