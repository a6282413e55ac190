"""Every row and column is compared exactly; what differs is counted exactly and named."""

import math
import sqlite3
import struct
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.checks.two_databases import Text, TwoDatabases, Value, insert, rewrite_sql, run

from junmai_svc.checks import rows
from junmai_svc.checks.finding import CheckResult, Verdict
from junmai_svc.storage.databases.mapping import Rule

BIG = 2**63 - 1

KEYED = "CREATE TABLE t (id INTEGER PRIMARY KEY, v)"
BY_TEXT = "CREATE TABLE t (id VARCHAR(9) NOT NULL PRIMARY KEY, v)"
WITHOUT_ROWID = "CREATE TABLE t (id PRIMARY KEY, v) WITHOUT ROWID"
STRICT = "CREATE TABLE t (id INTEGER PRIMARY KEY, v ANY) STRICT"
KEYLESS = "CREATE TABLE t (id, v)"
NULLABLE_KEY = "CREATE TABLE t (id TEXT PRIMARY KEY, v)"

# fmt: off
ALL_DIFFERENT: list[Value | Text] = [
    None, 0, 1, -1, BIG, -BIG, -BIG - 1, 2**53 + 1,
    0.0, -0.0, 1.0, 1e300, math.inf, -math.inf, 5e-324, float(2**53), float(2**63), -float(2**63),
    "", "a", "A", "a ", "1", "1.0", "05", "5", "\x00", "a\x00b", "\u00e9", "e\u0301", "🍶",
    b"", b"a", b"1", b"\x00", Text(b"\xff"), Text(b"\xff\x00\xfe"), Text(b"\xed\xa0\x80"),
]
# fmt: on


def compared(two: TwoDatabases, limit: int = 20) -> CheckResult:
    """The result for the only table."""
    with two.opened() as (pair, (table,)):
        return rows.check(pair, table, limit=limit)


def lines(result: CheckResult) -> list[str]:
    return [finding.describe() for finding in result.findings]


@pytest.mark.parametrize(
    "table",
    [
        KEYED,
        BY_TEXT,
        WITHOUT_ROWID,
        STRICT,
        KEYLESS,
        NULLABLE_KEY,
        f"{KEYED}; 16",
        f"{KEYLESS}; 16",
    ],
)
def test_any_two_values_are_told_apart_by_class_and_bytes(two: TwoDatabases, table: str) -> None:
    """Every value against every value, in one table with a row for each combination."""
    create, _, encoding = table.partition("; ")
    two.both(f"PRAGMA encoding = '{'UTF-16le' if encoding else 'UTF-8'}'", create)
    values = [v for v in ALL_DIFFERENT if not (encoding and isinstance(v, Text))]
    cells = [(one, other) for one in values for other in values]
    keys = [f"{at:05}" if "KEY" in create else at for at in range(len(cells))]
    if "INTEGER" in create:
        keys = list(range(len(cells)))
    insert(two.source, "t", ((k, one) for k, (one, _) in zip(keys, cells, strict=True)))
    insert(two.target, "t", ((k, other) for k, (_, other) in zip(keys, cells, strict=True)))
    different = len(values) * (len(values) - 1)
    # Without a key a changed row is one that is missing and one that is too many.
    expected = different * 2 if create in (KEYLESS, NULLABLE_KEY) else different
    result = compared(two, limit=10_000)
    assert (result.total, len(result.findings)) == (expected, expected)
    assert result.verdict is Verdict.FAILED


@pytest.mark.parametrize("table", [KEYED, BY_TEXT, WITHOUT_ROWID, STRICT, KEYLESS, NULLABLE_KEY])
def test_the_same_values_are_found_the_same(two: TwoDatabases, table: str) -> None:
    two.both(table)
    keyed = [(at, value) for at, value in enumerate(ALL_DIFFERENT)]
    insert(two.source, "t", keyed)
    insert(two.target, "t", reversed(keyed))
    result = compared(two)
    assert (result.total, result.findings) == (0, ())
    assert result.verdict is Verdict.OK
    assert result.counts == {"rows": len(keyed), "columns": 2}


