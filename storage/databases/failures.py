"""Foreign errors of SQLite and the operating system, translated once into this project's tree."""

import errno
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import peewee

from junmai_svc.storage import interruption
from junmai_svc.storage.causes import cause_of
from junmai_svc.storage.errors import (
    AccessDeniedError,
    IntegrityError,
    JunmaiError,
    LockedError,
    MigrationFailedError,
    NoSpaceError,
    NotFoundError,
    StorageUnavailableError,
    ToldError,
    UsageError,
)
from junmai_svc.storage.files import is_on_read_only_disk

LOCKED_HINT = "Close the program that uses it, or wait until it has finished, and try again."
DAMAGED_HINT = (
    "Restore the newest good backup with `junmai-svc restore latest --to PATH`; keep this file,"
    " some of its rows may still be readable."
)
SPACE_HINT = "Free some space, or name another folder, and run the same command again."
READ_ONLY_HINT = (
    "The disk can only be read. Name a place on another one; a database that is there and in use"
    " has to be copied from it first, with its -wal."
)
ACCESS_HINT = "Check who owns the file and its folder, and run as a user who may use both."

_NO_SPACE = {errno.ENOSPC, errno.EDQUOT} if hasattr(errno, "EDQUOT") else {errno.ENOSPC}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}
_IN_USE = {32, 33}  # Windows: ERROR_SHARING_VIOLATION, ERROR_LOCK_VIOLATION


@contextmanager
def translated(doing: str, path: Path | str) -> Iterator[None]:
    """Turn what SQLite, peewee and the operating system raise inside into JunmaiError.

    `doing` completes "Can't ...", such as "back up"; `path` is the file that it was done to.

    Raises:
        JunmaiError: whichever of the tree fits; the foreign error is its cause.
        InterruptedRunError: a signal ended the statement.
    """
    try:
        yield
    except JunmaiError:
        raise
    except sqlite3.Warning as error:
        raise from_sqlite(error, doing, path) from error
    except (sqlite3.Error, peewee.PeeweeException) as error:
        cause = cause_of(error, sqlite3.Error, peewee.PeeweeException)
        if cause is None:
            raise
        raise from_sqlite(cause, doing, path) from error
    except OSError as error:
        raise from_os(error, doing, path) from error
    except UnicodeDecodeError as error:
        raise IntegrityError(
            f"Can't {doing} {path}: its schema holds text that is not valid UTF-8", DAMAGED_HINT
        ) from error


def from_sqlite(error: Exception, doing: str, path: Path | str) -> ToldError:
    """Return the error to raise for an exception of the sqlite3 module."""
    stopped = interruption.interrupted(error)
    if stopped is not None:
        return stopped
    name = str(getattr(error, "sqlite_errorname", "") or "")
    text = str(error).lower()
    kept = without_values(str(error), name)
    if name.startswith(("SQLITE_READONLY_R", "SQLITE_CANTOPEN")) and _hot_journal(path):
        name = "HOT_JOURNAL"
    for prefixes, words, kind, what, hint in _SQLITE:
        if name.startswith(prefixes) or any(word in text for word in words):
            told, shown = (f"Can't {doing} {path}: {what.format(each)}" for each in (kept, error))
            return kind(told, access_hint(path) if hint is ACCESS_HINT else hint, shown=shown)
    return MigrationFailedError(
        f"Can't {doing} {path}: {kept}",
        "Nothing was published; see the log for details.",
        shown=f"Can't {doing} {path}: {error}",
    )


def without_values(text: str, name: str = "") -> str:
    """Return what SQLite says without what it may quote of a row. Pure.

    `name` is that of its result code. Its own messages name tables, columns and constraints; those
    of functions and of RAISE, which come while rows are read, may say anything, and so are kept
    only where they are known to speak of the schema.
    """
    if text.startswith("Could not decode"):
        return _UNDECODED.sub("", text)
    if name in _OF_FUNCTIONS and not text.startswith(_OF_SCHEMA):
        return f"an expression failed on a row ({name})"
    return _ROWID.sub("Rowid", text)


