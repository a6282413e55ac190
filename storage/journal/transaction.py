"""A transaction of the journal, as an append is one: begun at once, and over in little time."""

import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import peewee

from junmai_svc.storage.journal.failures import told, translated

T = TypeVar("T")


def transact(
    lock: threading.RLock,
    database: peewee.SqliteDatabase,
    doing: str,
    path: Path,
    act: Callable[[], T],
) -> T:
    """Do something under the lock and under SQLite's write lock; return what it returned.

    It is durable then, or none of it is where anything was raised. Within a transaction of peewee
    it is a part of that. `doing` and `path` are for messages, see `failures.translated`.

    A signal may raise wherever Python code begins. So nothing that has to be taken back is begun in
    a context manager of ours: between its beginning and its end there would be a gap.

    Raises:
        JunmaiError: what SQLite raised, translated.
    """
    with lock:
        if database.transaction_depth():
            with translated(doing, path), database.atomic():
                return act()
        try:
            _execute(database, "BEGIN IMMEDIATE")
            done = act()
            _execute(database, "COMMIT")
        except BaseException as error:
            # Nothing was begun, or SQLite has taken it back itself; the first error is told.
            with suppress(sqlite3.Error, peewee.PeeweeException):
                _execute(database, "ROLLBACK")
            problem = told(error, doing, path)
            if problem is not None:
                raise problem from error
            raise
        return done


def _execute(database: peewee.SqliteDatabase, statement: str) -> None:
    database.cursor().execute(statement)  # type: ignore[no-untyped-call]
