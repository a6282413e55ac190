"""Opening a journal's file: recognised before anything is written, made whole or not at all.

The tables, the head and event 0 come in one transaction: whoever finds the file after a crash finds
an empty database, which is no journal yet, or a complete one. Of two processes that create it at
once one does, and the other opens what it made.
"""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

import peewee

from junmai_svc.storage.errors import (
    IntegrityError,
    LockedError,
    NotFoundError,
    StorageUnavailableError,
)
from junmai_svc.storage.journal import tables

_MARKS = """
    SELECT (SELECT application_id FROM pragma_application_id),
           (SELECT user_version FROM pragma_user_version),
           (SELECT count(*) FROM sqlite_schema)"""
# FULL is the promise itself: NORMAL would let a power cut take back events that were acknowledged.
# On macOS only F_FULLFSYNC reaches the disk; elsewhere the two fullfsync lines mean nothing.
PRAGMAS = {
    "synchronous": "FULL",
    "fullfsync": 1,
    "checkpoint_fullfsync": 1,
    "recursive_triggers": 1,
    "trusted_schema": 0,
    "cell_size_check": 1,
}
_RETRY_SECONDS = 0.01
_NO_JOURNAL_HINT = "Check the path; a new journal is begun by a command that records something."


def open_database(
    path: Path, *, begin: Callable[[peewee.SqliteDatabase], None] | None, busy_seconds: float
) -> peewee.SqliteDatabase:
    """Return a connected database that holds a whole journal, in WAL mode and sealed.

    `begin` writes the head and event 0 of a new journal, inside the transaction that makes the
    tables; None where there must be a journal already. The database has one connection for all
    threads, which the caller has to guard.

    Raises:
        NotFoundError: there is no journal and `begin` is None, or its folder is missing.
        IntegrityError: the file is something else, damaged, of a newer format, or lost a trigger.
        sqlite3.Error, peewee.PeeweeException: SQLite refuses.
    """
    exists = recognised(path, busy_seconds)
    if not exists and begin is None:
        raise NotFoundError(f"There is no journal in {path}", _NO_JOURNAL_HINT)
    database = peewee.SqliteDatabase(
        _uri(path, "rw" if exists else "rwc"),
        pragmas=PRAGMAS,
        lock_type="IMMEDIATE",
        timeout=busy_seconds,
        uri=True,
        thread_safe=False,
        check_same_thread=False,
        autoconnect=False,
    )
    database.connect()
    try:
        connection: sqlite3.Connection = database.connection()  # type: ignore[no-untyped-call]
        if not exists and begin is not None:
            with database.atomic():
                # Another process may have been first while this one waited for the lock.
                if not _is_journal(connection, path):
                    tables.create(database)
                    begin(database)
        _require_triggers(connection, path)
        _require_wal(connection, path, busy_seconds)
        tables.seal(connection)
    except BaseException:
        database.close()
        raise
    return database


@contextmanager
def examining(path: Path, busy_seconds: float) -> Iterator[sqlite3.Connection]:
    """Open a journal only to look at it as it is, whatever is wrong with it.

    Raises:
        NotFoundError: there is no journal.
        IntegrityError: the file is something else, or of a newer format.
        sqlite3.Error: SQLite can't read it.
    """
    if not recognised(path, busy_seconds):
        raise NotFoundError(f"There is no journal in {path}", _NO_JOURNAL_HINT)
    with _reading(path, busy_seconds) as connection:
        yield connection


def recognised(path: Path, busy_seconds: float) -> bool:
    """Tell whether a file is a journal, leaving it as it is; an empty database is none yet.

    Raises:
        NotFoundError: its folder is not there.
        IntegrityError: the file is something else, or of a newer format.
        sqlite3.Error: SQLite can't read it.
    """
    if path.is_dir():
        raise NotFoundError(f"There is no journal in {path}: it is a folder", _NO_JOURNAL_HINT)
    if not path.parent.is_dir():
        raise NotFoundError(f"There is no folder {path.parent} for the journal", "Check the path.")
    if not path.exists():
        return False
    with _reading(path, busy_seconds) as connection:
        return _is_journal(connection, path)


def require_closed(path: Path) -> None:
    """Make sure that nobody has a journal open; what a dead process left beside it is folded in.

    Raises:
        LockedError: somebody has.
        sqlite3.Error: SQLite can't read it.
    """
    beside = [path.with_name(path.name + suffix) for suffix in ("-wal", "-shm")]
    if any(each.exists() for each in beside):
        # The last one that closes it leaves nothing; a `-wal` of the dead is no sign of life.
        with closing(sqlite3.connect(_uri(path, "rw"), uri=True)) as connection:
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if any(each.exists() for each in beside):
        raise LockedError(f"{path} is open somewhere", "Close it, then try again.")


@contextmanager
def _reading(path: Path, busy_seconds: float) -> Iterator[sqlite3.Connection]:
    # Read-only where there is a -wal: a writable connection, if the last one, would fold it into a
    # file that may be somebody's database. Without one, read-only would leave a -wal behind.
    mode = "ro" if path.with_name(path.name + "-wal").exists() else "rw"
    connection = sqlite3.connect(
        _uri(path, mode), uri=True, timeout=busy_seconds, isolation_level=None
    )
    with closing(connection):
        connection.execute("PRAGMA query_only = 1")
        yield connection


def _is_journal(connection: sqlite3.Connection, path: Path) -> bool:
    application, version, objects = connection.execute(_MARKS).fetchone()
    if application == 0 and objects == 0:
        return False
    if application != tables.APPLICATION_ID:
        raise IntegrityError(
            f"{path} is a database, but no journal",
            "Check the path given as the journal; nothing was written to this file.",
        )
    if version != tables.FORMAT:
        raise IntegrityError(
            f"The journal {path} is of format {version}, this version reads {tables.FORMAT}",
            "Use the version of junmai-svc that wrote it, or a newer one.",
        )
    return True


def _require_triggers(connection: sqlite3.Connection, path: Path) -> None:
    rows = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'")
    missing = tables.TRIGGERS - {name for (name,) in rows}
    if missing:
        raise IntegrityError(
            f"The journal {path} is no longer append-only: it lacks {', '.join(sorted(missing))}",
            "Another program changed it. `junmai-svc audit recover` makes it anew from a store and"
            " keeps this file for inspection.",
        )


def _require_wal(connection: sqlite3.Connection, path: Path, busy_seconds: float) -> None:
    deadline = time.monotonic() + busy_seconds
    while True:
        try:
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
            break
        except sqlite3.OperationalError as error:
            # SQLite doesn't wait by itself when two that have just created the file switch at once.
            busy = error.sqlite_errorname.startswith("SQLITE_BUSY")
            if not busy or time.monotonic() > deadline:
                raise
            time.sleep(_RETRY_SECONDS)
    if mode != "wal":
        raise StorageUnavailableError(
            f"Can't put the journal {path} into WAL mode; it stays in {mode} mode",
            "Keep the journal on a local disk: WAL needs shared memory.",
        )


def _uri(path: Path, mode: str) -> str:
    """Return the SQLite URI of a file: an empty authority, then every byte of its path escaped."""
    absolute = path.absolute().as_posix()
    prefix = "" if absolute.startswith("/") else "/"
    return f"file://{quote(os.fsencode(prefix + absolute))}?mode={mode}"
