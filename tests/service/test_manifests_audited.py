"""What a manifest says beside the checksum is held against its event; right rewriting is none."""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from tests.harness.databases import make_oldest
from tests.harness.stores import object_store, sealed

from junmai_svc.checks.proof import Question
from junmai_svc.service.audit.verify import verify_journal
from junmai_svc.service.backup import backup
from junmai_svc.service.context import Context
from junmai_svc.service.copy import Which, copy
from junmai_svc.service.repair import Sources, repair
from junmai_svc.storage.backends.local import LocalBackend
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.snapshots.base import SnapshotStore
from junmai_svc.storage.snapshots.blocks.sealing import Kind, Place
from junmai_svc.storage.snapshots.manifest import Reason, TableFacts, encode, parse_manifest
from junmai_svc.storage.snapshots.objects import ObjectStore
from junmai_svc.storage.snapshots.store import FileStore

ROOT = Path(__file__).parents[1]


def in_blocks(folder: Path) -> SnapshotStore:
    return object_store(LocalBackend(folder), folder.with_name(f"{folder.name} cache"))


def in_sealed_blocks(folder: Path) -> SnapshotStore:
    cache = folder.with_name(f"{folder.name} cache")
    return object_store(LocalBackend(folder), cache, seal=sealed())


def whole_objects(folder: Path) -> SnapshotStore:
    return object_store(LocalBackend(folder), folder.with_name(f"{folder.name} cache"), "file")


Make = Callable[[Path], SnapshotStore]
STORES: dict[str, Make] = {
    "images": FileStore,
    "blocks": in_blocks,
    "sealed blocks": in_sealed_blocks,
    "images as objects": whole_objects,
}


def doubts(journal: Journal, store: SnapshotStore) -> list[str]:
    verdicts = verify_journal(journal.path, [store]).verdicts
    (objects,) = (each for each in verdicts if each.question is Question.OBJECTS)
    return [doubt.message for doubt in objects.doubts]


def listed(store: SnapshotStore, name: str) -> str:
    if isinstance(store, ObjectStore):
        return store.images.manifest_object(name)
    return f"{name}.json"


def edited(store: SnapshotStore, name: str, **fields: object) -> None:
    """Change fields of a manifest as who has the store, and its key, can."""
    manifest = msgspec.structs.replace(store.find(name).manifest, **fields)
    content = encode(manifest)
    if isinstance(store, ObjectStore):
        content = store.seal.close(content, Place(Kind.MANIFEST, name.encode()))
    store.backend.put(listed(store, name), content)


@pytest.mark.parametrize("kind", STORES)
@pytest.mark.parametrize(
    "fields",
    [
        {"reason": Reason.PRE_RESTORE},
        {"created_at": "2020-01-01T00:00:00.000000+00:00"},
        {"whole_path": "/another/junmai.db"},
        {"tables": {"sessions": TableFacts(rows=1)}},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_an_edited_manifest_is_named_where_it_was_backed_up_and_where_it_was_copied(
    journal: Journal, tmp_path: Path, kind: str, fields: dict[str, object]
) -> None:
    here, there = (STORES[kind](tmp_path / name) for name in ("here", "there"))
    source = make_oldest(tmp_path / "junmai.db")
    backup(Context(journal, (here,)), source, Reason.MANUAL)
    one, other = (Context(journal, (store,)) for store in (here, there))
    [copied] = copy(one, other, Which()).copied
    for store in (here, there):
        assert doubts(journal, store) == []
        edited(store, copied.name, **fields)
        assert "says something else" in " ".join(doubts(journal, store))


@pytest.mark.parametrize("kind", STORES)
def test_what_is_put_back_from_another_store_raises_no_alarm(
    journal: Journal, tmp_path: Path, kind: str
) -> None:
    """Nor where that store has another snapshot of the same image under the same name."""
    here, there = STORES[kind](tmp_path / "here"), FileStore(tmp_path / "there")
    source = make_oldest(tmp_path / "junmai.db")
    backup(Context(journal, (here,)), source, Reason.MANUAL)
    one, other = (Context(journal, (store,)) for store in (here, there))
    [copied] = copy(one, other, Which()).copied
    name = copied.name
    for reason in (Reason.MANUAL, Reason.SCHEDULED):
        edited(there, name, reason=reason)
        here.backend.put(listed(here, name), b"{")
        if isinstance(here, ObjectStore):
            shutil.rmtree(here.cache.scratch.parent, ignore_errors=True)
        assert doubts(journal, here)
        assert repair(one, Sources(store=there)).after.findings == ()
        assert here.find(name).manifest.reason is reason
        assert doubts(journal, here) == []


def test_an_unchanged_database_and_one_backed_up_into_several_stores(
    journal: Journal, tmp_path: Path
) -> None:
    stores = (in_blocks(tmp_path / "one"), in_sealed_blocks(tmp_path / "other"))
    source = make_oldest(tmp_path / "junmai.db")
    # So much later that the file counts as at rest.
    times = iter(datetime.now(UTC) + timedelta(hours=hours) for hours in range(1, 9))
    context = Context(journal, stores, clock=lambda: next(times), cache=tmp_path / "cache")
    backup(context, source, Reason.MANUAL)
    assert backup(context, source, Reason.SCHEDULED).examination is None
    one, other = (
        {each.name: each.manifest.digest for each in store.snapshots()[0]} for store in stores
    )
    assert len(one) == 2
    assert one == other
    for store in stores:
        assert doubts(journal, store) == []


def test_the_digest_of_a_released_manifest_stays_what_it_is() -> None:
    """Else an upgrade would raise alarms: a new field has an empty default."""
    content = (ROOT / "golden" / "manifest_v1.json").read_bytes()
    name = msgspec.json.decode(content)["name"]
    manifest = parse_manifest(content, name, "golden", "file")
    assert manifest.digest == "24d02ca8044d5985f48d9e679c4f0edc764b775e73184134d3be6e68814a367a"
    elsewhere = msgspec.structs.replace(
        manifest, layout="blocks", map="0" * 32, new_bytes=7, backup_path="s3://bucket"
    )
    assert elsewhere.digest == manifest.digest
