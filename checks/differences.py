"""Cells that differ and rows that only one side has: counted exactly, named in bounded number."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

import peewee

from junmai_svc.checks import values
from junmai_svc.checks.cells import Cell, any_of
from junmai_svc.checks.finding import Finding
from junmai_svc.checks.queries import fetched
from junmai_svc.checks.row_names import RowName

CHECK = "rows"
HINT = "Review migration log for errors, restore from backup if needed"

# Result columns of one query; SQLite allows 2,000.
COUNTED_AT_ONCE = 500


@dataclass(frozen=True)
class Differences:
    """What differs in one table: the exact total, some findings, differing cells by column."""

    total: int = 0
    findings: tuple[Finding, ...] = ()
    by_column: dict[str, int] = field(default_factory=dict)


def count_by_column(
    connection: sqlite3.Connection, rows: peewee.ColumnBase, cells: Sequence[Cell]
) -> dict[str, int]:
    """Return how many cells differ in each column that has any; `rows` is a FROM clause.

    Raises:
        sqlite3.Error: the rows can't be read.
    """
    found: dict[str, int] = {}
    for at in range(0, len(cells), COUNTED_AT_ONCE):
        some = cells[at : at + COUNTED_AT_ONCE]
        sums = [peewee.fn.total(cell.differs) for cell in some]
        (counted,) = fetched(connection, peewee.Select([rows], sums))
        found |= {cell.name: int(n) for cell, n in zip(some, counted, strict=True) if n}
    return found


def differing_cells(
    connection: sqlite3.Connection,
    table: str,
    rows: peewee.ColumnBase,
    name: RowName,
    cells: Sequence[Cell],
    limit: int,
) -> list[Finding]:
    """Return up to `limit` findings for cells of which each column has at least one that differs.

    Raises:
        sqlite3.Error: the rows can't be read.
    """
    looked_at = cells[:limit]
    if not looked_at:
        return []
    columns = name.selected()
    for cell in looked_at:
        columns += [cell.differs, *values.selected(cell.expected), *values.selected(cell.actual)]
    query = peewee.Select([rows], columns).where(any_of([cell.differs for cell in looked_at]))
    codec = values.codec(connection)
    width = 1 + 2 * values.WIDTH
    findings = []
    for row in fetched(connection, query.limit(limit)):
        for cell, at in zip(looked_at, range(name.width, len(row), width), strict=True):
            if row[at]:
                expected = row[at + 1 : at + 1 + values.WIDTH]
                actual = row[at + 1 + values.WIDTH : at + width]
                findings.append(
                    Finding(
                        CHECK,
                        table,
                        key=name.text(row[: name.width], codec),
                        column=cell.name,
                        expected=values.shown(expected, codec),
                        actual=values.shown(actual, codec),
                        hint=HINT,
                        message="Value differs",
                    )
                )
    return findings[:limit]


def row_finding(table: str, key: str, *, is_missing: bool) -> Finding:
    """Return the finding for a row that only the source has, or only the target."""
    texts = ("a row", "no row") if is_missing else ("no row", "a row")
    message = "Row missing" if is_missing else "Row that the source has not"
    return Finding(CHECK, table, key, "", *texts, hint=HINT, message=message)


def interleaved(limit: int, *groups: Sequence[Finding]) -> tuple[Finding, ...]:
    """Return up to `limit` findings, taken from the groups in turn so that each gets its share."""
    in_turn = (finding for some in zip_longest(*groups) for finding in some if finding is not None)
    return tuple(in_turn)[:limit]
