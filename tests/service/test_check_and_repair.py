"""Checking and mending a store as a run: recorded, from each source, in each layout."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from junmai_svc.service.backup import backup
from junmai_svc.service.check import EVERYTHING, check
from junmai_svc.service.context import Context
from junmai_svc.service.drill import Result, drill
from junmai_svc.service.prune import plan_prune, prune
from junmai_svc.service.repair import Sources, repair
from junmai_svc.service.retention import Policy
from junmai_svc.service.snapshot_list import list_snapshots
from junmai_svc.service.views.check import check_view, repair_view
from junmai_svc.storage.backends.local import LocalBackend
from junmai_svc.storage.errors import NotFoundError
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.journal.soundness import fold_soundness
from junmai_svc.storage.snapshots.base import SnapshotStore
from junmai_svc.storage.snapshots.blocks.images import BlockImages
from junmai_svc.storage.snapshots.blocks.maps import encode_map
from junmai_svc.storage.snapshots.blocks.sealing import Unsealed
from junmai_svc.storage.snapshots.cache import StoreCache
from junmai_svc.storage.snapshots.manifest import Reason
from junmai_svc.storage.snapshots.objects import ObjectStore
from junmai_svc.storage.snapshots.store import FileStore
from junmai_svc.storage.snapshots.whole import WholeImages

ROWS = 3_000


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "photos.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE photos (id INTEGER PRIMARY KEY, name TEXT)")
        rows = ((number, f"IMG_{number:07}" * 30) for number in range(ROWS))
        database.executemany("INSERT INTO photos VALUES (?, ?)", rows)
        database.commit()
    return path


def block_store(folder: Path) -> ObjectStore:
    backend, seal = LocalBackend(folder / "blocks"), Unsealed()
    cache = StoreCache(folder / "cache", "7a6f4b3e-2c1d-4e5f-8a9b-0c1d2e3f4a5b")
    return ObjectStore(backend, BlockImages(backend, seal, cache), seal, cache, lambda: None)


def whole_store(folder: Path) -> ObjectStore:
    backend, seal = LocalBackend(folder / "whole"), Unsealed()
    cache = StoreCache(folder / "cache", "8a6f4b3e-2c1d-4e5f-8a9b-0c1d2e3f4a5b")
    return ObjectStore(backend, WholeImages(backend), seal, cache, lambda: None)


def file_store(folder: Path) -> FileStore:
    return FileStore(folder / "backups")


@pytest.fixture
def context(journal: Journal, tmp_path: Path) -> Context:
    return Context(journal, (block_store(tmp_path), file_store(tmp_path)))


def over(context: Context, store: SnapshotStore) -> Context:
    return replace(context, stores=(store,))


def flip(path: Path) -> Path:
    """Change one bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    return path


def flip_pack(folder: Path) -> Path:
    return flip(next((folder / "blocks" / "packs").glob("*/*")))


def types(context: Context, run: str) -> list[str]:
    return [event.type.split(".")[2] for event in context.journal.read(f"check/{run}")]


def fetched(store: SnapshotStore, folder: Path) -> bytes:
    path = folder / "fetched"
    path.unlink(missing_ok=True)
    store.fetch(store.find("latest"), path)
    return path.read_bytes()


def test_a_sound_store_is_recorded_as_such(context: Context, source: Path) -> None:
    backup(context, source, Reason.MANUAL)
    done = check(context, EVERYTHING)
    assert types(context, done.run) == ["started", "examined", "completed"]
    view = check_view(done)
    assert (view["status"], view["snapshots"], view["findings"]) == ("sound", 1, [])
    assert view["bytes_read"] > 0


