"""The index: a cache that finds what it was given, forgets what it is told to, and may be lost."""

import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from junmai_svc.storage.errors import AccessDeniedError, LockedError
from junmai_svc.storage.snapshots.blocks import index as index_module
from junmai_svc.storage.snapshots.blocks.index import BlockIndex, Location
from junmai_svc.storage.snapshots.blocks.packs import PackRef


def digest(number: int) -> bytes:
    return sha256(b"block %d" % number).digest()


def pack(number: int, blocks: int) -> PackRef:
    return PackRef(sha256(b"pack %d" % number).hexdigest(), 1_000 + number, blocks)


def add(index: BlockIndex, number: int, blocks: list[int]) -> PackRef:
    """Add a pack of these blocks."""
    added = pack(number, len(blocks))
    index.add(added, b"".join(digest(block) for block in blocks))
    return added


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "index.db"


@given(
    st.lists(st.lists(st.integers(0, 60), min_size=1, max_size=40), max_size=6),
    st.integers(1, 50),
    st.booleans(),
)
def test_every_block_is_found_where_a_pack_has_it(
    packs: list[list[int]], buffer: int, flushed: bool
) -> None:
    with pytest.MonkeyPatch.context() as patched, BlockIndex() as index:
        patched.setattr(index_module, "LARGEST_BUFFER", buffer)
        for number, blocks in enumerate(packs):
            add(index, number, blocks)
        if flushed:
            index.flush()
        found = index.find(digest(block) for block in range(70))
    assert found.keys() == {digest(block) for blocks in packs for block in blocks}
    for name, location in found.items():
        [number] = [n for n in range(len(packs)) if pack(n, len(packs[n])) == location.pack]
        assert digest(packs[number][location.block]) == name


def test_what_was_added_is_there_the_next_time(path: Path) -> None:
    with BlockIndex(path) as index:
        added = add(index, 1, [7, 8])
    with BlockIndex(path) as index:
        assert index.find([digest(8), digest(9)]) == {digest(8): Location(added, 1)}
        assert index.unknown([added.name, "another"]) == ["another"]
        assert index.trusts(added)
        assert not index.trusts(replace(added, size=added.size + 1))


def test_what_was_added_before_an_error_is_not_kept(path: Path) -> None:
    def fail() -> None:
        with BlockIndex(path) as index:
            add(index, 1, [7])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with BlockIndex(path) as index:
        assert index.find([digest(7)]) == {}


def test_a_pack_that_is_added_again_changes_nothing(path: Path) -> None:
    with BlockIndex(path) as index:
        added = add(index, 1, [7, 8])
        add(index, 1, [7, 8])
        index.flush()
        add(index, 1, [7, 8])
    with BlockIndex(path) as index:
        assert index.find([digest(7)]) == {digest(7): Location(added, 0)}


def test_more_blocks_than_sqlite_takes_arguments_are_found() -> None:
    with BlockIndex() as index:
        added = add(index, 1, list(range(3_000)))
        index.flush()
        found = index.find(digest(block) for block in range(3_001))
    assert [found[digest(block)] for block in range(3_000)] == [
        Location(added, block) for block in range(3_000)
    ]
    assert len(found) == 3_000


def test_packs_that_are_gone_are_forgotten_with_their_blocks(path: Path) -> None:
    with BlockIndex(path) as index:
        gone, kept = add(index, 1, [1, 2]), add(index, 2, [3])
        index.keep_only({kept.name: kept.size, "never seen": 1})
        assert index.find([digest(1), digest(3)]) == {digest(3): Location(kept, 0)}
        assert index.unknown([gone.name, kept.name]) == [gone.name]
        assert not index.trusts(gone)
    with BlockIndex(path) as index:
        assert index.find([digest(2), digest(3)]) == {digest(3): Location(kept, 0)}


def test_a_pack_of_another_size_is_none_that_is_known(path: Path) -> None:
    with BlockIndex(path) as index:
        cut, kept = add(index, 1, [1, 2]), add(index, 2, [3])
        index.keep_only({cut.name: 0, kept.name: kept.size})
        assert index.find([digest(1), digest(3)]) == {digest(3): Location(kept, 0)}
        assert index.unknown([cut.name]) == [cut.name]


@pytest.mark.parametrize("bit", range(50))
def test_a_row_that_is_damaged_is_none(path: Path, bit: int) -> None:
    """A place that is wrong by whatever bit would be a snapshot of other blocks."""
    with BlockIndex(path) as index:
        packs = [add(index, number, [10 * number, 10 * number + 1]) for number in range(1, 5)]
    with closing(sqlite3.connect(path)) as database:
        database.execute(
            "UPDATE blocks SET location = (location | ?1) - (location & ?1)", [1 << bit]
        )
        database.commit()
    with BlockIndex(path) as index:
        assert index.find(digest(10 * n + b) for n in range(1, 5) for b in (0, 1)) == {}
        assert index.blocks_of(packs[0].name) == {}


