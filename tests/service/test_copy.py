"""Copying between stores: what is missing, by the same names, whole, and again after anything."""

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from tests.contracts.memory import LIKE_A_DISK, At, Fault, Killed, MemoryBackend, Place
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

from junmai_svc.service.context import Context
from junmai_svc.service.copy import Copied, CopyPlan, Which, copy, look, plan_copy
from junmai_svc.service.recovery import close_abandoned
from junmai_svc.storage.errors import IntegrityError, StorageUnavailableError
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.snapshots.base import (
    Snapshot,
    SnapshotStore,
    TakenError,
    Tick,
    Unreadable,
)
from junmai_svc.storage.snapshots.blocks.images import BlockImages
from junmai_svc.storage.snapshots.objects import ObjectStore
from junmai_svc.storage.snapshots.store import FileStore

HOUR = timedelta(hours=1)
IMAGES = [image_of(*range(20)), image_of(*range(2, 22)), image_of(*range(2, 22)), image_of(7)]
Make = Callable[[Path], SnapshotStore]
STORES: dict[str, Make] = {
    "folder of images": lambda folder: FileStore(folder / "backups"),
    "blocks": lambda folder: object_store(None, folder / "cache"),
    "sealed blocks": lambda folder: object_store(None, folder / "cache", seal=sealed()),
    "whole images far away": lambda folder: object_store(None, folder / "cache", "file"),
}


def filled(store: SnapshotStore) -> dict[str, bytes]:
    """Store the images, an hour apart, and return them by their names."""
    return {
        stored(store, image, NOON + number * HOUR).name: image
        for number, image in enumerate(IMAGES)
    }


def copied(
    journal: Journal, source: SnapshotStore, target: SnapshotStore, which: Which | None = None
) -> Copied:
    one, other = (Context(journal, (store,)) for store in (source, target))
    return copy(one, other, which or Which())


def require(store: SnapshotStore, made: dict[str, bytes], folder: Path) -> None:
    assert store.snapshots()[1] == []
    assert sorted(names(store)) == sorted(made)
    for name, image in made.items():
        assert fetched(store, name, folder) == image


def events(journal: Journal) -> list[str]:
    return [event.type.split(".")[2] for event in journal.read() if ".copy." in event.type]


def snapshot(name: str, hour: int, content: bytes = b"image", database: str = "a.db") -> Snapshot:
    return Snapshot(manifest_for(content, name, NOON + hour * HOUR, f"data/{database}"))


def test_what_is_missing_is_copied_oldest_first() -> None:
    old, middle, new = (snapshot(name, hour) for hour, name in enumerate("cab"))
    plan = plan_copy(([new, middle, old], []), ([middle], []), Which(), "there")
    assert plan == CopyPlan((old, new), ("a",), ())
    assert plan.size == 10


@pytest.mark.parametrize(
    ("which", "meant"),
    [
        (Which(), "abc"),
        (Which("a.db"), "ac"),
        (Which("data/b.db"), "b"),
        (Which("A.db"), ""),
        (Which(since=NOON + HOUR), "bc"),
        (Which("a.db", NOON + HOUR), "c"),
        (Which(since=NOON + 9 * HOUR), ""),
    ],
    ids=str,
)
def test_filters_say_which_are_meant(which: Which, meant: str) -> None:
    there = [
        snapshot("a", 0),
        snapshot("b", 1, database="b.db"),
        snapshot("c", 2),
    ]
    plan = plan_copy((there, []), ([], []), which, "there")
    assert "".join(each.name for each in plan.missing) == meant


def test_another_image_by_the_same_name_is_refused_and_stops_no_other() -> None:
    here = [snapshot("a", 0), snapshot("b", 1)]
    plan = plan_copy((here, []), ([snapshot("a", 0, b"other")], []), Which(), "far away")
    assert [each.name for each in plan.missing] == ["b"]
    [refused] = plan.refused
    assert refused.name == "a"
    assert "far away" in refused.problem.message


@pytest.mark.parametrize("place", ["backups/a.json", "snapshots/a.json"])
def test_a_manifest_that_can_not_be_read_on_either_side_is_refused(place: str) -> None:
    bad = [Unreadable(place, IntegrityError("damaged"))]
    for here, there in ((([], bad), ([], [])), (([snapshot("a", 0)], []), ([], bad))):
        plan = plan_copy(here, there, Which(), "there")
        assert plan.missing == ()
        assert [each.name for each in plan.refused] == ["a"]


