"""Stores of released formats stay readable: packs, whole maps, changes, digest lists, wrapped keys.

Running this file as a script makes the stores of this version where there are none.
"""

import json
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest
from tests.storage.snapshots.blocks.scratch import KEY, STORE_ID, ScratchStore

from junmai_svc.storage.snapshots.blocks.cipher import XChaChaSeal
from junmai_svc.storage.snapshots.blocks.digesting import open_digests
from junmai_svc.storage.snapshots.blocks.examining import examine_pack
from junmai_svc.storage.snapshots.blocks.keys import (
    Cost,
    KeyFile,
    Passphrase,
    WrappedKey,
    read_key_file,
    unwrap,
    wrap,
)
from junmai_svc.storage.snapshots.blocks.proving import Digests, gives_its_image
from junmai_svc.storage.snapshots.blocks.sealing import Kind, Place, Seal, Unsealed

GOLDEN = Path(__file__).parents[3] / "golden" / "blocks_v1"
KINDS = ("plain", "sealed")
PASSPHRASE = Passphrase("korrekt häst")
MANIFEST = Place(Kind.MANIFEST, b"junmai_backup_20261122_140000")


def images() -> Iterator[bytes]:
    """Three images: blocks of many kinds and a tail; some changed, and one more; less of it."""
    blocks = [b"%4096d" % (number % 290) for number in range(600)]
    yield b"".join(blocks) + b"tail"
    for number in (3, 4, 599):
        blocks[number] = b"%-4096d" % number
    yield b"".join(blocks) + bytes(4096)
    yield b"".join(blocks[1:100])


def seal_of(kind: str, folder: Path) -> Seal:
    """The seal of a golden store, opened by its key file."""
    if kind == "plain":
        return Unsealed()
    key = read_key_file(folder / "store.key")
    return XChaChaSeal(unwrap(wrapped(folder, "by_key_file"), key, STORE_ID), STORE_ID)


def wrapped(folder: Path, way: str) -> WrappedKey:
    return msgspec.json.decode((folder / f"{way}.json").read_bytes(), type=WrappedKey)


@pytest.mark.parametrize("kind", KINDS)
def test_every_image_of_a_released_store_is_restored(kind: str, tmp_path: Path) -> None:
    folder = GOLDEN / kind
    store = ScratchStore(folder, seal_of(kind, folder))
    maps = [store.map(name) for name in json.loads((folder / "maps.json").read_text())]
    assert [bool(image_map.base) for image_map in maps] == [False, True, False]
    for number, (image_map, content) in enumerate(zip(maps, images(), strict=True)):
        with Digests() as digests:
            assert gives_its_image(image_map, digests, store.read_range, store.seal)
        assert store.restore(image_map.name, tmp_path / str(number)) == content
        assert image_map.image == sha256(content).hexdigest()


@pytest.mark.parametrize("kind", KINDS)
def test_every_pack_of_a_released_store_is_good(kind: str) -> None:
    folder = GOLDEN / kind
    store = ScratchStore(folder, seal_of(kind, folder))
    assert len(store.packs) == 2
    for name, size in store.packs.items():
        assert examine_pack(name, size, store.read_range, store.seal) is None


@pytest.mark.parametrize("kind", KINDS)
def test_a_released_digest_list_is_that_of_its_image(kind: str) -> None:
    *_others, last = images()
    found = open_digests(GOLDEN / kind / "digests", sha256(last).hexdigest())
    assert found is not None
    with found:
        assert found.read(32) == sha256(last[:4096]).digest()


def test_a_released_key_is_opened_by_key_file_and_by_passphrase() -> None:
    folder = GOLDEN / "sealed"
    key = read_key_file(folder / "store.key")
    assert unwrap(wrapped(folder, "by_key_file"), key, STORE_ID) == KEY
    assert unwrap(wrapped(folder, "by_passphrase"), PASSPHRASE, STORE_ID) == KEY


def test_a_released_manifest_is_opened() -> None:
    sealed = (GOLDEN / "sealed" / "manifest").read_bytes()
    assert XChaChaSeal(KEY, STORE_ID).open(sealed, MANIFEST) == b'{"format":1}'


def write(kind: str, sealed_with: Callable[[], Seal]) -> None:
    """Make the golden store of one kind."""
    import tempfile

    from junmai_svc.storage.snapshots.blocks import maps

    maps.WORTHWHILE = 1  # changes, even for so small an image
    store = ScratchStore(GOLDEN / kind, sealed_with())
    names = []
    with tempfile.TemporaryDirectory() as scratch:
        for content in images():
            image = Path(scratch) / "image"
            image.write_bytes(content)
            names.append(store.store(image).map.name)
    (store.folder / "maps.json").write_text(json.dumps(names) + "\n")
    assert store.previous is not None
    store.previous.digests.replace(store.folder / "digests")
    for left in (*store.folder.glob("digests *"), store.folder / "index.db"):
        left.unlink()


def write_keys(folder: Path) -> None:
    """Make the wrapped keys and the sealed manifest of the golden store."""
    key = KeyFile(bytes(range(50, 82)))
    (folder / "store.key").write_bytes(key.key)
    cost = Cost(operations=1, memory=1 << 20)
    for way, secret in (("by_key_file", key), ("by_passphrase", PASSPHRASE)):
        content = msgspec.json.encode(wrap(KEY, secret, STORE_ID, cost))
        (folder / f"{way}.json").write_bytes(content + b"\n")
    sealed = XChaChaSeal(KEY, STORE_ID).close(b'{"format":1}', MANIFEST)
    (folder / "manifest").write_bytes(sealed)


if __name__ == "__main__" and not GOLDEN.exists():
    write("plain", Unsealed)
    write("sealed", lambda: XChaChaSeal(KEY, STORE_ID))
    write_keys(GOLDEN / "sealed")
