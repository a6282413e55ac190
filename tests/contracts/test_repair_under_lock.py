"""A store under object lock that somebody with its credentials has put rubbish over, mended."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from tests.contracts import s3_server
from tests.contracts.memory import LIKE_S3
from tests.harness.stores import NOON, fetched, image_of, object_store, stored, stored_as

from junmai_svc.service.check import EVERYTHING, check
from junmai_svc.service.context import Context
from junmai_svc.service.repair import Sources, repair
from junmai_svc.storage.backends.bucket import BucketBackend
from junmai_svc.storage.backends.s3 import Connection
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.snapshots.base import SnapshotStore
from junmai_svc.storage.snapshots.store import FileStore

FIRST, SECOND = image_of(*range(300)), image_of(*range(100, 400))
LATER = (datetime.now(UTC) + timedelta(days=1)).replace(microsecond=0)


@pytest.fixture
def context(server: str, connections: dict[str, Connection], tmp_path: Path) -> Iterator[Context]:
    """A store whose every object is locked, with two snapshots."""
    if "mended" not in connections:
        bucket = s3_server.make_bucket(server, lockable=True)
        connections["mended"] = Connection(bucket, s3_server.quick(server))
    backend = BucketBackend(connections["mended"], f"mended/{uuid4().hex}", LIKE_S3)
    path = tmp_path / "journal.db"
    with Journal.open(path, create=True, actor="a@b", clock=lambda: NOON, tool_version="0") as own:
        store = object_store(backend, tmp_path / "cache", retain_until=lambda: LATER)
        stored(store, FIRST, NOON)
        stored(store, SECOND, NOON + timedelta(hours=1))
        yield Context(own, (store,))


def elsewhere(context: Context, folder: Path) -> SnapshotStore:
    """Another store with the same snapshots."""
    store = FileStore(folder / "other")
    for snapshot in reversed(context.store.snapshots()[0]):
        stored_as(store, fetched(context.store, snapshot, folder), snapshot.name)
    return store


@pytest.mark.parametrize("has_other", [True, False])
def test_a_damaged_pack_is_replaced_although_the_maps_that_name_it_are_locked(
    context: Context, tmp_path: Path, *, has_other: bool
) -> None:
    """Where no other store has it, what somebody put it over has."""
    store, other = context.store, elsewhere(context, tmp_path)
    for pack in [*store.backend.list("packs/")]:
        content = bytearray(store.backend.get(pack.name, pack.size))
        content[len(content) // 3] ^= 1
        store.backend.put(pack.name, bytes(content))
    assert len(check(context, EVERYTHING).report.damaged) == 2
    assert repair(context, Sources(other if has_other else None)).after.findings == ()
    assert check(context, EVERYTHING).report.findings == ()
    images = [fetched(store, each, tmp_path) for each in store.snapshots()[0]]
    assert images == [SECOND, FIRST]


@pytest.mark.parametrize("layers", [1, 2])
def test_what_somebody_put_over_a_manifest_leaves_the_one_beneath(
    context: Context, layers: int, tmp_path: Path
) -> None:
    store = context.store
    first = store.snapshots()[0][-1].name
    for layer in range(layers):
        store.backend.put(f"snapshots/{first}.json", b"{" * (layer + 1))
    assert check(context).report.damaged == (first,)
    done = repair(context, Sources())
    assert (done.after.findings, done.put_back, done.aside) == (
        (),
        (f"snapshots/{first}.json",),
        (),
    )
    assert fetched(store, first, tmp_path) == FIRST
    assert check(context, EVERYTHING).report.findings == ()
