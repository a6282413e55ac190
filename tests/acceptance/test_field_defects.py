"""What the replaced tool got wrong in the field, one test for each; none of it happens here."""

import shutil
import signal
from pathlib import Path

from tests.harness.databases import (
    all_rows,
    as_wal,
    change,
    columns,
    contents,
    leave_in_wal,
    make_mixed,
    make_oldest,
    rows,
    value,
)
from tests.harness.halting import COPYING, PHOTOS, can_halt, halted
from tests.harness.neighbour import neighbour
from tests.harness.program import Program

SECOND = len("junmai_backup_YYYYMMDD_HHMMSS")


def migrated(program: Program, source: Path) -> Path:
    program("migrate", "--source", source)
    return source.with_suffix(".new.db")


def test_1_rows_in_jobs_are_migrated(program: Program, source: Path) -> None:
    """Any row in `jobs` made it fail."""
    assert rows(migrated(program, source), "jobs") == rows(source, "jobs") != []


def test_2_a_backup_of_a_wal_database_holds_all_committed_rows(
    program: Program, source: Path
) -> None:
    """It held 100 of 200 committed rows and reported success."""
    change(
        source, "CREATE TABLE n (n); INSERT INTO n SELECT 1 FROM jobs, presets, presets LIMIT 100"
    )
    leave_in_wal(source, "INSERT INTO n SELECT 2 FROM jobs, presets, presets LIMIT 100")
    outcome = program("backup", "--source", source, "--json")
    assert value(Path(outcome.json["backup_path"]), "SELECT count(*) FROM n") == 200


def test_3_a_restore_over_a_live_wal_database_is_refused_and_else_brings_the_snapshots_rows(
    program: Program, source: Path
) -> None:
    """It reported success and the old rows stayed."""
    before = all_rows(source)
    program("backup", "--source", source)
    as_wal(source)
    with neighbour(source, "database.execute('DELETE FROM jobs')"):
        program("restore", "latest", "--to", source, code=11)
    program("restore", "latest", "--to", source)
    assert all_rows(source) == before


def test_4_a_destroyed_backup_without_its_manifest_is_never_restored(
    program: Program, source: Path
) -> None:
    """It "succeeded"."""
    backup = Path(program("backup", "--source", source, "--json").json["backup_path"])
    backup.with_suffix(".json").unlink()
    backup.write_bytes(b"\0" * 4096)
    before = source.read_bytes()
    outcome = program("restore", backup, "--to", source, code=20)
    assert "no manifest" in outcome.message
    assert source.read_bytes() == before


def test_5_null_and_0_stay_what_they_are(program: Program, source: Path) -> None:
    """They were rewritten to defaults, and verification passed."""
    change(
        source,
        """UPDATE presets SET blend_amount = 0, usage_count = NULL, avg_approval_rate = 0.0;
        UPDATE sessions SET total_photos = NULL, processed_photos = 0;
        UPDATE photos SET detected_faces = NULL, approved = 0, file_size = NULL, iso = 0;
        UPDATE jobs SET retry_count = NULL""",
    )
    target = migrated(program, source)
    for table in ("presets", "sessions", "photos", "jobs"):
        names = ", ".join(columns(source, table))
        assert rows(target, table, names) == rows(source, table)
    change(target, "UPDATE presets SET blend_amount = 100 WHERE id = 2")
    program("verify", "--source", source, "--target", target, code=3)


def test_6_nothing_that_is_unknown_is_dropped(program: Program, tmp_path: Path) -> None:
    """Unknown tables, columns, views, triggers and rows of `photo_groups` were."""
    source = make_mixed(tmp_path / "junmai.db")
    change(
        source,
        """CREATE TABLE tags (tag); INSERT INTO tags VALUES ('a'); CREATE VIEW v AS SELECT 1;
        CREATE TRIGGER t AFTER DELETE ON tags BEGIN DELETE FROM tags; END""",
    )
    target = migrated(program, source)
    assert rows(target, "photo_groups") == rows(source, "photo_groups") != []
    assert rows(target, "tags") == rows(source, "tags")
    change(target, "DROP TRIGGER t; DROP VIEW v; DROP TABLE tags; DELETE FROM photo_groups")
    outcome = program("verify", "--source", source, "--target", target, "--json", code=3)
    named = {finding["table"] for finding in outcome.json["findings"]}
    assert named >= {"tags", "v", "t", "photo_groups"}
    change(source, "ALTER TABLE sessions ADD COLUMN mood TEXT")
    outcome = program("migrate", "--source", source, "--target", tmp_path / "again.db", code=2)
    assert "sessions.mood" in outcome.message


