"""Orphans are those that SQLite's own check finds; what the source had already is known."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.checks.two_databases import TwoDatabases, Value, insert, rewrite_sql, run

from junmai_svc.checks import foreign_keys
from junmai_svc.checks.finding import CheckResult, Verdict
from junmai_svc.storage.databases.mapping import Rule
from junmai_svc.storage.databases.schema import read_schema

PARENT = "CREATE TABLE sessions (id INTEGER PRIMARY KEY)"
CHILD = "CREATE TABLE photos (id INTEGER PRIMARY KEY, session_id INTEGER REFERENCES sessions)"


def checked(two: TwoDatabases, child: str = "photos", limit: int = 20) -> CheckResult:
    with two.opened() as (pair, tables):
        (table,) = [table for table in tables if table.name == child]
        by_name = {other.name: other for other in tables}
        return foreign_keys.check(pair, table, by_name, limit=limit)


def test_no_orphans_are_no_finding(two: TwoDatabases) -> None:
    two.both(PARENT, CHILD, "INSERT INTO sessions VALUES (1)")
    two.both("INSERT INTO photos VALUES (1, 1), (2, NULL)")
    result = checked(two)
    assert (result.verdict, result.counts) == (Verdict.OK, {"keys": 1})


def test_a_new_orphan_fails_and_is_named(two: TwoDatabases) -> None:
    two.both(PARENT, CHILD, "INSERT INTO sessions VALUES (1), (2)")
    two.both("INSERT INTO photos VALUES (7, 1), (8, 2)")
    two.on_target("DELETE FROM sessions WHERE id = 2")
    result = checked(two)
    assert (result.verdict, result.total, result.known) == (Verdict.FAILED, 1, 0)
    assert result.counts["session_id -> sessions"] == 1
    (finding,) = result.findings
    assert finding.describe() == (
        "Orphaned records detected in photos, id = 8, column session_id:"
        " expected a row in sessions, found session_id = 2"
    )
    assert finding.hint == "Check foreign key relationships in source database"


def test_seven_thousand_orphans_are_all_counted_and_some_named(two: TwoDatabases) -> None:
    """The replaced tool let them pass."""
    two.both(PARENT, CHILD, "INSERT INTO sessions VALUES (1)")
    for path in (two.source, two.target):
        insert(path, "photos", ((at, 1 if at <= 3000 else at) for at in range(1, 10_001)))
    result = checked(two)
    assert (result.total, result.known, len(result.findings)) == (7000, 7000, 20)
    assert result.verdict is Verdict.KNOWN


def test_known_and_new_orphans_are_told_apart_and_new_ones_named_first(two: TwoDatabases) -> None:
    two.both(PARENT, CHILD)
    insert(two.source, "sessions", ((at,) for at in range(5)))
    insert(two.target, "sessions", ((at,) for at in range(3)))
    for path in (two.source, two.target):
        insert(path, "photos", ((at, at) for at in range(30)))
    result = checked(two)
    assert (result.total, result.known) == (27, 25)
    assert [finding.key for finding in result.findings[:2]] == ["id = 3", "id = 4"]
    assert [finding.known for finding in result.findings[:3]] == [False, False, True]
    assert result.verdict is Verdict.FAILED


def test_a_key_that_was_changed_to_refer_to_nothing_is_new(two: TwoDatabases) -> None:
    """The source has no parent row for the changed key either, but it had no such orphan."""
    two.both(PARENT, CHILD, "INSERT INTO sessions VALUES (1)", "INSERT INTO photos VALUES (1, 1)")
    two.on_target("UPDATE photos SET session_id = 99")
    result = checked(two)
    assert (result.total, result.known) == (1, 0)
    assert not result.findings[0].known


def test_a_parent_table_that_the_source_never_had_makes_its_orphans_known(
    two: TwoDatabases,
) -> None:
    two.on_source("CREATE TABLE photos (id INTEGER PRIMARY KEY, session_id INTEGER)")
    two.on_target(PARENT, CHILD)
    two.both("INSERT INTO photos VALUES (1, 5)")
    assert checked(two).verdict is Verdict.KNOWN


def test_an_orphan_that_a_rule_made_is_new(two: TwoDatabases) -> None:
    two.on_source("CREATE TABLE photos (id INTEGER PRIMARY KEY)", "INSERT INTO photos VALUES (1)")
    two.on_target(PARENT, CHILD, "INSERT INTO photos VALUES (1, 5)")
    two.rules["photos.session_id"] = Rule("5", "new column")
    assert checked(two).verdict is Verdict.FAILED


def test_a_parent_table_that_is_missing_altogether_makes_every_key_an_orphan(
    two: TwoDatabases,
) -> None:
    two.both(CHILD, "INSERT INTO photos VALUES (1, 5), (2, NULL)")
    result = checked(two)
    assert (result.total, result.known) == (1, 1)


def test_a_lost_parent_table_is_no_excuse(two: TwoDatabases) -> None:
    two.on_source(PARENT, "INSERT INTO sessions VALUES (5)")
    two.both(CHILD, "INSERT INTO photos VALUES (1, 5)")
    with two.opened() as (pair, (table,)):
        lost = foreign_keys.check(pair, table, {"photos": table})
    assert (lost.total, lost.known) == (1, 0)


@pytest.mark.parametrize(
    "parent",
    ["CREATE TABLE sessions (id INTEGER)", "CREATE TABLE sessions (id, x, PRIMARY KEY (id, x))"],
)
def test_a_key_that_sqlite_can_not_check_is_a_finding(two: TwoDatabases, parent: str) -> None:
    child = "CREATE TABLE photos (id INTEGER PRIMARY KEY, session_id REFERENCES sessions)"
    two.on_source(PARENT, child)
    two.on_target(parent, child)
    result = checked(two)
    assert (result.total, result.known) == (1, 0)
    assert "foreign key mismatch" in result.findings[0].actual
    run(two.source, "DROP TABLE sessions", parent)
    assert checked(two).verdict is Verdict.KNOWN


def test_a_null_where_none_may_be_refers_to_nothing(two: TwoDatabases) -> None:
    child = "CREATE TABLE photos (id INTEGER PRIMARY KEY, s INTEGER {} REFERENCES sessions)"
    two.both(PARENT, child.format(""), "INSERT INTO photos VALUES (1, NULL)")
    for path in (two.source, two.target):
        rewrite_sql(path, "photos", child.format("NOT NULL"))
    assert checked(two).total == 0


def test_a_null_among_the_parents_hides_no_orphan(two: TwoDatabases) -> None:
    two.both("CREATE TABLE sessions (id TEXT UNIQUE)", "INSERT INTO sessions VALUES (NULL), ('a')")
    two.both("CREATE TABLE photos (id INTEGER PRIMARY KEY, s TEXT REFERENCES sessions (id))")
    two.both("INSERT INTO photos VALUES (1, 'a'), (2, 'b')")
    result = checked(two)
    assert (result.total, result.known) == (1, 1)


def test_a_table_may_refer_to_itself_and_around_a_circle(two: TwoDatabases) -> None:
    two.both(
        "CREATE TABLE a (id INTEGER PRIMARY KEY, up REFERENCES a, b REFERENCES b)",
        "CREATE TABLE b (id INTEGER PRIMARY KEY, a REFERENCES a)",
        "INSERT INTO a VALUES (1, 1, 1), (2, 1, 1), (3, 9, NULL)",
        "INSERT INTO b VALUES (1, 2)",
    )
    assert checked(two, "a").total == 1
    assert checked(two, "b").total == 0


def test_any_name_is_checked(two: TwoDatabases) -> None:
    two.both(
        'CREATE TABLE "pa""rent 🍶" ("" INTEGER PRIMARY KEY)',
        'CREATE TABLE "select" ("a.b" INTEGER PRIMARY KEY, "from" REFERENCES "pa""rent 🍶")',
        'INSERT INTO "select" VALUES (1, 5)',
    )
    (finding,) = checked(two, "select").findings
    assert (finding.key, finding.column) == ("a.b = 1", "from")


@contextmanager
def memory(*statements: str) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
        for statement in statements:
            database.execute(statement)
        yield database


def test_orphans_of_one_database_alone_are_counted_by_child_and_parent() -> None:
    with memory(
        PARENT,
        CHILD,
        "CREATE TABLE jobs (id PRIMARY KEY, photo REFERENCES photos, session REFERENCES sessions)",
        "INSERT INTO sessions VALUES (1)",
        "INSERT INTO photos VALUES (1, 1), (2, 8), (3, 9)",
        "INSERT INTO jobs VALUES ('a', 1, 1), ('b', 5, NULL)",
    ) as database:
        found = foreign_keys.orphans(database, read_schema(database))
    assert [(o.child, o.parent, o.rows) for o in found] == [
        ("photos", "sessions", 2),
        ("jobs", "photos", 1),
    ]


TYPES = st.sampled_from(["", "INTEGER", "TEXT", "REAL", "NUMERIC", "BLOB"])
COLLATIONS = st.sampled_from(["", " COLLATE NOCASE", " COLLATE RTRIM"])
KEYS: st.SearchStrategy[Value] = st.sampled_from(
    [None, 0, 1, 1.0, -1, 5, 5.5, "5", "05", "5.0", "1", "a", "A", "a ", "b", b"a", b"5",
     2**53 + 1, float(2**53), 2**63 - 1, float(2**63), "", b""]
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(TYPES, COLLATIONS, TYPES, COLLATIONS, st.lists(KEYS, max_size=6), st.lists(KEYS, max_size=9))
def test_the_orphans_are_exactly_those_that_sqlite_finds(
    parent_type: str,
    parent_collation: str,
    child_type: str,
    child_collation: str,
    parents: list[Value],
    children: list[Value],
) -> None:
    with memory(
        f"CREATE TABLE p (k {parent_type}{parent_collation} UNIQUE)",
        f"CREATE TABLE c (k {child_type}{child_collation} REFERENCES p (k))",
    ) as database:
        database.executemany("INSERT OR IGNORE INTO p VALUES (?)", [(key,) for key in parents])
        database.executemany("INSERT INTO c VALUES (?)", [(key,) for key in children])
        expected = len(database.execute("PRAGMA foreign_key_check").fetchall())
        found = foreign_keys.orphans(database, read_schema(database))
    assert sum(orphan.rows for orphan in found) == expected


@settings(max_examples=200, deadline=None)
@given(
    TYPES,
    COLLATIONS,
    TYPES,
    st.booleans(),
    st.lists(st.tuples(KEYS, KEYS), max_size=6),
    st.lists(st.tuples(KEYS, KEYS), max_size=9),
)
def test_keys_of_two_columns_are_checked_as_sqlite_does(
    parent_type: str,
    collation: str,
    child_type: str,
    is_primary: bool,
    parents: list[tuple[Value, Value]],
    children: list[tuple[Value, Value]],
) -> None:
    kind = "PRIMARY KEY" if is_primary else "UNIQUE"
    with memory(
        f"CREATE TABLE p (a {parent_type}, b TEXT{collation}, {kind} (b, a))",
        f"CREATE TABLE c (a {child_type}, b TEXT, FOREIGN KEY (a, b) REFERENCES p (a, b))",
    ) as database:
        database.executemany("INSERT OR IGNORE INTO p VALUES (?, ?)", parents)
        database.executemany("INSERT INTO c VALUES (?, ?)", children)
        expected = len(database.execute("PRAGMA foreign_key_check").fetchall())
        found = foreign_keys.orphans(database, read_schema(database))
    assert sum(orphan.rows for orphan in found) == expected


@pytest.mark.parametrize("values", [[5], [5, 6], [5, 5, 99, 99]])
def test_keys_of_rowids_are_checked_as_sqlite_does(values: list[int]) -> None:
    with memory(PARENT, "CREATE TABLE c (k TEXT REFERENCES sessions)") as database:
        database.execute("INSERT INTO sessions VALUES (5)")
        texts = [(v,) for v in values] + [(f"{v}.0",) for v in values] + [("x",), (b"5",)]
        database.executemany("INSERT INTO c VALUES (?)", texts)
        expected = len(database.execute("PRAGMA foreign_key_check").fetchall())
        (found,) = foreign_keys.orphans(database, read_schema(database))
    assert found.rows == expected
