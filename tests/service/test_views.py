"""Claims about the one object that `--json` prints: complete, plain, and valid JSON."""

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from junmai_svc.checks.finding import CheckResult, Finding, Report, Verdict
from junmai_svc.checks.image import Examination
from junmai_svc.service import views
from junmai_svc.service.backup import Backup
from junmai_svc.service.build import Copied
from junmai_svc.service.context import StoreProblem
from junmai_svc.service.migration import MigrateRequest, Migration
from junmai_svc.service.plan import MigrationPlan, plan_migration
from junmai_svc.service.replace import Replaced
from junmai_svc.service.replay.recipe import new_recipe
from junmai_svc.service.restore import Restored
from junmai_svc.service.verify import Verification
from junmai_svc.service.views import run as views_run
from junmai_svc.storage.databases.schema import Schema, read_schema
from junmai_svc.storage.errors import ChecksumError, PlanError, StorageUnavailableError
from junmai_svc.storage.journal.entry import Event
from junmai_svc.storage.journal.projection import fold_runs
from junmai_svc.storage.snapshots.base import Snapshot
from junmai_svc.storage.snapshots.manifest import Manifest, Reason

NOON = datetime(2025, 1, 8, 12, 0, 0, 123_456, tzinfo=UTC)
NAME = "junmai_backup_20250108_120000"
SNAPSHOT = Snapshot(
    Manifest(
        original_path="data/junmai.db",
        backup_path=f"data/backups/{NAME}.db",
        timestamp="20250108_120000",
        checksum="ab" * 32,
        file_size=4096,
        format=1,
        name=NAME,
        created_at=NOON.isoformat(),
        reason=Reason.SCHEDULED,
    ),
    Path("data", "backups", f"{NAME}.db"),
)
FOUND = Examination(
    method="quick_check",
    facts={},
    violations={"CHECK constraint failed in photos": 2},
    null_tables=frozenset(),
    rows={},
)
LOST = Finding("counts", "photos", expected="2", actual="1", hint="Look.", message="Lost")


def schema(*statements: str) -> Schema:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
        for statement in statements:
            database.execute(statement)
        return read_schema(database)


@pytest.fixture
def plan() -> MigrationPlan:
    target = schema(
        "CREATE TABLE photos (id INTEGER PRIMARY KEY, best BOOLEAN)", "CREATE TABLE j (a)"
    )
    source = schema("CREATE TABLE Photos (id INTEGER PRIMARY KEY)", "CREATE TABLE [写 真] (a, b)")
    return plan_migration(source, target, {"photos": {"best": "0"}})


def plain(view: dict[str, Any]) -> dict[str, Any]:
    """The view, made sure to come through JSON as it is."""
    assert json.loads(json.dumps(view)) == view
    return view


def test_an_error_tells_its_kind_its_hint_and_its_exit_code() -> None:
    assert plain(views.error_view(ChecksumError("Backup checksum mismatch", "Look."))) == {
        "run": None,
        "status": "failed",
        "error": {
            "type": "ChecksumError",
            "message": "Backup checksum mismatch",
            "hint": "Look.",
            "exit": 20,
        },
    }
    assert views.error_view(PlanError("no place"))["error"]["exit"] == 2


def test_a_plan_tells_of_every_table_where_its_rows_come_from(plan: MigrationPlan) -> None:
    view = plain(views.plan_view(plan))
    assert (view["run"], view["status"]) == (None, "planned")
    assert view["tables"] == [
        {
            "table": "photos",
            "from": "Photos",
            "carried": False,
            "columns": 2,
            "new_columns": {"best": "0"},
        },
        {"table": "j", "from": None, "carried": False, "columns": 1, "new_columns": {}},
        {"table": "写 真", "from": "写 真", "carried": True, "columns": 2, "new_columns": {}},
    ]
    assert view["carried"] == ["table 写 真"]
    assert view["notes"] == []


RESULTS = st.builds(
    lambda table, total, known: CheckResult("check", table, total=total, known=min(known, total)),
    st.sampled_from(["photos", "jobs", ""]),
    st.integers(0, 2),
    st.integers(0, 2),
)