TYPES = st.sampled_from(["", "INTEGER", "REAL", "NUMERIC", "TEXT", "BLOB", "TEXT COLLATE NOCASE"])
VALUES = (
    st.none()
    | st.integers(-BIG - 1, BIG)
    | st.integers(-3, 3)
    | st.floats(allow_nan=False)
    | st.sampled_from([0.0, -0.0, 1.0, -1.0, float(2**63), -float(2**63), "1", "1.0", "a", "A"])
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=3)
    | st.binary(max_size=3)
)


def stored(path: Path) -> list[object]:
    """The values as they are stored, in a form that only equal ones share."""
    with closing(sqlite3.connect(path)) as database:
        database.text_factory = bytes
        found = database.execute("SELECT typeof(v), v FROM t ORDER BY id").fetchall()
    return [(kind, struct.pack("<d", v) if isinstance(v, float) else v) for kind, v in found]


@settings(max_examples=300, deadline=None)
@given(TYPES, TYPES, st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=6))
def test_whatever_the_column_types_cells_differ_exactly_if_what_is_stored_differs(
    before: str, after: str, cells: list[tuple[Value, Value]]
) -> None:
    with TemporaryDirectory() as folder:
        two = TwoDatabases(Path(folder))
        two.on_source(f"CREATE TABLE t (id INTEGER PRIMARY KEY, v {before})")
        two.on_target(f"CREATE TABLE t (id INTEGER PRIMARY KEY, v {after})")
        insert(two.source, "t", enumerate(one for one, _ in cells))
        insert(two.target, "t", enumerate(other for _, other in cells))
        wanted = sum(
            one != other for one, other in zip(stored(two.source), stored(two.target), strict=True)
        )
        assert compared(two).total == wanted


def test_a_schema_that_was_edited_under_its_rows_hides_nothing(two: TwoDatabases) -> None:
    """A column's new type says nothing about what was stored under its old one."""
    values: list[Value] = [1, 1.0, 0, 0.0, -0.0, "1", "05", 5, None, -BIG - 1, -float(2**63)]
    cells = [(one, other) for one in values for other in values]
    two.both(KEYED)
    insert(two.source, "t", enumerate(one for one, _ in cells))
    insert(two.target, "t", enumerate(other for _, other in cells))
    different = len(values) * (len(values) - 1)
    for declared in ("INTEGER", "NUMERIC", "TEXT", "TEXT COLLATE NOCASE"):
        for path in (two.source, two.target):
            rewrite_sql(path, "t", f"CREATE TABLE t (id INTEGER PRIMARY KEY, v {declared})")
        assert compared(two).total == different


@pytest.mark.parametrize(
    ("declared", "before", "after"),
    [
        ("TEXT COLLATE NOCASE", "Abc", "aBC"),
        ("TEXT COLLATE RTRIM", "a", "a  "),
        ("TEXT COLLATE NOCASE UNIQUE", "a", "A"),
    ],
)
def test_a_collation_does_not_make_texts_equal(
    two: TwoDatabases, declared: str, before: str, after: str
) -> None:
    two.both(f"CREATE TABLE t (id INTEGER PRIMARY KEY, v {declared})")
    insert(two.source, "t", [(1, before)])
    insert(two.target, "t", [(1, after)])
    assert lines(compared(two)) == [
        f"Value differs in t, id = 1, column v: expected '{before}' (text), found '{after}' (text)"
    ]


def test_a_collation_that_nobody_has_is_not_needed(two: TwoDatabases) -> None:
    two.both(KEYED)
    insert(two.source, "t", [(1, "a"), (2, "b")])
    insert(two.target, "t", [(1, "a"), (2, "c")])
    for path in (two.source, two.target):
        rewrite_sql(path, "t", "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT COLLATE klingon)")
    assert compared(two).total == 1


