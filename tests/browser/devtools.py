"""Chromium without a window, spoken to over a pipe in the DevTools protocol.

https://chromedevtools.github.io/devtools-protocol/ ; messages are JSON, each ended by a NUL.
"""

import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATIENCE = 60.0

# Chromium reads from descriptor 3 and writes to 4.
_HANDED_OVER = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.dup2(int(sys.argv[2]), 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


def installed() -> str | None:
    """The browser's path, None where there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """One page of one browser, and what it told of since the last `visit`."""

    def __init__(self, program: subprocess.Popen[bytes], reading: int, writing: int) -> None:
        self._program, self._reading, self._writing = program, reading, writing
        self._buffer, self._number, self._session = b"", 0, ""
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method and return its result."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._writing, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                result = answer["result"]
                assert isinstance(result, dict)
                return result

    def wait_for(self, event: str) -> dict[str, Any]:
        """Return what the next event of this name told, or one that came since `visit`."""
        for found in self.events:
            if found["method"] == event:
                return dict(found["params"])
        while True:
            message = self._next()
            if message.get("method") == event:
                return dict(message["params"])

    def visit(self, url: str, width: int, scheme: str) -> None:
        """Load a page in a window of this width and in light or dark, and wait for all of it."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=844,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.call("Emulation.setEmulatedMedia", features=[feature])
        self.events.clear()
        self.call("Page.navigate", url=url)
        self.wait_for("Page.loadEventFired")

    def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression in the page, awaited if it is a promise."""
        result = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    @property
    def requested(self) -> list[str]:
        """The addresses that the page asked for."""
        told = [e["params"] for e in self.events if e["method"] == "Network.requestWillBeSent"]
        return [params["request"]["url"] for params in told]

    @property
    def complaints(self) -> list[str]:
        """What stands in the console: errors, warnings, messages and exceptions."""
        names = {"Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown"}
        return [json.dumps(each["params"]) for each in self.events if each["method"] in names]

    def _next(self) -> dict[str, Any]:
        end = time.monotonic() + PATIENCE
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._reading], [], [], max(0.0, end - time.monotonic()))
            assert ready, "the browser does not answer"
            more = os.read(self._reading, 1 << 16)
            assert more, "the browser ended"
            self._buffer += more
        line, _, self._buffer = self._buffer.partition(b"\0")
        message = json.loads(line)
        assert isinstance(message, dict)
        if "method" in message:
            self.events.append(message)
        return message


@contextmanager
def running(path: str, profile: Path) -> Iterator[Browser]:
    """Run the browser for the block; it resolves no name but the loopback's."""
    their_in, writing = os.pipe()
    reading, their_out = os.pipe()
    command = [
        sys.executable,
        "-c",
        _HANDED_OVER,
        str(their_in),
        str(their_out),
        path,
        "--headless",
        # It can't be had as root, nor where user namespaces are closed; all it sees is our page.
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--no-first-run",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        f"--user-data-dir={profile}",
        "--remote-debugging-pipe",
    ]
    program = subprocess.Popen(
        command,
        pass_fds=(their_in, their_out),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(their_in)
    os.close(their_out)
    try:
        browser = Browser(program, reading, writing)
        yield browser
        browser._session = ""
        browser.call("Browser.close")
    finally:
        os.close(writing)
        os.close(reading)
        try:
            program.wait(10)
        except subprocess.TimeoutExpired:
            program.kill()
            program.wait()