_OF_FUNCTIONS = {"SQLITE_ERROR", "SQLITE_CONSTRAINT_TRIGGER", "SQLITE_CONSTRAINT_FUNCTION"}
_OF_SCHEMA = (
    *("no such ", "near ", "unrecognized token", "incomplete input", "unsupported file format"),
    *("table ", "index ", "view ", "trigger ", "duplicate column", "there is already ", "too many"),
    *("cannot ", "unable to ", "error in ", "foreign key mismatch", "no query solution"),
    *("malformed JSON", "integer overflow", "Expression tree ", "parser stack overflow"),
    *("non-deterministic ", "generated column", "database ", "unknown database ", "AUTOINCREMENT "),
    "attached databases ",
)
_ROWID = re.compile(r"\bRowid -?\d+")
_UNDECODED = re.compile(r" with text .*", re.DOTALL)


# Names of SQLite's result codes, words of its messages, then what becomes of them; first hit wins.
_SQLITE: tuple[tuple[tuple[str, ...], tuple[str, ...], type[JunmaiError], str, str], ...] = (
    (
        ("HOT_JOURNAL",),
        (),
        IntegrityError,
        "it was left in the middle of a transaction (a hot journal)",
        "Open it once in its application, which finishes or takes back the transaction.",
    ),
    (
        ("SQLITE_INTERRUPT",),
        (),
        MigrationFailedError,
        "it took longer than allowed",
        "A CHECK, a view or a trigger may run for ever; look at the schema.",
    ),
    (("SQLITE_BUSY", "SQLITE_LOCKED"), (), LockedError, "the database is locked", LOCKED_HINT),
    (("SQLITE_FULL", "SQLITE_IOERR_SHMSIZE"), (), NoSpaceError, "the disk is full", SPACE_HINT),
    (
        ("SQLITE_PERM", "SQLITE_AUTH", "SQLITE_READONLY", "SQLITE_CANTOPEN"),
        (),
        AccessDeniedError,
        "{}",
        ACCESS_HINT,
    ),
    (
        ("SQLITE_NOTADB",),
        (),
        IntegrityError,
        "it is not a SQLite database, or it is encrypted",
        "Check the path; an encrypted database must be decrypted by its application first.",
    ),
    (
        ("SQLITE_CORRUPT", "SQLITE_FORMAT"),
        ("malformed",),
        IntegrityError,
        "the database is damaged ({})",
        DAMAGED_HINT,
    ),
    (
        ("SQLITE_IOERR",),
        (),
        StorageUnavailableError,
        "{}",
        "Check the disk; when it answers again, run the same command again.",
    ),
    (
        (),
        ("no such collation", "no such module", "no such function", "unsupported file format"),
        IntegrityError,
        "{}",
        "The database needs an extension or a newer SQLite than this program has.",
    ),
    ((), ("could not decode",), IntegrityError, "its text is not valid UTF-8", DAMAGED_HINT),
)


def from_os(error: OSError, doing: str, path: Path | str) -> JunmaiError:
    """Return the JunmaiError for an exception of the operating system."""
    place = error.filename2 or error.filename or path
    what = f"Can't {doing} {place}: {error.strerror or error}"
    if getattr(error, "winerror", None) in _IN_USE:
        return LockedError(what, LOCKED_HINT)
    if error.errno in _NO_SPACE:
        return NoSpaceError(what, SPACE_HINT)
    if error.errno in _DENIED:
        return AccessDeniedError(what, access_hint(place))
    if error.errno == errno.EEXIST:
        return UsageError(
            f"Can't {doing} {place}: it exists already", "Name another file, or remove that one."
        )
    if error.errno == errno.ENOENT:
        return NotFoundError(what, "Check the path.")
    return StorageUnavailableError(what, "Check the disk, then run the same command again.")


def access_hint(path: Path | str) -> str:
    """What to do where a file may not be used: that its disk can't be written is nobody's right."""
    return READ_ONLY_HINT if is_on_read_only_disk(Path(path)) else ACCESS_HINT


def _hot_journal(path: Path | str) -> bool:
    return Path(f"{path}-journal").exists()