@pytest.mark.parametrize("collation", ["NOCASE", "RTRIM", "BINARY"])
@pytest.mark.parametrize("without_rowid", ["", " WITHOUT ROWID"])
def test_keys_are_the_same_only_byte_for_byte(
    two: TwoDatabases, collation: str, without_rowid: str
) -> None:
    two.on_source(
        f"CREATE TABLE t (k TEXT COLLATE {collation} NOT NULL PRIMARY KEY, v){without_rowid}"
    )
    two.on_target("CREATE TABLE t (k TEXT NOT NULL PRIMARY KEY, v)")
    insert(two.source, "t", [("a", 1), ("b", 2), ("c ", 3)])
    insert(two.target, "t", [("A", 1), ("b", 2), ("c", 3)])
    result = compared(two)
    assert result.total == 4
    assert {(f.message, f.key) for f in result.findings} == {
        ("Row missing", "k = 'a'"),
        ("Row missing", "k = 'c '"),
        ("Row that the source has not", "k = 'A'"),
        ("Row that the source has not", "k = 'c'"),
    }


KEY_TYPES = ("INTEGER", "INT", "TEXT", "NUMERIC", "REAL", "BLOB")


@pytest.mark.parametrize("before", KEY_TYPES)
@pytest.mark.parametrize("after", KEY_TYPES)
def test_keys_of_two_types_are_the_same_only_with_the_same_class(
    two: TwoDatabases, before: str, after: str
) -> None:
    two.on_source(f"CREATE TABLE t (k {before} NOT NULL PRIMARY KEY)")
    two.on_target(f"CREATE TABLE t (k {after} NOT NULL PRIMARY KEY)")
    for path in (two.source, two.target):
        insert(path, "t", [(5,), (7,), (2**40,)])

    def keys(path: Path) -> set[tuple[object, ...]]:
        with closing(sqlite3.connect(path)) as database:
            return set(database.execute("SELECT typeof(k), k FROM t"))

    different = keys(two.source) ^ keys(two.target)
    assert compared(two).total == len(different) == (0 if not different else 6)


def test_a_key_text_is_not_the_integer_it_looks_like(two: TwoDatabases) -> None:
    two.on_source("CREATE TABLE t (k INTEGER PRIMARY KEY)", "INSERT INTO t VALUES (5)")
    two.on_target("CREATE TABLE t (k TEXT NOT NULL PRIMARY KEY)", "INSERT INTO t VALUES ('05')")
    assert sorted(lines(compared(two))) == [
        "Row missing in t, k = 5: expected a row, found no row",
        "Row that the source has not in t, k = '05': expected no row, found a row",
    ]


def test_equal_rows_of_a_table_without_key_must_be_there_as_often(two: TwoDatabases) -> None:
    two.both("CREATE TABLE t (a, b)")
    insert(two.source, "t", [(1, "x")] * 5 + [(2, "y")] * 2)
    insert(two.target, "t", [(1, "x")] * 3 + [(2, "y")] * 4)
    result = compared(two)
    assert result.total == 4
    assert [finding.message for finding in result.findings].count("Row missing") == 2
    assert all(finding.key.startswith("rowid = ") for finding in result.findings)


def test_a_null_in_a_key_is_no_obstacle(two: TwoDatabases) -> None:
    two.both("CREATE TABLE t (k TEXT PRIMARY KEY, v)")
    insert(two.source, "t", [(None, 1), (None, 2), ("a", 3)])
    insert(two.target, "t", [(None, 2), (None, 9), ("a", 3)])
    assert sorted(lines(compared(two))) == [
        "Row missing in t, k = NULL, rowid = 1: expected a row, found no row",
        "Row that the source has not in t, k = NULL, rowid = 2: expected no row, found a row",
    ]


def test_a_null_in_a_key_that_is_declared_not_null_is_no_difference(two: TwoDatabases) -> None:
    two.both("CREATE TABLE t (k TEXT PRIMARY KEY, v)")
    for path in (two.source, two.target):
        insert(path, "t", [(None, 1), ("a", 2)])
        rewrite_sql(path, "t", "CREATE TABLE t (k TEXT NOT NULL PRIMARY KEY, v)")
    assert compared(two).total == 0
    insert(two.target, "t", [("b", 3)])
    assert compared(two).total == 1


