"""Rows compared with the source row that has the same key."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

import peewee

from junmai_svc.checks import values
from junmai_svc.checks.cells import SOURCE_ALIAS, TARGET_ALIAS, Cell, any_of
from junmai_svc.checks.differences import (
    Differences,
    count_by_column,
    differing_cells,
    interleaved,
    row_finding,
)
from junmai_svc.checks.matching import Match, row_identity
from junmai_svc.checks.queries import count, fetched, rows_of
from junmai_svc.checks.row_names import RowName
from junmai_svc.storage.databases.mapping import TablePair
from junmai_svc.storage.databases.names import node
from junmai_svc.storage.databases.pair import SOURCE, TARGET, Pair
from junmai_svc.storage.databases.schema import Table


@dataclass(frozen=True)
class Joined:
    """FROM clauses over both tables, and the conditions of rows that only one of them has."""

    target: peewee.ColumnBase
    source: peewee.ColumnBase
    all_rows: peewee.ColumnBase
    joined: peewee.ColumnBase
    is_added: peewee.ColumnBase
    is_missing: peewee.ColumnBase


def join(table: TablePair, source: Table, match: Match) -> Joined:
    """Return both tables joined by key: `joined` has the pairs, `all_rows` each target row.

    `is_added` is for `all_rows`, `is_missing` for `source`.
    """
    target_rows = rows_of(TARGET, table.target.name, TARGET_ALIAS)
    looked_up = peewee.NodeList(
        (node(SOURCE, source.name), peewee.SQL(f"AS {SOURCE_ALIAS} ON"), match.on)
    )
    # CROSS JOIN keeps the order of the join: each target row looks up its source row.
    joined = peewee.NodeList((target_rows, peewee.SQL("CROSS JOIN"), looked_up))
    return Joined(
        target=target_rows,
        source=rows_of(SOURCE, source.name, SOURCE_ALIAS),
        all_rows=peewee.NodeList((target_rows, peewee.SQL("LEFT JOIN"), looked_up)),
        joined=joined,
        is_added=peewee.Expression(match.found, "IS", peewee.SQL("NULL")),
        is_missing=_unmatched_source(source, joined),
    )


def compare(
    pair: Pair,
    table: TablePair,
    source: Table,
    match: Match,
    cells: list[Cell],
    sizes: tuple[int, int],
    limit: int,
) -> Differences | None:
    """Return what differs, or None where a key is NULL after all, so that it can't match rows.

    `sizes` are the numbers of rows, the target's first. That no key is there twice is what the
    target's unique index promises; integrity_check is there to doubt it.

    Raises:
        sqlite3.Error: one of the tables can't be read.
    """
    connection = pair.connection
    cells = [cell for cell in cells if cell.name not in match.target_name.labels]
    rows = join(table, source, match)
    ours, theirs = sizes
    differing = count(
        connection, rows.all_rows, any_of([rows.is_added, *(c.differs for c in cells)])
    )
    if not differing and ours == theirs:
        return Differences()
    if count(connection, rows.target, any_of([is_null(k) for k in match.target_name.nodes])):
        return None

    by_column = count_by_column(connection, rows.joined, cells)
    odd = [cell for cell in cells if cell.name in by_column]
    missing_rows = count(connection, rows.source, rows.is_missing)
    additional_rows = count(connection, rows.all_rows, rows.is_added)
    repeated = abs((ours - additional_rows) - (theirs - missing_rows))
    name, shown = match.target_name, min(limit, additional_rows)
    few = min(limit, missing_rows)
    lost = keys(connection, rows.source, match.source_name, rows.is_missing, few)
    found = keys(connection, rows.all_rows, name, rows.is_added, shown)
    return Differences(
        total=sum(by_column.values()) + missing_rows + additional_rows + repeated,
        findings=interleaved(
            limit,
            differing_cells(connection, table.name, rows.joined, name, odd, limit),
            [row_finding(table.name, key, is_missing=True) for key in lost],
            [row_finding(table.name, key, is_missing=False) for key in found],
            [row_finding(table.name, "a key that is there twice", is_missing=False)][:repeated],
        ),
        by_column=by_column,
    )


def _unmatched_source(source: Table, joined: peewee.ColumnBase) -> peewee.ColumnBase:
    identity = row_identity(source)
    matched = peewee.Select([joined], identity)
    return peewee.Expression(peewee.EnclosedNodeList(identity), "NOT IN", matched)


def keys(
    connection: sqlite3.Connection,
    rows: peewee.ColumnBase,
    name: RowName,
    where: peewee.ColumnBase,
    limit: int,
) -> Iterator[str]:
    """Yield the names of up to `limit` rows of a FROM clause for which a condition holds.

    Raises:
        sqlite3.Error: the rows can't be read.
    """
    codec = values.codec(connection)
    query = peewee.Select([rows], name.selected()).where(where).limit(limit)
    return (name.text(row, codec) for row in fetched(connection, query))


def is_null(value: peewee.ColumnBase) -> peewee.ColumnBase:
    """Return the condition that a value is NULL, whatever its column declares."""
    # By its class: SQLite takes IS NULL on a NOT NULL column to be false without looking.
    return peewee.fn.typeof(value) == peewee.SQL("'null'")
