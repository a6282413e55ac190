"""A transaction of the journal, as an append is one: begun at once, and over in little time."""

import sqlite3
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import peewee

from junmai_svc.storage.journal.failures import told


class Transaction:
    """The one connection to oneself, under SQLite's write lock from the beginning.

    What is done inside is durable behind the block, or none of it is where anything was raised.
    Within another transaction it is a part of that. Foreign errors are translated, see `failures`.

    Generators, and peewee's own transactions, cost as much as all else that Python does to append.
    """

    __slots__ = ("_database", "_doing", "_lock", "_part", "_path")

    def __init__(
        self, lock: threading.RLock, database: peewee.SqliteDatabase, doing: str, path: Path
    ) -> None:
        self._lock = lock
        self._database = database
        self._doing = doing
        self._path = path
        self._part: Any = None

    def __enter__(self) -> None:
        self._lock.acquire()
        try:
            if self._database.transaction_depth():
                self._part = self._database.atomic()
                self._part.__enter__()
            else:
                self._execute("BEGIN IMMEDIATE")
        except BaseException as error:
            if self._part is None:  # a signal may come behind BEGIN, and leave what it began
                self._roll_back()
            self._lock.release()
            self._tell(error)
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if self._part is not None:
                self._part.__exit__(kind, error, trace)
            elif error is None:
                self._commit()
            else:
                self._roll_back()
        except BaseException as problem:
            self._tell(problem)
            raise
        finally:
            self._lock.release()
        if error is not None:
            self._tell(error)

    def _commit(self) -> None:
        try:
            self._execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise

    def _roll_back(self) -> None:
        # SQLite has taken some back by itself; and what made it fail is told, not what followed.
        with suppress(sqlite3.Error, peewee.PeeweeException):
            self._execute("ROLLBACK")

    def _execute(self, statement: str) -> None:
        self._database.cursor().execute(statement)  # type: ignore[no-untyped-call]

    def _tell(self, error: BaseException) -> None:
        problem = told(error, self._doing, self._path)
        if problem is not None:
            raise problem from error
