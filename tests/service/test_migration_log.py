"""Claims about the replaced tool's log: its exact structure, and never somebody else's file."""

import json
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from junmai_svc.checks.finding import CheckResult, Finding, Report
from junmai_svc.service.migration_log import MigrationLog, error_lines, verification_results
from junmai_svc.storage.errors import JunmaiError

NOON = datetime(2025, 1, 8, 12, 0, 0, 999_999, tzinfo=UTC)
STATS = {"sessions": 5, "photos": 127, "jobs": 45, "写真 [red]": 0}


@pytest.fixture
def log() -> MigrationLog:
    return MigrationLog("data/junmai.db", "data/junmai_new.db")


def filled(log: MigrationLog) -> None:
    """As a migration that went well fills it."""
    log.backup_path = "data/backups/junmai_backup_20250108_120000.db"
    log.add("backup", "success", NOON, backup_path=log.backup_path)
    log.add("migration", "success", NOON.replace(second=30), stats=STATS)
    log.verification_results = {"success": True, "checks": {}, "errors": []}
    log.add("verification", "success", NOON.replace(minute=1), results=log.verification_results)


def test_the_file_has_the_replaced_tools_exact_structure(log: MigrationLog, tmp_path: Path) -> None:
    filled(log)
    path = log.save(tmp_path / "new" / "backups", NOON)
    assert path == tmp_path / "new" / "backups" / "migration_log_20250108_120000.json"
    content = json.loads(path.read_bytes())
    assert list(content) == [
        "source_db",
        "target_db",
        "backup_path",
        "migration_log",
        "verification_results",
    ]
    results = {"success": True, "checks": {}, "errors": []}
    assert content == {
        "source_db": "data/junmai.db",
        "target_db": "data/junmai_new.db",
        "backup_path": "data/backups/junmai_backup_20250108_120000.db",
        "migration_log": [
            {
                "step": "backup",
                "status": "success",
                "timestamp": "2025-01-08T12:00:00",
                "backup_path": "data/backups/junmai_backup_20250108_120000.db",
            },
            {
                "step": "migration",
                "status": "success",
                "timestamp": "2025-01-08T12:00:30",
                "stats": STATS,
            },
            {
                "step": "verification",
                "status": "success",
                "timestamp": "2025-01-08T12:01:00",
                "results": results,
            },
        ],
        "verification_results": results,
    }
    assert list(content["migration_log"][1]) == ["step", "status", "timestamp", "stats"]


def test_the_file_can_be_read_by_people_too(log: MigrationLog, tmp_path: Path) -> None:
    filled(log)
    text = log.save(tmp_path, NOON).read_text(encoding="utf-8")
    assert '  "source_db": "data/junmai.db",\n' in text
    assert "写真 [red]" in text


def test_a_log_without_a_backup_says_so(log: MigrationLog, tmp_path: Path) -> None:
    content = json.loads(log.save(tmp_path, NOON).read_bytes())
    assert content["backup_path"] is None
    assert content["migration_log"] == []
    assert content["verification_results"] == {}


def test_saved_again_it_replaces_its_own_file(log: MigrationLog, tmp_path: Path) -> None:
    first = log.save(tmp_path, NOON)
    log.add("migration", "failed", NOON, error="Migration failed: no")
    assert log.save(tmp_path, NOON.replace(hour=13)) == first
    assert list(tmp_path.iterdir()) == [first]
    assert json.loads(first.read_bytes())["migration_log"][0]["error"] == "Migration failed: no"


def test_two_logs_of_one_second_are_two_files(log: MigrationLog, tmp_path: Path) -> None:
    other = MigrationLog("other.db", "other_new.db")
    assert log.save(tmp_path, NOON).name == "migration_log_20250108_120000.json"
    assert other.save(tmp_path, NOON).name == "migration_log_20250108_120000_2.json"
    assert other.save(tmp_path, NOON).name == "migration_log_20250108_120000_2.json"


def test_many_logs_at_once_are_as_many_files(tmp_path: Path) -> None:
    logs = [MigrationLog(f"{number}.db", "") for number in range(12)]
    barrier = threading.Barrier(len(logs))

    def save(log: MigrationLog) -> None:
        barrier.wait()
        log.save(tmp_path, NOON)

    threads = [threading.Thread(target=save, args=[log]) for log in logs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    saved = [json.loads(path.read_bytes())["source_db"] for path in tmp_path.iterdir()]
    assert sorted(saved) == sorted(log.source_db for log in logs)


def test_a_log_that_can_not_be_written_is_an_error_of_its_folder(
    log: MigrationLog, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(JunmaiError, match="Can't write the migration log into"):
        log.save(tmp_path / "file" / "backups", NOON)


LOST = Finding(
    "counts",
    "photos",
    expected="127",
    actual="126",
    hint="Review migration log for errors, restore from backup if needed",
    message="Record count mismatch",
    of_row=False,
)
ORPHAN = Finding("foreign_keys", "jobs", key="id = 'a'", message="Orphaned records detected")


def test_a_verification_is_told_in_the_replaced_tools_structure() -> None:
    report = Report((CheckResult("counts", "photos"), CheckResult("foreign_keys", "jobs")))
    assert verification_results(report, {"photos": (127, 127), "jobs": (45, 45)}) == {
        "success": True,
        "checks": {
            "photos": {"source_count": 127, "target_count": 127, "match": True},
            "jobs": {"source_count": 45, "target_count": 45, "match": True},
            "foreign_keys": {"source_count": 0, "target_count": 0, "match": True},
        },
        "errors": [],
    }


def test_what_failed_is_told_with_what_to_do() -> None:
    report = Report((CheckResult("counts", "photos", total=1, findings=(LOST,)),))
    results = verification_results(report, {"photos": (127, 126)})
    assert results["success"] is False
    assert results["checks"]["photos"]["match"] is False
    (error,) = results["errors"]
    assert error == f"Record count mismatch in photos: expected 127, found 126. {LOST.hint}"


@pytest.mark.parametrize(("known", "match"), [(2, True), (1, False), (0, False)])
def test_orphans_that_the_source_had_already_do_not_fail_it(known: int, match: bool) -> None:
    results = tuple(
        CheckResult("foreign_keys", table, total=total, known=total if known == 2 else of)
        for table, total, of in (("jobs", 3, known), ("photos", 4, known))
    )
    checks = verification_results(Report(results), {})["checks"]
    assert checks["foreign_keys"]["target_count"] == 7
    assert checks["foreign_keys"]["source_count"] == (7 if known == 2 else 2 * known)
    assert checks["foreign_keys"]["match"] is match


def test_the_log_tells_where_a_row_is_wrong_and_not_what_it_holds() -> None:
    found = tuple(
        Finding("rows", "photos", f"mail = '{who}'", "status", "'ok'", f"'{who}'", "Look at it.")
        for who in ("jane", "john")
    )
    failed = CheckResult("rows", "photos", total=2, findings=found)
    results = verification_results(Report((failed,)), {})
    assert results["errors"] == ["Difference in photos, column status. Look at it."]
    shown = error_lines([failed])
    assert ["jane" in shown[0], "john" in shown[1]] == [True, True]


def test_only_new_findings_of_failed_checks_are_errors() -> None:
    known = Finding("foreign_keys", "jobs", known=True, message="Orphaned records detected")
    failed = CheckResult("foreign_keys", "jobs", total=2, known=1, findings=(known, ORPHAN))
    accepted = CheckResult("foreign_keys", "photos", total=1, known=1, findings=(known,))
    assert error_lines([failed, accepted]) == ["Orphaned records detected in jobs, id = 'a'."]
