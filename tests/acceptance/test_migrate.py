"""Claims about `migrate` on the three kinds of Junmai database that there are."""

import re
import shutil
import sys
from collections.abc import Callable
from contextlib import closing, nullcontext
from pathlib import Path

import pytest
from tests.harness.databases import (
    GOLDEN,
    NEW_PHOTO_COLUMNS,
    NEW_TABLES,
    OLD_TABLES,
    all_rows,
    as_wal,
    change,
    columns,
    contents,
    leave_in_wal,
    make_current,
    make_mixed,
    make_oldest,
    objects,
    opened,
    rows,
    unrecorded,
    value,
)
from tests.harness.neighbour import neighbour
from tests.harness.program import Outcome, Program

PHOTOS = 24


def migrate(program: Program, source: Path, *options: str) -> tuple[Outcome, Path]:
    target = source.with_name("junmai_new.db")
    outcome = program("migrate", "--source", source, "--target", target, "--json", *options)
    return outcome, target


def remedy(outcome: Outcome) -> str:
    """The SQL that the hint of a stopped plan tells the person to run."""
    return outcome.message.partition("run again: ")[2]


def test_every_row_of_the_oldest_schema_arrives(program: Program, source: Path) -> None:
    outcome, target = migrate(program, source)
    assert outcome.json["status"] == "verified"
    for table in OLD_TABLES:
        names = ", ".join(columns(source, table))
        assert rows(target, table, names) == rows(source, table), table
        assert rows(source, table), "an empty table proves nothing"
    assert [rows(target, table) for table in NEW_TABLES] == [[]] * len(NEW_TABLES)


def test_the_target_has_the_schema_of_a_fresh_junmai(
    program: Program, source: Path, tmp_path: Path
) -> None:
    _, target = migrate(program, source)
    fresh = tmp_path / "fresh.db"
    change(fresh, (GOLDEN / "schema_current.sql").read_text(encoding="utf-8"))
    assert objects(target).keys() == objects(fresh).keys()
    for table in (*OLD_TABLES, *NEW_TABLES):
        assert columns(target, table) == columns(fresh, table)


def test_a_database_of_the_current_schema_arrives_as_it_is(
    program: Program, tmp_path: Path
) -> None:
    source = make_current(tmp_path / "junmai.db")
    outcome, target = migrate(program, source)
    assert all_rows(target) == all_rows(source)
    assert outcome.json["rules"] == {}


def test_the_mix_of_the_field_arrives_with_its_newer_tables_and_gains_the_columns(
    program: Program, tmp_path: Path
) -> None:
    source = make_mixed(tmp_path / "junmai.db")
    outcome, target = migrate(program, source)
    before, after = all_rows(source), all_rows(target)
    assert {name: after[name] for name in before if name != "photos"} == {
        name: found for name, found in before.items() if name != "photos"
    }
    assert rows(target, "photos", ", ".join(columns(source, "photos"))) == before["photos"]
    assert set(NEW_PHOTO_COLUMNS) < set(columns(target, "photos"))
    assert outcome.json["carried"] == ["table alembic_version"]


def test_new_columns_hold_their_declared_defaults_and_each_rule_says_for_how_many_rows(
    program: Program, source: Path
) -> None:
    outcome, target = migrate(program, source)
    assert outcome.json["rules"] == {
        "photos.phash": {"value": "NULL", "rows": PHOTOS},
        "photos.photo_group_id": {"value": "NULL", "rows": PHOTOS},
        "photos.is_best_in_group": {"value": "0", "rows": PHOTOS},
    }
    assert set(rows(target, "photos", "phash, photo_group_id, is_best_in_group")) == {
        "[('NoneType', None), ('NoneType', None), ('int', 0)]"
    }


def test_the_tables_come_in_the_order_of_the_replaced_tool_then_parents_before_children(
    program: Program, source: Path
) -> None:
    order = [table["table"] for table in migrate(program, source)[0].json["tables"]]
    assert tuple(order[:6]) == OLD_TABLES
    assert sorted(order[6:]) == sorted(NEW_TABLES)
    assert order.index("ab_tests") < order.index("ab_test_assignments")


