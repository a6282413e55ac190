"""Stores of every kind: each layout over each backend, sealed and not, and a folder of images."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from tests.contracts import s3_server
from tests.contracts.memory import LIKE_A_DISK, LIKE_S3, MemoryBackend, Place
from tests.harness.stores import object_store, sealed

from junmai_svc.storage.backends.base import NOTHING_SEEN, Backend, Capabilities
from junmai_svc.storage.backends.bucket import BucketBackend
from junmai_svc.storage.backends.local import LocalBackend
from junmai_svc.storage.backends.s3 import Connection
from junmai_svc.storage.snapshots.base import SnapshotStore
from junmai_svc.storage.snapshots.store import FileStore

FOLDER = "folder of images"
KINDS = (
    FOLDER,
    "blocks in folder",
    "blocks in disk in memory",
    "blocks in S3 in memory",
    "blocks in bucket",
    "blocks in bucket without conditions",
    "sealed blocks in folder",
    "sealed blocks in bucket",
    "file in folder",
    "file in S3 in memory",
    "file in bucket",
    "file in bucket without conditions",
)


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in s3_server.ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    for name in s3_server.FOREIGN:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def connection() -> Iterator[Connection]:
    """A bucket on a server next door."""
    with s3_server.running() as url:
        connection = Connection(s3_server.make_bucket(url), s3_server.quick(url))
        yield connection
        connection.close()


def place(kind: str, folder: Path, request: pytest.FixtureRequest) -> Backend:
    """An empty place of a kind."""
    if kind == "folder":
        return LocalBackend(folder / "a store")
    if kind.endswith("in memory"):
        return MemoryBackend(Place(LIKE_A_DISK if kind.startswith("disk") else LIKE_S3))
    seen = Capabilities(conditional_put=True) if kind == "bucket" else NOTHING_SEEN
    return BucketBackend(request.getfixturevalue("connection"), f"of/{uuid4().hex}", seen)


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> SnapshotStore:
    """An empty store of each kind."""
    kind: str = request.param
    if kind == FOLDER:
        return FileStore(tmp_path / "backups")
    layout, _, where = kind.partition(" in ")
    seal = sealed() if layout.startswith("sealed") else None
    backend = place(where, tmp_path, request)
    return object_store(backend, tmp_path / "cache", layout.rpartition(" ")[2], seal)