def test_damage_is_recorded_and_known_to_prune_until_it_is_mended(
    context: Context, source: Path, tmp_path: Path
) -> None:
    name = backup(context, source, Reason.MANUAL).snapshot.name
    flip_pack(tmp_path)
    done = check(context, EVERYTHING)
    assert types(context, done.run) == ["started", "finding", "examined", "damage_found"]
    store = context.store

    def known(place: str = store.url) -> frozenset[str]:
        return fold_soundness(context.journal.read()).damaged_in(place)

    assert known() == {name}
    plan = plan_prune(store, context.journal, Policy(), datetime.now(UTC))
    assert [each.candidate.damaged for each in plan.decisions] == [True]
    assert known(str(tmp_path / "backups")) == frozenset()
    assert check(context).report.findings == ()
    assert known() == {name}  # a look at the structure alone proves nothing
    repair(context, Sources(database=source))
    assert known() == frozenset()


@pytest.mark.parametrize("origin", ["database", "file store", "whole store"])
def test_blocks_are_mended_from_each_source(
    context: Context, source: Path, tmp_path: Path, origin: str
) -> None:
    other = whole_store(tmp_path)
    backup(replace(context, stores=(*context.stores, other)), source, Reason.MANUAL)
    good = fetched(context.store, tmp_path)
    flip_pack(tmp_path)
    sources = {
        "database": Sources(database=source),
        "file store": Sources(store=context.stores[1]),
        "whole store": Sources(store=other),
    }
    done = repair(context, sources[origin])
    assert (done.mended.lost, done.after.findings) == (0, ())
    assert done.mended.found > 100
    assert fetched(context.store, tmp_path) == good
    assert types(context, done.run) == ["started", "repaired", "examined", "completed"]
    view = repair_view(done)
    assert (view["status"], len(view["found"])) == ("repaired", 1)


def test_what_can_not_be_mended_is_told_with_its_snapshots_and_ranges(
    context: Context, source: Path, tmp_path: Path
) -> None:
    name = backup(context, source, Reason.MANUAL).snapshot.name
    flip_pack(tmp_path)
    done = repair(context, Sources())
    view = repair_view(done)
    assert (view["status"], view["damaged"]) == ("findings", [name])
    assert "--from-source" in view["findings"][0]["hint"]
    [hit] = view["findings"][0]["snapshots"]
    assert (hit["snapshot"], hit["database"]) == (name, str(source))
    lengths = [stop - start for start, stop in hit["ranges"]]
    assert sum(lengths) == hit["bytes"] >= view["lost_blocks"] * 4096 > 0
    assert types(context, done.run)[-1] == "damage_found"


@pytest.mark.parametrize("make", [file_store, whole_store])
@pytest.mark.parametrize("how", ["flipped", "cut", "gone"])
def test_whole_images_are_put_back_from_another_store(
    context: Context, source: Path, tmp_path: Path, make: object, how: str
) -> None:
    assert callable(make)
    store = make(tmp_path)
    backup(replace(context, stores=(context.store, store)), source, Reason.MANUAL)
    good = fetched(store, tmp_path)
    [image] = (tmp_path / ("backups" if make is file_store else "whole")).glob("*.db")
    if how == "flipped":
        flip(image)
    elif how == "cut":
        image.write_bytes(image.read_bytes()[:-1])
    else:
        image.unlink()
    alone = over(context, store)
    [finding] = check(alone, EVERYTHING).report.findings
    assert (finding.what, [hit.snapshot for hit in finding.hits]) == ("image", [image.stem])
    assert repair(alone, Sources()).after.findings
    done = repair(alone, Sources(store=context.store))
    assert (done.after.findings, done.put_back) == ((), (image.name,))
    assert fetched(store, tmp_path) == good
    assert check(alone, EVERYTHING).report.findings == ()


def test_an_image_without_a_manifest_is_told_and_left_alone(context: Context, source: Path) -> None:
    alone = over(context, context.stores[1])
    image = backup(alone, source, Reason.MANUAL).snapshot.image
    assert image is not None
    image.with_suffix(".json").unlink()
    done = check(alone, EVERYTHING)
    assert (done.report.findings, len(done.report.notes)) == ((), 1)
    assert image.name in done.report.notes[0]
    prune(alone, Policy(keep_within=None, keep_last=0))
    assert image.exists()


