"""A journal in a temporary folder, a clock that is told the time, and real other processes."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from junmai_svc.storage.journal.journal import Journal


class Clock:
    """Shows `now`, and goes on by a microsecond each time it is looked at."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 22, 14, 0, 0, 123_456, tzinfo=UTC)

    def __call__(self) -> datetime:
        """Return the time, then let it go on."""
        shown = self.now
        self.now += timedelta(microseconds=1)
        return shown


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal #1 ü%.db"


@pytest.fixture
def opened(path: Path, clock: Clock) -> Iterator[Callable[..., Journal]]:
    """Opens the journal at `path`, creating it; keywords as `Journal.open`."""
    journals = []

    def opener(**keywords: object) -> Journal:
        arguments: dict[str, object] = {
            "create": True,
            "actor": "ann@desk",
            "clock": clock,
            "tool_version": "0.1.0",
        }
        journal = Journal.open(path, **(arguments | keywords))  # type: ignore[arg-type]
        journals.append(journal)
        return journal

    yield opener
    for journal in journals:
        journal.close()


@pytest.fixture
def journal(opened: Callable[..., Journal]) -> Journal:
    return opened()


@pytest.fixture
def tamper(path: Path) -> Callable[..., None]:
    """Changes a journal as a program does that drops the triggers and puts them back."""

    def change(damage: str, *parameters: object) -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            select = "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'"
            triggers = other.execute(select).fetchall()
            for name, _ in triggers:
                other.execute(f"DROP TRIGGER {name}")
            other.execute(damage, parameters)
            for _, sql in triggers:
                other.execute(sql)

    return change


@pytest.fixture
def process() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts a Python process that runs a script with arguments, its pipes as text."""
    started: list[subprocess.Popen[str]] = []

    def start(script: str, *arguments: object) -> subprocess.Popen[str]:
        running = subprocess.Popen(
            [sys.executable, "-c", script, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(running)
        return running

    yield start
    for running in started:
        running.kill()
        running.communicate()
