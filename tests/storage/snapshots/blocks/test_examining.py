"""Damage is found wherever it is, and named by the blocks that it hits."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.storage.snapshots.blocks.scratch import ScratchStore

from junmai_svc.storage.snapshots.blocks.digesting import BLOCK_BYTES
from junmai_svc.storage.snapshots.blocks.examining import Damage, examine_pack, ranges_hit

BLOCKS = 600


@pytest.fixture
def stored(store: ScratchStore, tmp_path: Path) -> ScratchStore:
    """A store with one pack of three frames."""
    image = tmp_path / "image"
    image.write_bytes(b"".join(b"%4096d" % number for number in range(BLOCKS)))
    store.store(image)
    return store


def examined(store: ScratchStore) -> Damage | None:
    [(name, size)] = store.packs.items()
    return examine_pack(name, size, store.read_range, store.seal)


def hit(store: ScratchStore, damage: Damage) -> list[range]:
    assert store.previous is not None
    return list(ranges_hit(store.previous.map, damage))


def test_a_good_pack_has_no_damage(stored: ScratchStore) -> None:
    assert examined(stored) is None


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_flipped_bit_is_damage(stored: ScratchStore, data: st.DataObject) -> None:
    [name] = stored.packs
    path = stored.folder / "packs" / name
    good = path.read_bytes()
    content = bytearray(good)
    bit = data.draw(st.integers(0, 8 * len(good) - 1))
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)
    try:
        damage = examined(stored)
    finally:
        path.write_bytes(good)
    assert damage is not None
    assert name in damage.problem


def test_a_damaged_frame_names_its_blocks_and_where_they_belong(stored: ScratchStore) -> None:
    [name] = stored.packs
    path = stored.folder / "packs" / name
    content = bytearray(path.read_bytes())
    content[20] ^= 1  # in the first frame
    path.write_bytes(content)
    damage = examined(stored)
    assert damage is not None
    assert set(damage.blocks) == set(range(256))
    assert hit(stored, damage) == [range(256)]


def test_a_pack_without_a_footer_is_lost_whole(stored: ScratchStore) -> None:
    [name] = stored.packs
    path = stored.folder / "packs" / name
    path.write_bytes(path.read_bytes()[:-1])
    damage = examined(stored)
    assert damage is not None
    assert hit(stored, damage) == [range(BLOCKS)]


def test_a_pack_under_another_name_is_damage_with_all_blocks_good(stored: ScratchStore) -> None:
    [name] = stored.packs
    (stored.folder / "packs" / name).rename(stored.folder / "packs" / ("0" * 64))
    damage = examined(stored)
    assert damage is not None
    assert (damage.pack, set(damage.blocks)) == ("0" * 64, set())
    assert "is not its name" in damage.problem


def test_only_the_blocks_that_are_hit_are_named(store: ScratchStore, tmp_path: Path) -> None:
    image = tmp_path / "image"
    same, other = b"s" * BLOCK_BYTES, b"o" * BLOCK_BYTES
    image.write_bytes(same + same + other + same + b"tail")
    store.store(image)
    [name] = store.packs
    assert hit(store, Damage(name, "", {0})) == [range(2), range(3, 4)]
    assert hit(store, Damage(name, "", {1, 2})) == [range(2, 3), range(4, 5)]
    assert hit(store, Damage("f" * 64, "", {0, 1, 2})) == []