def test_a_manifest_is_put_back_as_this_machine_has_it(
    context: Context, source: Path, tmp_path: Path
) -> None:
    backup(context, source, Reason.MANUAL)
    context.store.snapshots()  # and so the cache has it
    [path] = (tmp_path / "blocks" / "snapshots").glob("*.json")
    good = path.read_bytes()
    path.write_bytes(good[:-40])
    assert [each.what for each in check(context).report.findings] == ["manifest"]
    done = repair(context, Sources())
    assert (len(done.put_back), done.after.findings) == (1, ())
    assert path.read_bytes() == good


def test_a_source_that_is_not_there_is_told(context: Context, source: Path, tmp_path: Path) -> None:
    backup(context, source, Reason.MANUAL)
    flip_pack(tmp_path)
    with pytest.raises(NotFoundError):
        repair(context, Sources(database=tmp_path / "nowhere.db"))


def test_a_sound_store_is_left_as_it_is(context: Context, source: Path, tmp_path: Path) -> None:
    backup(context, source, Reason.MANUAL)
    before = {p: p.read_bytes() for p in (tmp_path / "blocks").rglob("*") if p.is_file()}
    done = repair(context, Sources(database=source))
    assert (done.before.findings, done.after.findings) == ((), ())
    assert {p: p.read_bytes() for p in before} == before


