"""Rows that break a constraint are counted exactly, named, and known where the source had them."""

import pytest
from tests.checks.two_databases import TwoDatabases, insert, rewrite_sql

from junmai_svc.checks import constraints, sqlite_file
from junmai_svc.checks.finding import CheckResult, Verdict

LOOSE = "CREATE TABLE t (id INTEGER PRIMARY KEY, status TEXT, name TEXT)"
STATUS = "status IN ('new', 'done')"
CHECKED = f"CREATE TABLE t (id INTEGER PRIMARY KEY, status TEXT CHECK ({STATUS}), name TEXT)"
NOT_NULL = "CREATE TABLE t (id INTEGER PRIMARY KEY, status TEXT, name TEXT NOT NULL)"


def checked(two: TwoDatabases, limit: int = 20) -> CheckResult:
    with two.opened() as (pair, (table,)):
        found = sqlite_file.integrity(pair.connection, full=True)
        return constraints.check(pair.connection, table, found.violations, limit=limit)


def with_rows(
    two: TwoDatabases, before: str, after: str, *rows: tuple[int, str, str | None]
) -> None:
    """The same rows on both sides, under schemas that they need not obey."""
    two.both(LOOSE)
    for path, sql in ((two.source, before), (two.target, after)):
        insert(path, "t", rows)
        rewrite_sql(path, "t", sql)


def test_rows_that_obey_are_no_finding(two: TwoDatabases) -> None:
    with_rows(two, CHECKED, CHECKED, (1, "new", "a"), (2, "done", None))
    assert checked(two).counts == {}
    assert checked(two).verdict is Verdict.OK


def test_a_row_that_broke_the_same_check_in_the_source_is_known(two: TwoDatabases) -> None:
    other_writing = CHECKED.replace(
        "CHECK (status IN ('new', 'done'))",
        """check(
        "STATUS" in ('new','done')) -- as ever
    """,
    )
    assert other_writing != CHECKED
    with_rows(two, other_writing, CHECKED, (1, "new", "a"), (2, "odd", "b"))
    result = checked(two)
    assert (result.verdict, result.total, result.known) == (Verdict.KNOWN, 1, 1)
    assert result.findings[0].describe() == (
        "CHECK constraint failed in t, id = 2, column status:"
        " expected status IN ('new', 'done'), found status = 'odd'"
    )


def test_a_row_that_breaks_a_new_check_fails(two: TwoDatabases) -> None:
    with_rows(two, LOOSE, CHECKED, (1, "new", "a"), (2, "odd", "b"))
    assert checked(two).verdict is Verdict.FAILED


def test_a_check_that_became_stricter_is_another_check(two: TwoDatabases) -> None:
    with_rows(two, CHECKED.replace("'done'", "'done', 'odd'"), CHECKED, (2, "odd", "b"))
    assert checked(two).verdict is Verdict.FAILED


def test_every_check_of_a_table_is_looked_at(two: TwoDatabases) -> None:
    after = CHECKED[:-1] + ", CONSTRAINT short CHECK (length(t.name) < 3), CHECK (1))"
    with_rows(two, CHECKED, after, (1, "new", "long"), (2, "odd", "b"), (3, "odd", "long"))
    result = checked(two)
    assert (result.total, result.known) == (4, 2)
    assert [(f.key, f.column, f.known) for f in result.findings] == [
        ("id = 2", "status", True),
        ("id = 3", "status", True),
        ("id = 1", "name", False),
        ("id = 3", "name", False),
    ]


def test_a_null_passes_a_check_as_in_sqlite(two: TwoDatabases) -> None:
    two.both(CHECKED, "INSERT INTO t VALUES (1, NULL, NULL)")
    assert checked(two).total == 0


@pytest.mark.parametrize(
    ("before", "verdict"), [(NOT_NULL, Verdict.KNOWN), (LOOSE, Verdict.FAILED)]
)
def test_a_null_is_known_where_the_source_forbids_it_too(
    two: TwoDatabases, before: str, verdict: Verdict
) -> None:
    with_rows(two, before, NOT_NULL, (1, "new", None), (2, "new", "b"))
    result = checked(two)
    assert (result.verdict, result.total) == (verdict, 1)
    (finding,) = result.findings
    assert (finding.key, finding.column, finding.actual) == ("id = 1", "name", "name = NULL")


