"""A manifest that can't be used is taken from another store, or put out of the way."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from tests.harness.stores import NOON, fetched, image_of, names, object_store, stored, stored_as

from junmai_svc.service.check import EVERYTHING, check
from junmai_svc.service.context import Context
from junmai_svc.service.copy import Which, copy
from junmai_svc.service.prune import prune
from junmai_svc.service.repair import Sources, repair
from junmai_svc.service.retention import Policy
from junmai_svc.storage.backends.base import RetainedError
from junmai_svc.storage.backends.local import LocalBackend
from junmai_svc.storage.journal.events import event_type, stream_name
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.journal.uuid7 import uuid7
from junmai_svc.storage.snapshots.base import SnapshotStore
from junmai_svc.storage.snapshots.manifest import encode
from junmai_svc.storage.snapshots.objects import ObjectStore
from junmai_svc.storage.snapshots.store import FileStore

FIRST, SECOND = image_of(*range(300)), image_of(*range(100, 400))
LAYOUTS = ["blocks", "objects", "folder"]


def store_in(folder: Path, layout: str) -> SnapshotStore:
    """A store in a local folder."""
    if layout == "folder":
        return FileStore(folder / "store")
    kind = {"blocks": "blocks", "objects": "file"}[layout]
    return object_store(LocalBackend(folder / "store"), folder / "cache", kind)


@pytest.fixture(params=LAYOUTS)
def context(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Context]:
    """A store with two snapshots, of which nothing is cached."""
    path = tmp_path / "journal.db"
    with Journal.open(path, create=True, actor="a@b", clock=lambda: NOON, tool_version="0") as own:
        store = store_in(tmp_path, request.param)
        stored(store, FIRST, NOON)
        stored(store, SECOND, NOON + timedelta(hours=1))
        yield Context(own, (store,))


@pytest.fixture
def other(context: Context, tmp_path: Path) -> SnapshotStore:
    """Another store with the same snapshots."""
    store = FileStore(tmp_path / "other")
    for snapshot in reversed(context.store.snapshots()[0]):
        stored_as(store, fetched(context.store, snapshot, tmp_path), snapshot.name)
    return store


@pytest.fixture
def manifest(context: Context, tmp_path: Path) -> Path:
    """The manifest of the first snapshot, which the machine's cache does not hold."""
    name = names(context.store)[-1]
    if isinstance(context.store, ObjectStore):
        context.store.cache.forget_manifest(name)
    return next((tmp_path / "store").rglob(f"{name}.json"))


def damage(path: Path) -> None:
    path.write_bytes(b"{")


def lie(path: Path) -> None:
    """Make a manifest tell of another size, as one does whose store has been tampered with."""
    path.write_bytes(path.read_bytes().replace(b'"file_size": ', b'"file_size": 1'))


def test_a_damaged_one_is_told_with_its_snapshot(context: Context, manifest: Path) -> None:
    damage(manifest)
    report = check(context).report
    assert [finding.what for finding in report.findings] == ["manifest"]
    assert report.damaged == (manifest.stem,)


@pytest.mark.parametrize("how", [damage, lie])
def test_it_is_taken_from_another_store_that_has_the_snapshot(
    context: Context,
    other: SnapshotStore,
    manifest: Path,
    how: Callable[[Path], None],
    tmp_path: Path,
) -> None:
    if how is lie and context.store.layout == "file":
        pytest.skip("there the image is what disagrees")
    before = names(context.store)
    how(manifest)
    done = repair(context, Sources(store=other))
    assert (done.before.damaged, done.after.findings) == ((manifest.stem,), ())
    assert [Path(place).name for place in done.put_back] == [manifest.name]
    assert names(context.store) == before
    assert fetched(context.store, manifest.stem, tmp_path) == FIRST
    assert check(context, EVERYTHING).report.findings == ()
    assert prune(context, Policy(keep_within=None, keep_last=0)).collected.problems == ()


