"""The partial tiles of what was published, by which the tree grows, each proven before its use."""

from collections.abc import Iterator
from contextlib import suppress

from junmai_svc.storage.errors import IntegrityError, NotFoundError
from junmai_svc.storage.journal import layout, tiles
from junmai_svc.storage.journal.comparing import (
    RECOVER_HINT,
    Common,
    first_difference,
    grown_frontier,
)
from junmai_svc.storage.journal.failures import DivergedError
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.journal.layout import WIDTH, Tile
from junmai_svc.storage.journal.merkle import HASH_BYTES, frontier_from
from junmai_svc.storage.journal.mirror import Mirror
from junmai_svc.storage.journal.stored import pairs


def partial_tiles(journal: Journal, mirror: Mirror, common: Common) -> tiles.ReadTile:
    """Return a reader of the old tree's partial tiles, each compared with its frontier."""
    partial = layout.partial_tiles(common.size)

    def from_journal(begin: int, end: int) -> Iterator[bytes]:
        return (leaf for step in pairs(journal, begin, end) for _, leaf in step)

    def read(tile: Tile) -> bytes:
        above = sum(each.width.bit_count() for each in partial if each.level > tile.level)
        wanted = common.frontier[above : above + tile.width.bit_count()]
        if tile.level:
            with suppress(NotFoundError, IntegrityError):
                stored = mirror.tile(tile)
                if _frontier_of(tile, stored) == wanted:
                    return stored
        begin = tile.index * WIDTH ** (tile.level + 1)
        made = (
            tiles.built(tile, from_journal)
            if tile.level
            else b"".join(from_journal(begin, begin + tile.width))
        )
        if _frontier_of(tile, made) != wanted:
            raise _differing(journal, mirror, begin, common.size)
        return made

    return read


def _differing(journal: Journal, mirror: Mirror, begin: int, size: int) -> DivergedError:
    """The error that names the first entry behind a position which is not what was published."""
    found = None
    with suppress(NotFoundError, IntegrityError):
        found = first_difference(pairs(journal, begin, size), mirror, size, begin)
    why = f"{journal.path} differs there from what is published in {mirror.url}"
    return DivergedError(*(found or ("REWRITTEN", begin)), why, RECOVER_HINT)


def _frontier_of(tile: Tile, stored: bytes) -> tuple[bytes, ...] | None:
    if len(stored) != tile.width * HASH_BYTES:
        return None
    return grown_frontier((), 0, frontier_from(stored))
