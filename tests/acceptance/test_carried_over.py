"""Claims about what the target schema does not know, and about rows that break its constraints."""

import re
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from tests.harness.databases import (
    all_rows,
    change,
    make_current,
    objects,
    opened,
    rows,
    value,
)
from tests.harness.program import Program


def migrated(program: Program, source: Path) -> tuple[Path, dict[str, Any]]:
    target = source.with_name("new.db")
    outcome = program("migrate", "--source", source, "--target", target, "--json")
    return target, outcome.json


EXTRAS = {
    "view best": "CREATE VIEW best AS SELECT id, ai_score FROM photos WHERE ai_score > 2",
    "view 壊れた": 'CREATE VIEW "壊れた" AS SELECT * FROM gone',
    "trigger tidy": """CREATE TRIGGER tidy AFTER DELETE ON photos
        BEGIN DELETE FROM jobs WHERE photo_id = old.id; END""",
    "trigger instead": """CREATE TRIGGER instead INSTEAD OF UPDATE ON best
        BEGIN UPDATE photos SET ai_score = new.ai_score WHERE id = new.id; END""",
    "index idx_lens": "CREATE INDEX idx_lens ON photos (lens COLLATE NOCASE DESC) WHERE lens <> ''",
    "index idx_upper": "CREATE UNIQUE INDEX idx_upper ON presets (upper(name), version)",
    "table tags": "CREATE TABLE tags (photo REFERENCES photos ON DELETE CASCADE, tag UNIQUE)",
    "index idx_tags": "CREATE INDEX idx_tags ON tags (photo)",
}


def test_views_triggers_indexes_and_tables_are_carried_over_to_the_letter_and_named(
    program: Program, source: Path
) -> None:
    change(source, ";".join(EXTRAS.values()))
    target, said = migrated(program, source)
    after = objects(target)
    assert {name: after[name] for name in EXTRAS} == EXTRAS
    own = {name for name in EXTRAS if name != "index idx_tags"}
    assert own <= set(said["carried"])
    assert len(rows(target, "best")) == len(rows(source, "best")) > 3


def test_carried_triggers_and_views_work_and_did_not_fire_on_the_way(
    program: Program, source: Path
) -> None:
    fired = ["BEFORE INSERT", "AFTER INSERT", "AFTER UPDATE", "AFTER DELETE", "BEFORE DELETE"]
    triggers = [
        f"CREATE TRIGGER t{number}_{table} {event} ON {table} WHEN (SELECT count(*) < 9 FROM log)"
        f" BEGIN INSERT INTO log VALUES ('{event} {table}'); END"
        for table in ("photos", "sessions", "log")
        for number, event in enumerate(fired)
    ]
    change(source, ";".join(["CREATE TABLE log (text)", *triggers]))
    target, _ = migrated(program, source)
    assert rows(target, "log") == []
    with opened(target) as database:
        database.execute("UPDATE sessions SET name = 'x' WHERE id = 1")
    assert "[('Text', b'AFTER UPDATE sessions')]" in rows(target, "log")


FTS = """
    CREATE TABLE notes (id INTEGER PRIMARY KEY, title TEXT, body TEXT);
    INSERT INTO notes VALUES (1, 'Kyoto', '紅葉 autumn leaves'), (2, 'Berlin', 'grey winter');
    CREATE VIRTUAL TABLE notes_fts USING fts5 (title, body, content = 'notes',
        content_rowid = 'id', prefix = '2 3');
    INSERT INTO notes_fts (notes_fts) VALUES ('rebuild');
    CREATE TRIGGER notes_in AFTER INSERT ON notes BEGIN
        INSERT INTO notes_fts (rowid, title, body) VALUES (new.id, new.title, new.body); END;
    CREATE VIRTUAL TABLE captions USING fts5 (text);
    INSERT INTO captions (rowid, text) VALUES (70, 'a heron'), (-5, 'two herons and a crow');
    CREATE VIRTUAL TABLE "old 'captions'" USING fts4 (text, tokenize = porter);
    INSERT INTO "old 'captions'" VALUES ('running dogs');
    CREATE VIRTUAL TABLE places USING rtree (id, x0, x1, y0, y1, +name);
    INSERT INTO places VALUES (1, 135.7, 135.8, 35.0, 35.1, 'Kyoto'), (2, 13, 14, 52, 53, 'Berlin');
"""