def test_every_table_is_reported_with_its_rows_its_verdict_and_its_digest(
    program: Program, source: Path
) -> None:
    outcome, target = migrate(program, source)
    found = {table["table"]: table for table in outcome.json["tables"]}
    for name, table in found.items():
        assert table["rows"] == len(rows(target, name))
        assert table["verdict"] == "ok"
        assert re.fullmatch("[0-9a-f]{64}", table["digest"])
    assert found["jobs"]["rows"] == PHOTOS
    assert outcome.json["findings"] == []


def test_the_source_stays_as_it_is_and_only_what_is_announced_appears(
    program: Program, source: Path
) -> None:
    before = source.read_bytes()
    outcome, target = migrate(program, source)
    assert source.read_bytes() == before
    names = set(unrecorded(contents(source.parent)))
    backup = Path(outcome.json["backup_path"]).relative_to(source.parent)
    (plan,) = source.parent.glob("backups/details/*.json")
    assert names == {
        source.name,
        target.name,
        "backups",
        str(backup),
        str(backup.with_suffix(".json")),
        str(Path(outcome.json["log"]).relative_to(source.parent)),
        "backups/details",
        str(plan.relative_to(source.parent)),
    }
    assert (source.parent / "journal.db").is_file()


def test_without_a_target_the_new_database_gets_the_suffix_new_db(
    program: Program, source: Path
) -> None:
    outcome = program("migrate", "--source", source, "--json")
    assert outcome.json["target"] == str(source.with_name("junmai.new.db"))
    assert len(rows(source.with_name("junmai.new.db"), "photos")) == PHOTOS


def test_without_a_backup_no_snapshot_is_kept(program: Program, source: Path) -> None:
    outcome, target = migrate(program, source, "--no-backup")
    assert outcome.json["snapshot"] is None
    assert outcome.json["backup_path"] is None
    assert list(source.parent.rglob("*_backup_*")) == []
    assert len(rows(target, "photos")) == PHOTOS


def clean(path: Path) -> Path:
    return path


def in_wal(path: Path) -> Path:
    return leave_in_wal(path, "UPDATE sessions SET name = name || ' (again)'")


@pytest.mark.parametrize("state", [clean, as_wal, in_wal])
def test_a_dry_run_writes_nothing_at_all(
    program: Program, source: Path, state: Callable[[Path], Path]
) -> None:
    """SQLite may map a `-shm` for a reader of left-over rows; the rest stays to the byte."""
    state(source)
    before = contents(program.folder, without=("-shm",))
    outcome = program("migrate", "--source", source, "--dry-run", "--json")
    assert contents(program.folder, without=("-shm",)) == before
    assert source.with_name("junmai.db-shm").exists() <= (state is in_wal)
    assert outcome.json["status"] == "planned"
    new = {table["table"]: table["new_columns"] for table in outcome.json["tables"]}
    assert new["photos"] == {"phash": "NULL", "photo_group_id": "NULL", "is_best_in_group": "0"}


def test_a_dry_run_beside_a_running_application_writes_nothing_at_all(
    program: Program, source: Path
) -> None:
    as_wal(source)
    with neighbour(source, "database.execute('UPDATE sessions SET total_photos = 1')"):
        before = contents(program.folder, without=("-shm",))
        program("migrate", "--source", source, "--dry-run")
        assert contents(program.folder, without=("-shm",)) == before


@pytest.mark.parametrize("live", [True, False], ids=["open elsewhere", "left over"])
def test_rows_that_are_in_the_wal_only_arrive(program: Program, source: Path, live: bool) -> None:
    script = "INSERT INTO presets SELECT id + 100, 'P' || id, '1', '', '', 0, 0, 0, '', ''"
    script += " FROM photos"
    if live:
        as_wal(source)
        writing = neighbour(source, f"database.execute({script!r})")
    else:
        leave_in_wal(source, script)
    with writing if live else nullcontext():
        main, wal = source.read_bytes(), source.with_name("junmai.db-wal").read_bytes()
        assert wal
        _, target = migrate(program, source)
        assert source.read_bytes() == main
        assert source.with_name("junmai.db-wal").read_bytes() == wal
    assert value(target, "SELECT count(*) FROM presets WHERE id > 100") == PHOTOS


