"""Storing and restoring images: the same bytes come back, and what the store has is not stored."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.storage.snapshots.blocks.scratch import SEALS, ScratchStore

from junmai_svc.storage.errors import ChecksumError, IntegrityError, NoSpaceError, NotFoundError
from junmai_svc.storage.snapshots.blocks import packing
from junmai_svc.storage.snapshots.blocks.digesting import BLOCK_BYTES
from junmai_svc.storage.snapshots.blocks.examining import examine_pack, ranges_hit
from junmai_svc.storage.snapshots.blocks.maps import encode_map
from junmai_svc.storage.snapshots.blocks.packs import LARGEST_PACK
from junmai_svc.storage.snapshots.blocks.reading import restore_image
from junmai_svc.storage.snapshots.blocks.writing import Previous, store_image

# Blocks are drawn from few, so that there are repetitions; then a tail of any length.
IMAGES = st.tuples(st.lists(st.integers(0, 30), max_size=60), st.integers(0, 2 * BLOCK_BYTES)).map(
    lambda drawn: b"".join(b"%4096d" % number for number in drawn[0]) + b"t" * drawn[1]
)

DISK = settings(max_examples=40, deadline=None)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """Five MiB of blocks, all different, and a tail."""
    path = tmp_path / "image"
    path.write_bytes(b"".join(b"%4096d" % number for number in range(1_280)) + b"tail")
    return path


def change(image: Path, *blocks: int) -> None:
    """Give some blocks a content that no block had."""
    content = bytearray(image.read_bytes())
    for number in blocks:
        content[number * BLOCK_BYTES] ^= 0xFF
    image.write_bytes(content)


@pytest.mark.parametrize("kind", SEALS)
@DISK
@given(st.lists(IMAGES, min_size=1, max_size=4))
def test_every_stored_image_is_restored_byte_for_byte(kind: str, images: list[bytes]) -> None:
    with TemporaryDirectory() as folder:
        store = ScratchStore(Path(folder) / "store", SEALS[kind]())
        image = Path(folder) / "image"
        names = []
        for content in images:
            image.write_bytes(content)
            stored = store.store(image)
            assert stored.map.image == sha256(content).hexdigest()
            names.append(stored.map.name)
        for number, (name, content) in enumerate(zip(names, images, strict=True)):
            assert store.restore(name, Path(folder) / f"restored {number}") == content


@pytest.mark.parametrize("kind", SEALS)
@DISK
@given(st.lists(IMAGES, min_size=1, max_size=4))
def test_no_block_is_stored_twice(kind: str, images: list[bytes]) -> None:
    blocks = set()
    with TemporaryDirectory() as folder:
        store = ScratchStore(Path(folder) / "store", SEALS[kind]())
        image = Path(folder) / "image"
        total = 0
        for content in images:
            image.write_bytes(content)
            total += store.store(image).new_blocks
            for at in range(0, len(content), BLOCK_BYTES):
                blocks.add(content[at : at + BLOCK_BYTES].ljust(BLOCK_BYTES, b"\0"))
    assert total == len(blocks)


def test_an_unchanged_image_writes_no_pack_and_keeps_its_map(
    store: ScratchStore, image: Path
) -> None:
    first = store.store(image)
    packs = store.packs
    assert store.store(image).map == first.map
    assert store.packs == packs


@pytest.mark.parametrize("lost", ["index.db", "digests *"])
def test_without_its_caches_a_store_still_stores_nothing_twice(
    store: ScratchStore, image: Path, lost: str
) -> None:
    first = store.store(image)
    for path in store.folder.glob(lost):
        path.unlink()
    again = store.store(image)
    assert (again.map, again.new_packs) == (first.map, ())
    change(image, 7)
    for path in store.folder.glob(lost):
        path.unlink()
    assert store.store(image).new_blocks == 1


def test_only_changed_blocks_are_stored(store: ScratchStore, image: Path, tmp_path: Path) -> None:
    store.store(image)
    change(image, 0, 5, 6, 1_279)
    stored = store.store(image)
    assert stored.new_blocks == 4
    assert store.restore(stored.map.name, tmp_path / "restored") == image.read_bytes()


def test_blocks_that_only_moved_are_not_stored(store: ScratchStore, image: Path) -> None:
    store.store(image)
    content = image.read_bytes()
    image.write_bytes(content[BLOCK_BYTES * 7 : -4] + content[: BLOCK_BYTES * 7])
    assert store.store(image).new_blocks == 0


def test_a_vacuumed_database_is_mostly_there_already(store: ScratchStore, tmp_path: Path) -> None:
    path = tmp_path / "photos.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA page_size = 4096")
        database.execute("CREATE TABLE photos (id INTEGER PRIMARY KEY, name TEXT)")
        database.execute("BEGIN")
        rows = ((number, f"IMG_{number:07}" * 20) for number in range(20_000))
        database.executemany("INSERT INTO photos VALUES (?, ?)", rows)
        database.execute("COMMIT")
        database.execute("CREATE TABLE junk AS SELECT randomblob(100) FROM photos LIMIT 5000")
        database.execute("CREATE TABLE later AS SELECT * FROM photos LIMIT 5000")
    first = store.store(path)
    with closing(sqlite3.connect(path)) as database:
        database.executescript("DROP TABLE junk; VACUUM")
    stored = store.store(path)
    assert stored.map.size < first.map.size
    assert stored.new_blocks < first.new_blocks / 3
    assert store.restore(stored.map.name, tmp_path / "restored") == path.read_bytes()


def test_blocks_of_a_pack_that_is_gone_are_stored_again(
    store: ScratchStore, image: Path, tmp_path: Path
) -> None:
    store.store(image)
    change(image, 3)
    second = store.store(image)
    (store.folder / "packs" / second.new_packs[0].name).unlink()
    third = store.store(image)
    assert third.new_blocks == 1
    assert store.restore(third.map.name, tmp_path / "restored") == image.read_bytes()


def test_a_damaged_block_that_is_forgotten_is_stored_again(
    store: ScratchStore, image: Path, tmp_path: Path
) -> None:
    [pack] = store.store(image).new_packs
    path = store.folder / "packs" / pack.name
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    damage = examine_pack(pack.name, pack.size, store.read_range, store.seal)
    assert damage is not None
    with store.index() as index:
        index.forget(damage.pack, damage.blocks)
    again = store.store(image)
    assert again.new_blocks == len(list(damage.blocks)) == 256
    assert list(ranges_hit(again.map, damage)) == []
    assert store.restore(again.map.name, tmp_path / "restored") == image.read_bytes()


def test_a_digest_list_of_another_image_hides_no_change(
    store: ScratchStore, image: Path, tmp_path: Path
) -> None:
    store.store(image)
    before = store.previous
    assert before is not None
    change(image, 9)
    store.store(image)
    assert store.previous is not None
    store.previous = Previous(before.digests, store.previous.map)
    change(image, 9)  # as it was at first, which the wrong list knows
    stored = store.store(image)
    assert store.restore(stored.map.name, tmp_path / "restored") == image.read_bytes()


def test_what_can_not_be_compressed_takes_hardly_more_than_its_size(
    store: ScratchStore, tmp_path: Path
) -> None:
    image = tmp_path / "image"
    image.write_bytes(Random(1).randbytes(20 << 20))  # noqa: S311  # the same each time
    stored = store.store(image)
    assert len(stored.new_packs) == 2
    assert max(pack.size for pack in stored.new_packs) <= LARGEST_PACK
    # 32 bytes of digest for each 4,096.
    assert stored.new_bytes < 1.01 * (20 << 20)
    assert store.restore(stored.map.name, tmp_path / "restored") == image.read_bytes()


def test_few_blocks_of_a_large_pack_are_fetched_without_the_rest(
    store: ScratchStore, tmp_path: Path
) -> None:
    image = tmp_path / "image"
    content = Random(1).randbytes(14 << 20)  # noqa: S311  # the same each time
    image.write_bytes(content)
    store.store(image)
    part = content[BLOCK_BYTES * 300 : BLOCK_BYTES * 303] + content[-BLOCK_BYTES:]
    image.write_bytes(part)
    stored = store.store(image)
    assert stored.new_packs == ()
    store.asked.clear()
    assert store.restore(stored.map.name, tmp_path / "restored") == part
    # The footer and two frames of 1 MiB.
    assert len(store.asked) == 3
    assert sum(length for _name, _offset, length in store.asked) < 2.3 * (1 << 20)


def test_an_increment_that_is_not_little_is_stored_and_restored_too(
    store: ScratchStore, image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.store(image)
    monkeypatch.setattr(packing, "THOROUGH_FRAMES", 1)
    change(image, *range(1_000))
    stored = store.store(image)
    assert stored.new_blocks == 1_000
    assert store.restore(stored.map.name, tmp_path / "restored") == image.read_bytes()


def test_progress_adds_up_to_the_image(store: ScratchStore, image: Path, tmp_path: Path) -> None:
    stored = store.store(image)
    ticks: list[int] = []
    image_map = store.map(stored.map.name)
    restore_image(image_map, tmp_path / "out", store.read_range, store.seal, ticks.append)
    assert sum(ticks) == image.stat().st_size
    ticks.clear()
    with store.index() as index:
        store_image(
            image,
            tmp_path / "digests",
            previous=None,
            index=index,
            put_pack=store.put_pack,
            seal=store.seal,
            tick=ticks.append,
        )
    assert sum(ticks) == image.stat().st_size


def test_an_empty_image_is_stored_and_restored(store: ScratchStore, tmp_path: Path) -> None:
    (tmp_path / "image").touch()
    stored = store.store(tmp_path / "image")
    assert (stored.new_packs, stored.map.size) == ((), 0)
    assert store.restore(stored.map.name, tmp_path / "restored") == b""


def test_a_restore_never_writes_over_a_file(
    store: ScratchStore, image: Path, tmp_path: Path
) -> None:
    stored = store.store(image)
    (tmp_path / "precious").write_bytes(b"rows")
    with pytest.raises(FileExistsError):
        store.restore(stored.map.name, tmp_path / "precious")
    assert (tmp_path / "precious").read_bytes() == b"rows"


def test_a_map_that_lies_about_its_image_is_found_out(
    store: ScratchStore, image: Path, tmp_path: Path
) -> None:
    stored = store.store(image)
    stored.map.runs.firsts[0] = 1
    stored.map.runs.lengths[0] -= 1
    stored.map.runs.append(0, 0, 1)
    _map, content = encode_map(stored.map, None, store.seal)
    (store.folder / "maps" / stored.map.name).write_bytes(content)
    with pytest.raises(ChecksumError, match="Backup checksum mismatch"):
        store.restore(stored.map.name, tmp_path / "restored")


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[100] ^= 1  # in the first frame
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "kind"),
    [
        (Path.unlink, NotFoundError),
        (flip, IntegrityError),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), IntegrityError),
        (lambda path: path.write_bytes(b""), IntegrityError),
    ],
)
def test_a_pack_that_is_missing_or_damaged_ends_a_restore_by_name(
    store: ScratchStore,
    image: Path,
    tmp_path: Path,
    damage: Callable[[Path], object],
    kind: type[Exception],
) -> None:
    stored = store.store(image)
    [pack] = stored.new_packs
    damage(store.folder / "packs" / pack.name)
    with pytest.raises(kind, match=pack.name):
        store.restore(stored.map.name, tmp_path / "restored")


def test_a_pack_that_can_not_be_stored_ends_the_backup_and_leaves_no_digest_list(
    store: ScratchStore, image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_name: str, _content: bytes) -> None:
        raise NoSpaceError("full", "")

    monkeypatch.setattr(store, "put_pack", full)
    with pytest.raises(NoSpaceError):
        store.store(image)
    monkeypatch.undo()
    stored = store.store(image)
    assert stored.new_blocks == 1_281
    assert store.restore(stored.map.name, tmp_path / "restored") == image.read_bytes()


def test_orphans_of_a_run_that_was_killed_are_used_by_the_next(
    store: ScratchStore, image: Path
) -> None:
    store.store(image)
    fresh = ScratchStore(store.folder, store.seal)
    (store.folder / "index.db").unlink()
    assert fresh.store(image).new_packs == ()


def test_a_digest_is_never_taken_for_the_block_of_another_length(
    store: ScratchStore, tmp_path: Path
) -> None:
    """A tail and the same tail filled up with zeros are one block and two images."""
    image = tmp_path / "image"
    image.write_bytes(b"rows")
    short = store.store(image)
    image.write_bytes(b"rows".ljust(BLOCK_BYTES, b"\0"))
    long = store.store(image)
    assert long.new_blocks == 0
    assert store.restore(short.map.name, tmp_path / "short") == b"rows"
    assert store.restore(long.map.name, tmp_path / "long") == image.read_bytes()
