"""Claims about every store of snapshots, whatever it is made of and whatever happens to it."""

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath

import pytest
from tests.contracts.memory import (
    LIKE_A_DISK,
    LIKE_S3,
    At,
    Fault,
    Killed,
    MemoryBackend,
    Place,
)
from tests.harness.stores import (
    NOON,
    fetched,
    image_of,
    manifest_for,
    names,
    object_store,
    sealed,
    stored,
    stored_as,
)

from junmai_svc.storage.backends.base import Capabilities, RetainedError
from junmai_svc.storage.errors import (
    ChecksumError,
    IntegrityError,
    JunmaiError,
    NotFoundError,
    StorageUnavailableError,
)
from junmai_svc.storage.snapshots.base import SnapshotStore, Staged, TakenError
from junmai_svc.storage.snapshots.blocks.places import MARKS, PENDING, map_object, pack_object
from junmai_svc.storage.snapshots.manifest import Reason
from junmai_svc.storage.snapshots.objects import ObjectStore
from junmai_svc.storage.snapshots.store import FileStore

OLD, NEW, OTHER = image_of(*range(20)), image_of(*range(3, 23)), image_of(77)
HOUR = timedelta(hours=1)
NAME = "junmai_backup_20250108_120000"
LAYOUTS = pytest.mark.parametrize("layout", ["blocks", "file"])


def test_what_is_stored_is_found_and_comes_back_byte_for_byte(
    store: SnapshotStore, tmp_path: Path
) -> None:
    first, second = stored(store, OLD), stored(store, NEW, NOON + HOUR)
    assert store.find(first.name) == first
    assert store.find(f"{first.name}.db") == first
    assert store.find("latest") == second
    assert fetched(store, first, tmp_path) == OLD
    assert fetched(store, second, tmp_path) == NEW
    assert [first.manifest.layout] == [store.layout]
    assert first.store == store.url


def test_snapshots_are_listed_newest_first_with_all_that_their_manifests_say(
    store: SnapshotStore,
) -> None:
    later = stored(store, NEW, NOON + HOUR, reason=Reason.PRE_RESTORE)
    earlier = stored(store, OLD, NOON, "data/other.db")
    assert store.snapshots() == ([later, earlier], [])
    assert store.snapshots() == ([later, earlier], [])  # out of the cache, where there is one
    assert store.find("latest").name == earlier.name


def test_latest_never_is_of_another_database_of_the_same_file_name(store: SnapshotStore) -> None:
    own = stored(store, OLD, NOON, database="/host1/app.db")
    stored(store, NEW, NOON + HOUR, database="/host2/app.db")
    assert store.find("latest", PurePosixPath("/host1/app.db")) == own
    for unknown in (PurePosixPath("/elsewhere/app.db"), None):
        with pytest.raises(NotFoundError, match=r"/host1/app\.db, /host2/app\.db"):
            store.find("latest", unknown)


def test_one_path_given_in_two_ways_is_one_database(store: SnapshotStore) -> None:
    stored(store, OLD, NOON, database="/srv/data/app.db")
    own = stored(store, NEW, NOON + HOUR, database="data/app.db")
    for path in ("/srv/data/app.db", "/elsewhere/app.db"):
        assert store.find("latest", PurePosixPath(path)) == own


def test_an_empty_store_lists_nothing_and_finds_nothing(store: SnapshotStore) -> None:
    assert store.snapshots() == ([], [])
    assert store.held() == frozenset()
    for reference in ("latest", NAME, "../secret", "", ".", "a/b", "a\\b", "x_backup_"):
        with pytest.raises(NotFoundError):
            store.find(reference)


def test_backups_in_one_second_have_names_of_their_own(
    store: SnapshotStore, tmp_path: Path
) -> None:
    images = [OLD, NEW, OTHER]
    made = [stored(store, image) for image in images]
    assert len({snapshot.name for snapshot in made}) == len(images)
    assert all(snapshot.name.startswith(NAME) for snapshot in made)
    assert [fetched(store, snapshot, tmp_path) for snapshot in made] == images