@settings(deadline=None)
@given(st.lists(RESULTS))
def test_a_tables_verdict_is_the_worst_of_all_its_checks(results: list[CheckResult]) -> None:
    found = views.verdicts_of(Report(tuple(results)))
    assert set(found) == {result.table for result in results}
    for table, verdict in found.items():
        given_ = {result.verdict for result in results if result.table == table}
        if Verdict.FAILED in given_:
            assert verdict is Verdict.FAILED
        else:
            assert verdict is (Verdict.KNOWN if Verdict.KNOWN in given_ else Verdict.OK)


def migration(plan: MigrationPlan, *, snapshot: Snapshot | None) -> Migration:
    return Migration(
        run="0190163d-8694-739b-aea5-966c26f8ad91",
        journal=Path("data", "journal.db"),
        request=MigrateRequest(Path("data", "junmai.db"), Path("data", "new.db")),
        plan=plan,
        recipe=new_recipe(plan, NOON),
        snapshot=snapshot,
        copied=[Copied("photos", 2, 0.12345, carried=False), Copied("写 真", 0, 0, carried=True)],
        report=Report(
            (
                CheckResult("counts", "photos", total=1, known=1, findings=(LOST,)),
                CheckResult("rows", "photos", counts={"rule:best": 2}, seconds=1.23456),
                CheckResult("counts", "写 真"),
            )
        ),
        digests={"photos": "cd" * 32},
        log_path=Path("data", "backups", "migration_log.json"),
    )


def test_a_migration_tells_all_that_it_did(plan: MigrationPlan) -> None:
    result = migration(plan, snapshot=SNAPSHOT)
    view = plain(views.migration_view(result))
    assert {key: view[key] for key in ("run", "status", "source", "target", "journal", "log")} == {
        "run": result.run,
        "status": "verified",
        "source": str(Path("data", "junmai.db")),
        "target": str(Path("data", "new.db")),
        "journal": str(Path("data", "journal.db")),
        "log": str(Path("data", "backups", "migration_log.json")),
    }
    assert (view["snapshot"], view["backup_path"]) == (NAME, str(SNAPSHOT.image))
    assert view["tables"] == [
        {
            "table": "photos",
            "rows": 2,
            "seconds": 0.123,
            "verdict": "known",
            "digest": "cd" * 32,
            "carried": False,
        },
        {
            "table": "写 真",
            "rows": 0,
            "seconds": 0,
            "verdict": "ok",
            "digest": None,
            "carried": True,
        },
    ]
    assert view["rules"] == {"photos.best": {"value": "0", "rows": 2}}
    assert view["carried"] == ["table 写 真"]
    assert view["replaced"] is None
    assert len(view["checks"]) == 3


def test_a_migration_without_a_backup_names_none(plan: MigrationPlan) -> None:
    result = migration(plan, snapshot=None)
    result.replaced = Replaced("before", ())
    view = plain(views.migration_view(result))
    assert (view["snapshot"], view["backup_path"], view["replaced"]) == (None, None, "before")


def test_a_finding_has_the_promised_fields() -> None:
    (view,) = views.findings_view(Report((CheckResult("counts", findings=(LOST,)),)))
    assert plain(view) == {
        "check": "counts",
        "message": "Lost",
        "table": "photos",
        "key": "",
        "column": "",
        "expected": "2",
        "actual": "1",
        "hint": "Look.",
        "known": False,
    }


def test_a_check_tells_its_exact_totals() -> None:
    result = CheckResult("rows", "photos", total=70, known=3, counts={"rows": 9}, seconds=0.12345)
    (view,) = views.checks_view(Report((result,)))
    assert plain(view) == {
        "check": "rows",
        "table": "photos",
        "verdict": "failed",
        "total": 70,
        "known": 3,
        "counts": {"rows": 9},
        "seconds": 0.123,
    }


DOWN = StoreProblem("s3://bucket", StorageUnavailableError("It is down", "Wait."))


