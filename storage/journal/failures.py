"""What SQLite, peewee, file locks and the system raise under the journal, translated once."""

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import peewee

from junmai_svc.storage.causes import cause_of
from junmai_svc.storage.errors import (
    AccessDeniedError,
    IntegrityError,
    JunmaiError,
    LockedError,
    NoSpaceError,
    NotFoundError,
    StorageUnavailableError,
    ToldError,
)
from junmai_svc.storage.interruption import interrupted

DAMAGED_HINT = (
    "`junmai-svc audit recover` puts it right from a store where it was published, and keeps this"
    " file for inspection; where it can't, put the file away, but not its key, and do it again."
    " What can't wait, such as a restore, may be recorded in another one: `--journal OTHER.db`."
)
# Its key is beside it: then it was one.
SCRAPPED_HINT = (
    "Its first bytes are damaged. Put the file away, but not its key, and run `junmai-svc audit"
    " recover`, which makes it anew from a store. What can't wait, such as a restore, may be"
    " recorded in another one meanwhile: `junmai-svc --journal OTHER.db …`."
)
NO_JOURNAL_HINT = "Check the path: this file is no journal."
ACCESS_HINT = (
    "Check who owns the journal and its folder, and run as a user who may write both; or name"
    " another one with --journal, before the command."
)

_AGAIN_HINT = "Check the disk; when it answers again, run the same command again."
_LOCKED_HINT = "Another process is writing to the journal; run the same command again."
_IN_USE_HINT = "Close the program that has it open, and run the same command again."
_SPACE_HINT = "Free some space and run the same command again; what was recorded is intact."
_NO_SPACE = {errno.ENOSPC, errno.EDQUOT} if hasattr(errno, "EDQUOT") else {errno.ENOSPC}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}
_IN_USE = {32, 33}  # Windows: ERROR_SHARING_VIOLATION, ERROR_LOCK_VIOLATION

_OF_SQLITE: tuple[tuple[tuple[str, ...], type[JunmaiError], str], ...] = (
    (("SQLITE_BUSY", "SQLITE_LOCKED"), LockedError, _LOCKED_HINT),
    (("SQLITE_FULL", "SQLITE_IOERR_SHMSIZE"), NoSpaceError, _SPACE_HINT),
    (
        ("SQLITE_READONLY", "SQLITE_PERM", "SQLITE_AUTH", "SQLITE_CANTOPEN"),
        AccessDeniedError,
        ACCESS_HINT,
    ),
    (("SQLITE_NOTADB",), IntegrityError, NO_JOURNAL_HINT),
    # A constraint or a trigger refused what the head allows, or a table is not there.
    (
        ("SQLITE_CORRUPT", "SQLITE_FORMAT", "SQLITE_CONSTRAINT", "SQLITE_ERROR"),
        IntegrityError,
        DAMAGED_HINT,
    ),
)


class DivergedError(IntegrityError):
    """A journal and what was published of it tell two histories; nothing was changed.

    `verdict` is one word: EDITED (an entry is not what its hash says), REWRITTEN (it and its hash
    were changed together), TRUNCATED (the journal is shorter), FORKED (both went on differently),
    ROLLED BACK or EMPTIED (the store has less than was published there). `position` is the first
    one concerned.
    """

    def __init__(self, verdict: str, position: int, message: str, hint: str) -> None:
        super().__init__(f"{verdict} at position {position}: {message}", hint)
        self.verdict = verdict
        self.position = position

    @property
    def is_of_store(self) -> bool:
        """True where the store lost what it had, and the journal is whole as far as it tells."""
        return self.verdict in {"ROLLED BACK", "EMPTIED"}


@contextmanager
def translated(doing: str, path: Path) -> Iterator[None]:
    """Turn foreign errors raised inside into JunmaiError.

    `doing` completes "Can't ..." up to the path of the journal, such as "append to".

    Raises:
        JunmaiError: whichever of the tree fits; the foreign error is its cause.
        InterruptedRunError: a signal ended the statement.
    """
    try:
        yield
    except (sqlite3.Error, peewee.PeeweeException, OSError) as error:
        problem = told(error, doing, path)
        if problem is None:
            raise
        raise problem from error


def told(error: BaseException, doing: str, path: Path) -> ToldError | None:
    """Return what to raise for an exception; None where it is to be raised as it is."""
    if isinstance(error, OSError):
        return from_os(error, doing, path)
    if not isinstance(error, sqlite3.Error | peewee.PeeweeException):
        return None
    cause = cause_of(error, sqlite3.Error, peewee.PeeweeException)
    # An error without a name is not SQLite's but a mistake in the call: a bug, as it is.
    if cause is None or not hasattr(cause, "sqlite_errorname"):
        return None
    return from_sqlite(cause, doing, path)


def from_sqlite(error: sqlite3.Error, doing: str, path: Path) -> ToldError:
    """Return the error to raise for an exception of the sqlite3 module."""
    stopped = interrupted(error)
    if stopped is not None:
        return stopped
    what = f"Can't {doing} the journal {path}: {error}"
    for prefixes, kind, hint in _OF_SQLITE:
        if error.sqlite_errorname.startswith(prefixes):
            if hint == NO_JOURNAL_HINT and path.with_name(f"{path.name}.key").exists():
                hint = SCRAPPED_HINT  # noqa: PLW2901
            return kind(what, hint)
    return StorageUnavailableError(what, _AGAIN_HINT)


def from_os(error: OSError, doing: str, path: Path) -> JunmaiError:
    """Return the JunmaiError for an exception of the operating system."""
    what = f"Can't {doing} {error.filename or path}: {error.strerror or error}"
    if getattr(error, "winerror", None) in _IN_USE:
        return LockedError(what, _IN_USE_HINT)
    if error.errno in _NO_SPACE:
        return NoSpaceError(what, _SPACE_HINT)
    if error.errno in _DENIED:
        return AccessDeniedError(what, ACCESS_HINT)
    if error.errno == errno.ENOENT:
        return NotFoundError(what, "Check the path.")
    return StorageUnavailableError(what, _AGAIN_HINT)
