"""Rows that nothing identifies, compared whole: each must be there as often as in the source.

A row stands for itself by a SHA-256 over its values with their storage classes; the texts among
them as the bytes that are stored, valid or not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import peewee

from junmai_svc.checks import values
from junmai_svc.checks.cells import SOURCE_ALIAS, TARGET_ALIAS, Cell
from junmai_svc.checks.differences import (
    Differences,
    count_by_column,
    differing_cells,
    interleaved,
    row_finding,
)
from junmai_svc.checks.queries import fetched, rows_of
from junmai_svc.checks.row_names import row_name
from junmai_svc.storage.databases import digest
from junmai_svc.storage.databases.mapping import TablePair
from junmai_svc.storage.databases.pair import SOURCE, TARGET, Pair
from junmai_svc.storage.databases.schema import Table


def compare(
    pair: Pair,
    table: TablePair,
    source: Table,
    copied: Sequence[Cell],
    filled: Sequence[Cell],
    limit: int,
) -> Differences:
    """Return what differs: rows missing, rows too many, and cells that break their rule.

    Raises:
        sqlite3.Error: one of the tables can't be read.
    """
    ours, theirs = sides(pair, table, source, copied)
    balance = unbalanced(ours, theirs, limit)
    by_column = count_by_column(pair.connection, ours.rows, filled)
    odd = [cell for cell in filled if cell.name in by_column]
    name = row_name(table.target, TARGET_ALIAS)
    return Differences(
        total=balance.missing_rows + balance.additional_rows + sum(by_column.values()),
        findings=interleaved(
            limit,
            differing_cells(pair.connection, table.name, ours.rows, name, odd, limit),
            [
                row_finding(table.name, key, is_missing=True)
                for key in theirs.named(balance.missing, limit)
            ],
            [
                row_finding(table.name, key, is_missing=False)
                for key in ours.named(balance.additional, limit)
            ],
        ),
        by_column=by_column,
    )


@dataclass(frozen=True)
class Side:
    """One of the two tables, and the expression for its rows' digests."""

    pair: Pair
    table: Table
    schema: str
    alias: str
    digest: peewee.ColumnBase

    @property
    def rows(self) -> peewee.ColumnBase:
        """The FROM clause of the table."""
        return rows_of(self.schema, self.table.name, self.alias)

    def counted(self, sign: int) -> peewee.Select:
        """Return the query of the rows' digests, each worth `sign`."""
        columns = [self.digest.alias("digest"), peewee.SQL(f"{sign:d}").alias("surplus")]
        return peewee.Select([self.rows], columns)

    def named(self, wanted: Mapping[bytes, int], limit: int) -> list[str]:
        """Name rows with these digests, of equal ones as many as are missing or too many."""
        if not wanted:
            return []
        name = row_name(self.table, self.alias)
        codec = values.codec(self.pair.connection)
        left = dict(wanted)
        query = peewee.Select([self.rows], [self.digest, *name.selected()])
        found: list[str] = []
        for row, *key in fetched(self.pair.connection, query.where(self.digest.in_(list(wanted)))):
            if left[row] and len(found) < limit:
                left[row] -= 1
                found.append(name.text(key, codec))
        return found


@dataclass(frozen=True)
class Balance:
    """How many rows one side has more often than the other, and the digests of some of them."""

    missing_rows: int
    additional_rows: int
    missing: Mapping[bytes, int]
    additional: Mapping[bytes, int]


def sides(pair: Pair, table: TablePair, source: Table, copied: Sequence[Cell]) -> tuple[Side, Side]:
    """Return the target's side and the source's, their rows seen through the cells in common."""
    digest.register(pair.connection)
    ours, theirs = _digest([c.actual for c in copied]), _digest([c.expected for c in copied])
    return (
        Side(pair, table.target, TARGET, TARGET_ALIAS, ours),
        Side(pair, source, SOURCE, SOURCE_ALIAS, theirs),
    )


def unbalanced(ours: Side, theirs: Side, limit: int) -> Balance:
    """Count the rows that are missing from `ours` or too many there; keep `limit` digests of each.

    Raises:
        sqlite3.Error: one of the tables can't be read.
    """
    surplus = ours.counted(1).union_all(theirs.counted(-1)).alias("u")
    balance = peewee.fn.sum(peewee.SQL("surplus"))
    odd = (
        peewee.Select([surplus], [peewee.SQL("digest"), balance])
        .group_by(peewee.SQL("digest"))
        .having(balance != peewee.SQL("0"))
    )
    missing: dict[bytes, int] = {}
    additional: dict[bytes, int] = {}
    missing_rows = additional_rows = 0
    for row, number in fetched(ours.pair.connection, odd):
        if number > 0:
            kept, additional_rows = additional, additional_rows + number
        else:
            kept, missing_rows = missing, missing_rows - number
        if len(kept) < limit:
            kept[row] = abs(number)
    return Balance(missing_rows, additional_rows, missing, additional)


def _digest(cells: Sequence[peewee.ColumnBase]) -> peewee.ColumnBase:
    parts: list[peewee.ColumnBase] = []
    for value in cells:
        is_text = peewee.fn.typeof(value) == peewee.SQL("'text'")
        parts += [is_text, peewee.Case(None, ((is_text, peewee.Cast(value, "BLOB")),), value)]
    return digest.row_digest(parts)
