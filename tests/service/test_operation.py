"""Claims about operations: each start is followed by exactly one end, whatever happens."""

import json
import logging
import os
import signal
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import structlog

from junmai_svc.service.operation import Kind, Operation, operation
from junmai_svc.service.signals import interruptible
from junmai_svc.storage.errors import (
    InterruptedRunError,
    JournalConflictError,
    JunmaiError,
    LockedError,
    NoSpaceError,
    UsageError,
)
from junmai_svc.storage.files import staged_path
from junmai_svc.storage.journal.entry import Event, NewEvent
from junmai_svc.storage.journal.events import STARTS, event_type, stream_name
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.journal.lease import database_id
from junmai_svc.storage.journal.liveness import is_alive
from junmai_svc.storage.journal.uuid7 import uuid7


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal.open(
        tmp_path / "journal.db",
        create=True,
        actor="ann@desk",
        clock=lambda: datetime.now(UTC),
        tool_version="0",
        busy_seconds=0.05,
    ) as opened:
        yield opened


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "写真 #1.db"


def story(journal: Journal, this: Operation) -> list[Event]:
    return list(journal.read(stream_name(this.kind, this.id)))


def told(journal: Journal, this: Operation) -> list[str]:
    return [event.type.split(".")[2] for event in story(journal, this)]


def run_of(journal: Journal) -> list[Event]:
    """The events of the one operation that the journal tells of."""
    streams = {event.stream for event in journal.read()}
    (stream,) = (s for s in streams if s.partition("/")[0] not in {"journal", "database"})
    return list(journal.read(stream))


@pytest.mark.parametrize("kind", ["backup", "migration", "restore", "verification", "prune"])
def test_a_run_begins_tells_and_ends(kind: Kind, journal: Journal, database: Path) -> None:
    ends = {"restore": "switched", "verification": "completed", "prune": "completed"}
    with operation(journal, kind, database, start={"source": "x"}) as this:
        assert told(journal, this) == [STARTS[kind].name]
        assert is_alive(journal.path, this.id)
        this.finish(ends.get(kind, "verified"), rows=7)
    start, end = story(journal, this)
    assert start.data["database"] == str(database)
    assert start.data["source"] == "x"
    assert start.data["command"] == kind
    assert start.data["process"] == {"pid": os.getpid(), "folder": str(Path.cwd())}
    assert end.data == {"rows": 7}
    assert start.correlation == end.correlation == this.id
    assert (start.causation, end.causation) == (None, start.id)
    assert not is_alive(journal.path, this.id)


def test_each_event_names_the_one_before_it_as_its_cause(journal: Journal, database: Path) -> None:
    with operation(journal, "migration", database, start={}) as this:
        this.record("planned", tables=["photos"])
        this.record_all("table_copied", [{"table": "photos"}, {"table": "jobs"}])
        this.finish("verified")
    start, planned, photos, jobs, end = story(journal, this)
    assert [planned.causation, photos.causation, jobs.causation, end.causation] == [
        start.id,
        planned.id,
        planned.id,
        jobs.id,
    ]


def test_nothing_to_record_at_once_is_nothing_recorded(journal: Journal, database: Path) -> None:
    """A database may have no table at all."""
    with operation(journal, "migration", database, start={}) as this:
        this.record_all("table_copied", [])
        this.finish("verified")
    assert told(journal, this) == ["requested", "verified"]


