"""Another process at work on a database: SQLite's locks are between processes."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PATIENCE = 60.0

# What every script begins with. It says `ready` when its first part is done; its second part runs
# when it is told to, or goes on until then by asking `told`.
_PRELUDE = """
import sqlite3, sys, threading, time
database = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
_told = threading.Event()
def _listen():
    sys.stdin.readline()
    _told.set()
told = _told.is_set
"""
_READY = """
threading.Thread(target=_listen, daemon=True).start()
print("ready", flush=True)
"""
_WAIT = """
_told.wait()
"""


class Neighbour:
    """A process that has done its first part, and does its second when told."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def tell(self) -> str:
        """Tell it to come to its end and return what it said meanwhile."""
        said, _ = self._process.communicate("\n", timeout=PATIENCE)
        assert self._process.returncode == 0
        return said

    def kill(self) -> None:
        """End it without any chance to clean up."""
        self._process.kill()
        self._process.communicate()


@contextmanager
def neighbour(
    path: Path, first: str = "", *, meanwhile: str = "", last: str = ""
) -> Iterator[Neighbour]:
    """Start a process with `database` open; when this yields it has run `first`.

    `meanwhile` runs then until it ends by itself, by asking `told()`; `last` runs when it has been
    told. At the end of the block it is killed.
    """
    script = _PRELUDE + first + _READY + meanwhile + _WAIT + last
    process = subprocess.Popen(
        [sys.executable, "-I", "-c", script, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    running = Neighbour(process)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield running
    finally:
        running.kill()