@pytest.mark.parametrize("source", STORES)
@pytest.mark.parametrize("target", STORES)
def test_every_snapshot_is_the_same_in_a_store_of_any_kind(
    journal: Journal, tmp_path: Path, source: str, target: str
) -> None:
    here = STORES[source](tmp_path / "here")
    there = STORES[target](tmp_path / "there")
    made = filled(here)
    done = copied(journal, here, there)
    assert [each.name for each in done.copied] == sorted(made)
    require(there, made, tmp_path)
    require(here, made, tmp_path)
    for name in made:
        one, other = here.find(name).manifest, there.find(name).manifest
        own = {"layout": there.layout, "map": "", "backup_path": "", "new_bytes": None}
        assert msgspec.structs.replace(other, **own) == msgspec.structs.replace(one, **own)
        assert other.layout == there.layout
        assert there.url in other.backup_path
    assert events(journal) == ["started", *["staged", "staged", "copied"] * 4, "completed"]


def test_a_second_copy_has_nothing_to_do_and_is_no_run(journal: Journal, tmp_path: Path) -> None:
    here, there = FileStore(tmp_path / "here"), object_store(None, tmp_path)
    filled(here)
    copied(journal, here, there)
    again = copied(journal, here, there)
    assert (again.run, again.copied, len(again.plan.present)) == (None, (), 4)
    assert events(journal).count("started") == 1


def test_only_new_blocks_are_sent(journal: Journal, tmp_path: Path) -> None:
    backend = MemoryBackend()
    here, there = FileStore(tmp_path / "here"), object_store(backend, tmp_path)
    filled(here)
    done = copied(journal, here, there)
    new = [each.manifest.new_bytes or 0 for each in done.copied]
    assert new[2] == 0
    assert len([name for name in backend.place.objects if name.startswith("packs/")]) == 2


def test_a_dry_look_writes_nothing(tmp_path: Path) -> None:
    here, there = FileStore(tmp_path / "here"), FileStore(tmp_path / "there")
    made = filled(here)
    assert [each.name for each in look(here, there, Which()).missing] == sorted(made)
    assert look(here, None, Which()).missing == look(here, there, Which()).missing
    assert not there.folder.exists()


@pytest.mark.parametrize("fault", [Fault.KILL, Fault.KILL_AFTER])
@pytest.mark.parametrize("layout", ["blocks", "file"])
def test_a_copy_that_died_anywhere_goes_on_where_it_was(
    journal: Journal, tmp_path: Path, layout: str, fault: Fault
) -> None:
    here = FileStore(tmp_path / "here")
    made = dict(list(filled(here).items())[:2])
    which = Which(since=NOON)
    for name in names(here):
        if name not in made:
            here.delete_unless_held(name)
    counted = MemoryBackend(Place(LIKE_A_DISK))
    copied(journal, here, object_store(counted, tmp_path / "counted", layout), which)
    for number in range(counted.place.operations):
        place, cache = Place(LIKE_A_DISK), tmp_path / f"cache {number}"
        dying = object_store(MemoryBackend(place, At({number: fault})), cache, layout)
        with suppress(Killed):
            copied(journal, here, dying)
        there = object_store(MemoryBackend(place), cache, layout)
        assert there.snapshots()[1] == []
        for name in names(there):
            assert fetched(there, name, tmp_path) == made[name]
        done = copied(journal, here, there)
        assert (done.not_copied, done.stopped) == ((), None)
        require(there, made, tmp_path)


def flipped(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])


def damage_images(store: SnapshotStore, name: str) -> None:
    if isinstance(store, FileStore):
        path = store.folder / f"{name}.db"
        path.write_bytes(flipped(path.read_bytes()))
        return
    assert isinstance(store, ObjectStore)
    place = f"{name}.db"
    if isinstance(store.images, BlockImages):
        place = f"maps/{store.find(name).manifest.map}"
    store.backend.put(place, flipped(store.backend.get(place, 1 << 20)))


@pytest.mark.parametrize("source", STORES)
def test_a_damaged_snapshot_is_named_and_stops_no_other(
    journal: Journal, tmp_path: Path, source: str
) -> None:
    here, there = STORES[source](tmp_path / "here"), object_store(None, tmp_path)
    made = {stored(here, IMAGES[n], NOON + n * HOUR).name: IMAGES[n] for n in (0, 1, 3)}
    first = max(made)
    damage_images(here, first)
    done = copied(journal, here, there)
    assert [each.name for each in done.not_copied] == [first]
    del made[first]
    require(there, made, tmp_path)
    assert events(journal)[-1] == "completed"
    assert "not_copied" in events(journal)
    assert list(tmp_path.rglob("*.partial")) == []


def test_a_conflict_is_told_and_what_is_there_stays(journal: Journal, tmp_path: Path) -> None:
    here, there = FileStore(tmp_path / "here"), object_store(None, tmp_path)
    made = filled(here)
    first = min(made)
    stored_as(there, b"something else", first)
    done = copied(journal, here, there)
    [refused] = done.plan.refused
    assert refused.name == first
    assert isinstance(refused.problem, TakenError)
    require(there, made | {first: b"something else"}, tmp_path)