def test_prune_gives_back_the_room_of_blocks(
    context: Context, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two snapshots, the older one of rows that are gone: its blocks go with it."""
    old = backup(context, source, Reason.MANUAL).snapshot.name
    with closing(sqlite3.connect(source)) as database:
        database.execute("DELETE FROM photos WHERE id > 100")
        database.commit()
        database.execute("VACUUM")
    backup(context, source, Reason.MANUAL)
    monkeypatch.setattr("junmai_svc.storage.snapshots.blocks.collecting.YOUNG", timedelta(-1))
    monkeypatch.setattr("junmai_svc.storage.snapshots.blocks.repacking.YOUNG", timedelta(-1))
    nothing = Policy(keep_within=timedelta(), keep_last=1)
    now = datetime.now(UTC)
    # A policy of nothing keeps all where no snapshot is recent: here the newest one is from now.
    later = replace(context, clock=lambda: now)
    policy = replace(nothing, keep_within=timedelta(seconds=3600))
    assert prune(later, policy).deleted == ()
    plan = plan_prune(context.store, context.journal, Policy(keep_within=None, keep_last=1), now)
    assert plan.dropped == [old]
    done = prune(later, Policy(keep_within=None, keep_last=1))
    assert done.deleted == (old,)
    assert done.freed >= plan.freed > 0
    packs = sum(p.stat().st_size for p in (tmp_path / "blocks" / "packs").rglob("*") if p.is_file())
    assert packs < 50_000
    assert check(context, EVERYTHING).report.findings == ()
    *_, last = context.journal.read(f"prune/{done.run}")
    assert last.data["bytes"] == done.freed
    assert last.data["problems"] == []


def test_where_a_map_can_not_be_read_prune_frees_nothing_and_says_so(
    context: Context, source: Path, tmp_path: Path
) -> None:
    old = backup(context, source, Reason.MANUAL).snapshot.name
    with closing(sqlite3.connect(source)) as database:
        database.execute("DELETE FROM photos WHERE id > 100")
        database.commit()
    backup(context, source, Reason.MANUAL)
    map_of_new = max((tmp_path / "blocks" / "maps").iterdir(), key=lambda p: p.stat().st_mtime_ns)
    map_of_new.write_bytes(b"noise")
    packs = sorted((tmp_path / "blocks" / "packs").rglob("*"))
    done = prune(context, Policy(keep_within=None, keep_last=1))
    assert done.deleted == (old,)
    assert map_of_new.name in done.collected.problems[0].message
    assert sorted((tmp_path / "blocks" / "packs").rglob("*")) == packs


def change_all(source: Path) -> None:
    with closing(sqlite3.connect(source)) as database:
        database.execute("UPDATE photos SET name = name || 'x'")
        database.commit()


def move_a_place(folder: Path) -> str:
    """Let the newest map say that one block is where its neighbour is; return the map's name.

    As a damaged cache could have made it before its rows were checked.
    """
    store = block_store(folder)
    name = store.find("latest").manifest.map
    assert isinstance(store.images, BlockImages)
    image_map = store.images.map(name)
    image_map.runs.lengths[-1] -= 1
    pack, first, length = [*image_map.runs][-1]
    image_map.runs.append(pack, first + length - 1, 1)
    content = encode_map(image_map, None, store.seal)[1]
    store.backend.put(f"maps/{name}", content)
    store.cache.keep_map(name, content)
    return name


@pytest.mark.parametrize("changed", [False, True])
def test_after_a_check_that_found_damage_the_next_backup_is_good(
    context: Context, source: Path, tmp_path: Path, changed: bool
) -> None:
    first = backup(context, source, Reason.MANUAL).snapshot.name
    change_all(source)
    second = backup(context, source, Reason.MANUAL).snapshot.name
    flip(max((tmp_path / "blocks" / "packs").glob("*/*"), key=lambda path: path.stat().st_mtime_ns))
    assert check(context, EVERYTHING).report.damaged == (second,)
    if changed:
        change_all(source)
    third = backup(context, source, Reason.MANUAL).snapshot.name
    assert fetched(context.store, tmp_path)
    assert check(context, EVERYTHING).report.sound == (first, third)
    plan = plan_prune(
        context.store, context.journal, Policy(keep_within=None, keep_last=1), datetime.now(UTC)
    )
    assert plan.dropped == [second, first]


def test_a_map_of_other_blocks_than_its_images_is_found_and_its_snapshots_are_not_sound(
    context: Context, source: Path, tmp_path: Path
) -> None:
    snapshot = backup(context, source, Reason.MANUAL).snapshot
    move_a_place(tmp_path)
    assert drill(context, context.store.find(snapshot.name)).result is Result.FAILED
    report = check(context, EVERYTHING).report
    assert [each.what for each in report.findings] == ["map"]
    assert snapshot.name in report.findings[0].problem
    assert (report.damaged, report.sound) == ((snapshot.name,), ())
    known = fold_soundness(context.journal.read())
    assert known.damaged_in(context.store.url) == {snapshot.name}


def test_what_a_drill_found_damaged_is_so_for_all_that_lie_in_the_same_places(
    context: Context, source: Path, tmp_path: Path
) -> None:
    first = backup(context, source, Reason.MANUAL).snapshot
    second = context.store.again(first, first.manifest)
    assert second is not None
    flip_pack(tmp_path)
    assert drill(context, first).result is Result.FAILED
    plan = plan_prune(context.store, context.journal, Policy(), datetime.now(UTC))
    assert [each.candidate.damaged for each in plan.decisions] == [True, True]
    backup(context, source, Reason.MANUAL)
    listed = list_snapshots(context.stores[:1], (), context.journal).snapshots
    assert [each.copies[0].damaged for each in listed] == [False, True, True]


def test_a_map_of_other_blocks_is_made_anew_by_a_repair(
    context: Context, source: Path, tmp_path: Path
) -> None:
    snapshot = backup(context, source, Reason.MANUAL).snapshot
    good = fetched(context.store, tmp_path)
    name = move_a_place(tmp_path)
    alone = repair(context, Sources())
    assert (alone.after.damaged, alone.after.sound) == ((snapshot.name,), ())
    done = repair(context, Sources(store=context.stores[1]))
    assert (done.mended.rebuilt, done.after.findings) == ((name,), ())
    assert done.after.sound == (snapshot.name,)
    assert fetched(context.store, tmp_path) == good
    assert list(context.store.backend.list("state/marks/")) == []
    assert check(context, EVERYTHING).report.sound == (snapshot.name,)


def test_a_check_of_a_sound_store_lets_backups_build_on_it_again(
    context: Context, source: Path, tmp_path: Path
) -> None:
    backup(context, source, Reason.MANUAL)
    path = flip_pack(tmp_path)
    check(context, EVERYTHING)
    flip(path)
    assert check(context, EVERYTHING).report.findings == ()
    again = backup(context, source, Reason.MANUAL).snapshot
    assert again.manifest.new_bytes == 0
