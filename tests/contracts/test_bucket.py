"""What only a bucket has: prefixes, versions, locks, parts, long listings, encryption."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends
from tests.contracts import s3_server
from tests.contracts.memory import LIKE_S3

from junmai_svc.storage.backends.base import Capabilities, RetainedError
from junmai_svc.storage.backends.bucket import BucketBackend
from junmai_svc.storage.backends.uploads import PART
from junmai_svc.storage.errors import NotFoundError, UsageError

LIMIT = 1 << 26
VERSIONED = Capabilities(versioning=True)


@contextmanager
def bucket(
    server: str, *, versioned: bool = False, lockable: bool = False
) -> Iterator[tuple[str, Any]]:
    """A new bucket's name, and boto3's own client to look into it."""
    name = s3_server.make_bucket(server, versioned=versioned, lockable=lockable)
    yield name, s3_server.client_of(server)


def names(backend: BucketBackend) -> list[str]:
    return [found.name for found in backend.list()]


def versions(client: Any, name: str) -> int:
    found = client.list_object_versions(Bucket=name)
    return len(found.get("Versions", [])) + len(found.get("DeleteMarkers", []))


def test_backends_below_different_prefixes_do_not_see_each_other(server: str) -> None:
    with (
        bucket(server) as (name, client),
        s3_server.backend_at(server, name, "a") as a,
        s3_server.backend_at(server, name, "a/b") as ab,
        s3_server.backend_at(server, name, "ab") as other,
        s3_server.backend_at(server, name) as whole,
    ):
        other.put("x", b"")
        ab.put("x", b"")
        a.put("x", b"")
        assert (names(a), names(ab), names(other)) == (["b/x", "x"], ["x"], ["x"])
        assert names(whole) == ["a/b/x", "a/x", "ab/x"]
        assert [found["Key"] for found in client.list_objects_v2(Bucket=name)["Contents"]] == [
            "a/b/x",
            "a/x",
            "ab/x",
        ]
        assert a.url == f"s3://{name}/a"
        assert whole.url == f"s3://{name}"


def test_a_listing_goes_on_beyond_a_thousand_names(server: str) -> None:
    expected = [f"packs/{number:04}" for number in range(2_345)]
    with bucket(server) as (name, _), s3_server.backend_at(server, name, "p") as backend:
        # Behind the server's back, as putting them takes it ten seconds.
        held = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
        for expect in reversed(expected):
            held.put_object(name, f"p/{expect}", b"")
        assert names(backend) == expected
        assert [found.name for found in backend.list("packs/1")] == expected[1000:2000]


def test_what_others_put_under_impossible_names_is_passed_over(server: str) -> None:
    with bucket(server) as (name, client), s3_server.backend_at(server, name, "p") as backend:
        held = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]  # not over HTTP, which tidies up paths
        for key in ("p/folder/", "p/../x", "p//x", "p/a/./b", "p/new\nline"):
            held.put_object(name, key, b"")
        assert client.list_objects_v2(Bucket=name)["KeyCount"] == 5
        backend.put("good", b"")
        assert names(backend) == ["good"]


def test_a_name_too_long_together_with_its_prefix_is_refused(server: str) -> None:
    with bucket(server) as (name, _), s3_server.backend_at(server, name, "p" * 250) as backend:
        long = "/".join(["x" * 193] * 4)
        assert len(long) == 775
        with pytest.raises(UsageError, match="too long"):
            backend.put(long, b"")
        assert backend.put(long[:773], b"") is True
        assert names(backend) == [long[:773]]


def test_a_large_file_goes_up_in_parts_and_comes_back(server: str, tmp_path: Path) -> None:
    content = os.urandom(1 << 20) * 33
    file = tmp_path / "file"
    file.write_bytes(content)
    with bucket(server) as (name, client), s3_server.backend_at(server, name) as backend:
        assert backend.put("large", file) is True
        assert client.head_object(Bucket=name, Key="large")["ETag"].endswith('-3"')
        assert backend.get("large", LIMIT) == content
        assert backend.put("large", file, if_absent=True) is False


SEND_AND_FETCH = """
import pathlib, resource, sys
from tests.contracts import s3_server

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

folder, url, name = sys.argv[1:]
with s3_server.backend_at(url, name) as backend:
    backend.put("warm", b"up")
    before = peak()
    backend.put("large", pathlib.Path(folder, "file"))
    sent = peak()
    backend.fetch("large", pathlib.Path(folder, "back"), 1 << 30)
    print(sent - before, peak() - sent)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="the peak is not told there")
def test_memory_does_not_grow_with_the_file(server: str, tmp_path: Path) -> None:
    """Sends and fetches 80 MiB in a process of its own, which grows by three parts and no more."""
    file = tmp_path / "file"
    with file.open("wb") as writing:
        writing.truncate(80 << 20)
    with bucket(server) as (name, _):
        done = subprocess.run(
            [sys.executable, "-c", SEND_AND_FETCH, str(tmp_path), server, name],
            check=True,
            capture_output=True,
            text=True,
            cwd=Path(__file__).parents[2],
        )
    unit = 1 if sys.platform == "darwin" else 1024
    sending, fetching = (int(grown) * unit for grown in done.stdout.split())
    assert sending < 3 * PART
    assert fetching < PART
    assert (tmp_path / "back").stat().st_size == file.stat().st_size


def test_delete_frees_every_version_and_no_older_one_comes_up(server: str) -> None:
    for seen in (Capabilities(), VERSIONED):
        with (
            bucket(server, versioned=True) as (name, client),
            s3_server.backend_at(server, name, "", seen) as backend,
        ):
            for content in (b"1", b"2", b"3"):
                backend.put("name", content)
            backend.put("name and more", b"")
            assert versions(client, name) == 4
            backend.delete("name")
            backend.delete("name")
            assert names(backend) == ["name and more"]
            assert versions(client, name) == 1


