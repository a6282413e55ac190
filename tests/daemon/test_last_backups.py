"""Claims about what the journal tells of backups."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from junmai_svc.service.daemon.last_backups import LastBackups, absolute
from junmai_svc.storage.journal.events import event_type, stream_name
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.journal.uuid7 import uuid7


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal.open(
        tmp_path / "journal.db",
        create=True,
        actor="ann@desk",
        clock=lambda: datetime.now(UTC),
        tool_version="0",
    ) as opened:
        yield opened


def backed_up(
    journal: Journal, folder: Path, *stores: str, end: str = "verified", **start: Any
) -> datetime:
    run = uuid7()
    stream = stream_name("backup", run)
    process = {"pid": 1, "folder": str(folder)}
    said = {"source": "data/junmai.db", "reason": "manual", "process": process, **start}
    first = journal.append(stream, event_type("backup", "started"), said, correlation=run)
    for store in stores:
        journal.append(
            stream,
            event_type("backup", "stored"),
            {"store": store} if store else {},
            correlation=run,
        )
    journal.append(stream, event_type("backup", end), {}, correlation=run)
    return first.time


def test_each_store_is_told_apart_and_relative_names_count_from_where_it_ran(
    journal: Journal, tmp_path: Path
) -> None:
    backed_up(journal, tmp_path, "backups", "s3://bucket/x")
    newest = backed_up(journal, tmp_path / "data", "../backups", source="junmai.db")
    database = absolute(str(tmp_path / "data" / "junmai.db"), Path())
    found = LastBackups().feed(journal.read())
    assert found[database, absolute("backups", tmp_path)] == newest
    assert found[database, "s3://bucket/x"] < newest


@pytest.mark.parametrize("end", ["failed", "abandoned"])
def test_what_was_not_finished_counts_for_nothing(
    journal: Journal, tmp_path: Path, end: str
) -> None:
    backed_up(journal, tmp_path, "backups", end=end)
    assert LastBackups().feed(journal.read()) == {}


@pytest.mark.parametrize("reason", ["pre-restore", "pre-overwrite"])
def test_what_was_only_taken_to_undo_something_counts_for_nothing(
    journal: Journal, tmp_path: Path, reason: str
) -> None:
    backed_up(journal, tmp_path, "backups", reason=reason)
    assert LastBackups().feed(journal.read()) == {}


def test_backups_of_an_older_version_named_their_store_at_the_start(
    journal: Journal, tmp_path: Path
) -> None:
    backed_up(journal, tmp_path, "", store="old")
    assert {store for _, store in LastBackups().feed(journal.read())} == {absolute("old", tmp_path)}


def test_what_comes_in_pieces_is_told_as_what_comes_at_once(
    journal: Journal, tmp_path: Path
) -> None:
    for number in range(3):
        backed_up(journal, tmp_path, "backups", end="failed" if number == 1 else "verified")
    whole, piecemeal = LastBackups(), LastBackups()
    added: list[object] = []
    whole.feed(journal.read())
    for event in journal.read():
        added += piecemeal.feed([event])
    assert piecemeal.newest == whole.newest
    assert len(added) == 2
    assert piecemeal.position == whole.position
    assert piecemeal.feed(journal.read(after=piecemeal.position)) == {}