def test_a_store_that_fails_ends_the_copy_and_keeps_what_was_copied(
    journal: Journal, tmp_path: Path
) -> None:
    here, place = FileStore(tmp_path / "here"), Place(LIKE_A_DISK)
    made = filled(here)

    class FailsLater:
        def next(self, verb: str, name: str) -> Fault | None:
            done = sum(name.startswith("snapshots/") for name in place.objects)
            return Fault.FAIL if verb == "put" and name.startswith("packs/") and done else None

        def lag(self) -> int:
            return 0

    there = object_store(MemoryBackend(place, FailsLater()), tmp_path)
    done = copied(journal, here, there)
    assert isinstance(done.stopped, StorageUnavailableError)
    assert [each.name for each in done.copied] == [min(made)]
    assert events(journal)[-1] == "failed"
    whole = object_store(MemoryBackend(place), tmp_path)
    require(whole, {min(made): made[min(made)]}, tmp_path)
    assert copied(journal, here, whole).stopped is None
    require(whole, made, tmp_path)


def test_a_name_that_a_dead_backup_was_about_to_have_stops_no_other(
    journal: Journal, tmp_path: Path
) -> None:
    here, place = FileStore(tmp_path / "here"), Place(LIKE_A_DISK)
    made = filled(here)

    def die(verb: str, _name: str) -> None:
        if verb == "rename":
            raise Killed

    with pytest.raises(Killed):
        stored(object_store(MemoryBackend(place, pause=die), tmp_path), b"another image")
    there = object_store(MemoryBackend(place), tmp_path)
    done = copied(journal, here, there)
    [missed] = done.not_copied
    assert missed.name == min(made)
    assert "died" in missed.problem.message
    del made[missed.name]
    require(there, made, tmp_path)


def test_what_is_pruned_meanwhile_is_no_failure(journal: Journal, tmp_path: Path) -> None:
    made = filled(FileStore(tmp_path / "here"))
    last = max(made)

    class Pruned(FileStore):
        def fetch(self, snapshot: Snapshot, path: Path, tick: Tick | None = None) -> None:
            if snapshot.name == last:
                self.delete_unless_held(last)
            super().fetch(snapshot, path, tick)

    pruned, there = Pruned(tmp_path / "here"), FileStore(tmp_path / "there")
    done = copied(journal, pruned, there)
    assert (done.not_copied, done.stopped) == ((), None)
    del made[last]
    require(there, made, tmp_path)


def test_of_two_copies_at_once_each_ends_well(journal: Journal, tmp_path: Path) -> None:
    here, place = FileStore(tmp_path / "here"), Place(LIKE_A_DISK)
    made = filled(here)
    faster = object_store(MemoryBackend(place), tmp_path / "faster")
    ran: list[str] = []

    def run(verb: str, name: str) -> None:
        if verb == "put" and name.startswith("packs/") and not ran:
            ran.append(name)
            copied(journal, here, faster)

    slower = object_store(MemoryBackend(place, pause=run), tmp_path / "slower")
    done = copied(journal, here, slower)
    assert (done.not_copied, done.stopped, done.copied) == ((), None, ())
    require(slower, made, tmp_path)


def test_what_a_dead_copy_left_on_this_machine_is_removed_by_the_next_run(
    journal: Journal, tmp_path: Path
) -> None:
    here, there = FileStore(tmp_path / "here"), FileStore(tmp_path / "there")
    made = filled(here)

    class Dying(FileStore):
        def fetch(self, snapshot: Snapshot, path: Path, tick: Tick | None = None) -> None:
            super().fetch(snapshot, path, tick)
            left.append(path)
            kept = path.read_bytes()
            path.unlink()
            path.with_suffix(".kept").write_bytes(kept)
            raise Killed

    left: list[Path] = []
    with suppress(Killed):
        copied(journal, Dying(here.folder), there)
    left[0].with_suffix(".kept").rename(left[0])  # as after a real death, where nothing cleans up
    assert left[0].exists()
    close_abandoned(journal)
    done = copied(journal, here, there)
    assert len(done.copied) == len(made)
    require(there, made, tmp_path)


def test_a_backup_of_the_replaced_tool_is_copied_with_its_name(
    journal: Journal, tmp_path: Path
) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    name = "junmai_backup_20250108_120000"
    (folder / f"{name}.db").write_bytes(IMAGES[0])
    (folder / f"{name}.json").write_text(
        json.dumps(
            {
                "original_path": "data/junmai.db",
                "backup_path": f"data/backups/{name}.db",
                "timestamp": "20250108_120000",
                "checksum": hashlib.sha256(IMAGES[0]).hexdigest(),
                "file_size": len(IMAGES[0]),
            }
        )
    )
    there = object_store(None, tmp_path, seal=sealed())
    copied(journal, FileStore(folder), there)
    assert names(there) == [name]
    assert there.find(name).manifest.taken == NOON
    assert fetched(there, name, tmp_path) == IMAGES[0]
    back = FileStore(tmp_path / "back")
    copied(journal, there, back)
    require(back, {name: IMAGES[0]}, tmp_path)
