"""A bucket behind a network that is slow, cuts, loses and damages, and servers less than S3."""

import base64
import hashlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tests.contracts import s3_server
from tests.contracts.faulty_server import (
    FINE,
    LOST,
    REFUSED,
    Mishap,
    Plan,
    Request,
    in_front_of,
    times,
)

from junmai_svc.service.signals import interruptible
from junmai_svc.storage.backends.base import NOTHING_SEEN, Capabilities
from junmai_svc.storage.backends.bucket import BucketBackend
from junmai_svc.storage.backends.options import S3Options
from junmai_svc.storage.backends.s3 import Connection
from junmai_svc.storage.errors import (
    AccessDeniedError,
    InterruptedRunError,
    JunmaiError,
    NotFoundError,
    StorageUnavailableError,
    UsageError,
)

LIMIT = 1 << 26
CONDITIONAL = Capabilities(conditional_put=True)
ATTEMPTS = 2  # as in `s3_server.quick`
SLOW = Mishap(delay=1.3)


def patience(mishap: Mishap) -> float:
    """How long to wait for an answer: long enough for a busy machine, unless the test waits too."""
    return 1.0 if mishap is SLOW else 10.0


ALL = 1_000_000


@contextmanager
def bucket_behind(
    server: str, plan: Plan, seen: Capabilities = NOTHING_SEEN, **options: object
) -> Iterator[BucketBackend]:
    bucket = s3_server.make_bucket(server)
    with (
        in_front_of(server, plan) as url,
        s3_server.backend_at(url, bucket, "prefix", seen, **options) as backend,
    ):
        yield backend


@pytest.mark.parametrize("mishap", [REFUSED, LOST, SLOW], ids=["503", "lost", "slow"])
def test_what_goes_wrong_for_a_moment_is_tried_again(server: str, mishap: Mishap) -> None:
    plan = Plan()
    with bucket_behind(server, plan, read_seconds=patience(mishap)) as backend:
        asked: list[tuple[str, Callable[[], bool]]] = [
            ("PUT", lambda: backend.put("name", b"content")),
            ("GET", lambda: backend.get("name", LIMIT) == b"content"),
            ("HEAD", lambda: backend.stat("name").size == 7),
            ("GET", lambda: [found.name for found in backend.list()] == ["name"]),
        ]
        for method, ask in asked[:2] if mishap is SLOW else asked:
            plan.decide = times(1, method, mishap)
            before = plan.count(method)
            assert ask()
            assert plan.count(method) == before + 2
        plan.decide = times(1, "DELETE", mishap)
        backend.delete("name")
        assert plan.count("DELETE") == 2
        assert list(backend.list()) == []


@pytest.mark.parametrize("mishap", [REFUSED, LOST, SLOW], ids=["503", "lost", "slow"])
def test_what_stays_wrong_is_told_in_bounded_time(
    server: str, mishap: Mishap, tmp_path: Path
) -> None:
    plan = Plan()
    with bucket_behind(server, plan, read_seconds=patience(mishap)) as backend:
        backend.put("name", b"content")
        plan.decide = times(ALL, "GET", mishap)
        begun = time.monotonic()
        with pytest.raises(StorageUnavailableError, match="name") as caught:
            backend.fetch("name", tmp_path / "file", LIMIT)
        assert time.monotonic() - begun < 10
        assert caught.value.hint
        assert plan.count("GET") == ATTEMPTS
    assert list(tmp_path.iterdir()) == []


def test_a_download_that_breaks_off_goes_on_where_it_broke(server: str, tmp_path: Path) -> None:
    content = os.urandom(5_000_000)
    plan = Plan()
    with bucket_behind(server, plan) as backend:
        backend.put("name", content)
        plan.decide = times(2, "GET", Mishap(cut_after=2_300_000))
        digest = backend.fetch("name", tmp_path / "file", LIMIT)
        assert digest == hashlib.sha256(content).hexdigest()
        assert (tmp_path / "file").read_bytes() == content
        ranges = [r.headers.get("range") for r in plan.requests if r.method == "GET"]
        assert len(ranges) == 3
        assert ranges[0] is None
        starts = [int(str(found).removeprefix("bytes=").split("-")[0]) for found in ranges[1:]]
        assert 1_000_000 < starts[0] <= 2_300_000 < starts[1] <= 4_600_000

        plan.decide = times(1, "GET", Mishap(cut_after=1_000))
        assert backend.get_range("name", 1_000_000, 2_000_000) == content[1_000_000:3_000_000]


