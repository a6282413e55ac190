"""Claims about what is said to have changed between two tables: exact counts, a few examples."""

import math
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.checks.two_databases import Text, TwoDatabases, Value, insert, opened, run

from junmai_svc.checks.row_changes import (
    SHOWN_CELLS,
    CellChange,
    Change,
    Compared,
    RowExample,
    TableChanges,
    compare,
    only_after,
    only_before,
)
from junmai_svc.storage.databases.pair import open_pair
from junmai_svc.storage.databases.schema import read_schema

Cells = tuple[tuple[str, bytes | str], ...]

# Values that SQLite takes for equal, or nearly, and that are not the same.
POOL: list[Value | Text] = [
    *(None, 0, 1, 1.0, 0.0, -0.0, 2**63 - 1, float(2**63), 0.5, math.inf),
    *("", "a", "A", "1", b"", b"a", b"A", Text(b"\xff"), Text(b"a\x00b"), "é"),
]
KEYS = {
    "none": "CREATE TABLE t (k, l, a, b)",
    "rowid": "CREATE TABLE t (k INTEGER PRIMARY KEY, l, a, b)",
    "nullable": "CREATE TABLE t (k PRIMARY KEY, l, a, b)",
    "nocase": "CREATE TABLE t (k NOT NULL PRIMARY KEY COLLATE NOCASE, l, a, b)",
    "two": "CREATE TABLE t (k, l, a, b, PRIMARY KEY (l, k)) WITHOUT ROWID",
    "text": "CREATE TABLE t (k TEXT NOT NULL PRIMARY KEY, l REAL, a NUMERIC, b INTEGER)",
}
NAMED_BY = {
    "rowid": ("k",),
    "nullable": ("k",),
    "nocase": ("k",),
    "two": ("l", "k"),
    "text": ("k",),
}
ROWS = st.lists(st.tuples(*[st.sampled_from(POOL)] * 4), max_size=7)


def changes(two: TwoDatabases, name: str = "t", limit: int = 3) -> TableChanges:
    with open_pair(two.target, two.source, target_mode="rw") as pair:
        before = read_schema(pair.connection, "source").table(name)
        after = read_schema(pair.connection).table(name)
        if before is None:
            assert after is not None
            return only_after(pair, after)
        if after is None:
            return only_before(pair, before)
        return compare(pair, before, after, limit=limit)


def rows_in(path: Path, columns: Sequence[str] = ("k", "l", "a", "b")) -> list[Cells]:
    """All rows, each cell as its class and its bytes, reals in hex: so -0.0 is not 0.0."""
    real = "CASE typeof({0}) WHEN 'real' THEN {0} END"
    selected = ", ".join(f"typeof({c}), CAST({c} AS BLOB), {real.format(c)}" for c in columns)
    found = []
    with opened(path) as database:
        for row in database.execute(f"SELECT {selected} FROM t NOT INDEXED"):
            cells = (row[at : at + 3] for at in range(0, len(row), 3))
            found.append(tuple((k, n.hex() if k == "real" else raw or b"") for k, raw, n in cells))
    return found


