"""An HTTP proxy in front of a server, which treats chosen requests and answers badly."""

import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Request:
    """A request as it arrived."""

    method: str
    path: str
    headers: Mapping[str, str]  # names in lower case
    body: bytes


@dataclass(frozen=True)
class Mishap:
    """What happens to a request: first the delay, then what is set of the rest."""

    delay: float = 0.0  # seconds
    drop: frozenset[str] = frozenset()  # headers that the server does not get to see
    forward: bool = True
    status: int | None = None  # the answer's, without a body, instead of the real one
    cut_after: int | None = None  # bytes of the body before the connection ends
    flip_at: int | None = None  # the byte of the body that arrives wrong
    then: Callable[[], None] | None = None  # called when the server has done its part


FINE = Mishap()
REFUSED = Mishap(forward=False, status=503)
LOST = Mishap(cut_after=-1)  # done, but not even a status line comes back


@dataclass
class Plan:
    """What has arrived, and what to do about each; by default nothing is amiss."""

    decide: Callable[[Request], Mishap] = lambda _: FINE
    requests: list[Request] = field(default_factory=list)

    def count(self, method: str, part_of_path: str = "") -> int:
        """How many requests of a method have come."""
        return sum(
            request.method == method and part_of_path in request.path for request in self.requests
        )


def times(
    count: int, method: str, mishap: Mishap, part_of_path: str = ""
) -> Callable[[Request], Mishap]:
    """A plan's decision: the first `count` requests of a method meet with a mishap."""
    left = count

    def decide(request: Request) -> Mishap:
        nonlocal left
        if left and request.method == method and part_of_path in request.path:
            left -= 1
            return mishap
        return FINE

    return decide


@contextmanager
def in_front_of(upstream: str, plan: Plan) -> Iterator[str]:
    """Run the proxy and yield its URL."""

    class Handler(_Handler):
        pass

    Handler.plan = plan
    Handler.open = set()
    Handler.upstream = urlsplit(upstream).netloc
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = False  # so that closing waits for them
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        for connection in list(Handler.open):
            with suppress(OSError):  # it has just ended
                connection.shutdown(socket.SHUT_RDWR)
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    plan: Plan
    upstream: str
    open: set[socket.socket]

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, self.path, headers, body)
        self.plan.requests.append(request)
        mishap = self.plan.decide(request)
        time.sleep(mishap.delay)
        status, answered, content = self._ask(request, mishap) if mishap.forward else (0, [], b"")
        if mishap.then is not None:
            mishap.then()
        if mishap.status is not None:
            status, answered, content = mishap.status, [("Content-Length", "0")], b""
        if mishap.flip_at is not None:
            at = mishap.flip_at
            content = content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
        self._answer(status, answered, content, mishap.cut_after)

    def __getattr__(self, name: str) -> object:
        if name.startswith("do_"):  # every method is served alike
            return self._serve
        raise AttributeError(name)

    def _ask(self, request: Request, mishap: Mishap) -> tuple[int, list[tuple[str, str]], bytes]:
        with closing(HTTPConnection(self.upstream, timeout=10)) as upstream:
            upstream.putrequest(
                request.method, request.path, skip_host=True, skip_accept_encoding=True
            )
            for name, value in request.headers.items():
                if name not in {"expect", "connection", *mishap.drop}:
                    upstream.putheader(name, value)
            upstream.endheaders(request.body)
            answer = upstream.getresponse()
            content = answer.read()
            kept = [
                (name, value)
                for name, value in answer.getheaders()
                if name.lower() not in {"connection", "transfer-encoding"}
            ]
            return answer.status, kept, content

    def _answer(
        self, status: int, headers: list[tuple[str, str]], content: bytes, cut_after: int | None
    ) -> None:
        if cut_after is None or cut_after >= 0:
            self.send_response_only(status)
            for name, value in headers:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content[:cut_after])
        if cut_after is not None:
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name is given
        """Keep quiet."""

    def handle(self) -> None:
        """Serve one connection until either side closes it."""
        self.open.add(self.connection)
        with suppress(ConnectionError, TimeoutError):  # the client gave up, as it may
            super().handle()
        self.open.discard(self.connection)
