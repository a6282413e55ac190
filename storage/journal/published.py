"""What a journal remembers of each store: how much of it was published there.

It is memory, no proof: it tells a store that was emptied from a new one, spares hashing what was
published before, and is kept for each address alone, so that a copy of a store elsewhere raises no
alarm. A count of the schema's changes goes with it: who edits a journal has to drop its triggers.
"""

from dataclasses import dataclass

import peewee

from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.journal.merkle import (
    HASH_BYTES,
    frontier_bytes,
    frontier_from,
    frontier_root,
)
from junmai_svc.storage.journal.tables import complete, composed


@dataclass(frozen=True, slots=True)
class Published:
    """The tree that a store was last seen to hold: its size and frontier."""

    size: int
    frontier: tuple[bytes, ...]
    schema_version: int

    @property
    def root(self) -> bytes:
        """The tree's root."""
        return frontier_root(self.frontier)


def published_to(journal: Journal, store: str) -> Published | None:
    """Return what was last published to a store, None if nothing was.

    Raises:
        JunmaiError: as `Journal.read`.
    """
    with journal.within("read", writing=False) as database:
        if not database.table_exists("published"):
            return None
        rows = journal.tables.published
        found = composed(
            database,
            rows.select(rows.size, rows.frontier, rows.schema_version).where(rows.store == ""),
        )(store)
    if not found or len(found[0][1]) != HASH_BYTES * found[0][0].bit_count():
        return None
    size, frontier, schema_version = found[0]
    return Published(size, frontier_from(frontier), schema_version)


def remember(journal: Journal, store: str, tree: Published) -> None:
    """Remember what a store holds now.

    Raises:
        JunmaiError: as `Journal.append`.
    """
    with journal.within("write to", writing=True) as database:
        complete(database)
        tables = journal.tables
        tables.published.replace(  # type: ignore[no-untyped-call]
            store=store,
            size=tree.size,
            frontier=frontier_bytes(tree.frontier),
            schema_version=_schema_version(database),
        ).execute()
        tables.head.update(published_size=tree.size, published_root=tree.root).where(
            tables.head.published_size < tree.size
        ).execute()


def forget(journal: Journal, store: str) -> None:
    """Remember nothing of a store any more.

    Raises:
        JunmaiError: as `Journal.append`.
    """
    with journal.within("write to", writing=True) as database:
        if database.table_exists("published"):
            rows = journal.tables.published
            rows.delete().where(rows.store == store).execute()


def is_untouched(journal: Journal, tree: Published) -> bool:
    """Tell whether nobody changed the schema, such as the triggers, since a store was remembered.

    Raises:
        JunmaiError: as `Journal.read`.
    """
    with journal.within("read", writing=False) as database:
        return _schema_version(database) == tree.schema_version


def _schema_version(database: peewee.SqliteDatabase) -> int:
    return int(database.pragma("schema_version"))
