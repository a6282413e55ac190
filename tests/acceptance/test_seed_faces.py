"""Claims about the replaced tool's two faces: what was written for it goes on working."""

import hashlib
import json
import re
import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from tests.harness.databases import OLD_TABLES, all_rows, change, make_oldest, objects, rows
from tests.harness.program import Program

from data_migration_tool import DataMigrationTool

# As a person types them, with the separator of the system.
SOURCE, TARGET = str(Path("data", "junmai.db")), str(Path("data", "junmai_new.db"))
FIVE_FIELDS = ["original_path", "backup_path", "timestamp", "checksum", "file_size"]


@pytest.fixture
def at_home(source: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that holds `data/junmai.db`, and is the current one."""
    monkeypatch.chdir(source.parent.parent)
    return source.parent.parent


@pytest.fixture
def tool(at_home: Path) -> DataMigrationTool:
    del at_home
    return DataMigrationTool(
        source_db_path=SOURCE, target_db_path=TARGET, backup_dir="data/backups"
    )


def the_log(folder: Path) -> dict[str, Any]:
    (path,) = folder.glob("data/backups/migration_log_*.json")
    assert re.fullmatch(r"migration_log_\d{8}_\d{6}\.json", path.name)
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def requires_shape_of_a_log(log: dict[str, Any], steps: list[tuple[str, str]]) -> None:
    assert list(log) == [
        "source_db",
        "target_db",
        "backup_path",
        "migration_log",
        "verification_results",
    ]
    assert [(step["step"], step["status"]) for step in log["migration_log"]] == steps
    for step in log["migration_log"]:
        assert list(step)[:3] == ["step", "status", "timestamp"]
        assert datetime.fromisoformat(step["timestamp"]).microsecond == 0
        assert len(step["timestamp"]) == len("2025-01-08T12:00:00")


def requires_shape_of_results(results: dict[str, Any], counts: dict[str, int]) -> None:
    assert list(results) == ["success", "checks", "errors"]
    checks = dict(results["checks"])
    assert checks.pop("foreign_keys")["match"] is True
    assert set(checks) >= set(OLD_TABLES)
    for table, found in checks.items():
        count = counts.get(table, 0)
        assert found == {"source_count": count, "target_count": count, "match": True}


WHOLE = [("backup", "success"), ("migration", "success"), ("verification", "success")]


def test_the_quick_start_migrates_backs_up_verifies_and_logs(
    program: Program, source: Path
) -> None:
    outcome = program.tool("--source", SOURCE, "--target", TARGET)
    assert "Next steps" in outcome.out
    counts = {table: len(found) for table, found in all_rows(source).items()}
    log = the_log(program.folder)
    requires_shape_of_a_log(log, WHOLE)
    assert (log["source_db"], log["target_db"]) == (SOURCE, TARGET)
    backup_path = Path(log["backup_path"]).as_posix()
    assert re.fullmatch(r"data/backups/junmai_backup_\d{8}_\d{6}\.db", backup_path)
    backup, migration, verification = log["migration_log"]
    assert backup["backup_path"] == log["backup_path"]
    assert {table: migration["stats"][table] for table in OLD_TABLES} == counts
    assert verification["results"] == log["verification_results"]
    assert log["verification_results"]["success"] is True
    assert log["verification_results"]["errors"] == []
    requires_shape_of_results(log["verification_results"], counts)


def test_a_backups_metadata_begins_with_the_five_fields(program: Program, source: Path) -> None:
    program.tool("--source", SOURCE, "--backup-only")
    (image,) = source.parent.glob("backups/*.db")
    metadata = json.loads(image.with_suffix(".json").read_text(encoding="utf-8"))
    assert list(metadata)[:5] == FIVE_FIELDS
    assert [metadata[name] for name in FIVE_FIELDS] == [
        SOURCE,
        str(Path("data", "backups", image.name)),
        image.stem.removeprefix("junmai_backup_"),
        hashlib.sha256(image.read_bytes()).hexdigest(),
        image.stat().st_size,
    ]
    assert not (source.parent / "junmai.new.db").exists()


def test_restore_brings_a_backup_back_and_keeps_what_was_there(
    program: Program, source: Path
) -> None:
    before = all_rows(source)
    program.tool("--source", SOURCE, "--backup-only")
    (image,) = source.parent.glob("backups/*.db")
    change(source, "DELETE FROM jobs")
    program.tool("--source", SOURCE, "--restore", f"data/backups/{image.name}")
    assert all_rows(source) == before
    assert len(list(source.parent.glob("backups/*.db"))) == 2


def test_verify_only_compares_and_ends_with_3_where_they_differ(
    program: Program, source: Path
) -> None:
    program.tool("--source", SOURCE, "--target", TARGET)
    target = source.with_name("junmai_new.db")
    same = program.tool("--source", SOURCE, "--target", TARGET, "--verify-only")
    assert "no difference" in same.out
    program.tool("--source", SOURCE, "--target", SOURCE, "--verify-only")
    change(target, "DELETE FROM learning_data WHERE id = 20")
    outcome = program.tool("--source", SOURCE, "--target", TARGET, "--verify-only", code=3)
    assert "learning_data" in outcome.out
    assert "Review migration log for errors, restore from backup if needed" in outcome.out


def test_no_backup_and_backup_dir_do_what_they_say(program: Program, source: Path) -> None:
    program.tool("--source", SOURCE, "--no-backup")
    assert not list(source.parent.rglob("*_backup_*"))
    assert source.with_name("junmai.new.db").exists()
    program.tool("--source", SOURCE, "--backup-only", "--backup-dir", "elsewhere/kept")
    assert len(list(program.folder.glob("elsewhere/kept/junmai_backup_*.db"))) == 1


def test_its_help_names_every_option_of_the_reference_page(program: Program) -> None:
    told = program.tool("--help").out
    for option in ("source", "target", "backup-dir", "backup-only", "restore", "verify-only"):
        assert f"--{option}" in told
    assert "--no-backup" in told
    program.tool(code=2)
    program.tool("--source", SOURCE, "--backup-only", "--verify-only", code=2)


def test_the_example_of_the_python_api_works_as_it_stands(
    tool: DataMigrationTool, at_home: Path
) -> None:
    backup_path = tool.create_backup()
    success = tool.migrate_data()
    results = tool.verify_migration()
    tool.save_migration_log()
    assert success is True
    named = Path(backup_path).as_posix()
    assert re.fullmatch(r"data/backups/junmai_backup_\d{8}_\d{6}\.db", named)
    counts = {table: len(found) for table, found in all_rows(at_home / SOURCE).items()}
    requires_shape_of_results(results, counts)
    assert (results["success"], results["errors"]) == (True, [])
    log = the_log(at_home)
    requires_shape_of_a_log(log, [*WHOLE, ("verification", "success")])
    assert log["backup_path"] == backup_path
    assert rows(at_home / TARGET, "jobs") == rows(at_home / SOURCE, "jobs")
    assert len(list(at_home.glob("data/backups/*.db"))) == 1


def test_migrate_data_takes_its_own_backup_where_there_is_none(
    tool: DataMigrationTool, at_home: Path
) -> None:
    assert tool.migrate_data() is True
    assert len(list(at_home.glob("data/backups/junmai_backup_*.db"))) == 1
    requires_shape_of_a_log(the_log(at_home), WHOLE)


def test_defaults_of_the_class_are_those_of_the_command_line(at_home: Path) -> None:
    assert DataMigrationTool(SOURCE).migrate_data() is True
    assert (at_home / "data" / "junmai.new.db").exists()
    assert len(list(at_home.glob("data/backups/junmai_backup_*.db"))) == 1


def test_restore_from_backup_answers_with_true_or_false(
    tool: DataMigrationTool, at_home: Path
) -> None:
    before = all_rows(at_home / SOURCE)
    backup_path = tool.create_backup()
    change(at_home / SOURCE, "DELETE FROM jobs")
    assert tool.restore_from_backup(backup_path) is True
    assert all_rows(at_home / SOURCE) == before
    assert tool.restore_from_backup(Path("data/backups/nothing.db")) is False
    assert "Backup not found" in str(tool.error)
    with Path(backup_path).open("r+b") as image:
        image.write(b"SQLite format 4")
    assert tool.restore_from_backup(backup_path) is False
    assert "Backup checksum mismatch" in str(tool.error)
    assert all_rows(at_home / SOURCE) == before


def test_a_failed_migration_answers_false_and_leaves_its_log(
    tool: DataMigrationTool, at_home: Path
) -> None:
    change(at_home / SOURCE, "ALTER TABLE photos ADD COLUMN rating INTEGER")
    assert tool.migrate_data() is False
    assert "photos.rating" in str(tool.error)
    log = the_log(at_home)
    requires_shape_of_a_log(log, [("migration", "failed")])
    assert log["migration_log"][0]["error"].startswith("Migration failed: ")
    assert not (at_home / TARGET).exists()


def test_verify_migration_lists_what_is_wrong_with_counts_and_what_to_do(
    tool: DataMigrationTool, at_home: Path
) -> None:
    assert tool.migrate_data() is True
    change(
        at_home / TARGET,
        "DELETE FROM presets WHERE id = 4; UPDATE jobs SET photo_id = 999 WHERE photo_id = 3;"
        "UPDATE sessions SET name = 'x' WHERE id = 1",
    )
    results = tool.verify_migration()
    assert results["success"] is False
    assert results["checks"]["presets"] == {"source_count": 4, "target_count": 3, "match": False}
    assert results["checks"]["sessions"]["match"] is True
    assert results["checks"]["foreign_keys"] == {
        "source_count": 0,
        "target_count": 1,
        "match": False,
    }
    errors = "\n".join(results["errors"])
    assert "sessions, id = 1, column name" in errors
    assert (
        "Record count mismatch in presets: expected 4 rows, found 3 rows."
        " Review migration log for errors, restore from backup if needed"
    ) in results["errors"]
    assert "Orphaned records detected" in errors
    assert "Check foreign key relationships in source database" in errors


def test_verify_migration_before_any_migration_says_so(tool: DataMigrationTool) -> None:
    results = tool.verify_migration()
    assert (results["success"], results["checks"]) == (False, {})
    assert "Target database not found" in results["errors"][0]


def test_a_missing_source_is_told_in_the_tools_words(program: Program, at_home: Path) -> None:
    (at_home / SOURCE).unlink()
    for options in ((), ("--backup-only",), ("--verify-only",), ("--no-backup",)):
        outcome = program.tool("--source", SOURCE, *options, code=10)
        assert "Source database not found" in outcome.message
        assert "Check the path to your database file" in outcome.message
    tool = DataMigrationTool(SOURCE)
    with pytest.raises(Exception, match="Source database not found"):
        tool.create_backup()
    assert tool.migrate_data() is False
    assert "Source database not found" in tool.verify_migration()["errors"][0]
    assert list((at_home / "data").iterdir()) == []


def test_a_damaged_backup_is_told_in_the_tools_words(program: Program, source: Path) -> None:
    program.tool("--source", SOURCE, "--backup-only")
    (image,) = source.parent.glob("backups/*.db")
    image.write_bytes(image.read_bytes() + b"more")
    outcome = program.tool("--source", SOURCE, "--restore", image, code=20)
    assert "Backup checksum mismatch" in outcome.message
    assert "Backup file may be corrupted, create a new backup" in outcome.message


def test_a_failed_migration_is_told_in_the_tools_words(program: Program, source: Path) -> None:
    """Two photos have one path, which only the target's schema forbids."""
    schema = str(objects(source)["table photos"]).replace(", UNIQUE (file_path)", "")
    change(
        source,
        f"""PRAGMA legacy_alter_table = 1; ALTER TABLE photos RENAME TO before;
        {schema}; INSERT INTO photos SELECT * FROM before; DROP TABLE before;
        UPDATE photos SET file_path = 'same' WHERE id IN (4, 5)""",
    )
    outcome = program.tool("--source", SOURCE, "--target", TARGET, code=21)
    assert "Migration failed: " in outcome.message
    assert "photos.file_path" in outcome.message
    for step in (
        "1. Check error message in log",
        "2. Restore from backup",
        "3. Fix underlying issue",
        "4. Retry migration",
    ):
        assert step in outcome.message
    log = the_log(program.folder)
    requires_shape_of_a_log(log, [("backup", "success"), ("migration", "failed")])


def test_orphans_are_told_in_the_tools_words(program: Program, source: Path) -> None:
    shutil.copyfile(source, source.with_name("junmai_new.db"))
    change(source.with_name("junmai_new.db"), "DELETE FROM photos WHERE id = 5")
    outcome = program.tool("--source", SOURCE, "--target", TARGET, "--verify-only", code=3)
    assert "Record count mismatch" in outcome.out
    assert "Orphaned records detected" in outcome.out
    assert "Check foreign key relationships in source database" in outcome.out


def test_backups_of_both_programs_are_one_kind(program: Program, source: Path) -> None:
    program.tool("--source", SOURCE, "--backup-only")
    listed = program("snapshots", "--json").json["snapshots"]
    assert [item["reason"] for item in listed] == ["manual"]
    make_oldest(source.with_name("other.db"))
    program("restore", "latest", "--to", SOURCE)
    history = program("history", "--json").json["runs"]
    assert [run["kind"] for run in history if run["kind"] != "backup"] == ["restore"]