def expected_by_key(
    before: Sequence[Cells], after: Sequence[Cells], key: Sequence[int]
) -> tuple[int, int, int, Mapping[int, int]] | None:
    """Added, removed, changed rows and changed cells by column; None where a key is NULL."""
    sides = [{tuple(row[at] for at in key): row for row in rows} for rows in (before, after)]
    if any(("null", b"") in name for side in sides for name in side):
        return None
    old, new = sides
    assert (len(old), len(new)) == (len(before), len(after)), "no key is there twice"
    both = old.keys() & new.keys()
    cells = Counter(
        at
        for name in both
        for at, (one, other) in enumerate(zip(old[name], new[name], strict=True))
        if one != other
    )
    changed = sum(old[name] != new[name] for name in both)
    return len(new.keys() - both), len(old.keys() - both), changed, cells


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(KEYS)), ROWS, ROWS, ROWS)
def test_the_counts_are_those_of_a_plain_comparison(
    kind: str,
    common: list[tuple[Value | Text, ...]],
    before: list[tuple[Value | Text, ...]],
    after: list[tuple[Value | Text, ...]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        two = TwoDatabases(Path(folder))
        two.both(KEYS[kind])
        fill(two.source, [*common, *before])
        fill(two.target, [*after, *common])
        found = changes(two, limit=50)
        old, new = rows_in(two.source), rows_in(two.target)
    by_key = None
    if kind in NAMED_BY:
        by_key = expected_by_key(old, new, ["klab".index(name) for name in NAMED_BY[kind]])
    if by_key is None:
        added, removed = Counter(new) - Counter(old), Counter(old) - Counter(new)
        by_key = added.total(), removed.total(), 0, {}
    counted = {"klab".index(name): number for name, number in found.columns.items()}
    assert (found.rows_before, found.rows_after) == (len(old), len(new))
    assert (found.added, found.removed, found.changed, counted) == by_key
    assert found.is_equal == (Counter(old) == Counter(new))
    assert Counter(each.change for each in found.examples) == Counter(
        {Change.ADDED: found.added, Change.REMOVED: found.removed, Change.CHANGED: found.changed}
    )


def fill(path: Path, rows: Sequence[tuple[Value | Text, ...]]) -> None:
    """Insert the rows that the table takes."""
    with opened(path) as database:
        database.execute("BEGIN")
        for row in rows:
            marks = ", ".join("CAST(? AS TEXT)" if isinstance(c, Text) else "?" for c in row)
            cells = [cell.raw if isinstance(cell, Text) else cell for cell in row]
            # What can be no rowid is an error that OR IGNORE does not forgive.
            with suppress(sqlite3.IntegrityError):
                database.execute(f"INSERT OR IGNORE INTO t VALUES ({marks})", cells)
        database.execute("COMMIT")


def test_equal_rows_in_another_order_are_told_by_the_digest_alone(two: TwoDatabases) -> None:
    two.both("CREATE TABLE t (k INTEGER PRIMARY KEY, a)")
    insert(two.source, "t", [(1, "x"), (2, None)])
    insert(two.target, "t", [(2, None), (1, "x")])
    found = changes(two)
    assert found == TableChanges("t", Compared.DIGEST, 2, 2)
    assert found.is_equal


def test_each_kind_of_change_gets_its_share_of_the_examples(two: TwoDatabases) -> None:
    two.both("CREATE TABLE t (k INTEGER PRIMARY KEY, a, b)")
    insert(two.source, "t", [(number, number, "b") for number in range(100)])
    insert(two.target, "t", [(number, number * 2 % 100, "b") for number in range(50, 250)])
    found = changes(two)
    assert (found.added, found.removed, found.changed) == (150, 50, 50)
    assert (found.compared, found.columns) == (Compared.KEY, {"a": 50})
    assert found.examples == (
        RowExample(Change.CHANGED, "k = 50", (CellChange("a", "50 (integer)", "0 (integer)"),)),
        RowExample(Change.ADDED, "k = 100"),
        RowExample(Change.REMOVED, "k = 0"),
    )
    assert changes(two, limit=0).examples == ()


def test_only_some_cells_of_a_wide_row_are_shown_and_all_are_counted(two: TwoDatabases) -> None:
    columns = ", ".join(f"c{number}" for number in range(600))
    two.both(f"CREATE TABLE t (k INTEGER PRIMARY KEY, {columns})")
    insert(two.source, "t", [(1, *range(600))])
    insert(two.target, "t", [(1, *range(1, 601))])
    found = changes(two)
    assert (found.changed, len(found.columns), sum(found.columns.values())) == (1, 600, 600)
    assert len(found.examples[0].cells) == SHOWN_CELLS


def test_rows_are_compared_in_the_columns_that_both_have(two: TwoDatabases) -> None:
    two.on_source("CREATE TABLE t (old, k INTEGER PRIMARY KEY, a)")
    two.on_target("CREATE TABLE T (A, K INTEGER PRIMARY KEY, new DEFAULT 5)")
    insert(two.source, "t", [("lost", 1, "x"), ("lost", 2, "y")])
    run(two.target, "INSERT INTO t (k, a) VALUES (1, 'x'), (2, 'z')")
    found = changes(two)
    assert (found.table, found.compared, found.columns) == ("T", Compared.KEY, {"A": 1})
    two.on_target("UPDATE t SET a = 'y' WHERE k = 2")
    assert changes(two).is_equal


def test_tables_without_a_column_in_common_have_no_row_in_common(two: TwoDatabases) -> None:
    two.on_source("CREATE TABLE t (a)", "INSERT INTO t VALUES (1), (2)")
    two.on_target("CREATE TABLE t (b)", "INSERT INTO t VALUES (1)")
    found = changes(two)
    assert (found.added, found.removed, found.compared) == (1, 2, Compared.ROWS)


@pytest.mark.parametrize("sides", [("source", "target"), ("target", "source")])
def test_a_table_that_one_side_lacks_counts_all_its_rows(
    two: TwoDatabases, sides: tuple[str, str]
) -> None:
    has, lacks = (getattr(two, side) for side in sides)
    run(has, "CREATE TABLE t (a)", "INSERT INTO t VALUES (1), (2)")
    run(lacks, "CREATE TABLE other (a)")
    found = changes(two)
    assert not found.is_equal
    assert (found.rows_before, found.removed) == ((2, 2) if has == two.source else (0, 0))
    assert (found.rows_after, found.added) == ((2, 2) if has == two.target else (0, 0))


def test_an_empty_table_that_one_side_lacks_is_a_difference(two: TwoDatabases) -> None:
    two.on_source("CREATE TABLE t (a)")
    two.on_target("CREATE TABLE other (a)")
    assert not changes(two).is_equal


def test_a_key_that_a_damaged_index_let_in_twice_does_not_hide_a_row(two: TwoDatabases) -> None:
    """The counts then come from whole rows, as no key tells them apart."""
    two.both("CREATE TABLE t (k TEXT NOT NULL PRIMARY KEY, a) WITHOUT ROWID")
    two.on_source("INSERT INTO t VALUES ('a', 1), ('b', 2), ('c', 3)")
    two.on_target("INSERT INTO t VALUES ('a', 1), ('b', 2), ('c', 3)")
    whole = two.target.read_bytes()
    assert whole.count(b"c\x03") == 1
    two.target.write_bytes(whole.replace(b"c\x03", b"b\x03"))
    found = changes(two)
    assert (found.added, found.removed, found.compared) == (1, 1, Compared.ROWS)