def test_a_copy_of_an_image_that_lies_elsewhere_leaves_that_alone(
    store: SnapshotStore, tmp_path: Path
) -> None:
    image = tmp_path / "image"
    image.write_bytes(OLD)
    snapshot = store.put(image, manifest_for(OLD, NAME))
    again = store.put(image, manifest_for(OLD, NAME))
    assert snapshot.name != again.name
    assert image.read_bytes() == OLD
    assert {fetched(store, each, tmp_path) for each in (snapshot, again)} == {OLD}


def test_an_image_that_is_not_what_its_manifest_says_is_not_stored(
    store: SnapshotStore, tmp_path: Path
) -> None:
    image = tmp_path / "image"
    image.write_bytes(NEW)
    with pytest.raises(ChecksumError):
        store.put(image, manifest_for(OLD, NAME))
    assert store.snapshots() == ([], [])


def test_nothing_that_was_staged_stays(store: SnapshotStore, tmp_path: Path) -> None:
    heard: list[Staged] = []
    with store.stage("junmai", NOON, heard.append) as staged:
        staged.image.write_bytes(OLD)
    assert heard[-1] == staged
    with store.stage_as(NAME, heard.append) as exact:
        exact.image.write_bytes(OLD)
    assert heard[-1] == exact
    assert [path for path in tmp_path.rglob("*") if path.name.endswith(".partial")] == []
    assert store.snapshots() == ([], [])


def test_what_is_held_stays_until_it_is_released(store: SnapshotStore) -> None:
    held, other = stored(store, OLD), stored(store, NEW, NOON + HOUR)
    store.hold(held.name)
    store.hold(held.name)
    assert store.held() == {held.name}
    assert not store.delete_unless_held(held.name)
    assert store.delete_unless_held(other.name)
    assert names(store) == [held.name]
    store.release(held.name)
    store.release(held.name)
    assert store.held() == frozenset()
    assert store.delete_unless_held(held.name)
    assert names(store) == []
    for use in (store.hold, store.release, store.find):
        with pytest.raises(NotFoundError):
            use(held.name)


def test_a_snapshot_stays_whole_when_another_is_deleted(
    store: SnapshotStore, tmp_path: Path
) -> None:
    first, second = stored(store, OLD), stored(store, NEW, NOON + HOUR)
    assert store.delete_unless_held(first.name)
    assert fetched(store, second, tmp_path) == NEW


def test_details_come_back_by_their_digest(store: SnapshotStore) -> None:
    content = b'{"table": "photos"}'
    digest = store.put_details(content)
    assert digest == store.put_details(content) == hashlib.sha256(content).hexdigest()
    assert store.get_details(digest) == content
    with pytest.raises(NotFoundError):
        store.get_details("0" * 64)
    place = f"details/{digest}.json"
    store.backend.put(place, store.backend.get(place, 1 << 20)[:-1] + b"!")
    with pytest.raises(IntegrityError):
        store.get_details(digest)


def test_a_snapshot_gets_the_very_name_that_it_has_elsewhere(
    store: SnapshotStore, tmp_path: Path
) -> None:
    snapshot = stored_as(store, OLD, f"{NAME}_2")
    assert snapshot.name == f"{NAME}_2"
    assert store.find(snapshot.name) == snapshot
    assert fetched(store, snapshot, tmp_path) == OLD


def test_a_name_that_is_taken_is_given_to_no_other_image(
    store: SnapshotStore, tmp_path: Path
) -> None:
    snapshot = stored_as(store, OLD, NAME)
    with pytest.raises(TakenError):
        stored_as(store, NEW, NAME)
    assert fetched(store, snapshot, tmp_path) == OLD


