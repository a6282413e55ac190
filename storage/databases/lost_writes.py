"""Writes that a disk reported done and lost: in a fresh file they leave pages of zeros.

SQLite's checks miss one kind of them, the last page of a text or blob that is longer than a page:
nothing in it says that it should not be all zeros. Real ones are (the end of a long blob of zeros,
a freed page), so a page of zeros is only a suspicion, and then every row is compared.
https://sqlite.org/fileformat2.html#cell_payload_overflow_pages
"""

import sqlite3
from pathlib import Path

from junmai_svc.storage.databases.connection import reading_image
from junmai_svc.storage.databases.digest import table_digest
from junmai_svc.storage.databases.failures import translated
from junmai_svc.storage.databases.schema import Schema, Table
from junmai_svc.storage.errors import IntegrityError
from junmai_svc.storage.files import CHUNK


def require_written(source: sqlite3.Connection, schema: Schema, image: Path) -> None:
    """Make sure that no write was lost on the way from `source` into a fresh image of it.

    The connection must still be in the read transaction that the image was taken in. Damage that
    SQLite's own checks see is left to them.

    Raises:
        IntegrityError: a table of the image has other rows than the source's.
        StorageUnavailableError: the image can't be read.
    """
    with translated("read", image):
        if not has_empty_page(image, schema.settings.page_size):
            return
    with reading_image(image) as copy, translated("read", image):
        for table in schema.tables:
            if _differs(source, copy, table):
                raise IntegrityError(
                    f"Can't write {image}: the disk reported writes as done and lost them",
                    "Check the disk and its connection before you trust it with a backup.",
                )


def _differs(source: sqlite3.Connection, copy: sqlite3.Connection, table: Table) -> bool:
    try:
        return table_digest(copy, "main", table) != table_digest(source, "main", table)
    except sqlite3.DatabaseError as error:
        if not error.sqlite_errorname.startswith("SQLITE_CORRUPT"):
            raise
        return False


def has_empty_page(image: Path, page_size: int) -> bool:
    """Tell whether a page of a database file is all zeros.

    Raises:
        OSError: it can't be read.
    """
    empty = bytes(page_size)
    with image.open("rb", buffering=0) as file:
        while chunk := file.read(CHUNK):
            # Only pages of long values and freed ones begin with a zero.
            first = chunk[::page_size].find(0)
            while first >= 0:
                if chunk[first * page_size : (first + 1) * page_size] == empty:
                    return True
                first = chunk[::page_size].find(0, first + 1)
    return False