def test_a_download_that_never_gets_on_is_given_up(server: str, tmp_path: Path) -> None:
    plan = Plan()
    with bucket_behind(server, plan) as backend:
        backend.put("name", os.urandom(3_000_000))
        plan.decide = times(ALL, "GET", Mishap(cut_after=100))
        with pytest.raises(StorageUnavailableError):
            backend.fetch("name", tmp_path / "file", LIMIT)
        assert plan.count("GET") == ATTEMPTS
    assert list(tmp_path.iterdir()) == []


def test_a_download_is_never_sewn_from_two_objects(server: str) -> None:
    plan = Plan()
    with bucket_behind(server, plan) as backend, bucket_twin(server, backend) as other:
        backend.put("name", b"a" * 3_000_000)

        def replace() -> None:
            other.put("name", b"b" * 3_000_000)

        plan.decide = times(1, "GET", Mishap(cut_after=2_000_000, then=replace))
        with pytest.raises(StorageUnavailableError, match="PreconditionFailed"):
            backend.get("name", LIMIT)


@contextmanager
def bucket_twin(server: str, backend: BucketBackend) -> Iterator[BucketBackend]:
    """The same place without a proxy in between."""
    bucket, _, prefix = backend.url.removeprefix("s3://").partition("/")
    with s3_server.backend_at(server, bucket, prefix) as other:
        yield other


def test_a_byte_flipped_on_the_way_shows_in_the_hash(server: str, tmp_path: Path) -> None:
    content = os.urandom(1_000_000)
    plan = Plan()
    with bucket_behind(server, plan) as backend:
        backend.put("name", content)
        plan.decide = times(1, "GET", Mishap(flip_at=500_000))
        digest = backend.fetch("name", tmp_path / "file", LIMIT)
    came = (tmp_path / "file").read_bytes()
    assert came != content
    assert digest == hashlib.sha256(came).hexdigest()


def test_every_upload_says_its_sha256_and_nothing_that_servers_stumble_over(server: str) -> None:
    plan = Plan()
    with bucket_behind(server, plan, CONDITIONAL) as backend:
        backend.put("name", b"content", if_absent=True)
        backend.put("large", bytes(33 << 20))
        backend.rename("name", "other")
    uploads = [r for r in plan.requests if r.method == "PUT" and r.body]
    assert len(uploads) == 4
    for upload in uploads:
        stated = upload.headers["x-amz-content-sha256"]
        assert stated == hashlib.sha256(upload.body).hexdigest()
    for request in plan.requests:
        assert "aws-chunked" not in request.headers.get("content-encoding", "")
        assert not [
            name
            for name in request.headers
            if name.startswith(("x-amz-checksum", "x-amz-sdk-checksum", "x-amz-trailer"))
        ]


def test_where_locks_are_every_upload_carries_the_checksum_that_they_demand(server: str) -> None:
    plan = Plan()
    lockable = Capabilities(object_lock=True)
    with bucket_behind(server, plan, lockable, lock_mode="COMPLIANCE") as backend:
        backend.put("name", b"content")
        backend.put("large", bytes(33 << 20), retain_until=datetime(2042, 5, 1, tzinfo=UTC))
    (begun,) = [r for r in plan.requests if "uploads" in r.path]
    assert begun.headers["x-amz-object-lock-mode"] == "COMPLIANCE"
    assert begun.headers["x-amz-object-lock-retain-until-date"].startswith("2042-05-01T00:00:00")
    uploads = [r for r in plan.requests if r.method == "PUT"]
    assert len(uploads) == 4
    for upload in uploads:
        digest = base64.b64encode(hashlib.sha256(upload.body).digest()).decode()
        assert upload.headers["x-amz-checksum-sha256"] == digest
        assert upload.headers["x-amz-sdk-checksum-algorithm"] == "SHA256"