def test_a_backup_tells_where_it_is_and_what_its_rows_break() -> None:
    view = plain(views.backup_view(Backup("run", (SNAPSHOT,), (DOWN,), FOUND, 1.0)))
    assert view == {
        "run": "run",
        "status": "stored",
        "snapshot": NAME,
        "backup_path": str(SNAPSHOT.image),
        "checksum": "ab" * 32,
        "file_size": 4096,
        "stores": [
            {
                "store": "",
                "snapshot": NAME,
                "place": str(SNAPSHOT.image),
                "layout": "file",
                "new_bytes": None,
            }
        ],
        "failed_stores": [{"store": "s3://bucket", "problem": "It is down", "hint": "Wait."}],
        "check": "quick_check",
        "violations": {"CHECK constraint failed in photos": 2},
    }


@pytest.mark.parametrize(
    ("replaced", "kept"),
    [
        (Replaced("before", ()), ("before", [])),
        (Replaced(None, ("a.db", "a.db-wal")), (None, ["a.db", "a.db-wal"])),
        (Replaced(None, ()), (None, [])),
    ],
)
def test_a_restore_tells_what_became_of_what_was_there(
    replaced: Replaced, kept: tuple[str | None, list[str]]
) -> None:
    view = plain(views.restored_view(Restored("run", SNAPSHOT, Path("x.db"), replaced, FOUND)))
    assert (view["pre_restore_snapshot"], view["set_aside"]) == kept
    assert (view["status"], view["snapshot"], view["target"]) == ("restored", NAME, "x.db")


@pytest.mark.parametrize(
    ("results", "status"),
    [
        ([CheckResult("counts", "photos")], "passed"),
        ([CheckResult("counts", "photos", total=2, known=2)], "passed"),
        ([CheckResult("counts", "photos", total=2, known=1)], "findings"),
    ],
)
def test_a_verification_passes_unless_something_is_new(
    results: Sequence[CheckResult], status: str
) -> None:
    done = Verification("run", "a -> b", Report(tuple(results)), {"photos": (2, 1)})
    view = plain(views.verification_view(done))
    assert view["status"] == status
    assert view["tables"] == [
        {
            "table": "photos",
            "source_rows": 2,
            "target_rows": 1,
            "verdict": results[0].verdict.value,
        }
    ]


def event(name: str, position: int, **data: Any) -> Event:
    return Event(
        position=position,
        id="id",
        stream="backup/0190163d-8694-739b-aea5-966c26f8ad91",
        version=position,
        type=f"junmai.backup.{name}.v1",
        time=NOON,
        data=data,
        correlation="run",
        causation=None,
        actor="actor:0123456789ab",
        entry=b"",
        leaf_hash=b"",
    )


def test_a_run_and_its_events_are_told_in_utc() -> None:
    events = [event("started", 1, database="a.db"), event("failed", 2, message="no space")]
    (run,) = fold_runs(events)
    assert plain(views.run_view(run)) == {
        "run": "0190163d-8694-739b-aea5-966c26f8ad91",
        "kind": "backup",
        "status": "failed",
        "database": "a.db",
        "target": None,
        "snapshot": None,
        "started": "2025-01-08T12:00:00.123456+00:00",
        "ended": "2025-01-08T12:00:00.123456+00:00",
        "actor": "actor:0123456789ab",
        "message": "no space",
    }
    (running,) = fold_runs(events[:1])
    assert views.run_view(running)["ended"] is None
    told = plain(views_run.story_view(run, events))
    assert told["ms"] == 0
    assert told["events"][0] == {
        "position": 1,
        "version": 1,
        "type": "junmai.backup.started.v1",
        "name": "started",
        "time": "2025-01-08T12:00:00.123456+00:00",
        "after_ms": 0,
        "text": "Asked to back up (not recorded) ((not recorded))",
        "data": {"database": "a.db"},
    }
    assert told["events"][1]["text"] == "Failed: no space"


@pytest.mark.parametrize(("held", "status"), [(True, "held"), (False, "released")])
def test_a_hold_tells_how_it_is_now(held: bool, status: str) -> None:
    assert plain(views.hold_view(NAME, held=held)) == {
        "run": None,
        "status": status,
        "snapshot": NAME,
        "gone": False,
    }
