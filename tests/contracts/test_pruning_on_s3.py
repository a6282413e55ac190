"""Pruning over real HTTP: versions and locks with their dates."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from tests.contracts import s3_server
from tests.contracts.memory import LIKE_S3, Place
from tests.storage.snapshots.blocks.machines import Machine, image_of, name_of

from junmai_svc.storage.backends.base import RetainedError
from junmai_svc.storage.backends.bucket import BucketBackend
from junmai_svc.storage.backends.s3 import Connection
from junmai_svc.storage.snapshots.blocks import collecting, repacking
from junmai_svc.storage.snapshots.blocks.places import MAPS, PACKS

A, B, C = (name_of(number) for number in range(3))
LATER = (datetime.now(UTC) + timedelta(days=1)).replace(microsecond=0)


@pytest.fixture
def backend(server: str, connections: dict[str, Connection]) -> BucketBackend:
    if "pruned" not in connections:
        bucket = s3_server.make_bucket(server, lockable=True)
        connections["pruned"] = Connection(bucket, s3_server.quick(server))
    return BucketBackend(connections["pruned"], f"pruned/{uuid4().hex}", LIKE_S3)


@pytest.fixture(autouse=True)
def _nothing_is_young(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (collecting, repacking):
        monkeypatch.setattr(module, "YOUNG", timedelta(days=-1))


Make = Callable[..., Machine]


@pytest.fixture
def machine(backend: BucketBackend, tmp_path: Path) -> Make:
    def make(until: datetime | None = None) -> Machine:
        folder = tmp_path / uuid4().hex
        return Machine(Place(), folder, backend=backend, retain_until=lambda: until)

    return make


def names(backend: BucketBackend) -> list[str]:
    return [found.name for found in backend.list()]


def test_what_nothing_leads_to_is_deleted_with_all_its_versions(
    backend: BucketBackend, machine: Make
) -> None:
    user = machine()
    user.backup(A, image_of(range(300)))
    user.backup(B, image_of(range(200, 500)))
    user.drop(A)
    user.images.tidy()
    deleted = user.collect().deleted
    assert len(deleted) == 1  # the map; B needs blocks of the pack
    done = user.images.repack(None)
    assert (done.maps, done.problems) == (1, ())
    assert len(user.collect().deleted) == 1
    assert user.restore(B) == image_of(range(200, 500))
    assert sorted(name.split("/")[0] for name in names(backend)) == [
        "maps",
        "packs",
        "packs",
        "snapshots",
    ]
    for name in (*deleted, *done.packs):
        versions, markers = backend._versions(backend._key(name), "look")
        assert (versions, markers) == ([], [])


def test_locked_objects_are_skipped_and_told_with_their_date(
    backend: BucketBackend, machine: Make
) -> None:
    user = machine(LATER)
    user.backup(A, image_of(range(300)))
    with pytest.raises(RetainedError) as caught:
        user.drop(A)
    assert caught.value.retain_until == LATER
    # Another machine, whose store has no locks any more, adds what can be deleted.
    free = machine()
    free.backup(B, image_of(range(1_000, 1_300)))
    free.drop(B)
    deleted = free.collect().deleted
    assert sorted(name.split("/")[0] for name in deleted) == ["maps", "packs"]
    assert user.restore(A) == image_of(range(300))
    # What an expired lock of the manifest leaves is locked itself, a little longer.
    backend._connection.call(
        "delete_object", "hide a manifest", Key=backend._key(f"snapshots/{A}.json")
    )
    done = free.collect()
    assert done.deleted == {}
    assert [(each.name.split("/")[0], each.until) for each in done.locked] == [
        ("maps", LATER),
        ("packs", LATER),
    ]
    assert [n for n in names(backend) if n.startswith((MAPS, PACKS))]
    assert not [n for n in names(backend) if n.startswith("state/")]
