"""Whole stores of released formats, plain and sealed, restore byte for byte for ever.

Running this file as a script makes the stores of this version where there are none.
"""

import hashlib
import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.contracts.memory import LIKE_A_DISK, MemoryBackend, Place
from tests.harness.databases import rows
from tests.harness.stores import KEY, STORE_ID, fetched, names, sealed

from junmai_svc.service.stores import Named, open_store
from junmai_svc.storage.backends.local import LocalBackend
from junmai_svc.storage.snapshots.base import SnapshotStore
from junmai_svc.storage.snapshots.blocks.images import BlockImages
from junmai_svc.storage.snapshots.blocks.keys import KeyFile, wrap
from junmai_svc.storage.snapshots.blocks.maps import ImageMap
from junmai_svc.storage.snapshots.blocks.sealing import Seal, Unsealed
from junmai_svc.storage.snapshots.cache import StoreCache
from junmai_svc.storage.snapshots.description import (
    Description,
    Honours,
    encode_description,
)
from junmai_svc.storage.snapshots.manifest import CheckFacts, Manifest, Reason, TableFacts
from junmai_svc.storage.snapshots.objects import ObjectStore

GOLDEN = Path(__file__).parents[2] / "golden" / "store_v1"
KINDS = ("plain", "sealed")
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
DETAILS = b'{"tables": ["photos"]}'


@pytest.fixture(params=KINDS)
def store(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> SnapshotStore:
    """A copy of a released store, opened as the program opens it."""
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA", "HOME"):
        monkeypatch.setenv(name, str(tmp_path / "cache"))
    shutil.copytree(GOLDEN / request.param, tmp_path / "store")
    key = GOLDEN / "sealed.key" if request.param == "sealed" else None
    return open_store(None, Named(str(tmp_path / "store"), key_file=key), lambda: NOON)


def expected() -> dict[str, str]:
    """The SHA-256 of every image by the snapshot's name."""
    found: dict[str, str] = json.loads((GOLDEN / "images.json").read_text())
    return found


def test_every_snapshot_of_a_released_store_restores_byte_for_byte(
    store: SnapshotStore, tmp_path: Path
) -> None:
    good, bad = store.snapshots()
    assert bad == []
    assert {snapshot.name for snapshot in good} == set(expected())
    for snapshot in good:
        content = fetched(store, snapshot.name, tmp_path)
        assert hashlib.sha256(content).hexdigest() == expected()[snapshot.name]
        assert snapshot.manifest.checksum == expected()[snapshot.name]
    (tmp_path / "first.db").write_bytes(fetched(store, good[-1], tmp_path))
    assert len(rows(tmp_path / "first.db", "photos")) == 24


def test_a_released_manifest_says_all_that_it_said(store: SnapshotStore) -> None:
    first = store.find("junmai_backup_20261122_120000").manifest
    assert first.original_path == "data/junmai.db"
    assert first.taken == NOON
    assert first.reason is Reason.SCHEDULED
    assert first.tables == {"photos": TableFacts(rows=24)}
    assert first.check == CheckFacts(method="quick_check", violations={})
    assert (first.layout, first.run, first.tool) == ("blocks", "a run", "junmai-svc 0.1.0")


def test_holds_and_details_of_a_released_store_are_there(store: SnapshotStore) -> None:
    assert store.held() == {"junmai_backup_20261122_120000"}
    assert store.get_details(hashlib.sha256(DETAILS).hexdigest()) == DETAILS


def test_a_released_store_goes_on_and_builds_on_what_it_has(
    store: SnapshotStore, tmp_path: Path
) -> None:
    first = store.find("junmai_backup_20261122_120000")
    image = tmp_path / "image"
    image.write_bytes(fetched(store, first, tmp_path))
    again = store.put(image, first.manifest)
    assert again.name == f"{first.name}_2"
    assert again.manifest.new_bytes is not None
    assert again.manifest.new_bytes < 1000  # a map, no block
    assert fetched(store, again, tmp_path) == image.read_bytes()
    assert set(names(store)) == {*expected(), again.name}


def test_one_of_the_released_maps_is_stored_as_changes(store: SnapshotStore) -> None:
    assert isinstance(store, ObjectStore)
    assert isinstance(store.images, BlockImages)
    maps: list[ImageMap] = [
        store.images.map(snapshot.manifest.map) for snapshot in store.snapshots()[0]
    ]
    assert {bool(each.base) for each in maps} == {True, False}


def write(kind: str, images: list[bytes]) -> None:
    """Make the golden store of one kind."""
    import tempfile

    from junmai_svc.storage.snapshots.blocks import maps

    maps.WORTHWHILE = 1  # changes, even for so small an image
    backend = MemoryBackend(Place(LIKE_A_DISK))
    key = KeyFile((GOLDEN / "sealed.key").read_bytes())
    description = Description(
        format=1,
        id=STORE_ID,
        layout="blocks",
        key=wrap(KEY, key, STORE_ID) if kind == "sealed" else None,
        honours=Honours(conditional_put=True),
        made="2026-11-22T14:00:00+00:00",
    )
    backend.put("store.json", encode_description(description))
    seal: Seal = sealed() if kind == "sealed" else Unsealed()
    with tempfile.TemporaryDirectory() as scratch:
        cache = StoreCache(Path(scratch) / "cache", STORE_ID)
        store = ObjectStore(backend, BlockImages(backend, seal, cache), seal, cache, lambda: None)
        for number, content in enumerate(images):
            taken = NOON + timedelta(hours=number)
            image = Path(scratch) / "image"
            image.write_bytes(content)
            stamp = taken.strftime("%Y%m%d_%H%M%S")
            store.put(
                image,
                Manifest(
                    original_path="data/junmai.db",
                    backup_path="",
                    timestamp=stamp,
                    checksum=hashlib.sha256(content).hexdigest(),
                    file_size=len(content),
                    format=1,
                    name=f"junmai_backup_{stamp}",
                    created_at=taken.isoformat(timespec="microseconds"),
                    reason=Reason.SCHEDULED,
                    run="a run",
                    tables={"photos": TableFacts(rows=24)},
                    check=CheckFacts(method="quick_check", violations={}),
                    tool="junmai-svc 0.1.0",
                ),
            )
        store.hold("junmai_backup_20261122_120000")
        store.put_details(DETAILS)
    for name, held in backend.place.objects.items():
        LocalBackend(GOLDEN / kind).put(name, held.content)


def write_all() -> None:
    """Make both stores, and what they must give back."""
    import tempfile

    from tests.harness.databases import change, make_oldest

    GOLDEN.mkdir(parents=True, exist_ok=True)
    (GOLDEN / "sealed.key").write_bytes(bytes(range(50, 82)))
    with tempfile.TemporaryDirectory() as scratch:
        path = make_oldest(Path(scratch) / "junmai.db")
        images = [path.read_bytes()]
        change(path, "UPDATE photos SET iso = 400 WHERE id = 3")
        images += [path.read_bytes(), path.read_bytes()]
    for kind in KINDS:
        write(kind, images)
    listed = {
        f"junmai_backup_20261122_{12 + number}0000": hashlib.sha256(image).hexdigest()
        for number, image in enumerate(images)
    }
    (GOLDEN / "images.json").write_text(json.dumps(listed, indent=2) + "\n", newline="\n")


if __name__ == "__main__" and not (GOLDEN / "images.json").exists():
    write_all()
