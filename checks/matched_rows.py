"""Rows compared with the source row that has the same key."""

import sqlite3
from collections.abc import Iterator

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
    target_rows = rows_of(TARGET, table.target.name, TARGET_ALIAS)
    source_rows = rows_of(SOURCE, source.name, SOURCE_ALIAS)
    looked_up = peewee.NodeList(
        (node(SOURCE, source.name), peewee.SQL(f"AS {SOURCE_ALIAS} ON"), match.on)
    )
    all_rows = peewee.NodeList((target_rows, peewee.SQL("LEFT JOIN"), looked_up))
    unmatched = peewee.Expression(match.found, "IS", peewee.SQL("NULL"))
    ours, theirs = sizes
    differing = count(connection, all_rows, any_of([unmatched, *(c.differs for c in cells)]))
    if not differing and ours == theirs:
        return Differences()
    if count(connection, target_rows, any_of([_is_null(k) for k in match.target_name.nodes])):
        return None

    # CROSS JOIN keeps the order of the join: each target row looks up its source row.
    joined = peewee.NodeList((target_rows, peewee.SQL("CROSS JOIN"), looked_up))
    by_column = count_by_column(connection, joined, cells)
    odd = [cell for cell in cells if cell.name in by_column]
    missing = _unmatched_source(source, joined)
    missing_rows = count(connection, source_rows, missing)
    additional_rows = count(connection, all_rows, unmatched)
    repeated = abs((ours - additional_rows) - (theirs - missing_rows))
    name, shown = match.target_name, min(limit, additional_rows)
    lost = _keys(connection, source_rows, match.source_name, missing, min(limit, missing_rows))
    found = _keys(connection, all_rows, name, unmatched, shown)
    return Differences(
        total=sum(by_column.values()) + missing_rows + additional_rows + repeated,
        findings=interleaved(
            limit,
            differing_cells(connection, table.name, joined, name, odd, limit),
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


def _keys(
    connection: sqlite3.Connection,
    rows: peewee.ColumnBase,
    name: RowName,
    where: peewee.ColumnBase,
    limit: int,
) -> Iterator[str]:
    codec = values.codec(connection)
    query = peewee.Select([rows], name.selected()).where(where).limit(limit)
    return (name.text(row, codec) for row in fetched(connection, query))


def _is_null(value: peewee.ColumnBase) -> peewee.ColumnBase:
    # By its class: SQLite takes IS NULL on a NOT NULL column to be false without looking.
    return peewee.fn.typeof(value) == peewee.SQL("'null'")
