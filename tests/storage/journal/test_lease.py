"""Claims about the lease that keeps two runs off one database."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from junmai_svc.storage.errors import JournalConflictError, LockedError, UsageError
from junmai_svc.storage.journal.events import event_type, stream_name
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.journal.lease import (
    database_id,
    register_database,
    release_lease,
    take_lease,
)
from junmai_svc.storage.journal.liveness import RunLock
from junmai_svc.storage.journal.uuid7 import uuid7

TAKE = """
import datetime, pathlib, sys
from junmai_svc.storage.errors import LockedError
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.journal.lease import register_database, take_lease
from junmai_svc.storage.journal.liveness import RunLock

path, run = pathlib.Path(sys.argv[1]), sys.argv[2]
clock = lambda: datetime.datetime.now(datetime.UTC)
with (
    Journal.open(path, create=True, actor="ann@desk", clock=clock, tool_version="1") as journal,
    RunLock(path, run),
):
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        take_lease(journal, register_database(journal, path.with_name("photos.db"), run), run)
        print("taken", flush=True)
    except LockedError:
        print("refused", flush=True)
    sys.stdin.readline()
"""


def say(running: subprocess.Popen[str]) -> None:
    assert running.stdin is not None
    running.stdin.write("\n")
    running.stdin.flush()


def hear(running: subprocess.Popen[str]) -> str:
    assert running.stdout is not None
    return running.stdout.readline().strip()


@pytest.fixture
def photos(path: Path) -> Path:
    return path.with_name("photos.db")


def types(journal: Journal, identifier: str) -> list[str]:
    return [event.type.split(".")[2] for event in journal.read(stream_name("database", identifier))]


def test_a_database_is_registered_once_under_every_name_of_its_file(
    journal: Journal, photos: Path
) -> None:
    first = register_database(journal, photos, uuid7())
    roundabout = photos.parent / ".." / photos.parent.name / photos.name
    assert register_database(journal, roundabout, uuid7()) == first
    [event] = journal.read(stream_name("database", first))
    assert event.type == event_type("database", "registered")
    assert event.data == {"database": str(photos.resolve())}


def test_the_id_of_a_database_is_of_its_path_and_the_journal(path: Path, photos: Path) -> None:
    here, there = uuid7(), uuid7()
    assert database_id(here, photos) == database_id(here, photos)
    assert (
        len({database_id(journal, file) for journal in (here, there) for file in (path, photos)})
        == 4
    )


def test_a_lease_is_taken_and_given_back(journal: Journal, photos: Path) -> None:
    run = uuid7()
    with RunLock(journal.path, run):
        identifier = register_database(journal, photos, run)
        taken = take_lease(journal, identifier, run)
        assert take_lease(journal, identifier, run) == taken
        released = release_lease(journal, identifier, run)
        assert release_lease(journal, identifier, run) == released
    assert types(journal, identifier) == ["registered", "lease_taken", "lease_released"]
    assert taken.data == {"run": run}


def test_a_lease_that_was_given_back_is_free(journal: Journal, photos: Path) -> None:
    first, second = uuid7(), uuid7()
    with RunLock(journal.path, first), RunLock(journal.path, second):
        identifier = register_database(journal, photos, first)
        take_lease(journal, identifier, first)
        release_lease(journal, identifier, first)
        assert take_lease(journal, identifier, second).data == {"run": second}


def test_while_a_run_is_alive_its_lease_is_refused_to_others_by_name(
    journal: Journal, photos: Path
) -> None:
    holder, other = uuid7(), uuid7()
    with RunLock(journal.path, holder):
        begun = journal.append(
            stream_name("migration", holder),
            event_type("migration", "requested"),
            {"database": str(photos), "command": "migrate"},
            correlation=holder,
        )
        identifier = register_database(journal, photos, holder)
        take_lease(journal, identifier, holder)
        with pytest.raises(LockedError) as refused:
            take_lease(journal, identifier, other)
    assert refused.value.message == (
        f"The database {photos.resolve()} is in use by the run {holder} (migrate),"
        f" begun {begun.time:%Y-%m-%d %H:%M:%S} UTC"
    )
    assert f"show {holder}" in refused.value.hint
    assert types(journal, identifier) == ["registered", "lease_taken"]


def test_a_holder_that_recorded_no_start_is_named_all_the_same(
    journal: Journal, photos: Path
) -> None:
    holder = uuid7()
    with RunLock(journal.path, holder):
        identifier = register_database(journal, photos, holder)
        taken = take_lease(journal, identifier, holder)
        with pytest.raises(LockedError, match=f"{holder}, begun {taken.time:%Y-%m-%d}"):
            take_lease(journal, identifier, uuid7())


def test_the_lease_of_a_killed_run_is_taken_over(
    process: Callable[..., subprocess.Popen[str]], journal: Journal, photos: Path
) -> None:
    dead, heir = uuid7(), uuid7()
    running = process(TAKE, journal.path, dead)
    say(running)
    assert [hear(running), hear(running)] == ["ready", "taken"]
    identifier = database_id(journal.journal_id, photos)
    with RunLock(journal.path, heir):
        with pytest.raises(LockedError, match=dead):
            take_lease(journal, identifier, heir)
        running.kill()
        running.wait()
        taken = take_lease(journal, identifier, heir)
        assert taken.data == {"run": heir, "taken_over_from": dead}
    with pytest.raises(JournalConflictError, match=f"{dead} doesn't have the database"):
        release_lease(journal, identifier, dead)


@pytest.mark.parametrize("_round", range(3))
def test_of_two_processes_that_want_it_at_once_one_gets_it(
    process: Callable[..., subprocess.Popen[str]],
    journal: Journal,
    photos: Path,
    _round: int,
) -> None:
    both = [process(TAKE, journal.path, uuid7()) for _ in range(2)]
    assert [hear(running) for running in both] == ["ready", "ready"]
    for running in both:
        say(running)
    assert sorted(hear(running) for running in both) == ["refused", "taken"]
    identifier = database_id(journal.journal_id, photos)
    assert types(journal, identifier) == ["registered", "lease_taken"]


def test_a_database_that_is_not_registered_can_not_be_leased(
    journal: Journal, photos: Path
) -> None:
    with pytest.raises(UsageError, match="can't begin with"):
        take_lease(journal, database_id(journal.journal_id, photos), uuid7())


def test_a_lease_that_one_does_not_have_can_not_be_given_back(
    journal: Journal, photos: Path
) -> None:
    run, other = uuid7(), uuid7()
    identifier = register_database(journal, photos, run)
    with pytest.raises(JournalConflictError):
        release_lease(journal, identifier, run)
    take_lease(journal, identifier, run)
    with pytest.raises(JournalConflictError):
        release_lease(journal, identifier, other)
    assert types(journal, identifier) == ["registered", "lease_taken"]