def test_virtual_tables_are_as_searchable_and_writable_as_before(
    program: Program, source: Path
) -> None:
    change(source, FTS)
    target, said = migrated(program, source)
    assert {name for name in said["carried"] if name.startswith("virtual")} == {
        "virtual table notes_fts",
        "virtual table captions",
        "virtual table old 'captions'",
        "virtual table places",
    }
    with opened(target) as database:

        def first(query: str) -> object:
            return database.execute(query).fetchone()[0]

        assert first("SELECT rowid FROM notes_fts WHERE notes_fts MATCH 'autu*'") == 1
        assert first("SELECT group_concat(rowid) FROM captions WHERE captions MATCH 'heron*'") in {
            "-5,70",
            "70,-5",
        }
        assert first("""SELECT text FROM "old 'captions'" WHERE text MATCH 'run'""")
        assert first("SELECT name FROM places WHERE x0 > 100 AND y1 < 40") == "Kyoto"
        assert first("SELECT rtreecheck('places')") == "ok"
        database.execute("INSERT INTO notes VALUES (3, 'Oslo', 'autumn again')")
        assert first("SELECT count(*) FROM notes_fts WHERE notes_fts MATCH 'autumn'") == 2
        for table in ("notes_fts", "captions"):
            database.execute(f"INSERT INTO {table} ({table}) VALUES ('integrity-check')")
        database.execute("INSERT INTO places VALUES (9, 0, 1, 0, 1, 'Null Island')")
        database.execute("DROP TABLE captions")
        assert first("SELECT count(*) FROM sqlite_schema WHERE name LIKE 'captions%'") == 0
        assert first("PRAGMA integrity_check") == "ok"


def test_statistics_of_the_planner_are_kept(program: Program, source: Path) -> None:
    change(source, "ANALYZE; UPDATE sqlite_stat1 SET stat = '1000 7' WHERE idx LIKE '%session%'")
    target, _ = migrated(program, source)
    assert rows(target, "sqlite_stat1") == rows(source, "sqlite_stat1")
    assert "1000 7" in "".join(rows(target, "sqlite_stat1"))


def test_a_name_that_the_target_needs_for_itself_stops_the_plan(
    program: Program, source: Path
) -> None:
    change(source, "CREATE VIEW Photo_Groups AS SELECT 1")
    outcome = program("migrate", "--source", source, code=2)
    assert "view Photo_Groups has the name of the target's table photo_groups" in outcome.message
    assert not source.with_name("junmai.new.db").exists()


BROKEN = {
    "CHECK": ("photos", "UPDATE photos SET ai_score = 9 WHERE id IN (3, 5)", 2),
    "NOT NULL": (
        "photos",
        """PRAGMA writable_schema = 1; UPDATE sqlite_schema
            SET sql = replace(sql, 'file_name VARCHAR(255) NOT NULL', 'file_name VARCHAR(255)')
            WHERE name = 'photos'; PRAGMA writable_schema = RESET;
        UPDATE photos SET file_name = NULL WHERE id = 7; PRAGMA writable_schema = 1;
        UPDATE sqlite_schema
            SET sql = replace(sql, 'file_name VARCHAR(255)', 'file_name VARCHAR(255) NOT NULL')
            WHERE name = 'photos'; PRAGMA writable_schema = RESET""",
        1,
    ),
    "foreign key": ("jobs", "UPDATE jobs SET photo_id = 900 + photo_id WHERE photo_id < 4", 3),
    "CHECK of a carried table": (
        "odd_ones",
        """CREATE TABLE odd_ones (n CHECK (n % 2 = 1)); PRAGMA ignore_check_constraints = 1;
        INSERT INTO odd_ones VALUES (1), (2), (3), (4)""",
        2,
    ),
    "foreign key of a carried table": (
        "tags",
        """CREATE TABLE tags (photo REFERENCES photos, x REFERENCES nowhere);
        INSERT INTO tags VALUES (1, NULL), (99, NULL), (98, 5)""",
        3,
    ),
}


