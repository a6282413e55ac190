"""The status over HTTP, for this machine alone: read-only, nothing but what `_ROUTES` names.

Only the names of the loopback are taken in the Host header, so that no page of another site can
read it by a name that suddenly means 127.0.0.1 (DNS rebinding). One request a connection; a request
has `patience` seconds and `LARGEST_REQUEST` bytes to arrive, and as long to be taken.
"""

import errno
import http.client
import io
import json
import re
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from junmai_svc.service.logs import log
from junmai_svc.service.printable import printable
from junmai_svc.service.status.fold import Status
from junmai_svc.service.status.loopback import LOOPBACK, loopback_address
from junmai_svc.service.status.metrics import CONTENT_TYPE, render_metrics
from junmai_svc.service.status.page import POLICY, render_page
from junmai_svc.service.status.view import status_view
from junmai_svc.storage.errors import (
    AccessDeniedError,
    InterruptedRunError,
    JunmaiError,
    LockedError,
    NotFoundError,
    StorageUnavailableError,
)

LARGEST_REQUEST = 16 << 10  # bytes, the headers included
MOST_AT_ONCE = 64  # connections; a further one is closed

_RUN = re.compile(r"/runs/([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})")
_HOST = re.compile(r"(?P<name>\[[0-9a-f:]+\]|[a-z0-9.-]+)(?::\d{1,5})?", re.IGNORECASE)
# What a run's report may do: show itself. It is one file without scripts.
_REPORT_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:;"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_NO_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_HEADERS = {
    "Cache-Control": "no-store",
    "Connection": "close",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_TEXT = "text/plain; charset=utf-8"
_HTML = "text/html; charset=utf-8"

Tell = Callable[[], Status]
Report = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class _Answer:
    code: HTTPStatus
    kind: str
    body: bytes
    policy: str = _NO_POLICY


class StatusServer:
    """Answers from threads of its own between entering and leaving the context.

    `tell` returns the current status and `report` the HTML report of a run, None where there is
    none; both are called from other threads. `hosts` are further names for the Host header, such as
    a reverse proxy's. Port 0 takes any that is free; `url` says which.
    """

    def __init__(
        self,
        listen: str,
        tell: Tell,
        report: Report = lambda _: None,
        *,
        hosts: frozenset[str] = frozenset(),
        patience: float = 10.0,
    ) -> None:
        """Bind the address; connections wait until the context is entered.

        Raises:
            UsageError: `listen` is no HOST:PORT of this machine's loopback.
            LockedError: another program listens there.
            AccessDeniedError: the operating system does not allow it.
            StorageUnavailableError: the address can't be listened on for another reason.
        """
        host, port = loopback_address(listen)
        try:
            self._server = _Server(host, port, tell, report, LOOPBACK | hosts, patience)
        except OSError as error:
            raise _translated(error, listen) from error
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="status-server", daemon=True
        )

    @property
    def url(self) -> str:
        """The page's address."""
        host, port = self._server.server_address[:2]
        name = f"[{host!s}]" if ":" in str(host) else str(host)
        return f"http://{name}:{port}/"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _translated(error: OSError, listen: str) -> JunmaiError:
    if error.errno in {errno.EADDRINUSE, getattr(errno, "WSAEADDRINUSE", None)}:
        return LockedError(
            f"Another program listens at {listen}",
            "Is a daemon running already? Else choose another port in [status] listen.",
        )
    if error.errno in {errno.EACCES, errno.EPERM}:
        return AccessDeniedError(
            f"Listening at {listen} is not allowed", "Choose a port above 1023 in [status] listen."
        )
    return StorageUnavailableError(
        f"Listening at {listen} failed: {error.strerror}", "Choose another address."
    )


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = MOST_AT_ONCE
    # On Windows the option would let a second program take the port from the first.
    allow_reuse_address = sys.platform != "win32"

    def __init__(
        self,
        host: str,
        port: int,
        tell: Tell,
        report: Report,
        hosts: frozenset[str],
        patience: float,
    ) -> None:
        self.tell, self.report, self.hosts, self.patience = tell, report, hosts, patience
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        # Not HTTPServer's, which asks the name service what this host is called.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "localhost", self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            welcome = len(self._open) < MOST_AT_ONCE
            if welcome:
                self._open.add(request)
        if welcome:
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        """Listen no more, and answer nobody who has not asked yet: browsers connect ahead."""
        super().server_close()
        with self._lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RD)

    def handle_error(self, request: Any, client_address: Any) -> None:
        del request, client_address
        error = sys.exc_info()[1]
        # A client that goes away is its own business.
        if not isinstance(error, ConnectionError | TimeoutError):
            log().error("status.error", error=type(error).__name__, exc_info=error)


