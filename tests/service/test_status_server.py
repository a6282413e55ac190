"""The server over real HTTP: what it tells, to whom, and what it refuses."""

import gc
import http.client
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

import pytest
from tests.harness.statuses import failing, nothing, run_id, well

from junmai_svc.service.status.fold import Status, fold_status
from junmai_svc.service.status.loopback import loopback_address
from junmai_svc.service.status.page import POLICY
from junmai_svc.service.status.server import (
    LARGEST_REQUEST,
    MOST_AT_ONCE,
    StatusServer,
)
from junmai_svc.storage.errors import LockedError, NotFoundError, UsageError

PATIENCE = 1.0
PATHS = ("/", "/healthz", "/metrics", "/status.json", f"/runs/{run_id(3)}")


@dataclass
class Told:
    """What the server tells of, and where it is."""

    status: Status
    reports: dict[str, str] = field(default_factory=dict)
    broken: bool = False
    port: int = 0

    def tell(self) -> Status:
        """Return the status, or fail."""
        if self.broken:
            raise ValueError("secret of the inside")
        return self.status

    def report(self, run: str) -> str | None:
        """Return the report of a run, as one of three ways to have none."""
        if run == run_id(99):
            raise NotFoundError("No such run")
        return self.reports.get(run)


@pytest.fixture(scope="module")
def served() -> Iterator[Told]:
    told = Told(fold_status(well()))
    with StatusServer(
        "127.0.0.1:0",
        told.tell,
        told.report,
        hosts=frozenset({"backups.example"}),
        patience=PATIENCE,
    ) as server:
        told.port = urlsplit(server.url).port or 0
        yield told


@pytest.fixture
def told(served: Told) -> Told:
    served.status, served.broken = fold_status(well()), False
    served.reports = {run_id(3): "<h1>The report</h1>"}
    return served


@dataclass(frozen=True)
class Answer:
    """What came back."""

    code: int
    headers: dict[str, str]
    body: str


def ask(told: Told, path: str, method: str = "GET", **headers: str) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", told.port, timeout=10)
    try:
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        return Answer(response.status, dict(response.getheaders()), response.read().decode())
    finally:
        connection.close()


def say(told: Told, request: bytes) -> bytes:
    """Send bytes and return all that comes back until the server closes."""
    with socket.create_connection(("127.0.0.1", told.port), timeout=10) as connection:
        connection.sendall(request)
        return all_of(connection)


def all_of(connection: socket.socket) -> bytes:
    found = b""
    try:
        while more := connection.recv(65536):
            found += more
    except ConnectionError:
        pass
    return found


def test_healthz_is_ok_or_says_why_not(told: Told) -> None:
    answer = ask(told, "/healthz")
    assert (answer.code, answer.body) == (200, "ok\n")
    told.status = fold_status(failing())
    answer = ask(told, "/healthz")
    assert answer.code == 503
    lines = answer.body.splitlines()
    assert lines == [each.text for each in told.status.wrong]
    assert any("notes" in line and "7 hours old" in line for line in lines)


def test_status_json_says_what_the_status_says(told: Told) -> None:
    told.status = fold_status(failing())
    answer = ask(told, "/status.json")
    assert answer.headers["Content-Type"] == "application/json"
    found = json.loads(answer.body)
    assert (found["status"], found["state"]) == ("wrong", "failing")
    assert [each["database"] for each in found["databases"]] == ["junmai", "notes", "wine"]
    offsite = found["databases"][0]["stores"][1]
    assert offsite["last_good_age"] == 27 * 60 * 60  # as its job told; the store can't be read
    assert offsite["last_proven"] is None
    assert offsite["reasons"]
    assert found["migrations"][0]["run"] == run_id(8)


def test_names_that_are_no_valid_text_are_told_all_the_same(told: Told) -> None:
    odd = well().listings[0]
    bad = replace(well(), listings=(replace(odd, unreadable=("\udcff",), problem="\udcff\x1b"),))
    told.status = fold_status(bad)
    assert json.loads(ask(told, "/status.json").body)["stores"][0]["unreadable"] == ["\udcff"]
    assert ask(told, "/").code == 200
    healthz = ask(told, "/healthz")
    assert healthz.code == 503
    assert "\x1b" not in healthz.body


