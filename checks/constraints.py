"""Rows that break a CHECK, NOT NULL, UNIQUE or the declared type, named and counted exactly.

SQLite says which constraints of which tables are broken (`sqlite_file.integrity`); only those are
looked for. What the source's table declares too was broken there before: rows are copied as they
are. Anything else is new with the target's schema.
"""

import sqlite3
import time
from collections.abc import Iterator, Mapping

import peewee

from junmai_svc.checks import values
from junmai_svc.checks.declared import Constraint, declared_constraints, own_rows
from junmai_svc.checks.finding import CheckResult, Finding
from junmai_svc.checks.queries import count, fetched
from junmai_svc.checks.row_names import RowName, row_name
from junmai_svc.storage.databases.mapping import TablePair
from junmai_svc.storage.databases.names import node
from junmai_svc.storage.databases.schema import Table

CHECK = "constraints"
# In front of a column whose rows are looked at one by one here. SQLite 3.40 has this line also for
# columns that stand behind the one that holds the NULL.
_NULL = "NULL value in "
HINT = "Correct these rows in the application; they were copied as they are"
NEW_HINT = "Correct these rows in the source, or change the target's schema so that it allows them"


def check(
    connection: sqlite3.Connection,
    table: TablePair,
    violations: Mapping[str, int],
    *,
    limit: int = 20,
) -> CheckResult:
    """Name the rows of a target table that break what `violations` says is broken.

    `violations` is that of `sqlite_file.integrity` of the target. `counts` has one entry for each
    broken constraint, by SQLite's line for it.

    Raises:
        sqlite3.Error: the table can't be read.
    """
    started = time.perf_counter()
    findings: list[Finding] = []
    counts: dict[str, int] = {}
    known = 0
    lines = list(_lines(table.target, violations)) if violations else []
    for constraint in declared_constraints(table) if lines else ():
        if constraint.line not in lines:
            continue
        rows = count(connection, own_rows(table.target), constraint.broken)
        counts[constraint.line] = counts.get(constraint.line, 0) + rows
        known += rows if constraint.known else 0
        findings += _named(connection, table.target, constraint, limit - len(findings))
    for line in lines:
        if not counts.get(line) and not (line in counts and line.startswith(_NULL)):
            # Broken according to SQLite in a way that is not known here how to look for.
            counts[line] = violations[line]
            findings.append(Finding(CHECK, table.name, actual=line, hint=NEW_HINT))
    return CheckResult(
        CHECK,
        table.name,
        total=sum(counts.values()),
        known=known,
        findings=tuple(findings[:limit]),
        counts=counts,
        seconds=time.perf_counter() - started,
    )


def _named(
    connection: sqlite3.Connection, table: Table, constraint: Constraint, limit: int
) -> list[Finding]:
    key = row_name(table, table.name)
    broken = tuple(node(table.name, column) for column in constraint.columns)
    held = RowName(constraint.columns, broken)
    query = peewee.Select([own_rows(table)], [*key.selected(), *held.selected()])
    codec = values.codec(connection)
    return [
        Finding(
            CHECK,
            table.name,
            key=key.text(row[: key.width], codec),
            column=", ".join(constraint.columns),
            expected=constraint.expected,
            actual=held.text(row[key.width :], codec),
            hint=HINT if constraint.known else NEW_HINT,
            known=constraint.known,
            message=constraint.message,
        )
        for row in fetched(connection, query.where(constraint.broken).limit(max(0, limit)))
    ]


def _lines(table: Table, violations: Mapping[str, int]) -> Iterator[str]:
    """The lines that are about this table."""
    columns = {f"{table.name}.{column.name}" for column in table.columns}
    others = {f"non-unique entry in index {index.name}" for index in table.indexes}
    others.add(f"CHECK constraint failed in {table.name}")
    for line in violations:
        _, separator, subject = line.partition(" value in ")
        if line in others or (separator and subject in columns):
            yield line
