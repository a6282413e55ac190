"""A server that is told of backups: it remembers what it was asked."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer


class Listener:
    """A server that remembers what it was asked, and answers as it is told to."""

    def __init__(self) -> None:
        heard = self.heard = list[tuple[str, bytes]]()
        self.status = 200
        self.location = ""
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                size = int(self.headers.get("Content-Length") or 0)
                heard.append((self.path, self.rfile.read(size)))
                self.send_response(listener.status)
                if listener.location:
                    self.send_header("Location", listener.location)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_POST = do_GET  # noqa: N815  # the name that http.server asks for

            def log_message(self, *_: object) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.address = f"127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