def test_metrics_are_prometheus_text(told: Told) -> None:
    answer = ask(told, "/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    assert "# TYPE junmai_snapshot_last_good_age_seconds gauge" in answer.body


def test_the_page_is_html_under_its_policy(told: Told) -> None:
    answer = ask(told, "/")
    assert answer.code == 200
    assert answer.headers["Content-Security-Policy"] == POLICY
    assert "<h1>" in answer.body


def test_a_run_s_report_is_shown_without_scripts(told: Told) -> None:
    answer = ask(told, f"/runs/{run_id(3)}")
    assert (answer.code, answer.body) == (200, "<h1>The report</h1>")
    assert "script-src" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/index.html",
        "/runs/",
        "/runs/3",
        f"/runs/{run_id(4)}",
        f"/runs/{run_id(99)}",
        "/runs/../../../etc/passwd",
        "/../etc/passwd",
        "/%2e%2e/etc/passwd",
        "//healthz",
        "/status.json/",
        "http://127.0.0.1/",
        "*",
    ],
)
def test_what_is_not_there_is_not_found(told: Told, path: str) -> None:
    # A path that begins with two slashes means the same with one; nothing else lies there.
    expected = 200 if path == "//healthz" else 404
    assert ask(told, path).code == expected


def test_a_query_changes_nothing(told: Told) -> None:
    assert ask(told, "/healthz?verbose=1").body == "ok\n"


@pytest.mark.parametrize("path", PATHS)
def test_head_says_the_same_without_the_body(told: Told, path: str) -> None:
    got, head = ask(told, path), ask(told, path, "HEAD")
    dates = {"Date"}
    assert head.code == got.code
    assert head.body == ""
    assert {k: v for k, v in head.headers.items() if k not in dates} == {
        k: v for k, v in got.headers.items() if k not in dates
    }
    assert int(head.headers["Content-Length"]) == len(got.body.encode())


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "FOO"])
def test_only_reading_is_allowed(told: Told, method: str) -> None:
    answer = ask(told, "/healthz", method)
    assert answer.code == 405
    assert answer.headers["Allow"] == "GET, HEAD"


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "LOCALHOST:9000", "[::1]:8787", "backups.example:443"]
)
def test_names_of_this_machine_and_those_given_are_answered(told: Told, host: str) -> None:
    assert ask(told, "/healthz", Host=host).code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8787",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "localhost.",
        "evil.example@127.0.0.1",
        "127.0.0.1:80:80",
        "127.0.0.1/evil",
        "127.0.0.1, evil.example",
        "127.1",
        "2130706433",
        "0.0.0.0",  # noqa: S104
        "[::ffff:127.0.0.1]",
        "",
    ],
)
@pytest.mark.parametrize("path", ["/", "/status.json", "/nothing"])
def test_no_other_name_is_answered(told: Told, host: str, path: str) -> None:
    answer = ask(told, path, Host=host)
    assert answer.code == 421
    assert "junmai.db" not in answer.body


@pytest.mark.parametrize(
    "headers",
    [
        b"",
        b"Host: evil.example\r\nHost: 127.0.0.1\r\n",
        b"Host: 127.0.0.1\r\nHost: evil.example\r\n",
    ],
)
def test_a_request_names_one_host(told: Told, headers: bytes) -> None:
    said = say(told, b"GET /status.json HTTP/1.1\r\n" + headers + b"\r\n")
    assert said.startswith(b"HTTP/1.1 421 ")


def test_a_request_of_the_oldest_kind_is_told_nothing(told: Told) -> None:
    assert b"junmai" not in say(told, b"GET /status.json\r\n\r\n")


@pytest.mark.parametrize("path", [*PATHS, "/nothing"])
def test_every_answer_forbids_what_it_does_not_need(told: Told, path: str) -> None:
    for answer in (ask(told, path), ask(told, path, "POST")):
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'")
        assert "frame-ancestors 'none'" in policy
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert answer.headers["Server"] == "junmai-svc"
        assert answer.headers["Connection"] == "close"


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /" + b"a" * LARGEST_REQUEST + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"a" * LARGEST_REQUEST + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"X: y\r\n" * 4000 + b"\r\n",
    ],
    ids=["line", "header", "headers"],
)
def test_a_request_that_is_too_large_is_refused(told: Told, request_: bytes) -> None:
    said = say(told, request_)
    assert said[9:12] in {b"414", b"431", b""}
    assert b"junmai.db" not in said
    assert ask(told, "/healthz").code == 200


@pytest.mark.parametrize(
    "request_",
    [b"\r\n\r\n", b"\x16\x03\x01\x02\x00", b"GET\r\n\r\n", b"\0" * 99],
    ids=["empty", "tls", "method", "zeros"],
)
def test_what_is_no_request_does_no_harm(told: Told, request_: bytes) -> None:
    assert b"junmai.db" not in say(told, request_)
    assert ask(told, "/healthz").code == 200


