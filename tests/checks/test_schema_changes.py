"""Claims about what is said to have changed between two schemas."""

import sqlite3
from contextlib import closing

import pytest

from junmai_svc.checks.schema_changes import schema_changes
from junmai_svc.storage.databases.schema import Schema, read_schema

BOTH = "CREATE TABLE t (k INTEGER PRIMARY KEY, a TEXT); CREATE INDEX i ON t (a);"


def schema(script: str) -> Schema:
    with closing(sqlite3.connect(":memory:")) as database:
        database.executescript(script)
        return read_schema(database)


def told(before: str, after: str) -> list[str]:
    return [
        f"{each.kind} {each.table}.{each.name} {each.change}"
        for each in schema_changes(schema(before), schema(after))
    ]


@pytest.mark.parametrize(
    ("script", "what"),
    [
        ("CREATE TABLE u (a, UNIQUE (a))", "table .u"),
        ("CREATE INDEX j ON t (a DESC)", "index t.j"),
        ("CREATE VIEW v AS SELECT * FROM t", "view v.v"),
        ("CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT 1; END", "trigger t.r"),
        ("ALTER TABLE t ADD COLUMN b", "column t.b"),
    ],
)
def test_what_one_side_lacks_is_added_or_removed(script: str, what: str) -> None:
    assert told(BOTH, BOTH + script) == [f"{what} added"]
    assert told(BOTH + script, BOTH) == [f"{what} removed"]


@pytest.mark.parametrize(
    ("before", "after", "what"),
    [
        ("CREATE TABLE u (a TEXT)", "CREATE TABLE u (a TEXT NOT NULL)", "column u.a changed"),
        ("CREATE TABLE u (a)", "CREATE TABLE u (a CHECK (a > 1))", "table .u changed"),
        ("CREATE TABLE u (a, b)", "CREATE TABLE u (b, a)", "table .u changed"),
        ("CREATE INDEX j ON t (a)", "CREATE INDEX j ON t (k)", "index t.j changed"),
        ("CREATE VIEW v AS SELECT 1", "CREATE VIEW v AS SELECT 2", "view v.v changed"),
        ("PRAGMA user_version = 1", "PRAGMA user_version = 2", "setting .user_version changed"),
    ],
)
def test_what_differs_is_changed(before: str, after: str, what: str) -> None:
    assert told(BOTH + before, BOTH + after) == [what]


def test_how_it_is_written_makes_no_difference() -> None:
    written = 'create table "T" (K integer primary key,\n A text) ; create index I on T (A)'
    assert told(BOTH, written) == []


def test_both_definitions_are_told() -> None:
    (change,) = schema_changes(
        schema("CREATE VIEW v AS SELECT 1"), schema("CREATE VIEW v AS SELECT 2")
    )
    assert (change.before, change.after) == (
        "CREATE VIEW v AS SELECT 1",
        "CREATE VIEW v AS SELECT 2",
    )
