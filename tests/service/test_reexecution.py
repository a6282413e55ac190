"""Claims about verdicts that no program of today would come to: older records, other versions."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.harness.databases import make_oldest

from junmai_svc.service.context import Context
from junmai_svc.service.migrate import migrate
from junmai_svc.service.migration import MigrateRequest
from junmai_svc.service.replay.record import Record
from junmai_svc.service.replay.reexecution import re_execute
from junmai_svc.service.replay.replay import Found, Verdict, record_in
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.snapshots.store import FileStore


@pytest.fixture
def context(journal: Journal, tmp_path: Path) -> Context:
    return Context(journal, (FileStore(tmp_path / "backups"),))


@pytest.fixture
def record(context: Context, tmp_path: Path) -> Record:
    """What the journal tells of a migration that was just made."""
    source = make_oldest(tmp_path / "junmai.db", photos=3)
    done = migrate(context, MigrateRequest(source, tmp_path / "new.db"))
    return record_in(context.journal, done.run)


def with_digest(record: Record, table: str, digest: str) -> Record:
    tables = dict(record.verified["tables"])
    tables[table] = {**tables[table], "digest": digest}
    return replace(record, verified={**record.verified, "tables": tables})


def test_a_migration_whose_recipe_is_not_on_record_is_not_reproducible(
    context: Context, record: Record
) -> None:
    planned = {name: value for name, value in record.planned.items() if name != "plan"}
    replayed = re_execute(context, replace(record, planned=planned))
    assert replayed.verdict is Verdict.NOT_REPRODUCIBLE
    assert "an older version ran it" in replayed.reason


@pytest.mark.parametrize(
    "changed",
    [{"clock": "yesterday"}, {"seed": "no hex"}, {"versions": ["0.1"]}, {"plan": 7}],
    ids=lambda changed: next(iter(changed)),
)
def test_a_recipe_that_this_version_does_not_know_is_not_reproducible(
    context: Context, record: Record, changed: dict[str, Any]
) -> None:
    replayed = re_execute(context, replace(record, planned={**record.planned, **changed}))
    assert replayed.verdict is Verdict.NOT_REPRODUCIBLE
    assert "not of a form that this version knows" in replayed.reason


@pytest.mark.parametrize(
    ("sqlite", "verdict"), [("3.0.0", Verdict.NOT_REPRODUCIBLE), (None, Verdict.DIVERGED)]
)
def test_other_rows_by_another_sqlite_prove_nothing_against_the_record(
    context: Context, record: Record, sqlite: str | None, verdict: Verdict
) -> None:
    changed = with_digest(record, "photos", "ab" * 32)
    if sqlite is not None:
        versions = {**record.planned["versions"], "sqlite": sqlite}
        changed = replace(changed, planned={**record.planned, "versions": versions})
    replayed = re_execute(context, changed)
    assert replayed.verdict is verdict
    assert "other rows in table photos" in replayed.reason
    assert ("sqlite 3.0.0, here" in replayed.reason) is (sqlite is not None)


def test_the_same_rows_by_another_sqlite_are_reproduced(context: Context, record: Record) -> None:
    versions = {**record.planned["versions"], "sqlite": "3.0.0"}
    planned = {**record.planned, "versions": versions}
    assert re_execute(context, replace(record, planned=planned)).verdict is Verdict.REPRODUCED


def test_a_table_that_is_recorded_and_not_made_diverges(context: Context, record: Record) -> None:
    tables = {**record.verified["tables"], "more": {"rows": 0, "digest": "ab" * 32}}
    changed = replace(record, verified={**record.verified, "tables": tables})
    replayed = re_execute(context, changed)
    assert (replayed.verdict, replayed.looked[-1].text) == (Verdict.DIVERGED, "is missing")


def test_where_the_target_is_changed_too_no_key_can_be_named(
    context: Context, record: Record
) -> None:
    """Only a target that is still as recorded can tell which row is wrong."""
    replayed = re_execute(context, with_digest(record, "photos", "ab" * 32))
    (looked,) = (each for each in replayed.looked if each.found is Found.OTHER)
    assert (looked.subject, looked.key) == ("table photos", "")