def test_7_damage_is_found_wherever_it_is_and_orphans_are_counted_to_the_last(
    program: Program, tmp_path: Path
) -> None:
    """Damage beyond the tenth photo and 7,000 orphans passed."""
    source = make_oldest(tmp_path / "junmai.db", photos=7_000)
    target = migrated(program, source)
    change(
        target,
        "UPDATE photos SET ai_score = 2.5 WHERE id = 6500; DELETE FROM photos WHERE id = 6999;"
        "UPDATE learning_data SET photo_id = photo_id + 100000",
    )
    outcome = program("verify", "--source", source, "--target", target, "--json", code=3)
    checks = {(check["check"], check["table"]): check for check in outcome.json["checks"]}
    assert checks["counts", "photos"]["total"] == 1
    assert checks["rows", "photos"]["total"] == 2
    assert checks["rows", "learning_data"]["total"] == 7_000
    assert checks["foreign_keys", "learning_data"]["total"] == 7_000
    keys = [finding["key"] for finding in outcome.json["findings"] if finding["table"] == "photos"]
    assert {"id = 6500", "id = 6999"} <= set(keys)


def test_8_time_zones_and_words_in_booleans_stay(program: Program, source: Path) -> None:
    """The time zone was dropped, and 'no' became true."""
    change(
        source,
        """UPDATE photos SET capture_time = '2025-01-01T12:00:00.123456789-09:30',
            approved = 'no', approved_at = '2025-01-01 00:00:00Z'""",
    )
    names = "id, capture_time, approved, approved_at, import_time"
    target = migrated(program, source)
    assert rows(target, "photos", names) == rows(source, "photos", names)
    assert value(target, "SELECT approved FROM photos LIMIT 1") == "no"


def test_9_a_bad_date_stops_nothing(program: Program, source: Path) -> None:
    """One aborted the run, without naming the row."""
    change(source, "UPDATE sessions SET created_at = 'the day after' WHERE id = 2")
    target = migrated(program, source)
    assert rows(target, "sessions") == rows(source, "sessions")


@can_halt
def test_10_a_writer_during_the_run_makes_no_orphan(program: Program, tmp_path: Path) -> None:
    """It copied table after table of the moving source."""
    source = make_oldest(tmp_path / "junmai.db", photos=PHOTOS)
    running = halted(program, source, COPYING)
    change(
        source,
        """INSERT INTO photos (id, file_path, file_name, import_time, status)
            VALUES (99999, 'new', 'new', '', 'imported');
        UPDATE jobs SET photo_id = 99999""",
    )
    running.send_signal(signal.SIGCONT)
    program.end(running)
    target = source.with_suffix(".new.db")
    assert value(target, "SELECT count(*) FROM pragma_foreign_key_check") == 0
    assert value(target, "SELECT count(*) FROM photos") == PHOTOS


def test_11_a_target_that_is_the_source_and_a_source_that_is_not_there_change_nothing(
    program: Program, source: Path
) -> None:
    """The first added tables to the source, the second made an empty file."""
    before = contents(program.folder)
    program("migrate", "--source", source, "--target", source, code=2)
    program("migrate", "--no-backup", "--source", source.with_name("wrong.db"), code=10)
    program.tool("--source", source.with_name("wrong.db"), "--no-backup", code=10)
    assert contents(program.folder) == before


def test_12_backups_of_one_second_are_as_many_snapshots(program: Program, source: Path) -> None:
    """The second overwrote the first."""
    names: set[str] = set()
    while len({name[:SECOND] for name in names}) == len(names):
        running = [program.start("backup", "--source", source, "--json") for _ in range(4)]
        stored = {program.end(one).json["snapshot"] for one in running}
        assert len(stored) == 4
        assert not stored & names
        names |= stored
    listed = program("snapshots", source.parent / "backups", "--json").json["snapshots"]
    assert {item["snapshot"] for item in listed} == names


@can_halt
def test_13_a_killed_migration_leaves_nothing_under_the_final_name(
    program: Program, tmp_path: Path
) -> None:
    """An empty valid database was left there."""
    source = make_oldest(tmp_path / "junmai.db", photos=PHOTOS)
    running = halted(program, source, COPYING)
    running.kill()
    running.communicate()
    assert not source.with_suffix(".new.db").exists()
    target = migrated(program, source)
    assert rows(target, "jobs") == rows(source, "jobs")
    assert not list(tmp_path.glob(".*"))


def test_14_a_restore_is_on_record(program: Program, source: Path) -> None:
    """It left no log."""
    program("backup", "--source", source)
    run = program("restore", "latest", "--to", source, "--json").json["run"]
    journal = ("--journal", source.with_name("journal.db"))
    told = program(*journal, "show", run, "--json").json
    assert (told["kind"], told["status"]) == ("restore", "switched")
    assert told["run"] in {
        item["run"] for item in program(*journal, "history", "--json").json["runs"]
    }


def test_15_the_mix_of_both_schemas_becomes_a_current_database(
    program: Program, tmp_path: Path
) -> None:
    """Creating what is missing never altered the old `photos`."""
    source = make_mixed(tmp_path / "junmai.db")
    shutil.copyfile(source, tmp_path / "kept.db")
    target = migrated(program, source)
    assert {"phash", "photo_group_id", "is_best_in_group"} <= set(columns(target, "photos"))
    assert "phash" not in columns(source, "photos")
    assert source.read_bytes() == (tmp_path / "kept.db").read_bytes()