def test_a_wal_database_becomes_one_and_leaves_no_sidecars(program: Program, source: Path) -> None:
    _, target = migrate(program, as_wal(source))
    assert not [path for path in source.parent.iterdir() if path.name.endswith(("-wal", "-shm"))]
    assert value(target, "PRAGMA journal_mode") == "wal"


def test_an_existing_target_is_refused_and_stays(program: Program, source: Path) -> None:
    target = source.with_name("junmai_new.db")
    target.write_bytes(b"somebody's work")
    before = contents(program.folder)
    outcome = program("migrate", "--source", source, "--target", target, code=2)
    assert contents(program.folder) == before
    assert "exists already" in outcome.message
    assert "--overwrite" in outcome.message


def test_what_is_overwritten_is_kept_as_a_snapshot_that_can_be_restored(
    program: Program, source: Path
) -> None:
    target = make_mixed(source.with_name("junmai_new.db"))
    before = all_rows(target)
    outcome, _ = migrate(program, source, "--overwrite")
    assert len(columns(target, "photos")) == len(columns(source, "photos")) + 3
    kept = outcome.json["replaced"]
    listed = program("snapshots", source.parent / "backups", "--json").json["snapshots"]
    reasons = {item["snapshot"]: item["reason"] for item in listed}
    assert reasons[kept] == "pre-overwrite"
    again = source.with_name("again.db")
    program("restore", kept, "--to", again, "--backup-dir", source.parent / "backups")
    assert all_rows(again) == before


def test_a_target_that_is_open_in_wal_mode_is_not_overwritten(
    program: Program, source: Path
) -> None:
    target = as_wal(make_current(source.with_name("junmai_new.db")))
    before = all_rows(target)
    with neighbour(target, "database.execute('SELECT * FROM photos').fetchone()"):
        outcome = program("migrate", "--source", source, "--target", target, "--overwrite", code=11)
    assert "locked" in outcome.message
    assert all_rows(target) == before


LOST = {
    "plain": ("ALTER TABLE photos ADD COLUMN rating INTEGER", ["photos.rating"]),
    "indexed": (
        """ALTER TABLE photos ADD COLUMN rating INTEGER;
        CREATE INDEX idx_rating ON photos (rating, status)""",
        ["photos.rating"],
    ),
    "two tables": (
        "ALTER TABLE photos ADD COLUMN rating INTEGER; ALTER TABLE jobs ADD COLUMN 'the host'",
        ["photos.rating", "jobs.the host"],
    ),
    "a name of its own": (
        """ALTER TABLE sessions ADD COLUMN "say ""cheese"" 📷" TEXT DEFAULT 'はい' """,
        ['sessions.say "cheese" 📷'],
    ),
}


@pytest.mark.parametrize(("script", "names"), LOST.values(), ids=LOST)
def test_a_column_without_a_place_stops_the_plan_and_the_remedy_that_is_named_works(
    program: Program, source: Path, script: str, names: list[str]
) -> None:
    change(source, script)
    before = contents(program.folder)
    assert program("migrate", "--source", source, "--dry-run", code=2).message
    assert contents(program.folder) == before
    outcome = program("migrate", "--source", source, code=2)
    assert source.read_bytes() == before["data/junmai.db"]
    assert list(program.folder.rglob("*.new.db*")) == []
    assert list(program.folder.rglob("*_backup_*")) == []
    assert [name for name in names if name not in outcome.message] == []
    copy = source.with_name("copy.db")
    shutil.copyfile(source, copy)
    for _ in names:
        change(copy, remedy(outcome))
        outcome = program("migrate", "--source", copy, "--json", code=None)
    assert outcome.code == 0, outcome.err
    after = all_rows(copy.with_name("copy.new.db"))
    for name in names:
        table, _, column = name.partition(".")
        quoted = column.replace('"', '""')
        kept = rows(source, table, f'id, "{quoted}"')
        assert after[f"{table}_{column}"] == kept
        assert len(kept) >= 3


