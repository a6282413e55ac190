"""The paths of C2SP tlog-tiles, and what is new and old when a tree grows."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from junmai_svc.storage.journal.layout import (
    Bundle,
    Tile,
    is_superseded,
    new_bundles,
    new_tiles,
    parse_path,
    partial_tiles,
)

SIZES = st.integers(0, 200_000)
INDEXES = st.integers(0, 10**18)
WIDTHS = st.integers(1, 256)
PIECES = st.builds(Tile, st.integers(0, 63), INDEXES, WIDTHS) | st.builds(Bundle, INDEXES, WIDTHS)


@pytest.mark.parametrize(
    ("piece", "path"),
    [
        (Tile(0, 0), "tile/0/000"),
        (Tile(0, 5, 255), "tile/0/005.p/255"),
        (Tile(1, 999), "tile/1/999"),
        (Tile(0, 1000, 1), "tile/0/x001/000.p/1"),
        (Tile(2, 1_234_067), "tile/2/x001/x234/067"),
        (Bundle(273, 112), "tile/entries/273.p/112"),
        (Bundle(1_234_067), "tile/entries/x001/x234/067"),
    ],
)
def test_paths_are_those_of_the_specification(piece: Tile | Bundle, path: str) -> None:
    assert piece.path == path
    assert parse_path(path) == piece


@settings(deadline=None)
@given(PIECES)
def test_a_path_says_what_it_holds(piece: Tile | Bundle) -> None:
    assert parse_path(piece.path) == piece


@settings(deadline=None)
@given(st.text(alphabet="tile/entrisx0123456789.p", max_size=24).map("tile/".__add__))
def test_no_two_paths_are_one_piece(path: str) -> None:
    piece = parse_path(path)
    assert piece is None or piece.path == path


@pytest.mark.parametrize(
    "path",
    [
        "",
        "checkpoint",
        "tile/0/0",
        "tile/0/00",
        "tile/0/0000",
        "tile/0/x000/001",
        "tile/0/x001",
        "tile/0/001/002",
        "tile/0/x01/002",
        "tile/00/001",
        "tile/64/001",
        "tile/-1/001",
        "tile/0/001.p/0",
        "tile/0/001.p/256",
        "tile/0/001.p/01",
        "tile/0/001.p",
        "tile/0/001.p/1/",
        "tile/0/001\n",
        "tile/0/\u0661\u0660\u0660",
        "/tile/0/001",
        "tile/0/../0/001",
        "tile/entry/001",
        "tile/0/" + "x001/" * 1000 + "001",
    ],
)
def test_other_paths_are_nothing(path: str) -> None:
    assert parse_path(path) is None


def test_a_tree_of_70_000_has_the_tiles_of_the_specifications_example() -> None:
    tiles = new_tiles(0, 70_000)
    assert tiles[:273] == [Tile(0, index) for index in range(273)]
    assert tiles[273:] == [Tile(0, 273, 112), Tile(1, 0), Tile(1, 1, 17), Tile(2, 0, 1)]
    assert partial_tiles(70_000) == [Tile(0, 273, 112), Tile(1, 1, 17), Tile(2, 0, 1)]


def test_a_tree_of_256_has_a_full_tile_and_one_of_a_single_hash_above_it() -> None:
    assert new_tiles(0, 256) == [Tile(0, 0), Tile(1, 0, 1)]
    assert new_bundles(0, 256) == [Bundle(0)]


def test_a_tree_without_leaves_has_no_tiles() -> None:
    assert new_tiles(0, 0) == partial_tiles(0) == []
    assert new_bundles(0, 0) == []


@settings(deadline=None)
@given(SIZES, SIZES)
def test_what_is_new_is_what_the_one_tree_has_and_the_other_has_not(one: int, other: int) -> None:
    old, new = sorted((one, other))
    assert set(new_tiles(old, new)) == set(new_tiles(0, new)) - set(new_tiles(0, old))
    assert set(new_bundles(old, new)) == set(new_bundles(0, new)) - set(new_bundles(0, old))
    assert new_tiles(new, old) == []
    assert new_bundles(new, old) == []


@settings(deadline=None)
@given(SIZES, SIZES)
def test_what_is_superseded_is_what_the_old_size_had_and_the_new_one_has_in_full(
    one: int, other: int
) -> None:
    old, new = sorted((one, other))
    had = {tile.path for tile in new_tiles(0, old)} | {each.path for each in new_bundles(0, old)}
    has = {tile.path for tile in new_tiles(0, new)} | {each.path for each in new_bundles(0, new)}
    in_full = {path for path in had - has if path.partition(".p/")[0] in has}
    assert {path for path in had | has if is_superseded(path, new)} == in_full
    assert not is_superseded("checkpoint", new)


@settings(deadline=None)
@given(SIZES)
def test_bundles_hold_every_entry_once_and_tiles_of_level_0_the_same(size: int) -> None:
    bundles = new_bundles(0, size)
    positions = [
        position
        for bundle in bundles
        for position in range(bundle.index * 256, bundle.index * 256 + bundle.width)
    ]
    assert positions == list(range(size))
    leaves = [tile for tile in new_tiles(0, size) if tile.level == 0]
    assert [(tile.index, tile.width) for tile in leaves] == [
        (bundle.index, bundle.width) for bundle in bundles
    ]


@settings(deadline=None)
@given(st.integers(0, 2**63 - 1))
def test_growing_by_one_changes_one_tile_a_level_at_most(size: int) -> None:
    levels = [tile.level for tile in new_tiles(size, size + 1)]
    assert levels == list(range(len(levels)))
    assert len(levels) <= 8
    assert len(partial_tiles(size)) <= 8
