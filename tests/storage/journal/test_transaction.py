"""Claims about the transactions in which events are appended: all of one, and the lock is free."""

import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from types import FrameType

import peewee
import pytest

from junmai_svc.storage.errors import JournalConflictError, StorageUnavailableError
from junmai_svc.storage.journal import transaction
from junmai_svc.storage.journal.entry import NewEvent
from junmai_svc.storage.journal.events import event_type, stream_name
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.journal.uuid7 import uuid7

RUN = uuid7()
STREAM = stream_name("migration", RUN)
REQUESTED = NewEvent(STREAM, event_type("migration", "requested"), {}, RUN)
PLANNED = NewEvent(STREAM, event_type("migration", "planned"), {}, RUN)
WRONG = NewEvent(STREAM, PLANNED.type, {}, RUN, expected_version=7)


def types(journal: Journal) -> list[str]:
    return [event.type for event in journal.read(STREAM)]


class Raising:
    """Raises KeyboardInterrupt at the nth function that is entered."""

    def __init__(self, nth: int) -> None:
        self.left = nth
        self.raised = False

    def __call__(self, _frame: FrameType, event: str, _argument: object) -> None:
        """Count one that is entered."""
        self.left -= event == "call"
        if not self.left and not self.raised:
            self.raised = True
            raise KeyboardInterrupt


def appended_elsewhere(journal: Journal) -> bool:
    """Whether another thread can append, which it can't while this one has the lock."""
    other = Thread(target=lambda: journal.append_all([PLANNED]), daemon=True)
    before = len(types(journal))
    other.start()
    other.join(10)
    return len(types(journal)) == before + 1


def test_what_fails_takes_back_all_of_its_step_and_frees_the_lock(journal: Journal) -> None:
    journal.append_all([REQUESTED])
    with pytest.raises(JournalConflictError):
        journal.append_all([PLANNED, WRONG])
    assert types(journal) == [REQUESTED.type]
    assert appended_elsewhere(journal)


def test_within_another_one_only_the_part_that_failed_is_taken_back(journal: Journal) -> None:
    with journal.within("append to", writing=True):
        journal.append_all([REQUESTED])
        with pytest.raises(JournalConflictError):
            journal.append_all([PLANNED, WRONG])
        journal.append_all([PLANNED])
    assert types(journal) == [REQUESTED.type, PLANNED.type]
    assert appended_elsewhere(journal)


def test_a_commit_that_fails_is_told_and_takes_all_back(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal.append_all([REQUESTED])
    execute = transaction._execute

    def failing(database: peewee.SqliteDatabase, statement: str) -> None:
        if statement == "COMMIT":
            problem = sqlite3.OperationalError("disk I/O error")
            problem.sqlite_errorname, problem.sqlite_errorcode = "SQLITE_IOERR_FSYNC", 1034
            raise problem
        execute(database, statement)

    with monkeypatch.context() as patched:
        patched.setattr(transaction, "_execute", failing)
        with pytest.raises(StorageUnavailableError, match="Can't append to the journal"):
            journal.append_all([PLANNED])
    assert types(journal) == [REQUESTED.type]
    assert appended_elsewhere(journal)


def test_a_signal_wherever_python_code_begins_leaves_no_lock_and_no_transaction(
    opened: Callable[..., Journal],
) -> None:
    """A handler raises where a function is entered: at each that an append enters, once."""
    journal = opened()
    journal.append_all([REQUESTED])
    entered, taken_back = 0, 0
    for nth in range(1, 1_000):
        before = len(types(journal))
        tracer = Raising(nth)
        sys.settrace(tracer)
        try:
            journal.append_all([PLANNED])
        except KeyboardInterrupt:
            entered = nth
        finally:
            sys.settrace(None)
        if not tracer.raised:
            break
        assert not journal._database.in_transaction()
        taken_back += len(types(journal)) == before
        assert appended_elsewhere(journal)
    assert 30 < entered < 999
    assert taken_back > 30


def test_a_closed_journal_is_not_opened_again_to_append(
    opened: Callable[..., Journal], path: Path
) -> None:
    journal = opened()
    journal.append_all([REQUESTED])
    journal.close()
    with pytest.raises(peewee.InterfaceError):
        journal.append_all([PLANNED])
    free: list[bool] = []

    def take() -> None:
        free.append(journal._lock.acquire(timeout=10))
        journal._lock.release()

    other = Thread(target=take)
    other.start()
    other.join()
    assert free == [True]
    assert not path.with_name(f"{path.name}-wal").exists()
