"""What is in the tiles: growing a stored Merkle tree, its root, and the hashes for proofs.

Any root or proof follows from the tiles, and to grow the tree takes its partial tiles only, some
hashes for each level, however many entries there are.

Tiles come from outside: reading one checks its length, and only the root computed from it, compared
with a checkpoint's, tells whether its hashes are right.
"""

import functools
from collections.abc import Callable, Iterable, Iterator

from junmai_svc.storage.errors import IntegrityError
from junmai_svc.storage.journal.layout import HEIGHT, WIDTH, Tile, hashes_at, partial_tiles
from junmai_svc.storage.journal.merkle import HASH_BYTES, frontier_from, tree_root
from junmai_svc.storage.journal.proofs import Subtrees

# Returns the stored bytes of a tile.
ReadTile = Callable[[Tile], bytes]

_CACHED_TILES = 64


def grown(old: int, leaves: Iterable[bytes], read: ReadTile) -> Iterator[tuple[Tile, bytes]]:
    """Yield the new tiles, with their bytes, of a tree of `old` leaves to which leaves are added.

    They are those of `new_tiles`, in that order. `leaves` are the hashes of the added leaves, read
    once; `read` is asked for the tree's partial tiles, which have been checked by `frontier_in`.

    Raises:
        IntegrityError: a tile that was read is damaged.
    """
    added, level = leaves, 0
    partial = {tile.level: tile for tile in partial_tiles(old)}
    while True:
        index = hashes_at(level, old) // WIDTH
        pending = _hashes_of(partial[level], read) if level in partial else ()
        roots = []
        hashes = list(pending)
        for hash_ in added:
            hashes.append(hash_)
            if len(hashes) == WIDTH:
                yield Tile(level, index), b"".join(hashes)
                roots.append(tree_root(hashes))
                index += 1
                hashes = []
        if hashes and (roots or len(hashes) > len(pending)):
            yield Tile(level, index, len(hashes)), b"".join(hashes)
        if not roots:
            return
        added, level = roots, level + 1


def frontier_in(size: int, read: ReadTile) -> tuple[bytes, ...]:
    """Return the frontier of a stored tree, for which only its partial tiles are read.

    If its root is that of a signed checkpoint of this size, so are these tiles.

    Raises:
        IntegrityError: a tile that was read is damaged.
    """
    roots: list[bytes] = []
    for tile in reversed(partial_tiles(size)):
        hashes = _hashes_of(tile, read)
        begin = 0
        while begin < tile.width:
            end = begin + (1 << (tile.width - begin).bit_length() - 1)
            roots.append(tree_root(hashes[begin:end]))
            begin = end
    return tuple(roots)


def subtrees_in(size: int, read: ReadTile) -> Subtrees:
    """Return the roots of the perfect subtrees of a stored tree, for making proofs.

    A tile is read when it is needed, and not again while it is among the last ones used. What is
    returned raises IntegrityError if a tile is damaged.
    """

    @functools.lru_cache(_CACHED_TILES)
    def hashes_of(tile: Tile) -> tuple[bytes, ...]:
        return _hashes_of(tile, read)

    def subtree(level: int, index: int) -> bytes:
        if (index + 1) << level > size:
            raise ValueError(f"a tree of {size} leaves has no subtree {index} of level {level}")
        tile_level, height = divmod(level, HEIGHT)
        tile_index, begin = divmod(index << height, WIDTH)
        width = min(WIDTH, hashes_at(tile_level, size) - tile_index * WIDTH)
        hashes = hashes_of(Tile(tile_level, tile_index, width))
        return tree_root(hashes[begin : begin + (1 << height)])

    return subtree


def built(tile: Tile, leaves: Callable[[int, int], Iterable[bytes]]) -> bytes:
    """Return the bytes of a tile from all the leaf hashes under it, where no tiles are stored.

    `leaves` returns the leaf hashes from one position up to another, excluding it; it is asked for
    256**level of them at a time.
    """
    span = WIDTH**tile.level
    begins = range(tile.index * WIDTH * span, (tile.index * WIDTH + tile.width) * span, span)
    return b"".join(tree_root(leaves(begin, begin + span)) for begin in begins)


def _hashes_of(tile: Tile, read: ReadTile) -> tuple[bytes, ...]:
    stored = read(tile)
    if len(stored) != tile.width * HASH_BYTES:
        raise IntegrityError(
            f"The hashes in {tile.path} are damaged: {len(stored):,} bytes are not {tile.width}",
            "Publish to the store again from an undamaged journal, or read another copy of it.",
        )
    return frontier_from(stored)