def test_of_two_copies_under_one_name_one_is_the_snapshot(
    store: SnapshotStore, tmp_path: Path
) -> None:
    with store.stage_as(NAME) as staged:
        staged.image.write_bytes(OLD)
        stored_as(store, NEW, NAME)
        with pytest.raises(TakenError):
            store.commit(staged, manifest_for(OLD, NAME))
    assert names(store) == [NAME]
    assert fetched(store, NAME, tmp_path) == NEW


def test_a_copy_never_gets_the_name_that_a_backup_is_about_to_have(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "backups")
    with store.stage("junmai", NOON) as claim:
        with pytest.raises(TakenError):
            stored_as(store, NEW, claim.name)
        claim.image.write_bytes(OLD)
        store.commit(claim, manifest_for(OLD, claim.name))
    assert fetched(store, NAME, tmp_path) == OLD
    with store.stage_as(f"{NAME}_2") as staged:
        staged.image.write_bytes(NEW)
        with store.stage("junmai", NOON) as claim:
            assert claim.name == f"{NAME}_2"
            with pytest.raises(TakenError):
                store.commit(staged, manifest_for(NEW, staged.name))
    assert names(store) == [NAME]


def damage(store: SnapshotStore, name: str) -> None:
    """Change one byte near the beginning of an object: in a pack, of its first frame."""
    content = bytearray(store.backend.get(name, 64 << 20))
    content[60] ^= 0x55
    store.backend.put(name, bytes(content))


def test_damage_to_any_object_is_named_and_never_given_out(
    store: SnapshotStore, tmp_path: Path
) -> None:
    is_sealed = isinstance(store, ObjectStore) and store.seal.secret
    snapshot = stored(store, OLD)
    for found in list(store.backend.list()):
        before = store.backend.get(found.name, 64 << 20)
        damage(store, found.name)
        good, bad = store.snapshots()
        assert len(good) + len(bad) == 1
        # Where nothing is sealed, the damage may be in a text that nobody computes with.
        if is_sealed or not found.name.endswith(".json"):
            with pytest.raises((IntegrityError, NotFoundError)):
                fetched(store, snapshot.name, tmp_path)
        store.backend.put(found.name, before)
    assert fetched(store, snapshot.name, tmp_path) == OLD


def test_anything_that_is_missing_is_named(store: SnapshotStore, tmp_path: Path) -> None:
    snapshot = stored(store, OLD)
    for found in list(store.backend.list()):
        before = store.backend.get(found.name, 64 << 20)
        store.backend.delete(found.name)
        with pytest.raises((IntegrityError, NotFoundError)):
            fetched(store, snapshot.name, tmp_path)
        store.backend.put(found.name, before)
    assert fetched(store, snapshot.name, tmp_path) == OLD


@pytest.mark.parametrize("seal", [None, sealed()], ids=["plain", "sealed"])
def test_a_manifest_under_another_snapshots_name_is_refused(tmp_path: Path, seal: object) -> None:
    store = object_store(None, tmp_path, "blocks", sealed() if seal else None)
    one, other = stored(store, OLD), stored(store, NEW)
    place = f"snapshots/{one.name}.json"
    store.backend.put(place, store.backend.get(f"snapshots/{other.name}.json", 1 << 20))
    good, bad = store.snapshots()
    assert ([each.name for each in good], len(bad)) == ([other.name], 1)
    with pytest.raises(IntegrityError):
        store.find(one.name)


def test_a_sealed_store_shows_nothing_of_what_is_in_it(tmp_path: Path) -> None:
    secret = b"a customer's name " * 300
    backend = MemoryBackend()
    store = object_store(backend, tmp_path, "blocks", sealed())
    stored(store, secret, database="data/secret.db")
    store.put_details(secret)
    for name, held in backend.place.objects.items():
        for seen in (b"customer", b"secret", b"original_path", b"pages"):
            assert seen not in held.content, name


