"""Putting a staged database in the place of another one that may be in use.

A rename under an open WAL connection would lose that connection's later commits, and a -wal left
beside the new file would bring old rows back into it. So the old database is held first: nobody
writes it, in WAL mode nobody has it open, and its sidecars are gone before the rename.
"""

import shutil
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from junmai_svc.storage.databases.connection import SIDECARS, sidecar, writing
from junmai_svc.storage.databases.failures import translated
from junmai_svc.storage.errors import IntegrityError, JunmaiError
from junmai_svc.storage.files import copy_hashing, switch_in


@dataclass
class Held:
    """A database that nobody else is writing, until the block that holds it ends.

    `holder` is the connection that holds it, None where there is no readable database; `damage`
    says why an existing one can't be read.
    """

    path: Path
    holder: sqlite3.Connection | None = None
    damage: IntegrityError | None = None
    is_wal: bool = False
    is_replaced: bool = False
    is_closed: bool = False

    def replace_by(self, staged: Path) -> None:
        """Rename a durable staged database into the place of this one and sync its folder.

        No sidecar of the old database may be left; `leftovers` and `set_aside` see to that.

        Raises:
            AccessDeniedError, NoSpaceError, StorageUnavailableError: it could not be renamed.
        """
        with translated("replace", self.path):
            if self.path.exists():
                shutil.copymode(self.path, staged)
            if sys.platform == "win32" and self.holder is not None:
                self.holder.close()  # an open file can't be replaced there
                self.is_closed = True
            switch_in(staged, self.path)
            self.is_replaced = True

    def let_go(self) -> None:
        """End the hold; a database that was not replaced gets its WAL mode back."""
        if self.holder is None or self.is_replaced:
            return
        if self.is_closed:
            # What kept it from being replaced is told, not that somebody has it open by now.
            if self.is_wal:
                with suppress(JunmaiError), writing(self.path) as again:
                    again.execute("PRAGMA journal_mode = WAL").fetchone()
            return
        with translated("let go of", self.path):
            self.holder.rollback()
            if self.is_wal:
                self.holder.execute("PRAGMA journal_mode = WAL").fetchone()


@contextmanager
def held(path: Path, *, busy_seconds: float = 2.0) -> Iterator[Held]:
    """Hold the database at `path` so that it can be replaced; nothing there is fine too.

    A stale -wal is folded in and the sidecars removed. An idle connection in rollback mode does not
    disturb, any other use does.

    Raises:
        LockedError: somebody writes it or, in WAL mode, has it open.
        AccessDeniedError: it may not be opened.
    """
    with ExitStack() as stack:
        database = Held(path)
        if path.exists() and path.stat().st_size > 0:
            try:
                with translated("replace", path):
                    database = _hold(path, busy_seconds, stack)
            except IntegrityError as error:
                stack.close()
                database = Held(path, damage=error)
        try:
            yield database
        finally:
            database.let_go()


def _hold(path: Path, busy_seconds: float, stack: ExitStack) -> Held:
    holder = stack.enter_context(writing(path, busy_seconds=busy_seconds))
    (mode,) = holder.execute("PRAGMA journal_mode").fetchone()
    # Fails where another connection has a WAL database open, even if it is idle.
    holder.execute("PRAGMA journal_mode = DELETE").fetchone()
    holder.execute("BEGIN IMMEDIATE")
    holder.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    return Held(path, holder, is_wal=mode == "wal")


def leftovers(path: Path) -> list[Path]:
    """Return the sidecars that lie beside `path` now."""
    return [name for suffix in SIDECARS if (name := sidecar(path, suffix)).exists()]


def set_aside(path: Path, aside: Path) -> list[Path]:
    """Copy a database that can't be read, and all sidecars, durably to `aside`; drop the sidecars.

    The database itself stays until it is replaced. Returns the copies made. Never to be called for
    a database that this process holds: reading its file would drop SQLite's locks.

    Raises:
        AccessDeniedError, NoSpaceError, StorageUnavailableError: a copy failed; all is as before.
    """
    found = leftovers(path)
    copies = []
    with translated("set aside", path):
        for original in ([path] if path.exists() else []) + found:
            copy = aside.with_name(aside.name + original.name.removeprefix(path.name))
            copy_hashing(original, copy)
            copies.append(copy)
        for original in found:
            original.unlink()
    return copies
