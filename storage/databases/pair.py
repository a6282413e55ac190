"""Target and source seen through one connection: the target is `main`, the source is attached.

Copying and the checks are peewee queries over a pair. The source side is always read-only.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import peewee

from junmai_svc.storage import interruption
from junmai_svc.storage.databases.connection import Mode, cursors_let_go, uri
from junmai_svc.storage.databases.failures import translated

SOURCE = "source"
TARGET = "main"


@dataclass(frozen=True)
class Pair:
    """Both databases on one connection; `database` runs peewee queries, `connection` the rest."""

    database: peewee.SqliteDatabase
    connection: sqlite3.Connection
    target: Path
    source: Path


@contextmanager
def open_pair(
    target: Path,
    source: Path,
    *,
    target_mode: Mode,
    source_is_image: bool = True,
    encoding: str | None = None,
    page_size: int | None = None,
) -> Iterator[Pair]:
    """Open the target and attach the source read-only as `source`.

    A target that is created (`rwc`) must be given the source's encoding, which SQLite demands of
    attached databases, and its page size in bytes. `source_is_image` marks a stored snapshot,
    opened immutable.

    Raises:
        JunmaiError: one of the two can't be opened.
    """
    database = peewee.SqliteDatabase(
        uri(target, target_mode), uri=True, timeout=5, check_same_thread=False
    )
    with translated("open", target):
        database.connect()
    try:
        connection: sqlite3.Connection = database.connection()  # type: ignore[no-untyped-call]
        with translated("open", target):
            interruption.watch(connection)
            connection.execute("PRAGMA foreign_keys = 0")
            connection.execute("PRAGMA trusted_schema = 0")
            connection.execute("PRAGMA cell_size_check = 1")
            if page_size is not None:
                connection.execute(f"PRAGMA page_size = {page_size:d}")
            if encoding is not None:
                connection.execute(f"PRAGMA encoding = '{encoding}'")
            if target_mode != "rwc":  # else ATTACH would read it, and the source get the blame
                connection.execute(f"SELECT count(*) FROM {TARGET}.sqlite_schema").fetchone()
        with translated("read", source):
            connection.execute(
                f"ATTACH DATABASE ? AS {SOURCE}", (uri(source, "ro", immutable=source_is_image),)
            )
            connection.execute(f"SELECT count(*) FROM {SOURCE}.sqlite_schema").fetchone()
        with cursors_let_go():
            yield Pair(database, connection, target, source)
    finally:
        database.close()
