"""What SQLite itself finds in a file: damage, broken constraints, indexes with entries lost.

`integrity_check` and `quick_check` report both in the same lines: damage to the file, and rows
that break a constraint, which are a matter of the data. Here they are told apart.
https://sqlite.org/pragma.html#pragma_integrity_check
"""

import re
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import peewee

from junmai_svc.checks.finding import CheckResult, Finding
from junmai_svc.checks.queries import count, fetched, rows_of
from junmai_svc.storage.databases.names import node
from junmai_svc.storage.databases.schema import Index, Table
from junmai_svc.storage.databases.sqltext import predicate

CHECK = "sqlite_file"
INDEX_CHECK = "indexes"
HINT = "Restore the newest good backup; the file is damaged"
INDEX_HINT = "Rebuild the index with REINDEX, or restore from backup"
SHOWN_LINES = 100

# The wordings from SQLite 3.37 on; all other lines are damage.
_NULL = "NULL value in "
_VIOLATION = re.compile(
    r"CHECK constraint failed in |(?:non-)?[A-Z]+ value in |non-unique entry in index "
)
_NOT_INDEXED = peewee.SQL("NOT INDEXED")
_MOST_LINES = 2**31 - 1


@dataclass(frozen=True)
class Integrity:
    """SQLite's verdict on one database file.

    `damage` has the first lines that tell of damage, `damage_total` counts all. `violations` counts
    rows by the line that SQLite has for what they break, such as `NULL value in photos.name`;
    `null_tables` are the tables that have such a NULL.
    """

    damage: tuple[str, ...] = ()
    damage_total: int = 0
    violations: Mapping[str, int] = field(default_factory=dict)
    null_tables: frozenset[str] = frozenset()


def integrity(
    connection: sqlite3.Connection, *, full: bool, check_constraints: bool = True
) -> Integrity:
    """Run integrity_check, or else quick_check, over `main`.

    The connection must be one that may write: SQLite forgets CHECK constraints on others. Without
    `check_constraints` they are passed over, which takes two thirds of quick_check's time away.
    quick_check does not see when an index and its table disagree.

    Raises:
        sqlite3.Error: SQLite can't even check, such as for want of a collation.
    """
    pragma = "integrity_check" if full else "quick_check"
    damage: list[str] = []
    total = 0
    violations: Counter[str] = Counter()
    connection.execute(f"PRAGMA ignore_check_constraints = {0 if check_constraints else 1}")
    for text in _lines(connection, f"PRAGMA main.{pragma}({_MOST_LINES})"):
        if is_violation(text):
            violations[text] += 1
            continue
        lines = [line for line in text.splitlines() if line != "ok" and not _is_heading(line)]
        total += len(lines)
        damage += lines[: SHOWN_LINES - len(damage)]
    # What is damaged is not stored or passed, and may not bear being read on.
    null_tables = frozenset[str]() if damage else _null_tables(connection, violations)
    return Integrity(tuple(damage), total, violations, null_tables)


def is_violation(line: str) -> bool:
    """Whether a line of SQLite's is about rows that break a constraint, not about damage."""
    return _VIOLATION.match(line) is not None


def is_damage(error: sqlite3.Error) -> bool:
    """Whether an error of SQLite's says that the file is damaged."""
    return str(getattr(error, "sqlite_errorname", "")).startswith("SQLITE_CORRUPT")


def check(found: Integrity, *, limit: int = 20) -> CheckResult:
    """Return SQLite's verdict as a result; broken constraints are `constraints`' business."""
    return CheckResult(
        CHECK,
        total=found.damage_total,
        findings=tuple(
            Finding(CHECK, actual=line, expected="ok", hint=HINT, message="Database is damaged")
            for line in found.damage[:limit]
        ),
    )


