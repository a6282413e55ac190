"""Opening databases: each kind of file in the one way that is safe for it.

The live source is only ever read, through SQLite and never as a file: reading or hashing the file
in a process that has it open would drop SQLite's locks. Stored images are ours and never change, so
they are opened immutable and leave no sidecars.
"""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from junmai_svc.storage import interruption
from junmai_svc.storage.databases.failures import translated
from junmai_svc.storage.errors import IntegrityError, NotFoundError

BUSY_SECONDS = 5.0
SIDECARS = ("-wal", "-shm", "-journal")
AGAIN_SECONDS = 0.05

Mode = Literal["ro", "rw", "rwc"]


def uri(path: Path, mode: Mode, *, immutable: bool = False) -> str:
    """Return the SQLite URI of a file, with every byte of its path escaped that must be.

    It states an empty authority: without it a path with two slashes before it would name a server.
    """
    absolute = path.absolute().as_posix()
    prefix = "" if absolute.startswith("/") else "/"
    escaped = quote(os.fsencode(prefix + absolute))  # names need not be valid text everywhere
    return f"file://{escaped}?mode={mode}" + ("&immutable=1" if immutable else "")


def sidecar(path: Path, suffix: str) -> Path:
    """Return the path of a database's -wal, -shm or -journal."""
    return path.with_name(path.name + suffix)


def require_database(path: Path, what: str = "Source database") -> None:
    """Make sure that a file that could be a database is there, without opening it.

    Raises:
        NotFoundError: nothing is there, or a folder.
        IntegrityError: the file is empty.
    """
    with translated("look at", path):
        if path.is_dir():
            raise NotFoundError(
                f"{what} not found: {path} is a folder", "Check the path to your database file."
            )
        if not path.exists():
            raise NotFoundError(
                f"{what} not found: {path}", "Check the path to your database file."
            )
        if path.stat().st_size == 0:
            raise IntegrityError(
                f"Can't read {path}: the file is empty, which is no database",
                "Check the path to your database file.",
            )


def lost_its_wal(path: Path) -> bool:
    """Tell whether a -shm lies beside a database and no -wal.

    One in use has both and one at rest neither: it was copied without its -wal, and with that
    without its newest changes. As both come and go one after the other, it is looked at twice.
    """

    def lacks_it() -> bool:
        return sidecar(path, "-shm").exists() and not sidecar(path, "-wal").exists()

    if not lacks_it():
        return False
    time.sleep(AGAIN_SECONDS)
    return lacks_it()


@contextmanager
def reading(path: Path, *, busy_seconds: float = BUSY_SECONDS) -> Iterator[sqlite3.Connection]:
    """Open a live database for one consistent read transaction that never writes to it.

    Opened read-only where a -wal or -journal is there. Otherwise read-write, as `mode=ro` on a
    clean WAL database would leave a -wal and a -shm behind; should commits of others have come
    into a -wal meanwhile, a read-only connection outlives ours, so that ours is not the one whose
    close folds them into the main file.

    Raises:
        NotFoundError, LockedError, AccessDeniedError, IntegrityError: it can't be read.
    """
    require_database(path)
    busy = any(sidecar(path, suffix).exists() for suffix in ("-wal", "-journal"))
    mode: Mode = "ro" if busy else "rw"
    with (
        translated("read", path),
        closing(_connect(uri(path, mode), busy_seconds)) as connection,
        cursors_let_go(),
    ):
        connection.execute("PRAGMA query_only = 1")
        connection.execute("BEGIN")
        # The first read takes the lock; without it backup() would wait for ever on a busy file.
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        try:
            yield connection
        finally:
            connection.rollback()
            if mode == "rw" and _has_content(sidecar(path, "-wal")):
                with closing(_connect(uri(path, "ro"), busy_seconds)) as last:
                    last.execute("SELECT count(*) FROM sqlite_schema").fetchone()
                    connection.close()


@contextmanager
def reading_image(path: Path) -> Iterator[sqlite3.Connection]:
    """Open an image that nobody writes any more (a stored snapshot), leaving nothing beside it.

    Raises:
        NotFoundError, AccessDeniedError, IntegrityError: it can't be read.
    """
    require_database(path, "Backup")
    with (
        translated("read", path),
        closing(_connect(uri(path, "ro", immutable=True), BUSY_SECONDS)) as connection,
        cursors_let_go(),
    ):
        yield connection


@contextmanager
def writing(
    path: Path, *, create: bool = False, busy_seconds: float = BUSY_SECONDS
) -> Iterator[sqlite3.Connection]:
    """Open a staged file of our own for reading and writing.

    CHECK constraints are only known to SQLite on such a connection, so images are checked through
    it too, before they get their final name.

    Raises:
        AccessDeniedError, NoSpaceError, IntegrityError: it can't be opened or written.
    """
    mode: Mode = "rwc" if create else "rw"
    with (
        translated("write", path),
        closing(_connect(uri(path, mode), busy_seconds)) as connection,
        cursors_let_go(),
    ):
        yield connection


@contextmanager
def cursors_let_go() -> Iterator[None]:
    """Let an error that leaves the block hold no cursor, as its traceback does.

    A connection whose statements are not all finished is closed only when they are, and till then
    Windows does not delete its file.
    """
    try:
        yield
    except BaseException as error:
        from traceback import clear_frames  # noqa: PLC0415  # where nothing fails nobody needs it

        seen: set[int] = set()
        left: list[BaseException | None] = [error]
        while left:
            each = left.pop()
            if each is not None and id(each) not in seen:
                seen.add(id(each))
                clear_frames(each.__traceback__)
                left += [each.__cause__, each.__context__]
        raise


def size_of(connection: sqlite3.Connection) -> int:
    """Return the size of the main database in bytes, as its header and -wal say."""
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    (page_size,) = connection.execute("PRAGMA page_size").fetchone()
    return int(pages * page_size)


def _connect(address: str, busy_seconds: float) -> sqlite3.Connection:
    connection = sqlite3.connect(
        address, uri=True, timeout=busy_seconds, isolation_level=None, check_same_thread=False
    )
    interruption.watch(connection)
    return connection


def _has_content(path: Path) -> bool:
    try:
        return path.stat().st_size > 0
    except OSError:
        return False
