"""Putting entries back that a journal has lost, byte for byte as a store kept them.

They come in one transaction, and only if the tree then is the one that was signed. Nothing is built
upon a file that somebody may have changed: a new one takes its place, and it is kept.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import peewee

from junmai_svc.storage.errors import IntegrityError, JournalConflictError
from junmai_svc.storage.files import staged_path, switch_in
from junmai_svc.storage.journal import entry, events, merkle
from junmai_svc.storage.journal.checkpoint import Checkpoint
from junmai_svc.storage.journal.failures import translated
from junmai_svc.storage.journal.journal import BUSY_SECONDS, Journal
from junmai_svc.storage.journal.opening import open_database, require_closed
from junmai_svc.storage.journal.tables import Tables, bound_to, composed
from junmai_svc.storage.journal.uuid7 import uuid7

Entries = Iterable[list[bytes]]


def refill(journal: Journal, begin: int, entries: Entries, signed: Checkpoint, store: str) -> None:
    """Append what a journal of `begin` events lacks of a signed tree, and record that it was.

    `entries` are those from position `begin` on, as `store` keeps them.

    Raises:
        JournalConflictError: it does not have `begin` events any more; nothing was written.
        IntegrityError: they do not make the tree that was signed; nothing was written.
        JunmaiError: as `Journal.append`.
    """
    with journal.within("refill", writing=True):
        head = journal.head()
        if head.size != begin:
            raise JournalConflictError(
                f"The journal {journal.path} has {head.size:,} events, not {begin:,}",
                "Somebody else appended to it; look at it again.",
            )
        fill = _Filling(journal.path, signed, journal.tables, head.size, head.frontier)
        fill(entries)
        record_recovered(journal, begin, signed, store)


def record_recovered(journal: Journal, begin: int, signed: Checkpoint, store: str) -> None:
    """Record that a journal of `begin` events was refilled from a store.

    Raises:
        JunmaiError: as `Journal.append`.
    """
    journal.append(
        events.stream_name("journal", journal.journal_id),
        events.event_type("journal", "recovered"),
        {"store": store, "from": begin, "to": signed.size, "root": signed.root.hex()},
        correlation=journal.journal_id,
    )


def begin_again(
    path: Path, entries: Entries, signed: Checkpoint, behind: Iterable[bytes] = ()
) -> None:
    """Make a journal anew, where there is none, from all entries of a signed tree.

    Those `behind` them, which nobody signed yet, follow as they are.

    Raises:
        IntegrityError: they do not make the tree that was signed; there is no journal then.
        JunmaiError: as `Journal.open`.
    """

    def begin(database: peewee.SqliteDatabase) -> None:
        tables = bound_to(database)
        tables.head.insert(journal_id=signed.journal_id, size=0, frontier=b"").execute()
        _Filling(path, signed, tables)(entries, behind)

    with translated("refill", path):
        open_database(path, begin=begin, busy_seconds=BUSY_SECONDS).close()


@contextmanager
def made_anew(
    path: Path, entries: Entries, signed: Checkpoint, behind: Iterable[bytes]
) -> Iterator[Path]:
    """Yield the path of a journal that was made as `begin_again` does, to take another's place.

    If it is still there at the end, it is removed.

    Raises:
        JunmaiError: as `begin_again`.
    """
    staged = staged_path(path, uuid7()[-12:])
    try:
        begin_again(staged, entries, signed, behind)
        yield staged
    finally:
        for suffix in ("", "-wal", "-shm"):
            staged.with_name(staged.name + suffix).unlink(missing_ok=True)


def take_place(path: Path, staged: Path) -> Path:
    """Put a journal that was made anew in the place of another, which is kept; return where.

    Raises:
        LockedError: the other one is open somewhere.
        AccessDeniedError: it can't be renamed.
    """
    number = 1
    while (kept := path.with_name(f"{path.name}.before-{number}")).exists():
        number += 1
    with translated("put aside", path):
        require_closed(path)
        # Should it end here, the key is beside no journal, and recovering makes it anew.
        path.rename(kept)
        switch_in(staged, path)
    return kept


class _Filling:
    def __init__(
        self,
        path: Path,
        signed: Checkpoint,
        tables: Tables,
        size: int = 0,
        frontier: tuple[bytes, ...] = (),
    ) -> None:
        self._path = path
        self._signed = signed
        self._tables = tables
        self._size = size
        self._frontier = frontier
        self._insert = composed(
            tables.event._meta.database,  # noqa: SLF001  # peewee's own name for it
            tables.event.insert(
                position=0, id="", stream="", version=0, type="", time="", entry=b"", leaf_hash=b""
            ),
        )

    def __call__(self, entries: Entries, behind: Iterable[bytes] = ()) -> None:
        for stored in (each for step in entries for each in step):
            self._add(stored)
        made = (self._size, merkle.frontier_root(self._frontier))
        if made != (self._signed.size, self._signed.root):
            raise IntegrityError(
                f"The entries for {self._path} are not those that were signed",
                "The store is damaged: name another one with --store.",
            )
        for stored in behind:
            self._add(stored)
        head = self._tables.head
        frontier = merkle.frontier_bytes(self._frontier)
        head.update(size=self._size, frontier=frontier).execute()

    def _add(self, stored: bytes) -> None:
        journal_id, size = self._signed.journal_id, self._size
        event = entry.decode(stored, journal_id=journal_id, path=self._path, position=size)
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
        self._frontier = merkle.frontier_append(self._frontier, size, event.leaf_hash)
        self._size += 1