def check_indexes(connection: sqlite3.Connection, table: Table) -> CheckResult:
    """Compare the number of entries of each index of a table of `main` with the table's rows.

    A partial index is compared with the rows that meet its predicate; where SQLite can't be made
    to count it, `counts` has `uncounted:<index>`. `counts` has `indexes`, those that were counted.

    Raises:
        sqlite3.Error: the table can't be read.
    """
    started = time.perf_counter()
    counts = {"indexes": 0}
    findings = []
    all_rows = count(connection, rows_of("main", table.name, "t"))
    for index in table.indexes:
        if table.without_rowid and index.origin == "pk":
            continue  # the table itself
        entries = _entries(connection, table, index)
        if entries is None:
            counts[f"uncounted:{index.name}"] = 1
            continue
        counts["indexes"] += 1
        rows = _count(connection, table, index, _NOT_INDEXED) if index.partial else all_rows
        if entries != rows:
            findings.append(
                Finding(
                    INDEX_CHECK,
                    table.name,
                    key=f"index {index.name}",
                    expected=f"{rows} entries",
                    actual=f"{entries} entries",
                    hint=INDEX_HINT,
                    message="Index and table differ",
                    of_row=False,
                )
            )
    return CheckResult(
        INDEX_CHECK,
        table.name,
        total=len(findings),
        findings=tuple(findings),
        counts=counts,
        seconds=time.perf_counter() - started,
    )


def _entries(connection: sqlite3.Connection, table: Table, index: Index) -> int | None:
    access = peewee.NodeList((peewee.SQL("INDEXED BY"), node(index.name)))
    try:
        return _count(connection, table, index, access)
    except sqlite3.OperationalError as error:
        if index.partial and "no query solution" in str(error):
            return None
        raise


def _count(
    connection: sqlite3.Connection, table: Table, index: Index, access: peewee.ColumnBase
) -> int:
    # Not count(*): SQLite answers that from whichever index is smallest, INDEXED BY or not.
    rows = peewee.NodeList((node("main", table.name), access))
    query = peewee.Select([rows], [peewee.fn.total(peewee.SQL("1"))])
    condition = predicate(index.sql) if index.partial and index.sql else None
    if condition is not None:
        query = query.where(peewee.SQL(f"({condition}\n)"))
    ((number,),) = fetched(connection, query)
    return int(number)


def _lines(connection: sqlite3.Connection, pragma: str) -> Iterator[str]:
    """What SQLite reports, and that it could not go on where the damage is too great for it."""
    try:
        for (text,) in connection.execute(pragma):
            yield text
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
        yield str(error)


def _is_heading(line: str) -> bool:
    return line.startswith("*** in database ") and line.endswith(" ***")


def _null_tables(connection: sqlite3.Connection, violations: Counter[str]) -> frozenset[str]:
    """The tables behind `NULL value in <table>.<column>`; either name may have a dot in it.

    Lines that are not true are dropped: SQLite 3.40 says so of sound columns, too.
    """
    wanted = {text.removeprefix(_NULL) for text in violations if text.startswith(_NULL)}
    if not wanted:
        return frozenset()
    columns = connection.execute(
        "SELECT t.name, c.name"
        " FROM main.sqlite_schema AS t, pragma_table_xinfo(t.name, 'main') AS c"
        " WHERE t.type = 'table' AND t.sql NOT LIKE 'CREATE VIRTUAL TABLE%'"
    ).fetchall()
    nulls: Counter[str] = Counter()
    tables = set()
    for table, column in columns:
        if f"{table}.{column}" in wanted:
            is_null = peewee.fn.typeof(node("t", column)) == peewee.SQL("'null'")
            rows = count(connection, rows_of("main", table, "t"), is_null)
            nulls[f"{_NULL}{table}.{column}"] += rows
            tables |= {table} if rows else set()
    for line in [text for text in violations if text.startswith(_NULL)]:
        violations[line] = nulls[line]
        if not nulls[line]:
            del violations[line]
    return frozenset(tables)