def test_a_source_whose_key_is_not_unique_is_compared_row_by_row(two: TwoDatabases) -> None:
    two.on_source("CREATE TABLE t (id INTEGER, v)")
    two.on_target("CREATE TABLE t (id INTEGER PRIMARY KEY, v)")
    insert(two.source, "t", [(1, "a"), (2, "b"), (2, "c")])
    insert(two.target, "t", [(1, "a"), (2, "b")])
    result = compared(two)
    assert [finding.message for finding in result.findings] == ["Row missing"]


def test_a_target_key_that_is_there_twice_is_a_row_too_many(two: TwoDatabases) -> None:
    """Where a schema promises a key that the rows do not keep."""
    two.both(BY_TEXT)
    insert(two.source, "t", [("a", 1), ("b", 2)])
    with two.opened() as (_, (table,)):
        pass
    run(two.target, "DROP TABLE t", "CREATE TABLE t (id VARCHAR(9) NOT NULL, v)")
    insert(two.target, "t", [("a", 1), ("a", 1), ("b", 2)])
    with two.opened() as (pair, _):
        result = rows.check(pair, table)
    assert (result.total, len(result.findings)) == (1, 1)


def test_swapped_values_and_swapped_keys_are_seen(two: TwoDatabases) -> None:
    two.both("CREATE TABLE t (id INTEGER PRIMARY KEY, a, b)")
    insert(two.source, "t", [(1, "x", 1), (2, "y", 1), (3, "z", 1)])
    insert(two.target, "t", [(1, "y", 1), (2, "x", 1), (3, "z", 1)])
    result = compared(two)
    assert result.total == 2
    assert {(f.key, f.column, f.expected) for f in result.findings} == {
        ("id = 1", "a", "'x' (text)"),
        ("id = 2", "a", "'y' (text)"),
    }


def test_a_value_in_the_wrong_column_is_seen(two: TwoDatabases) -> None:
    two.both("CREATE TABLE t (id INTEGER PRIMARY KEY, a, b)")
    insert(two.source, "t", [(1, "x", "y")])
    insert(two.target, "t", [(1, "y", "x")])
    assert compared(two).counts["differs:a"] == compared(two).counts["differs:b"] == 1


def test_damage_anywhere_is_seen_not_only_in_the_first_rows(two: TwoDatabases) -> None:
    """The replaced tool looked at three columns of the first ten photos."""
    columns = ", ".join(f"c{at}" for at in range(30))
    two.both(f"CREATE TABLE photos (id INTEGER PRIMARY KEY, {columns})")
    table: list[tuple[Value, ...]] = [
        (at, *(f"value {at} {column}" for column in range(30))) for at in range(1, 2001)
    ]
    insert(two.source, "photos", table)
    insert(two.target, "photos", table)
    two.on_target("UPDATE photos SET c29 = 'damaged' WHERE id = 1999")
    (line,) = lines(compared(two))
    assert line == (
        "Value differs in photos, id = 1999, column c29: expected 'value 1999 29' (text),"
        " found 'damaged' (text)"
    )


def test_totals_are_exact_and_findings_bounded(two: TwoDatabases) -> None:
    two.both("CREATE TABLE t (id INTEGER PRIMARY KEY, a, b)")
    insert(two.source, "t", ((at, at, at) for at in range(5000)))
    insert(two.target, "t", ((at, at if at % 2 else -1, None) for at in range(100, 5100)))
    result = compared(two)
    a, b = sum(at % 2 == 0 for at in range(100, 5000)), 4900
    assert result.total == a + b + 100 + 100
    assert result.counts["differs:a"] == a
    assert result.counts["differs:b"] == b
    assert len(result.findings) == 20
    messages = {finding.message for finding in result.findings}
    assert messages == {"Value differs", "Row missing", "Row that the source has not"}