def test_an_unchanged_database_adds_a_manifest_and_nothing_else(tmp_path: Path) -> None:
    backend = MemoryBackend()
    store = object_store(backend, tmp_path)
    stored(store, OLD)
    before = set(backend.place.objects)
    again = stored(store, OLD, NOON + HOUR)
    assert set(backend.place.objects) - before == {f"snapshots/{again.name}.json"}
    assert again.manifest.new_bytes == 0


def test_what_is_locked_is_not_deleted_and_says_until_when(tmp_path: Path) -> None:
    until = datetime.now(UTC) + timedelta(days=3)
    backend = MemoryBackend(Place(LIKE_S3))
    for layout in ("blocks", "file"):
        store = object_store(backend, tmp_path, layout, retain_until=lambda: until)
        snapshot = stored(store, OLD)
        with pytest.raises(RetainedError) as refused:
            store.delete_unless_held(snapshot.name)
        assert refused.value.retain_until == until
        assert snapshot.name in names(store)


class Pruner:
    """Somebody who gets in the way of a writer just before one of its steps, once or always."""

    def __init__(self, place: Place, verb: str, prefix: str, act: Callable[[Place], None]) -> None:
        self.place, self.verb, self.prefix, self.act = place, verb, prefix, act
        self.times, self.most = 0, 1

    def __call__(self, verb: str, name: str) -> None:
        """See `MemoryBackend.pause`."""
        if verb == self.verb and name.startswith(self.prefix) and self.times < self.most:
            self.times += 1
            self.act(self.place)


def mark_all(place: Place) -> None:
    other = MemoryBackend(place)
    for name in list(place.objects):
        if name.startswith(("packs/", "maps/")):
            other.put(f"{MARKS}a pruner/{name}", b"")


def delete_all(place: Place) -> None:
    for name in list(place.objects):
        if name.startswith(("packs/", "maps/")):
            MemoryBackend(place).delete(name)


def expire(place: Place) -> None:
    for name in list(place.objects):
        if name.startswith(PENDING):
            MemoryBackend(place).delete(name)


# The writer's steps: it has put its pending and lists the marks, then looks, then renames.
@pytest.mark.parametrize(
    ("verb", "prefix", "act"),
    [
        ("list", MARKS, mark_all),
        ("list", "packs/", delete_all),
        ("list", "maps/", delete_all),
        ("rename", PENDING, expire),
        ("put", PENDING, delete_all),
    ],
    ids=["marked", "packs gone", "maps gone", "expired", "all gone"],
)
def test_a_pruner_that_gets_in_the_way_means_that_blocks_are_stored_anew(
    tmp_path: Path, verb: str, prefix: str, act: Callable[[Place], None]
) -> None:
    place = Place(LIKE_A_DISK)
    store = object_store(MemoryBackend(place), tmp_path)
    stored(store, OLD)
    pruner = Pruner(place, verb, prefix, act)
    disturbed = object_store(MemoryBackend(place, pause=pruner), tmp_path)
    snapshot = stored(disturbed, NEW, NOON + HOUR)
    assert pruner.times == 1
    if act is mark_all:  # the pruner goes on: what is marked goes
        for name in [each for each in place.objects if each.startswith(MARKS)]:
            MemoryBackend(place).delete(name.partition("a pruner/")[2])
    assert fetched(store, snapshot, tmp_path) == NEW


def test_a_store_that_is_pruned_all_the_time_is_given_up(tmp_path: Path) -> None:
    place = Place(LIKE_A_DISK)
    pruner = Pruner(place, "rename", PENDING, expire)
    pruner.most = 100
    store = object_store(MemoryBackend(place, pause=pruner), tmp_path)
    with pytest.raises(StorageUnavailableError, match="pruned all the time"):
        stored(store, OLD)
    assert store.snapshots() == ([], [])


