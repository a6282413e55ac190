"""Putting entries back that a journal has lost, byte for byte as a store kept them.

All of them come in one transaction, and only if the tree then is the one that was signed.
"""

from collections.abc import Iterable
from pathlib import Path

import peewee

from junmai_svc.storage.errors import IntegrityError
from junmai_svc.storage.journal import entry, merkle
from junmai_svc.storage.journal.checkpoint import Checkpoint
from junmai_svc.storage.journal.failures import DAMAGED_HINT, translated
from junmai_svc.storage.journal.journal import BUSY_SECONDS, Journal
from junmai_svc.storage.journal.opening import open_database
from junmai_svc.storage.journal.tables import Tables, bound_to, composed

Entries = Iterable[list[bytes]]


def refill(journal: Journal, entries: Entries, signed: Checkpoint) -> int:
    """Append what a journal lacks of a signed tree; return how many events it had.

    `entries` are those behind the journal's last one.

    Raises:
        IntegrityError: they do not make the tree that was signed; nothing was written.
        JunmaiError: as `Journal.append`.
    """
    head = journal.head()
    with journal.within("refill", writing=True):
        fill = _Filling(journal.path, journal.journal_id, journal.tables)
        fill(head.size, head.frontier, entries, signed)
    return head.size


def begin_again(path: Path, entries: Entries, signed: Checkpoint) -> None:
    """Make a journal anew, where there is none, from all entries of a signed tree.

    Raises:
        IntegrityError: they do not make the tree that was signed; there is no journal then.
        JunmaiError: as `Journal.open`.
    """

    def begin(database: peewee.SqliteDatabase) -> None:
        tables = bound_to(database)
        tables.head.insert(journal_id=signed.journal_id, size=0, frontier=b"").execute()
        _Filling(path, signed.journal_id, tables)(0, (), entries, signed)

    with translated("refill", path):
        open_database(path, begin=begin, busy_seconds=BUSY_SECONDS).close()


class _Filling:
    def __init__(self, path: Path, journal_id: str, tables: Tables) -> None:
        self._path = path
        self._journal_id = journal_id
        self._tables = tables
        self._insert = composed(
            tables.event._meta.database,  # noqa: SLF001  # peewee's own name for it
            tables.event.insert(
                position=0, id="", stream="", version=0, type="", time="", entry=b"", leaf_hash=b""
            ),
        )

    def __call__(
        self, size: int, frontier: tuple[bytes, ...], entries: Entries, signed: Checkpoint
    ) -> None:
        for stored in (each for step in entries for each in step):
            event = entry.decode(
                stored, journal_id=self._journal_id, path=self._path, position=size
            )
            self._insert(
                size,
                event.id,
                event.stream,
                event.version,
                event.type,
                entry.time_text(event.time),
                stored,
                event.leaf_hash,
            )
            frontier = merkle.frontier_append(frontier, size, event.leaf_hash)
            size += 1
        if (size, merkle.frontier_root(frontier)) != (signed.size, signed.root):
            raise IntegrityError(
                f"The entries for {self._path} are not those that were signed", DAMAGED_HINT
            )
        head = self._tables.head
        head.update(size=size, frontier=merkle.frontier_bytes(frontier)).execute()