@pytest.mark.parametrize("column", ["size", "blocks", "number"])
def test_an_index_of_which_a_pack_is_damaged_is_made_anew(path: Path, column: str) -> None:
    with BlockIndex(path) as index:
        added = add(index, 1, [1, 2])
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"UPDATE packs SET {column} = {column} + 1")
        database.commit()
    with BlockIndex(path) as index:
        assert index.unknown([added.name]) == [added.name]


def test_a_pack_that_is_sound_after_all_is_read_again(path: Path) -> None:
    with BlockIndex(path) as index:
        doubted, sound = add(index, 1, [1, 2]), add(index, 2, [3])
        index.forget(doubted.name, [0])
        index.look_again([doubted.name, sound.name])
    with BlockIndex(path) as index:
        assert index.unknown([doubted.name, sound.name]) == [doubted.name]
        add(index, 1, [1, 2])
        assert index.trusts(doubted)


def test_a_pack_that_comes_back_is_found_again(path: Path) -> None:
    with BlockIndex(path) as index:
        add(index, 1, [1])
        index.keep_only({})
        back = add(index, 1, [1])
        assert index.find([digest(1)]) == {digest(1): Location(back, 0)}


def test_a_damaged_block_is_forgotten_and_its_pack_no_longer_trusted(path: Path) -> None:
    with BlockIndex(path) as index:
        damaged, other = add(index, 1, [1, 2, 3]), add(index, 2, [4])
        index.forget(damaged.name, [0, 2])
        index.forget("never seen", [0])
    with BlockIndex(path) as index:
        found = index.find(digest(block) for block in range(5))
        assert found == {digest(2): Location(damaged, 1), digest(4): Location(other, 0)}
        assert not index.trusts(damaged)
        assert index.doubts(damaged.name)
        assert index.trusts(other)
        assert index.unknown([damaged.name]) == []


def test_a_block_stored_again_is_found_in_its_new_pack(path: Path) -> None:
    with BlockIndex(path) as index:
        damaged = add(index, 1, [1])
        index.forget(damaged.name, range(1 << 16))
        new = add(index, 2, [1])
        assert index.find([digest(1)]) == {digest(1): Location(new, 0)}


def not_sqlite(path: Path) -> None:
    path.write_bytes(b"not a database" * 1000)


def other_format(path: Path) -> None:
    BlockIndex(path).flush()
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 99")


def other_tables(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.executescript("CREATE TABLE photos (id); PRAGMA user_version = 1")


def torn(path: Path) -> None:
    with BlockIndex(path) as index:
        add(index, 1, list(range(1_000)))
    path.write_bytes(path.read_bytes()[:5000])
    Path(f"{path}-journal").write_bytes(b"of the torn one")


@pytest.mark.parametrize("damage", [not_sqlite, other_format, other_tables, torn])
def test_an_index_that_can_not_be_used_is_made_anew(
    path: Path, damage: Callable[[Path], None]
) -> None:
    damage(path)
    with BlockIndex(path) as index:
        assert index.find([digest(1)]) == {}
        add(index, 1, [1])
    with BlockIndex(path) as index:
        assert len(index.find([digest(1)])) == 1


def test_two_runs_at_once_lose_nothing(path: Path) -> None:
    with BlockIndex(path) as one, BlockIndex(path) as other:
        first, second = add(one, 1, [1, 2]), add(other, 2, [2, 3])
        add(other, 1, [1, 2])
    with BlockIndex(path) as index:
        found = index.find(digest(block) for block in (1, 2, 3))
    assert found[digest(1)] == Location(first, 0)
    assert found[digest(2)] in {Location(first, 1), Location(second, 0)}
    assert found[digest(3)] == Location(second, 1)


def test_an_index_that_is_being_written_for_long_is_locked(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    BlockIndex(path).flush()
    monkeypatch.setattr(index_module, "_BUSY_SECONDS", 0.1)
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        with pytest.raises(LockedError):
            BlockIndex(path)


@pytest.mark.skipif(sys.platform == "win32", reason="folders have no such modes there")
def test_an_index_in_a_folder_that_is_not_there_is_denied(tmp_path: Path) -> None:
    with pytest.raises(AccessDeniedError):
        BlockIndex(tmp_path / "missing" / "index.db")