def test_the_rowid_counts_where_it_is_carried_over(two: TwoDatabases) -> None:
    two.both("CREATE TABLE t (v)")
    two.on_source("INSERT INTO t (rowid, v) VALUES (3, 'a'), (7, 'b')")
    two.on_target("INSERT INTO t (rowid, v) VALUES (3, 'a'), (8, 'b')")
    assert compared(two).total == 0
    two.keeps_rowid = True
    assert sorted(lines(compared(two))) == [
        "Row missing in t, rowid = 7: expected a row, found no row",
        "Row that the source has not in t, rowid = 8: expected no row, found a row",
    ]


def test_the_rowid_of_a_keyed_table_is_compared_like_a_cell(two: TwoDatabases) -> None:
    two.keeps_rowid = True
    two.both("CREATE TABLE t (k TEXT NOT NULL PRIMARY KEY)")
    two.on_source("INSERT INTO t (rowid, k) VALUES (3, 'a')")
    two.on_target("INSERT INTO t (rowid, k) VALUES (4, 'a')")
    (finding,) = compared(two).findings
    assert (finding.key, finding.column) == ("k = 'a'", "rowid")


@pytest.mark.parametrize(
    ("declared", "sql", "good", "bad"),
    [
        ("BOOLEAN", "0", 0, 1),
        ("FLOAT", "0", 0.0, 0.5),
        ("", "1", 1, 1.0),
        ("", "'x'", "x", b"x"),
        ("TEXT COLLATE NOCASE", "'x'", "x", "X"),
        ("TEXT", "5", "5", "05"),
        ("VARCHAR(64)", "NULL", None, ""),
        ("", "-0.0", -0.0, 0.0),
        ("INTEGER", "'7'", 7, "seven"),
    ],
)
@pytest.mark.parametrize("key", ["INTEGER PRIMARY KEY", ""])
def test_a_new_column_must_hold_exactly_what_its_rule_leaves_there(
    two: TwoDatabases, declared: str, sql: str, good: Value, bad: Value, key: str
) -> None:
    two.on_source(f"CREATE TABLE t (id {key})")
    two.on_target(f"CREATE TABLE t (id {key}, new {declared})")
    two.rules["t.new"] = Rule(sql, "new column")
    insert(two.source, "t", [(1,), (2,), (3,)])
    insert(two.target, "t", [(1, good), (2, good), (3, good)])
    result = compared(two)
    assert (result.total, result.counts["rule:new"]) == (0, 3)
    run(two.target, "DELETE FROM t WHERE id = 2")
    insert(two.target, "t", [(2, bad)])
    result = compared(two)
    assert (result.total, result.counts["differs:new"]) == (1, 1)
    assert result.findings[0].column == "new"


def test_a_column_of_unknown_origin_is_not_judged_but_mentioned(two: TwoDatabases) -> None:
    two.on_source("CREATE TABLE t (id INTEGER PRIMARY KEY)", "INSERT INTO t VALUES (1)")
    two.on_target("CREATE TABLE t (id INTEGER PRIMARY KEY, x)", "INSERT INTO t VALUES (1, 'y')")
    result = compared(two)
    assert result.verdict is Verdict.OK
    assert result.counts == {"rows": 1, "columns": 1, "unknown:x": 1}


def test_a_new_table_has_nothing_to_be_compared_with(two: TwoDatabases) -> None:
    two.on_source("CREATE TABLE other (id)")
    two.on_target("CREATE TABLE t (id)", "INSERT INTO t VALUES (1)")
    result = compared(two)
    assert (result.verdict, result.counts["rows"]) == (Verdict.OK, 1)


