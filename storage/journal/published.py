"""What a journal remembers of each store: how much of it was published there.

It is memory, no proof: it tells a store that was emptied from a new one, spares hashing what was
published before, and is kept for each address alone, so that a copy of a store elsewhere raises no
alarm. A count of the schema's changes goes with it, as who edits a journal has to drop triggers.
Who can do that can put the count back too, so what is remembered is believed for a day.
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

BELIEVED_SECONDS = 24 * 3600


@dataclass(frozen=True, slots=True)
class Published:
    """The tree that a store was last seen to hold: its size and frontier.

    `hashed` is when all of its entries were last hashed here, in seconds since 1970.
    """

    size: int
    frontier: tuple[bytes, ...]
    schema_version: int = 0
    hashed: int = 0

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
            rows.select(rows.size, rows.frontier, rows.schema_version, rows.hashed).where(
                rows.store == ""
            ),
        )(store)
    if not found or len(found[0][1]) != HASH_BYTES * found[0][0].bit_count():
        return None
    size, frontier, schema_version, hashed = found[0]
    return Published(size, frontier_from(frontier), schema_version, hashed)


def addresses(journal: Journal) -> list[str]:
    """Return to which addresses a journal was published.

    Raises:
        JunmaiError: as `Journal.read`.
    """
    with journal.within("read", writing=False) as database:
        if not database.table_exists("published"):
            return []
        rows = journal.tables.published
        return [store for (store,) in composed(database, rows.select(rows.store))()]


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
            hashed=tree.hashed,
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


def is_believed(journal: Journal, tree: Published, now: int) -> bool:
    """Tell whether entries that were hashed before need not be hashed again yet.

    That is for a day, as long as nobody changed the schema, such as the triggers.

    Raises:
        JunmaiError: as `Journal.read`.
    """
    with journal.within("read", writing=False) as database:
        is_untouched = _schema_version(database) == tree.schema_version
    return is_untouched and abs(now - tree.hashed) < BELIEVED_SECONDS


def _schema_version(database: peewee.SqliteDatabase) -> int:
    return int(database.pragma("schema_version"))