@pytest.mark.parametrize("image", [OLD, NEW], ids=["unchanged", "changed"])
def test_a_map_that_is_gone_since_the_last_backup_stops_nobody(
    tmp_path: Path, image: bytes
) -> None:
    store = object_store(None, tmp_path)
    last = stored(store, OLD)
    store.delete_unless_held(last.name)
    store.backend.delete(map_object(last.manifest.map))
    snapshot = stored(store, image, NOON + HOUR)
    assert fetched(store, snapshot, tmp_path) == image


def test_a_pack_that_can_not_be_read_is_not_built_on(tmp_path: Path) -> None:
    backend = MemoryBackend()
    store = object_store(backend, tmp_path / "one")
    stored(store, OLD)
    [pack] = [name for name in backend.place.objects if name.startswith("packs/")]
    damaged = bytearray(backend.get(pack, 1 << 20))
    damaged[-20] ^= 1  # in its footer
    backend.put(pack, bytes(damaged))
    elsewhere = object_store(backend, tmp_path / "another machine")
    snapshot = stored(elsewhere, OLD, NOON + HOUR)
    assert fetched(elsewhere, snapshot, tmp_path) == OLD


def operations_of(
    tmp_path: Path, layout: str, honours: Capabilities, use: Callable[..., object]
) -> int:
    backend = MemoryBackend(Place(honours))
    store = object_store(backend, tmp_path / "counted", layout)
    stored(store, OLD)
    before = backend.place.operations
    use(store, NEW)
    return backend.place.operations - before


def as_backup(store: SnapshotStore, image: bytes) -> object:
    return stored(store, image, NOON + HOUR)


def as_copy(store: SnapshotStore, image: bytes) -> object:
    return stored_as(store, image, f"{NAME}_7")


@LAYOUTS
@pytest.mark.parametrize(
    ("honours", "fault"),
    [
        (LIKE_A_DISK, Fault.KILL),
        (LIKE_A_DISK, Fault.KILL_AFTER),
        (LIKE_S3, Fault.KILL),
        (LIKE_S3, Fault.KILL_AFTER),
        (LIKE_S3, Fault.FAIL),
        (LIKE_S3, Fault.LOSE),
    ],
)
@pytest.mark.parametrize("use", [as_backup, as_copy])
def test_wherever_a_writer_dies_everything_listed_is_whole_and_it_can_be_done_again(
    tmp_path: Path, layout: str, honours: Capabilities, fault: Fault, use: Callable[..., object]
) -> None:
    for number in range(operations_of(tmp_path, layout, honours, use)):
        place = Place(honours)
        before = object_store(MemoryBackend(place), tmp_path / f"cache {number}", layout)
        first = stored(before, OLD)
        dying = MemoryBackend(place, At({number: fault}))
        store = object_store(dying, tmp_path / f"cache {number}", layout)
        with suppress(Killed, JunmaiError):
            use(store, NEW)
        after = object_store(MemoryBackend(place), tmp_path / f"cache {number}", layout)
        good, bad = after.snapshots()
        assert bad == []
        for snapshot in good:
            whole = OLD if snapshot.name == first.name else NEW
            assert fetched(after, snapshot, tmp_path) == whole
        # Once more, as the same command again: a copy is there by its very name then.
        try:
            use(after, NEW)
        except TakenError:
            assert use is as_copy
            assert f"{NAME}_7" in names(after)
        for snapshot in after.snapshots()[0]:
            whole = OLD if snapshot.name == first.name else NEW
            assert fetched(after, snapshot, tmp_path) == whole
        assert len(names(after)) >= 2


def test_somebody_who_died_over_another_image_of_that_name_does_not_give_it_away(
    tmp_path: Path,
) -> None:
    for layout in ("blocks", "file"):
        place = Place(LIKE_A_DISK)

        def die(verb: str, name: str) -> None:
            if verb == "rename" or (verb == "put" and name == f"{NAME}.json"):
                raise Killed

        store = object_store(MemoryBackend(place, pause=die), tmp_path / layout, layout)
        with pytest.raises(Killed):
            stored_as(store, OLD, NAME)
        store = object_store(MemoryBackend(place), tmp_path / layout, layout)
        with pytest.raises(TakenError):
            stored_as(store, NEW, NAME)
        assert names(store) == []
        assert fetched(store, stored_as(store, OLD, NAME), tmp_path) == OLD


