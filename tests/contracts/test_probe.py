"""A probe claims what it saw, nothing else, and leaves nothing behind."""

from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.contracts import s3_server
from tests.contracts.faulty_server import FINE, Mishap, Plan, Request, in_front_of
from tests.contracts.memory import LIKE_A_DISK, LIKE_S3, MemoryBackend, Place

from junmai_svc.storage.backends.base import NOTHING_SEEN, Backend, Capabilities
from junmai_svc.storage.backends.local import LocalBackend
from junmai_svc.storage.backends.probe import probe
from junmai_svc.storage.errors import NotFoundError, StorageUnavailableError

LOCK_SECONDS = 2.0


def probed(backend: Backend) -> Capabilities:
    seen = probe(backend, LOCK_SECONDS)
    assert list(backend.list()) == []
    return seen


@pytest.mark.parametrize(
    ("kind", "seen"),
    [
        ("plain", Capabilities(conditional_put=True)),
        ("versioned", Capabilities(conditional_put=True, versioning=True)),
        ("lockable", LIKE_S3),
    ],
)
def test_a_server_that_honours_everything(server: str, kind: str, seen: Capabilities) -> None:
    bucket = s3_server.make_bucket(
        server, versioned=kind == "versioned", lockable=kind == "lockable"
    )
    with s3_server.backend_at(server, bucket, "p") as backend:
        assert probed(backend) == seen
        left = s3_server.client_of(server).list_object_versions(Bucket=bucket)
        assert "Versions" not in left
        assert "DeleteMarkers" not in left


def test_a_server_that_ignores_conditions_and_locks_is_believed_neither(server: str) -> None:
    ignored = {
        "if-none-match",
        "x-amz-object-lock-mode",
        "x-amz-object-lock-retain-until-date",
    }
    plan = Plan(lambda _: Mishap(drop=frozenset(ignored)))
    bucket = s3_server.make_bucket(server, lockable=True)
    with in_front_of(server, plan) as url, s3_server.backend_at(url, bucket) as backend:
        assert probed(backend) == Capabilities(versioning=True)
        first = backend.put("name", b"first", if_absent=True)
        second = backend.put("name", b"second", if_absent=True)
        assert (first, second) == (True, False)


@pytest.mark.parametrize("status", [400, 501])
def test_a_server_that_refuses_what_it_does_not_know(server: str, status: int) -> None:
    unknown = ("if-none-match", "x-amz-object-lock-mode", "x-amz-checksum-sha256")

    def refuse(request: Request) -> Mishap:
        known = not set(unknown) & set(request.headers) and "?versions" not in request.path
        return FINE if known else Mishap(forward=False, status=status)

    bucket = s3_server.make_bucket(server)
    with in_front_of(server, Plan(refuse)) as url, s3_server.backend_at(url, bucket) as backend:
        assert probed(backend) == NOTHING_SEEN


def test_a_server_that_records_a_lock_but_deletes_all_the_same(server: str) -> None:
    """What it says of the lock is right, so only the attempt tells."""
    plan = Plan()
    bucket = s3_server.make_bucket(server, lockable=True)
    client = s3_server.client_of(server)

    def delete_for_real(request: Request) -> Mishap:
        if request.method != "DELETE":
            return FINE
        key, _, version = request.path.removeprefix(f"/{bucket}/").partition("?versionId=")
        client.delete_object(
            Bucket=bucket, Key=key, VersionId=version, BypassGovernanceRetention=True
        )
        return Mishap(forward=False, status=204)

    plan.decide = delete_for_real
    with in_front_of(server, plan) as url, s3_server.backend_at(url, bucket) as backend:
        assert probed(backend).object_lock is False


def test_a_probe_that_finds_nobody_knows_nothing(server: str) -> None:
    with (
        s3_server.backend_at("http://127.0.0.1:9", "bucket", attempts=1) as backend,
        pytest.raises(StorageUnavailableError),
    ):
        probe(backend)
    with s3_server.backend_at(server, "missing-bucket") as backend, pytest.raises(NotFoundError):
        probe(backend)


def test_a_folder_honours_what_its_file_system_can(tmp_path: Path) -> None:
    assert probed(LocalBackend(tmp_path / "store")) == LIKE_A_DISK
    with closing(LocalBackend(tmp_path / "nowhere")) as backend:
        assert backend.capabilities() == NOTHING_SEEN
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize(
    "honours",
    [NOTHING_SEEN, LIKE_A_DISK, LIKE_S3, Capabilities(object_lock=True)],
    ids=["nothing", "a disk", "S3", "locks"],
)
def test_what_a_place_in_memory_really_does_is_seen(honours: Capabilities) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)

    def sleep(seconds: float) -> None:
        nonlocal now
        now += timedelta(seconds=seconds)

    boasting = Capabilities(conditional_put=True, object_lock=True, versioning=True)
    backend = MemoryBackend(Place(honours, lambda: now), seen=boasting)
    assert probe(backend, sleep=sleep) == honours
    assert list(backend.list()) == []
    assert probe(backend.trusting(honours), sleep=sleep) == honours
