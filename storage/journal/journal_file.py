"""A journal's file looked at from outside, as by a person who doubts it.

Nothing is opened for writing, no trigger and no head is believed, and what is wrong does not stop
the looking.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from junmai_svc.storage.errors import IntegrityError
from junmai_svc.storage.journal.entry import Event, decode
from junmai_svc.storage.journal.examining import STEP, Examination
from junmai_svc.storage.journal.failures import DAMAGED_HINT, translated
from junmai_svc.storage.journal.journal import BUSY_SECONDS
from junmai_svc.storage.journal.keyring import KeyHistory, key_history
from junmai_svc.storage.journal.merkle import frontier_from, frontier_root
from junmai_svc.storage.journal.opening import examining, recognised
from junmai_svc.storage.journal.projected import HEAD
from junmai_svc.storage.journal.stored import NO_PAIR, Pair
from junmai_svc.storage.journal.tables import differing_triggers
from junmai_svc.storage.journal.upcasting import upcast

_ALL = """
    SELECT position, id, stream, version, type, time, entry, leaf_hash FROM event
    ORDER BY position"""
_OWN = "SELECT position, entry FROM event WHERE stream = ? ORDER BY version"
_PAIRS = """
    SELECT position, entry, leaf_hash FROM event WHERE position >= ? AND position < ?"""
_ROWS = "SELECT name, key, value FROM projection"
_TABLES = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?"


@dataclass(frozen=True)
class JournalFile:
    """One journal's file, as it was when `examine` began to read it."""

    path: Path
    journal_id: str
    _connection: sqlite3.Connection

    def triggers(self) -> list[str]:
        """Return the triggers that are missing or changed, or that are none of the journal's."""
        return differing_triggers(self._connection)

    def published(self) -> dict[str, int]:
        """Return how much was published to each store, as the journal remembers it."""
        if not self._has("published"):
            return {}
        return dict(self._connection.execute("SELECT store, size FROM published"))

    def projection(self, size: int) -> dict[tuple[str, str], str] | None:
        """Return the kept rows by name and key; None where they are not of so many events."""
        rows = self._connection.execute(_ROWS) if self._has("projection") else ()
        found = {(name, key): value for name, key, value in rows}
        return found if found.pop(HEAD, None) == str(size) else None

    def keys(self, below: int | None = None) -> KeyHistory:
        """Return the journal's keys, as far as its own entries can be read; or those by a size."""
        own: list[Event] = []
        stream = f"journal/{self.journal_id}"
        for position, entry in self._connection.execute(_OWN, (stream,)):
            if below is not None and position >= below:
                continue
            try:
                event = decode(entry, journal_id=self.journal_id, path=self.path, position=position)
            except IntegrityError:
                continue  # examining the journal names it
            own.append(upcast(event))
        return key_history(self.journal_id, own)

    def head(self) -> tuple[int, bytes | None]:
        """Return what the head says: the size and the root, None where its frontier is damaged."""
        size, stored = self._connection.execute(
            "SELECT size, frontier FROM journal_head"
        ).fetchone()
        try:
            frontier = frontier_from(stored)
        except ValueError:
            return size, None
        return size, frontier_root(frontier) if len(frontier) == size.bit_count() else None

    def _has(self, table: str) -> bool:
        return bool(self._connection.execute(_TABLES, (table,)).fetchone()[0])

    def examine(self, wanted: Iterable[int], *, fold: bool) -> Examination:
        """Look at every entry as of now; from here on the file is read as of the same moment."""
        self._connection.execute("BEGIN")
        found = Examination(self.journal_id, wanted, where=str(self.path), fold=fold)
        cursor = self._connection.execute(_ALL)
        while rows := cursor.fetchmany(STEP):
            found.add([row[6] for row in rows], [(row[:6], row[7]) for row in rows])
        return found

    def pairs(self, begin: int, end: int) -> Iterator[list[Pair]]:
        """Give entry and stored leaf hash of some positions, in lists; NO_PAIR for missing ones."""
        while begin < end:
            upto = min(begin + STEP, end)
            found = {row[0]: row[1:] for row in self._connection.execute(_PAIRS, (begin, upto))}
            yield [found.get(position, NO_PAIR) for position in range(begin, upto)]
            begin = upto


def is_there(path: Path) -> bool:
    """Tell whether there is a journal; an empty file, such as a dead run leaves, is none.

    Raises:
        JunmaiError: as `looking_at`.
    """
    with translated("read", path):
        return path.exists() and recognised(path.absolute(), BUSY_SECONDS)


@contextmanager
def looking_at(path: Path) -> Iterator[JournalFile]:
    """Open a journal's file to look at it.

    Raises:
        NotFoundError: there is none.
        IntegrityError: it is no journal, of a newer format, or SQLite can't read it.
        LockedError, AccessDeniedError, StorageUnavailableError: it can't be read.
    """
    path = path.absolute()
    with translated("read", path), examining(path, BUSY_SECONDS) as connection:
        heads = connection.execute("SELECT journal_id FROM journal_head").fetchall()
        if len(heads) != 1:
            raise IntegrityError(f"The journal {path} has lost its head", DAMAGED_HINT)
        yield JournalFile(path, heads[0][0], connection)
