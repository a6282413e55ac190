"""Tiles in a store: every root and proof follows from them, and they grow by what is new."""

import time
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.storage.journal.rfc6962 import entries_of

from junmai_svc.storage.errors import IntegrityError
from junmai_svc.storage.journal.layout import Tile, is_superseded, new_tiles, partial_tiles
from junmai_svc.storage.journal.merkle import frontier_root, leaf_hash, tree_root
from junmai_svc.storage.journal.proofs import (
    consistency_proof,
    inclusion_proof,
    is_consistent,
    is_included,
    root_at,
)
from junmai_svc.storage.journal.tiles import built, frontier_in, grown, subtrees_in

LEAVES = [leaf_hash(entry) for entry in entries_of(140_000)]
SIZES = st.integers(0, 1500)
# Around the sizes at which a level 2 and its second hash come.
LARGE = [(1, 65_535), (65_535, 65_536), (65_280, 65_537), (70_000, 131_071), (65_536, 131_072)]


class Store(dict[Tile, bytes]):
    """The tiles of a tree, and which of them were read."""

    def __init__(self, size: int) -> None:
        super().__init__(grown(0, LEAVES[:size], self.read))
        self.asked: list[Tile] = []

    def read(self, tile: Tile) -> bytes:
        """Return a tile's bytes."""
        self.asked.append(tile)
        return self[tile]


def leaves_from(begin: int, end: int) -> Sequence[bytes]:
    return LEAVES[begin:end]


def require_growth(old: int, new: int) -> None:
    """Make sure that the tiles of a tree that grew are those of the tree made at once."""
    store = Store(old)
    store.asked.clear()
    added = dict(grown(old, iter(LEAVES[old:new]), store.read))
    assert list(added) == new_tiles(old, new)
    assert set(store.asked) <= set(partial_tiles(old))
    needed = Store(new)
    assert {**store, **added}.items() >= needed.items()
    assert not any(is_superseded(tile.path, new) for tile in needed)


def require_proofs(index: int, old: int, new: int) -> None:
    """Make sure that the tiles of the new tree give the roots of both and proofs that hold."""
    subtree = subtrees_in(new, Store(new).read)
    old_root, new_root = root_at(old, subtree), root_at(new, subtree)
    assert (old_root, new_root) == (tree_root(LEAVES[:old]), tree_root(LEAVES[:new]))
    assert is_included(LEAVES[index], index, old, inclusion_proof(index, old, subtree), old_root)
    grew = consistency_proof(old, new, subtree)
    assert is_consistent(old, old_root, new, new_root, grew)


def require_frontier(size: int) -> None:
    """Make sure that the partial tiles, and no others, give the frontier."""
    store = Store(size)
    store.asked.clear()
    frontier = frontier_in(size, store.read)
    assert len(frontier) == size.bit_count()
    assert frontier_root(frontier) == tree_root(LEAVES[:size])
    assert set(store.asked) == set(partial_tiles(size))


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 1000, 65_536, 140_000])
def test_every_tile_holds_the_roots_that_the_specification_says(size: int) -> None:
    store = Store(size)
    assert list(store) == new_tiles(0, size)
    for tile, stored in store.items():
        span = 256**tile.level
        first = tile.index * 256
        roots = [
            tree_root(LEAVES[number * span : (number + 1) * span])
            for number in range(first, first + tile.width)
        ]
        assert stored == b"".join(roots)
        assert stored == built(tile, leaves_from)


@settings(deadline=None)
@given(SIZES, SIZES)
def test_a_tree_that_grew_is_the_tree_made_at_once(one: int, other: int) -> None:
    require_growth(min(one, other), max(one, other))


@pytest.mark.parametrize(("old", "new"), LARGE)
def test_a_large_tree_that_grew_is_the_tree_made_at_once(old: int, new: int) -> None:
    require_growth(old, new)


@settings(deadline=None)
@given(SIZES)
def test_its_partial_tiles_alone_give_its_frontier_and_root(size: int) -> None:
    require_frontier(size)


@pytest.mark.parametrize(("one", "other"), LARGE)
def test_partial_tiles_alone_give_the_frontier_of_a_large_tree(one: int, other: int) -> None:
    require_frontier(one)
    require_frontier(other)


@settings(deadline=None)
@given(SIZES.filter(bool), st.data())
def test_roots_and_proofs_of_any_two_sizes_follow_from_the_tiles(
    new: int, data: st.DataObject
) -> None:
    old = data.draw(st.integers(1, new))
    require_proofs(data.draw(st.integers(0, old - 1)), old, new)


@pytest.mark.parametrize(("old", "new"), LARGE)
def test_roots_and_proofs_of_large_trees_follow_from_the_tiles(old: int, new: int) -> None:
    for index in {0, old // 3, old - 1}:
        require_proofs(index, old, new)


def test_making_a_proof_reads_two_tiles_a_level_at_most_and_each_once() -> None:
    size = 100_000
    store = Store(size)
    for index in range(0, size, 9_973):
        store.asked.clear()
        inclusion_proof(index, size, subtrees_in(size, store.read))
        assert len(store.asked) == len(set(store.asked)) <= 6
        store.asked.clear()
        consistency_proof(index + 1, size, subtrees_in(size, store.read))
        assert len(store.asked) == len(set(store.asked)) <= 6


def test_a_subtree_beyond_the_tree_is_a_mistake() -> None:
    subtree = subtrees_in(700, Store(700).read)
    assert subtree(2, 174) == tree_root(LEAVES[696:700])
    with pytest.raises(ValueError, match="700 leaves has no subtree 175 of level 2"):
        subtree(2, 175)


@pytest.mark.parametrize("stored", [b"", bytes(31), bytes(32 * 111), bytes(32 * 112 + 1)])
def test_a_tile_of_another_length_is_refused_and_named(stored: bytes) -> None:
    def read(tile: Tile) -> bytes:
        return stored if tile.level == 0 else bytes(32)

    for use in (
        lambda: frontier_in(112, read),
        lambda: list(grown(112, LEAVES[112:113], read)),
        lambda: subtrees_in(112, read)(0, 0),
    ):
        with pytest.raises(IntegrityError, match=r"tile/0/000\.p/112 are damaged"):
            use()


@settings(deadline=None)
@given(st.integers(0, 111), st.integers(0, 255))
def test_an_altered_partial_tile_gives_another_root(at: int, bit: int) -> None:
    def read(tile: Tile) -> bytes:
        stored = bytearray(b"".join(LEAVES[:112]))
        stored[at * 32 + bit // 8] ^= 1 << bit % 8
        return bytes(stored[: tile.width * 32])

    assert frontier_root(frontier_in(112, read)) != tree_root(LEAVES[:112])


def test_publishing_one_entry_after_100_000_and_proving_it_takes_milliseconds() -> None:
    size = 100_000
    store = Store(size)
    begin = time.process_time()
    for _ in range(10):
        assert frontier_root(frontier_in(size, store.read))
        assert len(dict(grown(size, [LEAVES[size]], store.read))) == 1
        subtree = subtrees_in(size, store.read)
        inclusion_proof(77_777, size, subtree)
        consistency_proof(77_777, size, subtree)
    # 3 ms each where this was written; ten times that is a mistake, not a slow machine.
    assert (time.process_time() - begin) / 10 < 0.03