@pytest.mark.parametrize("mishap", [LOST, Mishap(status=500)], ids=["lost", "500"])
@pytest.mark.parametrize("seen", [NOTHING_SEEN, CONDITIONAL], ids=["plain", "conditional"])
@pytest.mark.parametrize("if_absent", [False, True], ids=["put", "if absent"])
def test_a_put_whose_answer_was_lost_is_repeated_without_harm(
    server: str, mishap: Mishap, seen: Capabilities, *, if_absent: bool
) -> None:
    plan = Plan(decide=times(1, "PUT", mishap))
    with bucket_behind(server, plan, seen, read_seconds=patience(mishap)) as backend:
        assert backend.put("name", b"content", if_absent=if_absent) is True
        assert plan.count("PUT") == 2
        assert backend.get("name", LIMIT) == b"content"
        assert backend.put("name", b"other", if_absent=True) is False


def test_a_put_whose_answers_are_all_lost_may_be_called_again(server: str) -> None:
    plan = Plan(decide=times(ATTEMPTS, "PUT", LOST))
    with bucket_behind(server, plan) as backend:
        with pytest.raises(StorageUnavailableError):
            backend.put("name", b"content")
        assert backend.get("name", LIMIT) == b"content"
        assert backend.put("name", b"content") is True


def test_an_upload_in_parts_whose_last_answer_was_lost_is_known_again(server: str) -> None:
    content = os.urandom(33 << 20)
    plan = Plan(decide=times(1, "POST", LOST, "uploadId="))
    with bucket_behind(server, plan, CONDITIONAL) as backend:
        assert backend.put("name", content, if_absent=True) is True
        assert plan.count("POST", "uploadId=") == 2
        assert backend.put("name", content, if_absent=True) is False
        assert plan.count("POST", "uploads") == 1
        assert backend.get("name", LIMIT) == content


def test_an_upload_in_parts_that_fails_leaves_nothing(server: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(bytes(33 << 20))
    plan = Plan(decide=times(ALL, "PUT", REFUSED, "partNumber=2"))
    with bucket_behind(server, plan) as backend:
        with pytest.raises(StorageUnavailableError):
            backend.put("name", file)
        assert list(backend.list()) == []
        bucket = backend.url.removeprefix("s3://").split("/")[0]
        client = s3_server.client_of(server)
        assert "Uploads" not in client.list_multipart_uploads(Bucket=bucket)


def test_a_file_that_gets_shorter_while_it_is_sent_is_not_stored(
    server: str, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.write_bytes(bytes(33 << 20))
    plan = Plan(
        decide=times(1, "PUT", Mishap(then=lambda: os.truncate(file, 20 << 20)), "partNumber=1")
    )
    with bucket_behind(server, plan) as backend:
        with pytest.raises(JunmaiError, match="got shorter"):
            backend.put("name", file)
        assert list(backend.list()) == []


def test_a_rename_that_was_interrupted_after_the_copy_is_finished_by_the_next(server: str) -> None:
    plan = Plan(decide=times(ATTEMPTS, "DELETE", REFUSED))
    with bucket_behind(server, plan) as backend:
        backend.put("pending", b"content")
        with pytest.raises(StorageUnavailableError):
            backend.rename("pending", "final")
        assert [found.name for found in backend.list()] == ["final", "pending"]
        assert backend.rename("pending", "final") is True
        assert [found.name for found in backend.list()] == ["final"]
        assert backend.get("final", LIMIT) == b"content"


def test_objects_are_deleted_one_by_one_as_not_every_server_can_do_more(server: str) -> None:
    def refuse_batches(request: Request) -> Mishap:
        return Mishap(forward=False, status=501) if request.method == "POST" else FINE

    plan = Plan(refuse_batches)
    with bucket_behind(server, plan) as backend:
        for name in ("a", "b"):
            backend.put(name, b"")
            backend.delete(name)
        assert list(backend.list()) == []
    assert plan.count("DELETE") == 2


def test_a_server_that_sends_everything_for_a_range_is_found_out(server: str) -> None:
    plan = Plan(times(ALL, "GET", Mishap(drop=frozenset({"range"}))))
    with bucket_behind(server, plan) as backend:
        backend.put("name", bytes(1000))
        with pytest.raises(UsageError, match="sent everything"):
            backend.get_range("name", 10, 10)


@pytest.mark.skipif(sys.platform == "win32", reason="no signal reaches a thread there")
@pytest.mark.parametrize("method", ["PUT", "GET"])
def test_a_signal_ends_a_request_and_is_not_taken_for_a_broken_line(
    server: str, method: str
) -> None:
    main = threading.get_ident()
    plan = Plan()
    with bucket_behind(server, plan) as backend:
        backend.put("name", b"before")

        def interrupt() -> None:
            signal.pthread_kill(main, signal.SIGINT)
            time.sleep(0.3)

        plan.decide = times(1, method, Mishap(then=interrupt))
        before = plan.count(method)
        asked: dict[str, Callable[[], object]] = {
            "PUT": lambda: backend.put("name", b"after"),
            "GET": lambda: backend.get("name", LIMIT),
        }
        with pytest.raises(InterruptedRunError), interruptible():
            asked[method]()
        assert plan.count(method) == before + 1


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, UsageError),
        (403, AccessDeniedError),
        (404, NotFoundError),
        (501, UsageError),
    ],
)
def test_a_refusal_is_told_as_what_it_is_and_not_repeated(
    server: str, status: int, kind: type[JunmaiError]
) -> None:
    plan = Plan(times(ALL, "GET", Mishap(forward=False, status=status)))
    with bucket_behind(server, plan) as backend:
        with pytest.raises(kind, match="read name in s3://"):
            backend.get("name", LIMIT)
        assert plan.count("GET") == 1


