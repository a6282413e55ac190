"""Claims about a daemon whose journal somebody else holds locked when it starts."""

import signal
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.daemon.installation import NEVER_SOON, Installation

from junmai_svc.service.configuration.file import load
from junmai_svc.service.context import now
from junmai_svc.service.daemon import run
from junmai_svc.service.daemon.setup import set_up
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.journal.projection import fold_runs

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no such signals")


def impatient(path: Path, *, create: bool) -> Journal:
    return Journal.open(
        path, create=create, actor="a@b", clock=now, tool_version="0", busy_seconds=0.05
    )


@pytest.fixture
def other(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> Iterator[sqlite3.Connection]:
    """A connection of somebody who writes in the journal."""
    monkeypatch.setattr(run, "open_journal", impatient)
    monkeypatch.setattr(run, "LOCKED_SECONDS", 0.1)
    impatient(installation.journal, create=True).close()
    with closing(
        sqlite3.connect(installation.journal, isolation_level=None, check_same_thread=False)
    ) as opened:
        opened.execute("BEGIN IMMEDIATE")
        yield opened


def ran(installation: Installation, meanwhile: Callable[[], None]) -> str:
    """Run the daemon in this thread, as signals want it, until what is done meanwhile is done."""
    installation.configure(NEVER_SOON)
    loaded = load(installation.configuration, {})
    assert loaded is not None

    def act() -> None:
        try:
            meanwhile()
        finally:
            signal.raise_signal(signal.SIGTERM)

    beside = threading.Thread(target=act)
    beside.start()
    try:
        return run.run_daemon(
            installation.journal, lambda progress: set_up(loaded, installation.journal, progress)
        )
    finally:
        beside.join()


def test_it_waits_until_the_journal_is_free_and_then_begins(
    installation: Installation, other: sqlite3.Connection
) -> None:
    def meanwhile() -> None:
        time.sleep(0.6)
        other.execute("ROLLBACK")
        installation.wait_for(installation.snapshots)

    run_id = ran(installation, meanwhile)
    with impatient(installation.journal, create=False) as journal:
        runs = {each.id: each for each in fold_runs(journal.read())}
    assert runs[run_id].status == "stopped"
    assert [each.kind for each in runs.values()].count("daemon") == 1


def test_a_signal_ends_the_waiting(installation: Installation, other: sqlite3.Connection) -> None:
    assert ran(installation, lambda: time.sleep(0.6)) == ""
    other.execute("ROLLBACK")
    with impatient(installation.journal, create=False) as journal:
        assert fold_runs(journal.read()) == []