def test_nothing_is_stored_twice_for_it(
    context: Context, other: SnapshotStore, manifest: Path, tmp_path: Path
) -> None:
    def images() -> list[Path]:
        kinds = ("*.db", "packs/*/*")
        return sorted(path for kind in kinds for path in (tmp_path / "store").glob(kind))

    before = images()
    damage(manifest)
    repair(context, Sources(store=other))
    assert images() == before


def test_without_another_store_it_is_put_aside_and_told_once(
    context: Context, other: SnapshotStore, manifest: Path, tmp_path: Path
) -> None:
    damage(manifest)
    done = repair(context, Sources())
    [finding] = done.after.findings
    assert "put aside" in finding.problem
    assert done.after.damaged == (manifest.stem,)
    assert [Path(place).name.rpartition(".")[0] for place in done.aside] == [manifest.name]
    [kept] = [each for each in (tmp_path / "store/quarantine").rglob("*.json.*") if each.is_file()]
    assert kept.read_bytes() == b"{"
    assert check(context).report.findings == ()
    assert copy(Context(context.journal, (other,)), context, Which()).not_copied == ()
    assert fetched(context.store, manifest.stem, tmp_path) == FIRST


def test_another_image_of_its_name_is_not_taken(
    context: Context, other: SnapshotStore, manifest: Path
) -> None:
    run = uuid7()
    start = {"store": context.store.url, "database": "/d/a.db", "process": {"folder": "/d"}}
    was = {"snapshot": manifest.stem, "store": context.store.url, "checksum": "1" * 64, "size": 10}
    for name, data in (("started", start), ("stored", was), ("verified", {})):
        stream = stream_name("backup", run)
        context.journal.append(stream, event_type("backup", name), data, correlation=run)
    damage(manifest)
    done = repair(context, Sources(store=other))
    assert (done.put_back, done.after.damaged) == ((), (manifest.stem,))
    assert manifest.stem not in names(context.store)


def test_an_image_that_is_damaged_too_is_replaced_with_it(
    context: Context, other: SnapshotStore, manifest: Path, tmp_path: Path
) -> None:
    if context.store.layout == "blocks":
        pytest.skip("blocks are another matter")
    manifest.with_suffix(".db").write_bytes(b"noise")
    damage(manifest)
    assert repair(context, Sources(store=other)).after.findings == ()
    assert fetched(context.store, manifest.stem, tmp_path) == FIRST


def test_one_of_a_newer_format_is_whole_and_stays(
    context: Context, other: SnapshotStore, manifest: Path
) -> None:
    newer = manifest.read_bytes().replace(b'"format": 1', b'"format": 99')
    manifest.write_bytes(newer)
    for source in (Sources(), Sources(store=other)):
        done = repair(context, source)
        assert (done.put_back, done.aside, len(done.after.findings)) == ((), (), 1)
        assert "newest junmai-svc" in done.after.findings[0].hint
    assert manifest.read_bytes() == newer


def test_one_that_can_not_be_moved_stays_and_is_told(
    context: Context, manifest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object) -> None:
        raise RetainedError("locked", "Wait.", None)

    damage(manifest)
    monkeypatch.setattr(LocalBackend, "rename", refuse)
    monkeypatch.setattr("junmai_svc.service.manifest_repair.switch_in", refuse)
    done = repair(context, Sources())
    assert (done.aside, done.after.damaged) == ((), (manifest.stem,))
    assert manifest.exists()


def test_what_this_machine_remembers_of_a_false_one_is_not_put_back(
    context: Context, other: SnapshotStore, manifest: Path
) -> None:
    """A false manifest is cached like any other, once it was listed."""
    store = context.store
    if store.layout == "file":
        pytest.skip("only blocks have maps")
    good = store.find(manifest.stem).manifest
    manifest.write_bytes(encode(msgspec.structs.replace(good, file_size=good.file_size + 1)))
    store.snapshots()
    assert repair(context, Sources(store=other)).after.findings == ()
    assert store.find(manifest.stem).manifest.file_size == good.file_size