def test_a_client_that_drips_is_cut_off_in_time_and_holds_nobody_up(told: Told) -> None:
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", told.port), timeout=10) as slow:
        slow.sendall(b"GET / HTTP/1.1\r\n")
        assert ask(told, "/healthz").code == 200
        assert time.monotonic() - began < PATIENCE
        slow.settimeout(PATIENCE / 10)
        while _still_open(slow) and time.monotonic() - began < 8 * PATIENCE:
            with suppress(ConnectionError):
                slow.sendall(b"X: y\r\n")
    assert time.monotonic() - began < 4 * PATIENCE


def _still_open(connection: socket.socket) -> bool:
    try:
        return connection.recv(65536) != b""
    except TimeoutError:
        return True
    except ConnectionError:
        return False


def test_a_client_that_takes_nothing_is_let_go() -> None:
    large = "x" * 30_000_000  # more than the sockets' buffers hold
    told = Told(fold_status(well()), {run_id(3): large})
    with StatusServer("127.0.0.1:0", told.tell, told.report, patience=PATIENCE) as server:
        told.port = urlsplit(server.url).port or 0
        with socket.create_connection(("127.0.0.1", told.port), timeout=10) as greedy:
            greedy.sendall(f"GET /runs/{run_id(3)} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            time.sleep(PATIENCE / 4)
            assert server._server._open
            end = time.monotonic() + 8 * PATIENCE
            while server._server._open and time.monotonic() < end:
                time.sleep(0.02)
            assert not server._server._open
            assert len(all_of(greedy)) < len(large)


def test_no_more_than_so_many_are_served_at_once() -> None:
    told = Told(fold_status(well()))
    with ExitStack() as stack:
        server = stack.enter_context(StatusServer("127.0.0.1:0", told.tell, patience=60))
        told.port = urlsplit(server.url).port or 0
        waiting = [
            stack.enter_context(socket.create_connection(("127.0.0.1", told.port), timeout=10))
            for _ in range(MOST_AT_ONCE + 1)
        ]
        assert all_of(waiting.pop()) == b""
        waiting.pop().close()
        assert _answered_within(5, told)


def _answered_within(seconds: float, told: Told) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with suppress(OSError, http.client.HTTPException):
            return ask(told, "/healthz").code == 200
    return False


def test_an_error_inside_is_for_the_log_and_not_for_who_asks(
    told: Told, caplog: pytest.LogCaptureFixture
) -> None:
    told.broken = True
    answer = ask(told, "/status.json")
    assert answer.code == 500
    assert "secret" not in answer.body
    assert "secret of the inside" in caplog.text


def test_a_port_that_is_taken_is_said(told: Told) -> None:
    with pytest.raises(LockedError, match=f"Another program listens at 127.0.0.1:{told.port}"):
        StatusServer(f"127.0.0.1:{told.port}", told.tell)


def test_the_port_is_free_again_when_the_server_has_stopped() -> None:
    status = fold_status(nothing())
    before = sum(each.name == "status-server" for each in threading.enumerate())
    with StatusServer("127.0.0.1:0", lambda: status) as server:
        port = urlsplit(server.url).port
        idle = socket.create_connection(("127.0.0.1", port or 0), timeout=10)
    with idle:
        # Who had connected and asked nothing is told nothing any more.
        idle.settimeout(5)
        assert all_of(idle) == b""
    assert sum(each.name == "status-server" for each in threading.enumerate()) == before
    with StatusServer(f"127.0.0.1:{port}", lambda: status):
        pass
    gc.collect()


@pytest.mark.parametrize(
    "listen",
    [
        "",
        "8787",
        ":8787",
        "0.0.0.0:8787",
        "192.168.1.2:80",
        "::1:80",
        "127.0.0.1:",
        "127.0.0.1:x",
        "127.0.0.1:65536",
        "127.0.0.1:-1",
        "example.org:80",
        "127.0.0.1:²",
    ],
)
def test_only_the_loopback_is_listened_on(listen: str) -> None:
    with pytest.raises(UsageError):
        loopback_address(listen)


def test_the_loopback_has_three_names() -> None:
    assert loopback_address("127.0.0.1:8787") == ("127.0.0.1", 8787)
    assert loopback_address("[::1]:0") == ("::1", 0)
    assert loopback_address("localhost:1") == ("localhost", 1)


def test_a_command_that_serves_nothing_loads_none_of_it() -> None:
    script = (
        "import sys; sys.argv = ['junmai-svc', '--help']\n"
        "from junmai_svc.service.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(sorted({'http.server', 'jinja2', 'prometheus_client'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
