"""The rows of `folding` kept in the journal's file, in the transactions that append its events.

A row of its own says how many events they were folded from. It is written with the events that
change rows only, as most do not, and each page that a commit touches costs. Where an event that may
change rows came since, another version appended it or folds otherwise, and the rows are built anew
before they go on.
"""

import sqlite3
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
import peewee

from junmai_svc.storage.journal import tables
from junmai_svc.storage.journal.entry import Event
from junmai_svc.storage.journal.folding import (
    FOLD,
    SILENT,
    Row,
    changes,
    digest_of,
    encoded,
    folded,
)

# The row that says up to which size the others were folded, and how.
HEAD = ("head", str(FOLD))
_decode = msgspec.json.Decoder(dict[str, Any]).decode
_MOST_DIGITS = 18  # of a size that SQLite can hold
_silent = sorted(SILENT)
_TOLD = f"""
    SELECT EXISTS (SELECT 1 FROM event WHERE position >= ? AND position < ?
        AND type NOT IN ({", ".join("?" * len(_silent))}))"""


def is_current(connection: sqlite3.Connection, head: str | None, size: int) -> bool:
    """Tell whether rows whose head row has this value are those of the first `size` events.

    Raises:
        sqlite3.Error: the events can't be read.
    """
    if head is None or not head.isdecimal() or len(head) > _MOST_DIGITS or int(head) > size:
        return False
    (told,) = connection.execute(_TOLD, (int(head), size, *_silent)).fetchone()
    return not told


class Projected:
    """The projection of one journal; every call stands in the caller's transaction."""

    def __init__(self, database: peewee.SqliteDatabase) -> None:
        rows = tables.bound_to(database).projection
        self._database = database
        self._is_there = False
        self._of = tables.composed(
            database, rows.select(rows.value).where(rows.name == "", rows.key == "")
        )
        put = rows.replace(name="", key="", value="")  # type: ignore[no-untyped-call]
        self._put = tables.composed(database, put)
        self._all = tables.composed(database, rows.select(rows.name, rows.key, rows.value))
        self._clear = tables.composed(database, rows.delete())

    def follow(
        self, size: int, appended: Iterable[Event], everything: Callable[[], Iterable[Event]]
    ) -> None:
        """Fold the events that were just appended to `size` earlier ones.

        `everything` gives all events, the appended ones among them, where the rows lag behind.
        """
        new = list(appended)
        if all(event.type in SILENT for event in new):
            return
        self._complete()
        if not self._is_at(size):
            self._replace(everything(), size + len(new))
            return
        self._put(*HEAD, str(size + len(new)))
        for event in new:
            for name, key, row in changes(event, self._row):
                self._put(name, key, encoded(row))

    def rows(self) -> dict[tuple[str, str], Row]:
        """Return all rows."""
        return {place: _decode(value) for place, value in self._stored().items()}

    def is_at(self, size: int) -> bool:
        """Tell whether the rows are those of a journal of this size."""
        return self._exists() and self._is_at(size)

    def rebuild(self, events: Iterable[Event], size: int) -> tuple[str | None, str]:
        """Build all rows anew; return the digests of what was there and of what is there now.

        The first is None where the rows lagged behind the events.
        """
        before = digest_of(self._stored()) if self.is_at(size) else None
        self._complete()
        return before, self._replace(events, size)

    def _replace(self, events: Iterable[Event], size: int) -> str:
        rows = {place: encoded(row) for place, row in folded(events).items()}
        self._clear()
        for (name, key), value in rows.items():
            self._put(name, key, value)
        self._put(*HEAD, str(size))
        return digest_of(rows)

    def _stored(self) -> dict[tuple[str, str], str]:
        return {(n, key): value for n, key, value in self._all() if n != HEAD[0]}

    def _is_at(self, size: int) -> bool:
        found = self._of(*HEAD)
        connection: sqlite3.Connection = self._database.connection()  # type: ignore[no-untyped-call]
        return is_current(connection, found[0][0] if found else None, size)

    def _row(self, name: str, key: str) -> Row | None:
        found = self._of(name, key)
        return _decode(found[0][0]) if found else None

    def _complete(self) -> None:
        if not self._is_there:
            if not self._exists():
                tables.complete(self._database)
            self._is_there = True

    def _exists(self) -> bool:
        return bool(self._database.table_exists("projection"))
