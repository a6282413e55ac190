"""A cache only makes quick: whatever becomes of it, the same is stored and comes back."""

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.contracts.memory import MemoryBackend
from tests.harness.stores import (
    NOON,
    STORE_ID,
    fetched,
    image_of,
    names,
    object_store,
    sealed,
    stored,
)

from junmai_svc.storage.backends.local import LocalBackend
from junmai_svc.storage.errors import AccessDeniedError, JunmaiError
from junmai_svc.storage.snapshots.cache import StoreCache, make_private
from junmai_svc.storage.snapshots.objects import ObjectStore

HOUR = timedelta(hours=1)
IMAGES = [image_of(*range(40)), image_of(*range(5, 50)), image_of(*range(5, 50)), image_of(7)]


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def store(cache: Path) -> ObjectStore:
    return object_store(None, cache)


def files(cache: Path) -> list[Path]:
    return sorted(path for path in cache.rglob("*") if path.is_file())


def store_all(store: ObjectStore, between: Callable[[int], None]) -> dict[str, bytes]:
    """Store the images one after the other; return them by their names."""
    made = {}
    for number, image in enumerate(IMAGES):
        between(number)
        made[stored(store, image, NOON + number * HOUR).name] = image
    return made


def require_all(store: ObjectStore, made: dict[str, bytes], folder: Path) -> None:
    assert sorted(names(store)) == sorted(made)
    for name, image in made.items():
        assert fetched(store, name, folder) == image


def test_a_cache_that_is_deleted_between_backups_costs_nothing_in_the_store(
    store: ObjectStore, cache: Path, tmp_path: Path
) -> None:
    made = store_all(store, lambda _: shutil.rmtree(cache, ignore_errors=True))
    blocks = {number for image in IMAGES for number in range(0, len(image) - 4, 4096)}
    assert blocks
    require_all(store, made, tmp_path)
    # The second of two equal images adds no pack, also where nothing is remembered of the first.
    packs = list(store.backend.list("packs/"))
    shutil.rmtree(cache)
    stored(store, IMAGES[1], NOON + 9 * HOUR)
    assert list(store.backend.list("packs/")) == packs


@pytest.mark.parametrize("number", range(9))
def test_any_file_of_the_cache_may_go_at_any_time(
    store: ObjectStore, cache: Path, tmp_path: Path, number: int
) -> None:
    def lose(_backup: int) -> None:
        found = files(cache)
        if found:
            found[number % len(found)].unlink()

    made = store_all(store, lose)
    lose(0)
    require_all(store, made, tmp_path)


def test_a_cache_that_is_deleted_while_a_backup_uses_it_does_no_harm(
    cache: Path, tmp_path: Path
) -> None:
    backend = MemoryBackend()
    stored(object_store(backend, cache), IMAGES[0])

    def lose(verb: str, _name: str) -> None:
        if verb == "put":
            for path in files(cache):
                if "scratch" not in path.parts and path.name != "index.db":
                    path.unlink()

    disturbed = object_store(MemoryBackend(backend.place, pause=lose), cache)
    snapshot = stored(disturbed, IMAGES[1], NOON + HOUR)
    assert fetched(disturbed, snapshot, tmp_path) == IMAGES[1]


def test_a_stale_cache_hides_no_change_and_leads_to_nothing_that_is_gone(
    cache: Path, tmp_path: Path
) -> None:
    backend = MemoryBackend()
    here = object_store(backend, cache)
    first = stored(here, IMAGES[0])
    kept = tmp_path / "kept"
    shutil.copytree(cache, kept)
    # Elsewhere all of it goes, and something else comes.
    elsewhere = object_store(backend, tmp_path / "another machine")
    elsewhere.delete_unless_held(first.name)
    for found in list(backend.list("packs/")) + list(backend.list("maps/")):
        backend.delete(found.name)
    second = stored(elsewhere, IMAGES[1], NOON + HOUR)
    for stale in (kept, cache):
        store = object_store(backend, stale)
        assert names(store)[-1] == second.name
        third = stored(store, IMAGES[0], NOON + 2 * HOUR)
        assert fetched(store, third, tmp_path) == IMAGES[0]


@settings(max_examples=25)
@given(st.randoms(use_true_random=False))
def test_a_poisoned_cache_is_never_believed(
    tmp_path_factory: pytest.TempPathFactory, random: Random
) -> None:
    folder = tmp_path_factory.mktemp("poisoned")
    store = object_store(None, folder / "cache")

    def poison(_backup: int) -> None:
        for path in files(folder / "cache"):
            content = bytearray(path.read_bytes())
            how = random.randrange(5)
            if how == 0 and content:
                content[random.randrange(len(content))] ^= 1 << random.randrange(8)
            elif how == 1:
                content = content[: random.randrange(len(content) + 1)]
            elif how == 2:
                content = bytearray(random.randbytes(100))
            if how < 3 and path.name != "index.db":
                path.write_bytes(content)

    made = store_all(store, poison)
    poison(0)
    for name, image in made.items():
        assert fetched(store, name, folder) == image


