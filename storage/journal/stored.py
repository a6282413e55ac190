"""Entries and leaf hashes of an open journal as they are stored, by position, in large steps."""

from collections.abc import Iterable, Iterator
from typing import cast

from junmai_svc.storage.journal.entry import damaged
from junmai_svc.storage.journal.failures import DAMAGED_HINT, DivergedError
from junmai_svc.storage.journal.growing import GrowingTree
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.journal.merkle import leaf_hash
from junmai_svc.storage.journal.tables import composed

STEP = 1024

Pair = tuple[bytes, bytes]
# In the place of an event that is missing.
NO_PAIR: Pair = (b"", b"")


def pairs(journal: Journal, begin: int, end: int) -> Iterator[list[Pair]]:
    """Give entry and stored leaf hash of the positions from `begin` up to `end`, in lists.

    Raises:
        IntegrityError: one is missing.
        JunmaiError: as `Journal.read`.
    """
    event = journal.tables.event
    with journal.within("read", writing=False) as database:
        rows_between = composed(
            database,
            event.select(event.position, event.entry, event.leaf_hash)
            .where(event.position >= 0, event.position < 0)
            .order_by(event.position),
        )
    while begin < end:
        upto = min(begin + STEP, end)
        with journal.within("read", writing=False):
            rows = rows_between(begin, upto)
        for wanted, (position, _, _) in enumerate(rows, begin):
            if position != wanted:
                raise damaged(journal.path, wanted, "the event is missing")
        if len(rows) < upto - begin:
            raise damaged(journal.path, begin + len(rows), "the event is missing")
        yield [cast("Pair", row[1:]) for row in rows]
        begin = upto


def proven(journal: Journal, begin: int, end: int) -> Iterator[list[Pair]]:
    """Give the same, each entry compared with its leaf hash.

    Raises:
        IntegrityError: one is missing.
        DivergedError: one was edited.
        JunmaiError: as `Journal.read`.
    """
    for step in pairs(journal, begin, end):
        for number, (entry, stored) in enumerate(step):
            if leaf_hash(entry) != stored:
                raise DivergedError(
                    "EDITED",
                    begin + number,
                    f"the entry in {journal.path} is not what its hash says",
                    DAMAGED_HINT,
                )
        yield step
        begin += len(step)


def tree_of(journal: Journal, size: int, wanted: Iterable[int] = ()) -> GrowingTree:
    """Return the tree over the entries below a position, hashed anew, with its `wanted` roots.

    Raises:
        IntegrityError, JunmaiError: as `proven`.
    """
    tree = GrowingTree(wanted)
    for step in proven(journal, 0, size):
        tree.add(leaf for _, leaf in step)
    return tree