@pytest.mark.parametrize(("table", "script", "total"), BROKEN.values(), ids=BROKEN)
def test_rows_that_were_broken_before_are_carried_over_and_reported_as_known(
    program: Program, source: Path, table: str, script: str, total: int
) -> None:
    change(source, f"PRAGMA ignore_check_constraints = 1; {script}")
    target, said = migrated(program, source)
    with opened(source) as database:
        names = ", ".join(row[1] for row in database.execute(f"PRAGMA table_info({table})"))
    assert rows(target, table, names) == rows(source, table, names)
    assert objects(target).keys() >= objects(source).keys()
    found = [check for check in said["checks"] if check["table"] == table and check["total"]]
    assert [(check["total"], check["known"], check["verdict"]) for check in found] == [
        (total, total, "known")
    ]
    assert {finding["known"] for finding in said["findings"]} == {True}
    assert {finding["table"] for finding in said["findings"]} == {table}
    verdicts = {row["table"]: row["verdict"] for row in said["tables"]}
    assert verdicts.pop(table) == "known"
    assert set(verdicts.values()) == {"ok"}


def test_a_not_null_that_was_broken_stands_again_in_the_target(
    program: Program, source: Path
) -> None:
    change(source, BROKEN["NOT NULL"][1])
    target, _ = migrated(program, source)
    assert "file_name" in str(objects(target)["table photos"])
    with pytest.raises(sqlite3.IntegrityError, match="NOT NULL"):
        change(target, "UPDATE photos SET file_name = NULL WHERE id = 1")


def test_rows_that_break_only_the_targets_constraint_fail_the_migration_by_name(
    program: Program, source: Path
) -> None:
    """Each of the target's constraints is missing in this source; no row of it is let through."""
    schema = re.sub(r"CHECK \(status IN.*?\)\)", "", str(objects(source)["table photos"]))
    change(
        source,
        f"""PRAGMA legacy_alter_table = 1; ALTER TABLE photos RENAME TO before;
        {schema}; INSERT INTO photos SELECT * FROM before; DROP TABLE before;
        UPDATE photos SET status = 'lost' WHERE id = 4""",
    )
    backup = source.parent / "backups"
    outcome = program("migrate", "--source", source, "--json", code=21)
    assert not source.with_name("junmai.new.db").exists()
    assert len(list(backup.glob("*_backup_*.db"))) == 1
    assert "Migration failed" in outcome.message
    assert "photos" in outcome.message
    assert "id = 4" in outcome.message


def test_a_duplicate_that_only_the_target_forbids_fails_the_migration(
    program: Program, source: Path
) -> None:
    schema = str(objects(source)["table photos"]).replace(", UNIQUE (file_path)", "")
    assert schema.count("UNIQUE") == 0
    change(
        source,
        f"""PRAGMA legacy_alter_table = 1; ALTER TABLE photos RENAME TO before;
        {schema}; INSERT INTO photos SELECT * FROM before; DROP TABLE before;
        UPDATE photos SET file_path = 'same' WHERE id IN (4, 5)""",
    )
    outcome = program("migrate", "--source", source, "--json", code=21)
    assert not source.with_name("junmai.new.db").exists()
    assert "photos.file_path" in outcome.message


def test_a_migrated_database_can_be_migrated_again(program: Program, tmp_path: Path) -> None:
    source = make_current(tmp_path / "junmai.db")
    change(source, ";".join(EXTRAS.values()))
    once, _ = migrated(program, source)
    twice = tmp_path / "twice.db"
    program("migrate", "--source", once, "--target", twice)
    assert all_rows(twice) == all_rows(source)
    assert objects(twice) == objects(once)
    assert value(twice, "PRAGMA integrity_check") == "ok"