class _Incoming(io.RawIOBase):
    """What a connection sends, up to a moment and a number of bytes."""

    def __init__(self, connection: socket.socket, seconds: float) -> None:
        self._connection, self._left = connection, LARGEST_REQUEST
        self._end = time.monotonic() + seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        if self._left <= 0:
            raise http.client.LineTooLong("request")
        self._connection.settimeout(left)
        count = self._connection.recv_into(memoryview(buffer)[: self._left])
        self._left -= count
        return count


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.rfile = io.BufferedReader(_Incoming(self.connection, self.server.patience))

    def handle_one_request(self) -> None:
        self.close_connection = True
        try:
            super().handle_one_request()
        except http.client.HTTPException:
            # The request's first line alone is larger than a request may be.
            self.requestline, self.command, self.request_version = "", "", self.protocol_version
            self.send_error(HTTPStatus.REQUEST_URI_TOO_LONG)
        self.close_connection = True

    def version_string(self) -> str:
        return "junmai-svc"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        log().debug("status.request", message=format % args)

    def do_GET(self) -> None:
        self._send(self._answer())

    def do_HEAD(self) -> None:
        self._send(self._answer())

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what http.server refuses; a method it does not know is one not allowed."""
        del message, explain
        wrong = HTTPStatus(code)
        if wrong is HTTPStatus.NOT_IMPLEMENTED:
            wrong = HTTPStatus.METHOD_NOT_ALLOWED
        self._send(_plain(wrong))

    def _answer(self) -> _Answer:
        if not self._is_for_here():
            return _plain(
                HTTPStatus.MISDIRECTED_REQUEST, "Ask for it by the name 127.0.0.1 or localhost."
            )
        path = self.path.partition("?")[0]
        run = _RUN.fullmatch(path)
        try:
            if run is not None:
                return _report(self.server.report, run[1])
            route = _ROUTES.get(path)
            return route(self.server.tell()) if route else _plain(HTTPStatus.NOT_FOUND)
        except (Exception, InterruptedRunError) as error:  # noqa: BLE001
            # Whatever the status could not be told for is for the log, not for who asks.
            log().error("status.error", error=type(error).__name__, exc_info=error)
            return _plain(HTTPStatus.INTERNAL_SERVER_ERROR, "The log says why.")

    def _is_for_here(self) -> bool:
        named = self.headers.get_all("Host", [])
        match = _HOST.fullmatch(named[0].strip()) if len(named) == 1 else None
        return match is not None and match["name"].lower() in self.server.hosts

    def _send(self, answer: _Answer) -> None:
        self.connection.settimeout(self.server.patience)
        self.send_response(answer.code)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        if answer.code is HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "GET, HEAD")
        self.send_header("Content-Security-Policy", answer.policy)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)


def _plain(code: HTTPStatus, text: str = "") -> _Answer:
    said = f"{code.value} {code.phrase}\n" + (f"{text}\n" if text else "")
    return _Answer(code, _TEXT, said.encode())


def _health(status: Status) -> _Answer:
    if status.healthy:
        return _Answer(HTTPStatus.OK, _TEXT, b"ok\n")
    reasons = "".join(f"{printable(each.text)}\n" for each in status.wrong)
    return _Answer(HTTPStatus.SERVICE_UNAVAILABLE, _TEXT, reasons.encode(errors="replace"))


def _report(report: Report, run: str) -> _Answer:
    try:
        page = report(run)
    except NotFoundError:
        page = None
    if page is None:
        return _plain(HTTPStatus.NOT_FOUND, f"There is no report of a run {run}.")
    return _Answer(HTTPStatus.OK, _HTML, page.encode(), _REPORT_POLICY)


_ROUTES: Mapping[str, Callable[[Status], _Answer]] = {
    "/": lambda status: _Answer(HTTPStatus.OK, _HTML, render_page(status), POLICY),
    "/healthz": _health,
    "/metrics": lambda status: _Answer(HTTPStatus.OK, CONTENT_TYPE, render_metrics(status)),
    "/status.json": lambda status: _Answer(
        HTTPStatus.OK, "application/json", f"{json.dumps(status_view(status))}\n".encode()
    ),
}
