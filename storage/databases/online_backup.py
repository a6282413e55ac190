"""A consistent image of a live database, taken through SQLite's online backup API in one pass.

One pass (`pages=-1`): stepping starts over whenever a writer commits, and starves. The image is the
source at one moment, rows still in its -wal included. It differs from a checkpointed source only in
page 1, in two counters that start anew and in what SQLite wrote it: bytes 24-27, 40-43 and 92-99
(https://sqlite.org/fileformat2.html section 1.3), so an unchanged source gives equal images.
"""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from junmai_svc.storage.databases.connection import sidecar, writing
from junmai_svc.storage.databases.failures import LOCKED_HINT, translated
from junmai_svc.storage.errors import LockedError
from junmai_svc.storage.files import remove, sync_file

BUSY = 5  # SQLITE_BUSY
LOOK_SECONDS = 0.1

Tick = Callable[[int], None]


def take_image(source: sqlite3.Connection, image: Path, tick: Tick | None = None) -> None:
    """Write the source as it is in the connection's open read transaction into a file of our own.

    The connection must be inside a read transaction (see `connection.reading`); the file must be
    absent or empty. On return the image is complete and its content durable. `tick` receives bytes
    as they arrive.

    Raises:
        LockedError: the source got locked after all.
        NoSpaceError, AccessDeniedError, IntegrityError: as found; the image is removed.
    """

    def stop_when_busy(status: int, _remaining: int, _total: int) -> None:
        # backup() would retry SQLITE_BUSY for ever, whatever the timeout.
        if status == BUSY:
            raise LockedError(f"Can't back up into {image}: the database is locked", LOCKED_HINT)

    try:
        with writing(image, create=True) as copy, _growth(image, tick):
            # Nothing reads this file before it is complete and synced: no journal, no sync here.
            copy.execute("PRAGMA journal_mode = OFF")
            copy.execute("PRAGMA synchronous = OFF")
            source.backup(copy, pages=-1, progress=stop_when_busy)
        with translated("write", image):
            sync_file(image)
    except BaseException:
        remove_database(image)
        raise


def remove_database(path: Path) -> None:
    """Remove a staged database of our own with its sidecars; absent ones are fine.

    Raises:
        JunmaiError: one of them is there and can't be removed.
    """
    for name in (path, *(sidecar(path, suffix) for suffix in ("-wal", "-shm", "-journal"))):
        try:
            remove(name)
        except OSError:
            # A read-only disk refuses to unlink also what is not there.
            if name.is_symlink() or name.exists():
                with translated("remove", name):
                    raise


@contextmanager
def _growth(image: Path, tick: Tick | None) -> Iterator[None]:
    """Report the file's growth from beside: the one pass itself reports only its end."""
    if tick is None:
        yield
        return
    done = threading.Event()

    def look() -> None:
        seen = 0
        while not done.wait(LOOK_SECONDS):
            size = image.stat().st_size
            tick(size - seen)
            seen = size

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