def test_totals_are_exact_and_findings_bounded(two: TwoDatabases) -> None:
    both = CHECKED.replace("name TEXT", "name TEXT NOT NULL")
    with_rows(two, both, both, *((at, "odd", None) for at in range(1000)))
    result = checked(two)
    assert (result.total, result.known, len(result.findings)) == (2000, 2000, 20)
    assert result.counts == {"CHECK constraint failed in t": 1000, "NULL value in t.name": 1000}


@pytest.mark.parametrize("strict", ["", " STRICT"])
def test_a_value_of_another_type_in_a_strict_table_is_named(two: TwoDatabases, strict: str) -> None:
    sql = "CREATE TABLE t (id INTEGER PRIMARY KEY, a INT, b ANY)"
    two.both("CREATE TABLE t (id INTEGER PRIMARY KEY, a, b)")
    for path in (two.source, two.target):
        insert(path, "t", [(1, 1, 1.5), (2, "x", "y"), (3, None, None)])
    rewrite_sql(two.source, "t", sql + strict)
    rewrite_sql(two.target, "t", sql + " STRICT")
    result = checked(two)
    assert (result.total, result.known) == (1, 1 if strict else 0)
    assert (result.findings[0].key, result.findings[0].actual) == ("id = 2", "a = 'x'")


@pytest.mark.parametrize("unique", ["", "UNIQUE "])
@pytest.mark.parametrize("rest", ["(name COLLATE NOCASE)", "(name COLLATE NOCASE) WHERE id > 1"])
def test_values_that_are_not_unique_are_named(two: TwoDatabases, unique: str, rest: str) -> None:
    two.both(LOOSE, f"CREATE INDEX i ON t {rest}")
    for path in (two.source, two.target):
        insert(path, "t", [(1, "x", "a"), (2, "x", "A"), (3, "x", "a"), (4, "x", "b")])
    rewrite_sql(two.source, "i", f"CREATE {unique}INDEX i ON t {rest}")
    rewrite_sql(two.target, "i", f"CREATE UNIQUE INDEX i ON t {rest}")
    result = checked(two)
    rows = 3 if rest.endswith(")") else 2
    assert (result.total, result.known) == (rows, rows if unique else 0)
    assert {f.key for f in result.findings} <= {"id = 1", "id = 2", "id = 3"}


def test_what_sqlite_reports_and_nobody_finds_is_reported_as_it_is(two: TwoDatabases) -> None:
    two.both(LOOSE, "CREATE INDEX i ON t (status || name)")
    for path in (two.source, two.target):
        insert(path, "t", [(1, "x", "a"), (2, "x", "a")])
        rewrite_sql(path, "i", "CREATE UNIQUE INDEX i ON t (status || name)")
    result = checked(two)
    assert (result.verdict, result.total) == (Verdict.FAILED, 1)
    assert result.findings[0].actual == "non-unique entry in index i"


def test_another_tables_violations_are_left_to_it(two: TwoDatabases) -> None:
    two.both(LOOSE)
    with two.opened() as (pair, (table,)):
        lines = {"NULL value in other.name": 3, "CHECK constraint failed in tt": 1}
        result = constraints.check(pair.connection, table, lines)
    assert (result.total, result.counts) == (0, {})


def test_any_name_is_found(two: TwoDatabases) -> None:
    name = 'ta"b.le 🍶'
    quoted = '"ta""b.le 🍶"'
    sql = f'CREATE TABLE {quoted} ("i""d" INTEGER PRIMARY KEY, "a.b" {{}} CHECK ([a.b] <> `i"d`))'
    two.both(f'CREATE TABLE {quoted} ("i""d" INTEGER PRIMARY KEY, "a.b")')
    for path in (two.source, two.target):
        insert(path, name, [(1, None), (2, 2), (3, 4)])
        rewrite_sql(path, name, sql.format("NOT NULL"))
    result = checked(two)
    assert (result.total, result.known) == (2, 2)
    assert {(f.key, f.actual) for f in result.findings} == {
        ('i"d = 2', 'i"d = 2, a.b = 2'),
        ('i"d = 1', "a.b = NULL"),
    }
