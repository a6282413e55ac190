"""SQLite's own checks, told apart: damage, and rows that break a constraint."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.checks.two_databases import (
    TwoDatabases,
    insert,
    lose_index_entries,
    opened,
    rewrite_sql,
    run,
)

from junmai_svc.checks import sqlite_file
from junmai_svc.checks.finding import CheckResult, Verdict
from junmai_svc.checks.sqlite_file import Integrity
from junmai_svc.storage.databases.schema import read_schema


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.db"


def looked_at(path: Path, *, full: bool = False) -> Integrity:
    with opened(path) as database:
        return sqlite_file.integrity(database, full=full)


def indexes(path: Path, table: str = "t") -> CheckResult:
    with opened(path) as database:
        described = read_schema(database).table(table)
        assert described is not None
        return sqlite_file.check_indexes(database, described)


@pytest.mark.parametrize("full", [True, False])
def test_a_sound_file_has_neither(path: Path, full: bool) -> None:
    run(path, "CREATE TABLE t (a NOT NULL CHECK (a > 0), b UNIQUE)", "INSERT INTO t VALUES (1, 1)")
    found = looked_at(path, full=full)
    assert found == Integrity()
    assert sqlite_file.check(found).verdict is Verdict.OK


@pytest.mark.parametrize("full", [True, False])
def test_broken_constraints_are_no_damage(path: Path, full: bool) -> None:
    run(path, 'CREATE TABLE "t.x" (a, "b.c", d)', "CREATE TABLE other (a)")
    insert(path, "t.x", [(None, 1, 1), (None, None, 1), (-1, 1, 1)])
    rewrite_sql(path, "t.x", 'CREATE TABLE "t.x" (a NOT NULL CHECK (a > 0), "b.c" NOT NULL, d)')
    found = looked_at(path, full=full)
    assert found.damage == ()
    assert found.violations == {
        "NULL value in t.x.a": 2,
        "NULL value in t.x.b.c": 1,
        "CHECK constraint failed in t.x": 1,
    }
    assert found.null_tables == {"t.x"}


def test_values_of_the_wrong_type_in_a_strict_table_are_no_damage(path: Path) -> None:
    run(path, "CREATE TABLE t (a, b)", "INSERT INTO t VALUES ('x', 1), (2, 'y'), (3, x'00')")
    rewrite_sql(path, "t", "CREATE TABLE t (a INTEGER, b TEXT) STRICT")
    found = looked_at(path)
    assert found.damage == ()
    assert found.violations == {"non-INTEGER value in t.a": 1, "non-TEXT value in t.b": 2}


@pytest.mark.parametrize(
    ("line", "is_damage"),
    [
        ("CHECK constraint failed in photos", False),
        ("NULL value in photos.name", False),
        ("non-INTEGER value in t.a", False),
        ("TEXT value in t.a", False),
        ("NUMERIC value in t.a", False),
        ("non-unique entry in index i", False),
        ("row 5 missing from index i", True),
        ("wrong # of entries in index i", True),
        ("rowid not at end-of-record for row 5 of index i", True),
        ("row not in PRIMARY KEY order for t", True),
        ("*** in database main ***\nPage 3 is never used\nPage 4 is never used", True),
        ("Tree 5 page 7 cell 0: Rowid 3 out of order", True),
        ("malformed inverted index for FTS5 table main.search", True),
        ("unable to validate the inverted index for FTS5 table main.search", True),
    ],
)
def test_every_wording_of_sqlite_is_told_apart(line: str, is_damage: bool) -> None:
    assert sqlite_file.is_violation(line) is not is_damage


def test_damage_is_counted_in_full_and_kept_in_part(path: Path) -> None:
    run(path, "CREATE TABLE t (a)", "CREATE INDEX i ON t (a)")
    insert(path, "t", ((at,) for at in range(1000)))
    lose_index_entries(path, "i", "a")
    found = looked_at(path, full=True)
    assert found.damage_total > 1000
    assert len(found.damage) == sqlite_file.SHOWN_LINES
    result = sqlite_file.check(found, limit=5)
    assert (result.total, len(result.findings)) == (found.damage_total, 5)
    assert result.findings[0].describe().startswith("Database is damaged: expected ok, found ")


@pytest.mark.parametrize("page", [2, 3, 10])
def test_an_overwritten_page_is_damage_even_where_sqlite_gives_up(path: Path, page: int) -> None:
    run(path, "CREATE TABLE t (a)")
    insert(path, "t", ((f"row {at}" * 50,) for at in range(500)))
    content = bytearray(path.read_bytes())
    content[page * 4096 : page * 4096 + 200] = bytes(200)
    path.write_bytes(content)
    assert looked_at(path).damage


def test_an_attached_database_is_not_looked_at(two: TwoDatabases) -> None:
    two.both("CREATE TABLE t (a)", "INSERT INTO t VALUES (NULL)")
    rewrite_sql(two.source, "t", "CREATE TABLE t (a NOT NULL)")
    with two.opened() as (pair, _):
        assert sqlite_file.integrity(pair.connection, full=False) == Integrity()


def test_indexes_with_all_entries_are_no_finding(path: Path) -> None:
    run(
        path,
        "CREATE TABLE t (a UNIQUE, b, c, PRIMARY KEY (b, c))",
        "CREATE INDEX plain ON t (a DESC)",
        "CREATE INDEX expression ON t (a || b)",
        "CREATE INDEX partial ON t (b) WHERE c > 5 AND a IS NOT NULL -- of some",
    )
    insert(path, "t", ((at, at, at) for at in range(20)))
    result = indexes(path)
    assert (result.total, result.counts) == (0, {"indexes": 5})


@pytest.mark.parametrize("where", ["", "WHERE a > -1"])
def test_an_index_that_lost_entries_is_found_though_a_smaller_one_has_them_all(
    path: Path, where: str
) -> None:
    """quick_check does not see it, and neither does count(*) with INDEXED BY."""
    run(path, "CREATE TABLE t (a, b)", f"CREATE INDEX i ON t (a) {where}")
    run(path, "CREATE INDEX small ON t (1)")
    insert(path, "t", ((at, "x" * 50) for at in range(100)))
    lose_index_entries(path, "i", "a")
    assert indexes(path).findings[0].describe() == (
        "Index and table differ in t, index i: expected 100 entries, found 0 entries"
    )
    assert indexes(path).total == 1


def test_the_key_of_a_table_without_rowid_is_no_index_of_its_own(path: Path) -> None:
    run(path, "CREATE TABLE t (a PRIMARY KEY, b UNIQUE) WITHOUT ROWID")
    run(path, "INSERT INTO t VALUES (1, 1), (2, 2)")
    assert indexes(path).counts == {"indexes": 1}


def test_an_index_that_sqlite_will_not_count_is_mentioned(path: Path) -> None:
    run(path, "CREATE TABLE t (a, b)", "CREATE INDEX i ON t (a) WHERE b > 5")
    with opened(path) as database:
        (table,) = read_schema(database).tables
        other = replace(table.indexes[0], sql="CREATE INDEX i ON t (a) WHERE b > 4")
        result = sqlite_file.check_indexes(database, replace(table, indexes=(other,)))
    assert (result.verdict, result.counts) == (Verdict.OK, {"indexes": 0, "uncounted:i": 1})


@pytest.mark.parametrize("name", ['i"x', "i x 🍶", "select", ""])
def test_any_name_of_an_index_is_counted(path: Path, name: str) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    run(path, f"CREATE TABLE {quoted} (a)", f'CREATE INDEX {quoted[:-1]}i" ON {quoted} (a)')
    assert indexes(path, name).counts == {"indexes": 1}
