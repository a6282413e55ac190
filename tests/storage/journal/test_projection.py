"""Claims about the runs that events tell of."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from junmai_svc.storage.journal import events
from junmai_svc.storage.journal.events import Role, event_type, stream_name
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.journal.lease import register_database
from junmai_svc.storage.journal.projection import fold_runs
from junmai_svc.storage.journal.uuid7 import uuid7

START: dict[str, Any] = {
    "database": "/data/junmai.db",
    "source": "/data/junmai.db",
    "target": "/data/junmai.new.db",
    "command": "migrate",
    "process": {"pid": 17, "host": "desk"},
}
TERMINAL = [kind for kind in events.CATALOGUE.values() if kind.role is Role.TERMINAL]

Record = Callable[..., str]


@pytest.fixture
def record(journal: Journal) -> Record:
    """Appends the named events, each with its data, to a new stream; returns the run's id."""

    def append(category: str, **named: dict[str, Any]) -> str:
        run = uuid7()
        for name, data in named.items():
            stream = stream_name(category, run)
            journal.append(stream, event_type(category, name), data, correlation=run)
        return run

    return append


def test_a_migration_is_told_from_request_to_verification(journal: Journal, record: Record) -> None:
    run_id = record(
        "migration",
        requested=START,
        backup_linked={"snapshot": "junmai_backup_20261122_140000"},
        started=START,
        verified={"message": "11 tables"},
    )
    [run] = fold_runs(journal.read())
    recorded = list(journal.read(stream_name("migration", run_id)))
    assert (run.id, run.kind, run.status) == (run_id, "migration", "verified")
    assert (run.started, run.ended) == (recorded[0].time, recorded[-1].time)
    assert (run.database, run.source, run.target, run.command) == (
        "/data/junmai.db",
        "/data/junmai.db",
        "/data/junmai.new.db",
        "migrate",
    )
    assert run.snapshot == "junmai_backup_20261122_140000"
    assert run.message == "11 tables"
    assert run.actor == journal.actor


@pytest.mark.parametrize("kind", TERMINAL, ids=lambda kind: kind.type)
def test_the_status_is_the_name_of_what_ended_the_run(
    journal: Journal, record: Record, kind: events.EventKind
) -> None:
    start = events.STARTS[kind.category].name
    record(kind.category, **{start: START, kind.name: {"error": "why"}})
    [run] = fold_runs(journal.read())
    assert (run.kind, run.status, run.message) == (kind.category, kind.name, "why")
    assert run.ended is not None


def test_a_run_without_an_end_is_running(journal: Journal, record: Record) -> None:
    record("backup", started=START, snapshot_taken={"snapshot": "s"})
    [run] = fold_runs(journal.read())
    assert (run.status, run.ended, run.snapshot) == ("running", None, "s")


def test_the_newest_run_comes_first_whenever_it_ended(journal: Journal, record: Record) -> None:
    ids = [record("backup", started={}) for _ in range(3)]
    journal.append(
        stream_name("backup", ids[0]), event_type("backup", "failed"), {}, correlation=ids[0]
    )
    assert [run.id for run in fold_runs(journal.read())] == ids[::-1]


def test_the_journal_and_its_databases_are_no_runs(journal: Journal, tmp_path: Path) -> None:
    register_database(journal, tmp_path / "photos.db", uuid7())
    assert fold_runs(journal.read()) == []


def test_fields_that_are_missing_or_of_another_kind_read_as_none(
    journal: Journal, record: Record
) -> None:
    record("restore", requested={"database": 7, "target": ["x"]}, failed={"message": None})
    [run] = fold_runs(journal.read())
    assert (run.database, run.source, run.target, run.command) == (None, None, None, None)
    assert (run.status, run.message) == ("failed", None)


def test_runs_whose_start_is_not_among_the_events_are_passed_over(
    journal: Journal, record: Record
) -> None:
    record("backup", started={}, verified={})
    later = record("backup", started={})
    assert [run.id for run in fold_runs(journal.read(after=1))] == [later]
