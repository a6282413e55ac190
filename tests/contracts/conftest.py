"""Places for the contract: each backend, in each of its variants."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from tests.contracts import s3_server
from tests.contracts.memory import LIKE_A_DISK, LIKE_S3, MemoryBackend, Place

from junmai_svc.storage.backends.base import NOTHING_SEEN, Backend, Capabilities
from junmai_svc.storage.backends.bucket import BucketBackend
from junmai_svc.storage.backends.local import LocalBackend
from junmai_svc.storage.backends.s3 import Connection

BELIEFS = {
    "bucket, nothing seen": NOTHING_SEEN,
    "bucket with conditions": Capabilities(conditional_put=True),
    "bucket with locks": LIKE_S3,
}


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in s3_server.ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    for name in s3_server.FOREIGN:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    with s3_server.running() as url:
        yield url


@pytest.fixture(scope="session")
def connections() -> Iterator[dict[str, Connection]]:
    """Connections by kind of bucket: making a client takes boto3 a quarter of a second."""
    made: dict[str, Connection] = {}
    yield made
    for connection in made.values():
        connection.close()


@pytest.fixture(params=["folder", "memory like a disk", "memory like S3", *BELIEFS])
def backend(
    request: pytest.FixtureRequest, tmp_path: Path, connections: dict[str, Connection]
) -> Backend:
    """An empty place of each kind."""
    kind: str = request.param
    if kind == "folder":
        return LocalBackend(tmp_path / "a store")
    if kind not in BELIEFS:
        return MemoryBackend(Place(LIKE_A_DISK if kind == "memory like a disk" else LIKE_S3))
    if kind not in connections:
        url: str = request.getfixturevalue("server")
        bucket = s3_server.make_bucket(url, lockable=kind == "bucket with locks")
        connections[kind] = Connection(bucket, s3_server.quick(url))
    return BucketBackend(connections[kind], f"some where/é/{uuid4().hex}", BELIEFS[kind])