@pytest.mark.parametrize(
    ("error", "recorded"),
    [
        (
            NoSpaceError("The disk is full", "Free some."),
            {
                "message": "The disk is full",
                "hint": "Free some.",
                "error": "NoSpaceError",
                "exit": 31,
            },
        ),
        (
            InterruptedRunError(15),
            {
                "message": "Interrupted",
                "hint": "Run the same command again: nothing half-done was left.",
                "error": "InterruptedRunError",
                "exit": 143,
            },
        ),
        (
            KeyError("a secret"),
            {"message": "KeyError", "hint": "", "error": "KeyError", "exit": 1},
        ),
        (
            KeyboardInterrupt(),
            {"message": "KeyboardInterrupt", "hint": "", "error": "KeyboardInterrupt", "exit": 1},
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_a_block_raises_ends_its_run_as_failed_and_goes_on(
    error: BaseException, recorded: dict[str, Any], journal: Journal, database: Path
) -> None:
    """What a bug says may hold anything, so only its kind is recorded."""
    with pytest.raises(type(error)) as caught, operation(journal, "backup", database, start={}):
        raise error
    assert caught.value is error
    start, failed = run_of(journal)
    assert failed.type == event_type("backup", "failed")
    assert failed.data == recorded
    assert not is_alive(journal.path, start.correlation)


def test_a_block_that_forgets_to_end_is_a_bug_and_ends_as_failed(
    journal: Journal, database: Path
) -> None:
    with (
        pytest.raises(AssertionError, match="backup ended without its last event"),
        operation(journal, "backup", database, start={}) as this,
    ):
        pass
    assert told(journal, this) == ["started", "failed"]


def test_what_is_raised_after_the_end_adds_no_second_end(journal: Journal, database: Path) -> None:
    def finish_and_fail(this: Operation) -> None:
        this.finish("verified")
        raise KeyError

    with pytest.raises(KeyError), operation(journal, "backup", database, start={}) as this:
        finish_and_fail(this)
    assert told(journal, this) == ["started", "verified"]


def test_after_the_end_nothing_more_can_be_told(journal: Journal, database: Path) -> None:
    with operation(journal, "backup", database, start={}) as this:
        this.finish("verified")
    with pytest.raises(JournalConflictError, match="ended with"):
        this.record("stored")
    assert told(journal, this) == ["started", "verified"]


@pytest.fixture
def lock(journal: Journal) -> Iterator[Callable[[], None]]:
    """Makes the journal unwritable until the test ends, as another writer does."""
    with closing(sqlite3.connect(journal.path, isolation_level=None)) as other:

        def hold() -> None:
            other.execute("BEGIN IMMEDIATE")

        yield hold


def test_a_failure_that_can_not_be_recorded_hides_not_why(
    journal: Journal, database: Path, lock: Callable[[], None]
) -> None:
    error = NoSpaceError("The disk is full", "Free some.")

    def fail() -> None:
        lock()
        raise error

    with pytest.raises(NoSpaceError) as caught, operation(journal, "backup", database, start={}):
        fail()
    assert caught.value is error
    assert [event.type for event in run_of(journal)] == [event_type("backup", "started")]


def test_what_can_not_be_undone_is_concluded_even_if_it_can_not_be_told(
    journal: Journal, database: Path, lock: Callable[[], None]
) -> None:
    with operation(journal, "backup", database, start={}) as this:
        lock()
        this.conclude("verified")
    assert told(journal, this) == ["started"]


def test_a_database_that_can_not_be_given_back_is_no_failure(
    journal: Journal, database: Path, lock: Callable[[], None]
) -> None:
    """The next run finds that the one that has it is dead, and takes it over."""
    with operation(journal, "restore", database, start={}, exclusive=True) as this:
        this.finish("switched")
        lock()
    assert told(journal, this) == ["requested", "switched"]
    last = journal.last(stream_name("database", database_id(journal.journal_id, database)))
    assert last is not None
    assert last.type == event_type("database", "lease_taken")


def test_an_operation_within_another_is_of_its_correlation(
    journal: Journal, database: Path
) -> None:
    with operation(journal, "migration", database, start={}, exclusive=True) as outer:
        with operation(journal, "backup", database, start={}, parent=outer) as inner:
            inner.finish("verified")
        outer.finish("verified")
    assert outer.id != inner.id
    assert {event.correlation for event in story(journal, inner)} == {outer.id}


def test_an_exclusive_run_keeps_others_off_its_database_until_it_ends(
    journal: Journal, database: Path, tmp_path: Path
) -> None:
    with operation(journal, "migration", database, start={}, exclusive=True) as first:
        with (
            pytest.raises(LockedError, match=first.id),
            operation(journal, "restore", database, start={}, exclusive=True),
        ):
            pytest.fail("the database is in use")
        other = tmp_path / "other.db"
        with operation(journal, "restore", other, start={}, exclusive=True) as second:
            second.finish("switched")
        first.finish("verified")
    with operation(journal, "restore", database, start={}, exclusive=True) as third:
        third.finish("switched")
    assert told(journal, third) == ["requested", "switched"]


def test_a_run_that_failed_gives_its_database_back(journal: Journal, database: Path) -> None:
    with pytest.raises(KeyError), operation(journal, "restore", database, start={}, exclusive=True):
        raise KeyError
    last = journal.last(stream_name("database", database_id(journal.journal_id, database)))
    assert last is not None
    assert last.type == event_type("database", "lease_released")


def test_a_refused_run_leaves_no_story(journal: Journal, database: Path) -> None:
    with operation(journal, "migration", database, start={}, exclusive=True) as first:
        with (
            pytest.raises(LockedError),
            operation(journal, "restore", database, start={}, exclusive=True),
        ):
            pytest.fail("the database is in use")
        first.finish("verified")
    assert not [event for event in journal.read() if event.stream.startswith("restore/")]


def test_whoever_begins_first_closes_what_died(
    journal: Journal, database: Path, tmp_path: Path
) -> None:
    staged = staged_path(tmp_path / "new.db", "0123456789ab")
    staged.write_bytes(b"half")
    dead = uuid7()
    stream = stream_name("restore", dead)
    journal.append(stream, event_type("restore", "requested"), {}, correlation=dead)
    named = {"staged": str(staged)}
    journal.append(stream, event_type("restore", "staged"), named, correlation=dead)
    with operation(journal, "backup", database, start={}) as this:
        assert not staged.exists()
        last = journal.last(stream)
        assert last is not None
        assert last.type == event_type("restore", "abandoned")
        this.finish("verified")


@pytest.mark.parametrize("start", [{"target": "\udcff.db"}, {}])
def test_names_that_the_journal_can_not_hold_are_refused_before_anything(
    start: dict[str, str], journal: Journal, tmp_path: Path
) -> None:
    database = tmp_path / ("x.db" if start else "\udcff.db")
    with (
        pytest.raises(UsageError, match="no valid text"),
        operation(journal, "backup", database, start=start),
    ):
        pytest.fail("it can't be recorded")
    assert [event.type for event in journal.read()] == [event_type("journal", "opened")]


def test_an_event_that_the_catalogue_lacks_is_refused(journal: Journal, database: Path) -> None:
    with (
        pytest.raises(UsageError, match="There is no event invented of backup"),
        operation(journal, "backup", database, start={}) as this,
    ):
        this.record("invented")
    assert told(journal, this) == ["started", "failed"]


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Iterator[list[dict[str, Any]]]:
    """What is logged while a test runs, line by line, as JSON."""
    found: list[dict[str, Any]] = []

    def keep(_logger: object, _name: str, event: structlog.typing.EventDict) -> str:
        found.append(json.loads(json.dumps(dict(event), default=repr)))
        raise structlog.DropEvent

    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            keep,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )
    yield found
    structlog.reset_defaults()
    assert capsys.readouterr() == ("", "")


def test_every_event_is_logged_with_its_run(
    journal: Journal, database: Path, lines: list[dict[str, Any]]
) -> None:
    with operation(journal, "backup", database, start={}) as this:
        this.record("stored", size=7)
        this.finish("verified")
    assert [line["event"] for line in lines] == [
        "backup.started",
        "backup.stored",
        "backup.verified",
    ]
    assert {(line["run"], line["command"]) for line in lines} == {(this.id, "backup")}
    assert lines[1]["size"] == 7
    assert structlog.contextvars.get_contextvars() == {}


def test_a_known_error_is_logged_without_a_traceback_and_a_bug_with_one(
    journal: Journal, database: Path, lines: list[dict[str, Any]]
) -> None:
    for error in (JunmaiError("known", "hint"), KeyError("bug")):
        with pytest.raises(type(error)), operation(journal, "backup", database, start={}):
            raise error
    known, bug = (line for line in lines if line["level"] == "error")
    assert (known["error"], known["exc_info"]) == ("known", None)
    assert (bug["error"], bug["exc_info"]) == ("KeyError", "KeyError('bug')")


def test_where_the_first_event_can_not_be_written_no_last_one_is_tried(
    journal: Journal, database: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(sqlite3.connect(journal.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with (
            pytest.raises(LockedError),
            operation(journal, "backup", database, start={"source": str(database)}),
        ):
            pytest.fail("it began")
    assert "journal.unwritable" not in caplog.text
    assert len(list(journal.read())) == 1  # its own first one


@pytest.mark.parametrize(
    ("at", "ends"),
    [(1, ["started", "failed"]), (2, ["started", "verified"])],
    ids=["first", "last"],
)
def test_a_signal_while_an_event_is_recorded_leaves_one_end(
    journal: Journal,
    database: Path,
    at: int,
    ends: list[str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    append_all, calls = journal.append_all, [0]

    def interrupted(events: Iterable[NewEvent]) -> list[Event]:
        calls[0] += 1
        if calls[0] == at:
            signal.raise_signal(signal.SIGTERM)
        return append_all(events)

    monkeypatch.setattr(journal, "append_all", interrupted)
    with (
        interruptible(),
        pytest.raises(InterruptedRunError),
        operation(journal, "backup", database, start={"source": str(database)}) as this,
    ):
        this.finish("verified")
    assert [event.type.split(".")[2] for event in run_of(journal)] == ends
    assert "journal.unwritable" not in caplog.text
