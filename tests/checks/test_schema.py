"""The schema a target should have against the one it has."""

import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from junmai_svc.checks import schema
from junmai_svc.checks.finding import CheckResult
from junmai_svc.storage.databases.schema import Schema, read_schema

BASE = (
    "CREATE TABLE p (id INTEGER PRIMARY KEY, name TEXT NOT NULL DEFAULT 'x' COLLATE NOCASE)",
    "CREATE TABLE t (id INTEGER PRIMARY KEY, a INT CHECK (a > 0), b UNIQUE REFERENCES p)",
    "CREATE INDEX i ON t (a, b DESC)",
    "CREATE VIEW v AS SELECT a FROM t",
    "CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT 1; END",
)
NAME = "TEXT NOT NULL DEFAULT 'x'"


def described(*statements: str) -> Schema:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
        for statement in statements:
            database.execute(statement)
        return read_schema(database)


def changed(before: str, after: str) -> CheckResult:
    """The result where one text of the schema is another."""
    other = [statement.replace(before, after) for statement in BASE]
    assert other != list(BASE)
    return schema.check(described(*BASE), described(*(text for text in other if text)))


def test_a_schema_equals_itself_however_it_is_written() -> None:
    other = [
        text.replace("CREATE TABLE t", 'create  table "t" /* here */').replace("a > 0", '"A" > 0')
        for text in BASE
    ]
    result = schema.check(described(*BASE), described(*other))
    assert (result.total, result.findings) == (0, ())
    assert result.counts == {"objects": 6}


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        ("a INT CHECK", "a TEXT CHECK", "Column differs in t, column a: expected INT, found TEXT"),
        (" NOT NULL", "", f"Column differs in p, column name: expected {NAME}, found TEXT DEFAULT"),
        ("'x'", "'y'", f"Column differs in p, column name: expected {NAME}, found TEXT NOT NULL D"),
        ("COLLATE NOCASE", "COLLATE RTRIM", "Definition differs in p"),
        (", b UNIQUE", ", c, b UNIQUE", "Unexpected column in t, column c"),
        ("name TEXT", "title TEXT", "Column missing in p, column name"),
        ("a > 0", "a > 1", "CHECK missing in t: expected a > 0, found nothing"),
        ("b UNIQUE", "b", "Index missing in t: expected UNIQUE (b COLLATE BINARY), found nothing"),
        ("b DESC", "b", "Index missing in t: expected create index i on t ( a , b desc )"),
        ("REFERENCES p", "REFERENCES p ON DELETE CASCADE", "Foreign key missing in t"),
        ("REFERENCES p", "", "Foreign key missing in t"),
        ("SELECT a FROM t", "SELECT b FROM t", "View differs in v"),
        ("SELECT 1", "SELECT 2", "Trigger differs in g"),
    ],
)
def test_what_differs_is_said(before: str, after: str, sentence: str) -> None:
    assert changed(before, after).findings[0].describe().startswith(sentence)


@pytest.mark.parametrize(
    ("position", "sentence"),
    [
        (0, "Table missing in p: expected a table, found nothing"),
        (2, "Index missing in t"),
        (3, "View missing in v: expected a view, found nothing"),
        (4, "Trigger missing in g: expected a trigger, found nothing"),
    ],
)
def test_what_is_missing_or_unexpected_is_said(position: int, sentence: str) -> None:
    fewer = described(*BASE[:position], *BASE[position + 1 :])
    whole = described(*BASE)
    (missing,) = schema.check(whole, fewer).findings
    assert missing.describe().startswith(sentence)
    (unexpected,) = schema.check(fewer, whole).findings
    assert unexpected.message == f"Unexpected {missing.message.split()[0].lower()}"


@pytest.mark.parametrize("suffix", [" STRICT", " WITHOUT ROWID"])
def test_the_kind_of_a_table_counts(suffix: str) -> None:
    sql = "CREATE TABLE t (id INTEGER PRIMARY KEY)"
    (finding,) = schema.check(described(sql), described(sql + suffix)).findings[:1]
    assert finding.describe() == f"{suffix.strip()} differs in t: expected no, found yes"


def test_the_order_of_columns_counts() -> None:
    one, other = described("CREATE TABLE t (a, b)"), described("CREATE TABLE t (b, a)")
    (finding,) = schema.check(one, other).findings
    assert finding.describe() == "Order of columns differs in t: expected a, b, found b, a"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("page_size", 512),
        ("encoding", "UTF-16le"),
        ("application_id", 7),
        ("user_version", 3),
        ("auto_vacuum", 1),
    ],
)
def test_the_settings_of_the_file_count(name: str, value: object) -> None:
    one = described(*BASE)
    settings = {name: value}
    other = replace(one, settings=replace(one.settings, **settings))  # type: ignore[arg-type]
    (finding,) = schema.check(one, other).findings
    assert (finding.message, finding.actual) == (f"Setting {name} differs", str(value))


def test_the_journal_mode_is_set_after_the_checks_and_does_not_count() -> None:
    one = described(*BASE)
    other = replace(one, settings=replace(one.settings, journal_mode="wal"))
    assert schema.check(one, other).total == 0


def test_virtual_tables_are_compared_by_their_text() -> None:
    one = described("CREATE VIRTUAL TABLE f USING fts5(a)")
    other = described("CREATE VIRTUAL TABLE f USING fts5(b)")
    assert schema.check(one, one).total == 0
    assert schema.check(one, other).findings[0].message == "Virtual table differs"