def test_what_a_dead_writer_left_is_finished_and_nothing_else_that_stands_there_by_then(
    tmp_path: Path,
) -> None:
    """Between the look and the rename another pending may have come in the place of the first."""
    place = Place(LIKE_A_DISK)
    pending = f"{PENDING}{NAME}"

    def die(verb: str, _name: str) -> None:
        if verb == "rename":
            raise Killed

    with pytest.raises(Killed):
        stored_as(object_store(MemoryBackend(place, pause=die), tmp_path), OLD, NAME)
    theirs = MemoryBackend(place).get(pending, 1 << 20)
    noise = b"what was never looked at"

    def replaced(verb: str, _name: str) -> None:
        if verb == "rename":
            MemoryBackend(place).delete(pending)
            MemoryBackend(place).put(pending, noise)

    store = object_store(MemoryBackend(place, pause=replaced), tmp_path)
    assert fetched(store, stored_as(store, OLD, NAME), tmp_path) == OLD
    assert MemoryBackend(place).get(f"snapshots/{NAME}.json", 1 << 20) == theirs
    assert MemoryBackend(place).get(pending, 1 << 20) == noise
    assert [name for name in place.objects if name.startswith(PENDING)] == [pending]


def test_an_image_without_a_manifest_is_finished_by_a_copy_of_the_same(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "backups")
    store.folder.mkdir()
    (store.folder / f"{NAME}.db").write_bytes(OLD)
    with pytest.raises(TakenError):
        stored_as(store, NEW, NAME)
    assert fetched(store, stored_as(store, OLD, NAME), tmp_path) == OLD


def test_what_a_dead_copy_was_writing_stops_no_other(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "backups")
    store.folder.mkdir()
    manifest = manifest_for(OLD, NAME)
    for left in (f".{NAME}.db.0123456789ab.partial", f".{NAME}.json.{manifest.run[-12:]}.partial"):
        (store.folder / left).write_bytes(b"half")
    with store.stage_as(NAME) as staged:
        staged.image.write_bytes(OLD)
        store.commit(replace(staged, run="another-run-0123"), manifest)
    assert fetched(store, NAME, tmp_path) == OLD


@pytest.mark.skipif(os.name == "nt", reason="Windows has other rights")
def test_the_cache_is_for_its_owner_only(tmp_path: Path) -> None:
    stored(object_store(None, tmp_path / "cache"), OLD)
    for folder in (tmp_path / "cache", *(tmp_path / "cache").rglob("*")):
        if folder.is_dir():
            assert folder.stat().st_mode & 0o077 == 0, folder


def test_a_pack_is_named_by_what_it_holds(tmp_path: Path) -> None:
    backend = MemoryBackend()
    stored(object_store(backend, tmp_path), OLD)
    for name, held in backend.place.objects.items():
        if name.startswith("packs/"):
            assert name == pack_object(hashlib.sha256(held.content).hexdigest())


@pytest.mark.parametrize("layout", ["blocks", "file"])
def test_what_a_look_at_the_place_left_is_gone_a_day_later(tmp_path: Path, layout: str) -> None:
    now = [NOON]
    place = Place(LIKE_S3, lambda: now[0])
    store = object_store(MemoryBackend(place), tmp_path, layout)
    trials = "state/probe/"
    MemoryBackend(place).put(f"{trials}killed", b"first")
    now[0] += timedelta(hours=20)
    MemoryBackend(place).put(f"{trials}at work", b"first")
    now[0] += timedelta(hours=20)
    store.tidy()
    assert [n for n in place.objects if n.startswith("state/")] == [f"{trials}at work"]