def test_delete_removes_what_a_marker_hides(server: str) -> None:
    with (
        bucket(server, versioned=True) as (name, client),
        s3_server.backend_at(server, name, "", VERSIONED) as backend,
    ):
        backend.put("name", b"1")
        client.delete_object(Bucket=name, Key="name")
        assert names(backend) == []
        backend.delete("name")
        assert versions(client, name) == 0


def test_a_locked_version_keeps_all_of_them(server: str) -> None:
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    with (
        bucket(server, lockable=True) as (name, client),
        s3_server.backend_at(server, name, "", LIKE_S3) as backend,
    ):
        backend.put("name", b"1")
        backend.put("name", b"2", retain_until=until)
        backend.put("name", b"3")
        with pytest.raises(RetainedError, match=f"{until:%Y-%m-%d}") as caught:
            backend.delete("name")
        assert caught.value.retain_until == until
        assert backend.get("name", LIMIT) == b"3"
        assert versions(client, name) == 3


def test_a_legal_hold_is_a_lock_without_a_date(server: str) -> None:
    with (
        bucket(server, lockable=True) as (name, client),
        s3_server.backend_at(server, name, "", LIKE_S3) as backend,
    ):
        backend.put("name", b"1")
        client.put_object_legal_hold(Bucket=name, Key="name", LegalHold={"Status": "ON"})
        assert backend.stat("name").held
        with pytest.raises(RetainedError, match="legal hold") as caught:
            backend.delete("name")
        assert caught.value.retain_until is None
        client.put_object_legal_hold(Bucket=name, Key="name", LegalHold={"Status": "OFF"})
        backend.delete("name")
        assert versions(client, name) == 0


def test_a_lock_that_is_over_keeps_nothing(server: str) -> None:
    with (
        bucket(server, lockable=True) as (name, client),
        s3_server.backend_at(server, name, "", LIKE_S3) as backend,
    ):
        past = datetime.now(UTC) - timedelta(seconds=1)
        backend.put("name", b"1", retain_until=past)
        backend.delete("name")
        assert versions(client, name) == 0


def test_a_rename_leaves_no_version_of_its_source(server: str) -> None:
    with (
        bucket(server, versioned=True) as (name, client),
        s3_server.backend_at(server, name) as backend,
    ):
        backend.put("pending", b"content")
        assert backend.rename("pending", "final") is True
        assert versions(client, name) == 1


def test_a_rename_of_what_the_bucket_locks_hides_its_source(server: str) -> None:
    with bucket(server, lockable=True) as (name, client):
        client.put_object_lock_configuration(
            Bucket=name,
            ObjectLockConfiguration={
                "ObjectLockEnabled": "Enabled",
                "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 1}},
            },
        )
        with s3_server.backend_at(server, name, "", LIKE_S3) as backend:
            until = datetime.now(UTC) + timedelta(days=1)
            backend.put("pending", b"content", retain_until=until)
            assert backend.rename("pending", "final", retain_until=until) is True
            assert names(backend) == ["final"]
            assert backend.get("final", LIMIT) == b"content"


def test_what_somebody_deleted_plainly_is_found_under_its_marker(
    server: str, tmp_path: Path
) -> None:
    with (
        bucket(server, versioned=True) as (name, client),
        s3_server.backend_at(server, name, "p") as backend,
        s3_server.backend_at(server, name, "p", under_markers=True) as recovery,
    ):
        backend.put("hidden", b"old")
        backend.put("hidden", b"new")
        backend.put("hidden and more", b"other")
        backend.put("shown", b"shown")
        client.delete_object(Bucket=name, Key="p/hidden")
        client.delete_object(Bucket=name, Key="p/hidden")
        assert names(backend) == ["hidden and more", "shown"]
        with pytest.raises(NotFoundError):
            backend.get("hidden", LIMIT)
        assert names(recovery) == ["hidden", "hidden and more", "shown"]
        assert recovery.get("hidden", LIMIT) == b"new"
        assert recovery.get_range("hidden", 1, 2) == b"ew"
        assert recovery.stat("hidden").size == 3
        recovery.fetch("hidden", tmp_path / "file", LIMIT)
        assert (tmp_path / "file").read_bytes() == b"new"
        with pytest.raises(NotFoundError):
            recovery.get("never", LIMIT)


def test_a_sweep_removes_the_parts_of_dead_uploads(server: str) -> None:
    with bucket(server) as (name, client), s3_server.backend_at(server, name, "p") as backend:
        for key in ("p/dead", "p/folder/dead", "elsewhere"):
            client.create_multipart_upload(Bucket=name, Key=key)
        # The server says of every upload that it began in 2010.
        assert backend.sweep(datetime(2010, 1, 1, tzinfo=UTC)) == 0
        assert backend.sweep(datetime.now(UTC)) == 2
        left = client.list_multipart_uploads(Bucket=name)["Uploads"]
        assert [upload["Key"] for upload in left] == ["elsewhere"]


def test_everything_is_encrypted_by_the_server_as_asked(server: str) -> None:
    asked: dict[str, Any] = {"encryption": "aws:kms", "kms_key_id": "some-key"}
    with (
        bucket(server) as (name, client),
        s3_server.backend_at(server, name, **asked) as backend,
    ):
        backend.put("small", b"content")
        backend.put("large", bytes(33 << 20))
        backend.put("pending", b"content")
        backend.rename("pending", "renamed")
        for key in ("small", "large", "renamed"):
            found = client.head_object(Bucket=name, Key=key)
            assert found["ServerSideEncryption"] == "aws:kms"
            assert found["SSEKMSKeyId"].endswith("some-key")