@pytest.mark.parametrize(
    ("used", "change_first"),
    [
        ("CREATE VIEW rated AS SELECT rating FROM photos", "DROP VIEW rated"),
        (
            "CREATE TRIGGER rate AFTER UPDATE OF rating ON photos BEGIN SELECT 1; END",
            "DROP TRIGGER rate",
        ),
    ],
    ids=["view", "trigger"],
)
def test_what_uses_a_column_without_a_place_is_to_be_changed_first(
    program: Program, source: Path, used: str, change_first: str
) -> None:
    change(source, f"ALTER TABLE photos ADD COLUMN rating INTEGER; {used}")
    outcome = program("migrate", "--source", source, code=2)
    assert "a view or a trigger uses the column, change that first" in outcome.message
    change(source, change_first)
    change(source, remedy(outcome))
    migrate(program, source)


def test_a_generated_column_that_the_target_has_becomes_its_value(
    program: Program, source: Path
) -> None:
    change(
        source,
        "ALTER TABLE sessions DROP COLUMN total_photos;"
        "ALTER TABLE sessions ADD COLUMN total_photos INTEGER AS (id * 2) VIRTUAL",
    )
    outcome, target = migrate(program, source)
    assert value(target, "SELECT group_concat(total_photos) FROM sessions") == "2,4,6"
    assert [note["subject"] for note in outcome.json["notes"]] == ["sessions.total_photos"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")
def test_the_target_may_be_read_by_whom_the_source_may_be_read(
    program: Program, source: Path
) -> None:
    source.chmod(0o640)
    outcome, target = migrate(program, source)
    modes = {path.stat().st_mode & 0o777 for path in (target, Path(outcome.json["backup_path"]))}
    assert modes == {0o640}


def test_the_source_may_be_any_database(program: Program, tmp_path: Path) -> None:
    """Without any table of Junmai's all that is there is carried over, and said."""
    source = change(tmp_path / "other.db", "CREATE TABLE t (a); INSERT INTO t VALUES (1), (1)")
    outcome = program("migrate", "--source", source, "--json")
    assert rows(tmp_path / "other.new.db", "t") == ["[('int', 1)]"] * 2
    assert outcome.json["notes"][0]["subject"] == "source"


def test_a_migrated_database_takes_writes_as_a_fresh_one_does(
    program: Program, source: Path
) -> None:
    _, target = migrate(program, source)
    with opened(target) as database, closing(database.cursor()) as cursor:
        cursor.execute("PRAGMA foreign_keys = 1")
        assert cursor.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        cursor.execute("UPDATE photos SET status = 'failed', session_id = 2")
        with pytest.raises(Exception, match="CHECK constraint failed"):
            cursor.execute("UPDATE photos SET status = 'lost'")
        with pytest.raises(Exception, match="FOREIGN KEY constraint failed"):
            cursor.execute("UPDATE photos SET session_id = 99")


def test_large_tables_are_migrated_too(program: Program, tmp_path: Path) -> None:
    source = make_oldest(tmp_path / "junmai.db", photos=20_000)
    outcome, target = migrate(program, source)
    assert rows(target, "jobs") == rows(source, "jobs")
    assert sum(table["rows"] for table in outcome.json["tables"]) == 60_000 + 10


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege on Windows")
def test_a_link_stays_and_what_it_leads_to_is_the_target(
    program: Program, source: Path, tmp_path: Path
) -> None:
    (tmp_path / "disk").mkdir()
    real, link = tmp_path / "disk" / "new.db", tmp_path / "link.db"
    link.symlink_to(real)
    kept = ("--backup-dir", tmp_path / "kept")
    for options in ((), ("--overwrite",)):
        program("migrate", "--source", source, "--target", link, *kept, *options)
        assert link.is_symlink()
        assert not real.is_symlink()
        assert value(real, "SELECT count(*) FROM photos") == PHOTOS
    round_ = tmp_path / "round.db"
    round_.symlink_to(round_)
    program("migrate", "--source", source, "--target", round_, *kept, code=2)
    program("restore", "latest", "--to", round_, *kept)  # nothing is behind it to be kept