@pytest.mark.parametrize(
    "content", [b"", b"no database" * 1000, b"SQLite format 3\0" + bytes(4080)]
)
def test_an_index_that_is_none_is_named_or_replaced_and_nothing_is_lost(
    store: ObjectStore, cache: Path, tmp_path: Path, content: bytes
) -> None:
    first = stored(store, IMAGES[0])
    (cache / STORE_ID / "index.db").write_bytes(content)
    try:
        second = stored(store, IMAGES[1], NOON + HOUR)
    except JunmaiError as error:
        assert str(cache) in error.message + error.hint  # noqa: PT017  # it says what to delete
        shutil.rmtree(cache)
        second = stored(store, IMAGES[1], NOON + HOUR)
    assert fetched(store, first, tmp_path) == IMAGES[0]
    assert fetched(store, second, tmp_path) == IMAGES[1]


def test_a_poisoned_list_of_manifests_is_not_restored_from(
    store: ObjectStore, cache: Path, tmp_path: Path
) -> None:
    one, other = stored(store, IMAGES[0]), stored(store, IMAGES[1], NOON + HOUR)
    store.snapshots()
    for path in files(cache / STORE_ID / "manifests"):
        path.write_bytes(path.read_bytes().replace(b"2025", b"2026"))
    assert store.find(one.name) == one
    assert store.find("latest") == other
    assert fetched(store, "latest", tmp_path) == IMAGES[1]


def test_manifests_of_snapshots_that_are_gone_are_forgotten(
    store: ObjectStore, cache: Path
) -> None:
    one, other = stored(store, IMAGES[0]), stored(store, IMAGES[1], NOON + HOUR)
    store.snapshots()
    store.delete_unless_held(one.name)
    store.snapshots()
    assert [path.name for path in files(cache / STORE_ID / "manifests")] == [other.name]


def test_only_the_maps_that_are_built_on_are_kept(store: ObjectStore, cache: Path) -> None:
    for number in range(6):
        stored(store, image_of(*range(30), 100 + number), NOON + number * HOUR)
        stored(store, image_of(900 + number), NOON + number * HOUR, "data/other.db")
    assert len(files(cache / STORE_ID / "maps")) <= 4
    assert len(files(cache / STORE_ID / "last")) == 4


def test_two_stores_in_one_cache_know_nothing_of_each_other(tmp_path: Path) -> None:
    one = StoreCache(tmp_path, STORE_ID)
    other = StoreCache(tmp_path, "00000000-0000-0000-0000-000000000000")
    assert one.index.parent != other.index.parent


def test_a_sealed_stores_cache_holds_nothing_that_is_not_sealed(cache: Path) -> None:
    store = object_store(None, cache, seal=sealed())
    stored(store, b"a customer's name " * 1000, database="data/secret.db")
    store.snapshots()
    for path in files(cache):
        content = path.read_bytes()
        assert b"customer" not in content, path
        assert b"secret" not in content, path


def test_a_cache_that_can_not_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "cache").write_bytes(b"a file")
    store = object_store(None, tmp_path / "cache")
    with pytest.raises(JunmaiError, match="cache"):
        stored(store, IMAGES[0])


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="rights bind nobody here")
def test_a_cache_that_may_not_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir(mode=0o500)
    with pytest.raises(AccessDeniedError, match="cache"):
        stored(object_store(None, tmp_path / "cache"), IMAGES[0])


def test_a_folder_is_made_for_its_owner_with_its_parents(tmp_path: Path) -> None:
    make_private(tmp_path / "a" / "b")
    make_private(tmp_path / "a" / "b")
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        make_private(tmp_path / "file")


_WRITER = """
import sys
from datetime import timedelta
from pathlib import Path
from tests.harness.stores import NOON, image_of, object_store, stored
from junmai_svc.storage.backends.local import LocalBackend

folder, number = Path(sys.argv[1]), int(sys.argv[2])
store = object_store(LocalBackend(folder / "store"), folder / "cache")
print("ready", flush=True)
sys.stdin.readline()
for turn in range(6):
    image = image_of(*range(30), 1000 * number + turn)
    print(stored(store, image, NOON + turn * timedelta(hours=1)).name, flush=True)
"""


def test_two_processes_use_one_cache_and_one_store_at_once(tmp_path: Path) -> None:
    root = Path(__file__).parents[3]
    running = [
        subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(tmp_path), str(number)],
            cwd=root,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in (1, 2)
    ]
    for process in running:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in running:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    said = [process.communicate(timeout=120)[0].split() for process in running]
    assert [process.returncode for process in running] == [0, 0]
    store = object_store(LocalBackend(tmp_path / "store"), tmp_path / "a cache of its own")
    assert sorted(said[0] + said[1]) == sorted(names(store))
    assert len(names(store)) == 12
    for number, made in enumerate(said, 1):
        for turn, name in enumerate(made):
            image = image_of(*range(30), 1000 * number + turn)
            assert fetched(store, name, tmp_path) == image
            assert store.find(name).manifest.checksum == hashlib.sha256(image).hexdigest()


def test_what_killed_backups_left_is_gone_a_day_later(tmp_path: Path) -> None:
    cache = StoreCache(tmp_path, STORE_ID)
    places = [tmp_path / STORE_ID / kind for kind in ("last", "maps", "manifests")]
    for place in places:
        place.mkdir(parents=True)
        for name, hours in ((".old.partial", 25), (".young.partial", 23), ("kept", 1_000)):
            (place / name).write_bytes(b"digests")
            then = time.time() - 3600 * hours
            os.utime(place / name, (then, then))
    with cache.digests() as path:
        path.write_bytes(b"new")
    assert {p.name for place in places for p in place.iterdir()} == {".young.partial", "kept"}
