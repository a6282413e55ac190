"""Record counts."""

from tests.checks.two_databases import TwoDatabases, insert, rewrite_sql, run

from junmai_svc.checks import counts
from junmai_svc.checks.finding import CheckResult


def counted(two: TwoDatabases) -> CheckResult:
    with two.opened() as (pair, (table,)):
        return counts.check(pair, table)


def test_as_many_records_are_no_finding(two: TwoDatabases) -> None:
    two.both("CREATE TABLE t (v)", "INSERT INTO t VALUES (1), (2)")
    assert counted(two).counts == {"source": 2, "target": 2}
    assert counted(two).total == 0


def test_a_lost_record_is_a_mismatch_with_the_advice_for_it(two: TwoDatabases) -> None:
    two.both("CREATE TABLE t (v)", "INSERT INTO t VALUES (1), (2)")
    two.on_target("DELETE FROM t WHERE v = 1")
    (finding,) = counted(two).findings
    assert finding.describe() == "Record count mismatch in t: expected 2 rows, found 1 rows"
    assert finding.hint == "Review migration log for errors, restore from backup if needed"


def test_rows_in_a_table_that_the_source_has_not_are_a_mismatch(two: TwoDatabases) -> None:
    two.on_source("CREATE TABLE other (v)")
    two.on_target("CREATE TABLE t (v)")
    assert counted(two).total == 0
    two.on_target("INSERT INTO t VALUES (1)")
    assert counted(two).counts == {"source": 0, "target": 1}
    assert counted(two).total == 1


def test_an_index_that_lost_entries_does_not_change_the_count(two: TwoDatabases) -> None:
    two.both("CREATE TABLE t (v NOT NULL)", "CREATE INDEX i ON t (v)")
    insert(two.source, "t", [(1,)])
    rewrite_sql(two.target, "i", "CREATE INDEX i ON t (v) WHERE v > 9")
    insert(two.target, "t", [(1,)])
    rewrite_sql(two.target, "i", "CREATE INDEX i ON t (v)")
    run(two.target, "SELECT 1")
    assert counted(two).total == 0