@pytest.mark.parametrize("key", ["INTEGER PRIMARY KEY", ""])
def test_two_thousand_columns_are_compared(two: TwoDatabases, key: str) -> None:
    names = [f"c{at}" for at in range(1999)]
    two.both(f"CREATE TABLE t (id {key}, {', '.join(names)})")
    assert compared(two).counts == {"rows": 0, "columns": 2000}
    row: list[Value] = [f"v{at}" for at in range(1999)]
    insert(two.source, "t", [(1, *row), (2, *row)])
    insert(two.target, "t", [(1, *row), (2, *row)])
    assert compared(two).total == 0
    run(two.target, "UPDATE t SET c1998 = 'other' WHERE id = 2")
    result = compared(two)
    if key:
        assert [(f.key, f.column) for f in result.findings] == [("id = 2", "c1998")]
        run(two.target, "UPDATE t SET " + ", ".join(f"{name} = 0" for name in names))
        assert compared(two).total == 2 * 1999
    else:
        assert result.total == 2


@pytest.mark.parametrize(
    "name", ['it"s', "it's", "🍶 酒", "select", "", "a.b", "t;--", "s", "rowid"]
)
@pytest.mark.parametrize("key", ["PRIMARY KEY", ""])
def test_any_name_of_table_and_column_is_compared_and_named(
    two: TwoDatabases, name: str, key: str
) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    two.both(f"CREATE TABLE {quoted} (id INTEGER {key}, {quoted} TEXT)")
    insert(two.source, name, [(1, "a"), (2, "b")])
    insert(two.target, name, [(1, "a"), (2, "c")])
    result = compared(two)
    assert result.total == (1 if key else 2)
    assert result.findings[0].table == name
    if key:
        assert result.findings[0].column == name


def test_huge_blobs_are_compared_to_the_last_byte_and_shown_in_brief(two: TwoDatabases) -> None:
    blob = bytes(3_000_000)
    two.both(KEYED)
    insert(two.source, "t", [(1, blob), (2, blob)])
    insert(two.target, "t", [(1, blob), (2, blob[:-1] + b"\x01")])
    (finding,) = compared(two).findings
    assert finding.key == "id = 2"
    assert finding.expected == f"x'{'00' * 40}'… (blob, 3000000 bytes)"


def test_generated_columns_are_compared_by_what_they_yield(two: TwoDatabases) -> None:
    two.on_source("CREATE TABLE t (id INTEGER PRIMARY KEY, a, b AS (a + 1), c AS (a * 2) STORED)")
    two.on_target("CREATE TABLE t (id INTEGER PRIMARY KEY, a, b AS (a + 1), c AS (a * 3) STORED)")
    for path in (two.source, two.target):
        run(path, "INSERT INTO t (id, a) VALUES (1, 5)")
    assert lines(compared(two)) == [
        "Value differs in t, id = 1, column c: expected 10 (integer), found 15 (integer)"
    ]


def test_a_key_of_several_columns_names_the_row(two: TwoDatabases) -> None:
    two.both("CREATE TABLE t (a TEXT, v, b INTEGER, PRIMARY KEY (b, a)) WITHOUT ROWID")
    insert(two.source, "t", [("x", 1, 1), ("x", 2, 2), ("y", 3, 1)])
    insert(two.target, "t", [("x", 1, 1), ("x", 9, 2)])
    result = compared(two)
    assert result.total == 2
    assert {finding.key for finding in result.findings} == {"b = 2, a = 'x'", "b = 1, a = 'y'"}


def test_rows_are_read_from_the_table_not_from_an_index_that_lost_them(two: TwoDatabases) -> None:
    two.both(BY_TEXT, "CREATE INDEX i ON t (v)")
    for path in (two.source, two.target):
        insert(path, "t", [(f"{at}", at) for at in range(100)])
    two.on_target("DELETE FROM t WHERE v = 50")
    rewrite_sql(two.target, "i", "CREATE INDEX i ON t (v) WHERE v > 1000")
    run(two.target, "INSERT INTO t VALUES ('50', 50)")
    rewrite_sql(two.target, "i", "CREATE INDEX i ON t (v)")
    with closing(sqlite3.connect(two.target)) as database:
        assert database.execute("SELECT 1 FROM t WHERE v = 50").fetchall() == []
    assert compared(two).total == 0