def everything(backend: BucketBackend, folder: Path) -> list[Callable[[], object]]:
    return [
        lambda: backend.put("name", b"content"),
        lambda: backend.put("name", b"content", if_absent=True),
        lambda: backend.get("name", LIMIT),
        lambda: backend.get_range("name", 0, 1),
        lambda: backend.fetch("name", folder / "file", LIMIT),
        lambda: backend.stat("name"),
        lambda: list(backend.list()),
        lambda: backend.delete("name"),
        lambda: backend.rename("name", "other"),
    ]


def test_nobody_there_is_told_by_every_operation(tmp_path: Path) -> None:
    with s3_server.backend_at("http://127.0.0.1:9", "bucket", attempts=1) as backend:
        for ask in everything(backend, tmp_path):
            with pytest.raises(StorageUnavailableError, match="s3://bucket"):
                ask()
    assert list(tmp_path.iterdir()) == []


def test_no_bucket_is_told_by_what_needs_one(server: str, tmp_path: Path) -> None:
    with s3_server.backend_at(server, f"missing-{tmp_path.name.lower()}") as backend:
        for ask in (
            lambda: backend.put("name", b"content"),
            lambda: backend.get("name", LIMIT),
            lambda: list(backend.list()),
        ):
            with pytest.raises(NotFoundError, match="s3://missing-"):
                ask()


def test_missing_credentials_are_told_with_what_to_do(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with s3_server.backend_at(server, "bucket") as backend:
        for ask in everything(backend, tmp_path):
            with pytest.raises(AccessDeniedError) as caught:
                ask()
            assert "AWS_ACCESS_KEY_ID" in caught.value.hint
    with (
        s3_server.backend_at(server, "bucket", profile="nobody") as backend,
        pytest.raises(AccessDeniedError, match="nobody"),
    ):
        backend.get("name", LIMIT)


@pytest.mark.parametrize("status", [403, 503])
def test_no_secret_shows_in_an_error(
    server: str, status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = s3_server.ENVIRONMENT["AWS_SECRET_ACCESS_KEY"]
    plan = Plan(lambda _: Mishap(forward=False, status=status))
    with bucket_behind(server, plan, attempts=1) as backend:
        for ask in everything(backend, tmp_path):
            with pytest.raises(JunmaiError) as caught:
                ask()
            assert secret not in f"{caught.value} {caught.value.__cause__!r} {caught.value.hint}"
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://somebody:password@127.0.0.1:9")
    connection = Connection("bucket", S3Options(attempts=1, connect_seconds=1))
    for ask in everything(BucketBackend(connection), tmp_path):
        with pytest.raises(JunmaiError) as caught:
            ask()
        assert "password" not in caught.value.message
    connection.close()


def test_a_page_of_a_proxy_in_place_of_an_answer_is_told_as_that() -> None:
    class Proxy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = b"<html>Please log in</html>"
            self.send_response(200)
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            with (
                s3_server.backend_at(f"http://127.0.0.1:{server.server_port}", "bucket") as backend,
                pytest.raises(StorageUnavailableError, match="does not speak S3"),
            ):
                backend.get("store.json", LIMIT)
        finally:
            server.shutdown()
