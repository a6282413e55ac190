"""Real other processes for the tests of databases: SQLite's locks are between processes."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

# What every script below begins with: a connection to the database that is named, and a way to
# wait for a line of the test.
PRELUDE = """
import os, sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=10)
def tell(text):
    print(text, flush=True)
def wait():
    sys.stdin.readline()
"""


class Other:
    """Another process at work on a database; it goes on when it is told to."""

    def __init__(self, script: str, path: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-c", PRELUDE + script, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def hear(self) -> str:
        """Return the next line that it says."""
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def go_on(self) -> None:
        """End its `wait()`."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def ended(self) -> int:
        """Return its exit code once it has ended."""
        return self._process.wait(timeout=30)

    def kill(self) -> None:
        """End it without any chance to clean up."""
        self._process.kill()
        self._process.communicate()


@pytest.fixture
def other() -> Iterator[Callable[[str, Path], Other]]:
    """Starts a process that runs a script; it has said its first line when this returns."""
    started: list[Other] = []

    def start(script: str, path: Path) -> Other:
        running = Other(script, path)
        started.append(running)
        assert running.hear() == "ready"
        return running

    yield start
    for running in started:
        running.kill()
