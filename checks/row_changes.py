"""How the rows of one table changed from one database to another: counted exactly, named in part.

Equal digests say that nothing did. Else rows with the same key are compared cell by cell; where no
key tells them apart, whole rows are counted, and a row that changed is one removed and one added.
Only columns that both tables have are compared; which those are is a matter of `schema_changes`.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import zip_longest

import peewee

from junmai_svc.checks import values
from junmai_svc.checks.cells import SOURCE_ALIAS, TARGET_ALIAS, Cell, any_of, copied_cells, register
from junmai_svc.checks.differences import count_by_column
from junmai_svc.checks.matched_rows import Joined, is_null, join, keys
from junmai_svc.checks.matching import Match, match_by_key
from junmai_svc.checks.queries import count, fetched, rows_of
from junmai_svc.checks.unmatched_rows import sides, unbalanced
from junmai_svc.storage.databases.digest import table_digest
from junmai_svc.storage.databases.mapping import ColumnPair, TablePair
from junmai_svc.storage.databases.pair import SOURCE, TARGET, Pair
from junmai_svc.storage.databases.schema import Column, Table

# Of one row as an example; the counts have all of them.
SHOWN_CELLS = 8


class Change(StrEnum):
    """What became of a row or an object."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


class Compared(StrEnum):
    """What a table's rows were told apart by, or that only one database has the table."""

    DIGEST = "digest"
    KEY = "key"
    ROWS = "whole rows"
    ONLY_BEFORE = "only before"
    ONLY_AFTER = "only after"


@dataclass(frozen=True)
class CellChange:
    """A cell that changed; values are as people read them, cut where they are long."""

    column: str
    before: str
    after: str


@dataclass(frozen=True)
class RowExample:
    """One row that changed, by its key, with some of its changed cells."""

    change: Change
    key: str
    cells: tuple[CellChange, ...] = ()


@dataclass(frozen=True)
class TableChanges:
    """What became of a table's rows. `columns` counts the changed cells of each changed column."""

    table: str
    compared: Compared
    rows_before: int
    rows_after: int
    added: int = 0
    removed: int = 0
    changed: int = 0
    columns: dict[str, int] = field(default_factory=dict)
    examples: tuple[RowExample, ...] = ()

    @property
    def is_equal(self) -> bool:
        """Whether no row was added, removed or changed, and both databases have the table."""
        is_in_both = self.compared not in {Compared.ONLY_BEFORE, Compared.ONLY_AFTER}
        return is_in_both and not (self.added or self.removed or self.changed)


def only_before(pair: Pair, table: Table) -> TableChanges:
    """Return the changes of a table that only the source has.

    Raises:
        sqlite3.Error: it can't be read.
    """
    rows = count(pair.connection, rows_of(SOURCE, table.name, SOURCE_ALIAS))
    return TableChanges(table.name, Compared.ONLY_BEFORE, rows, 0, removed=rows)


def only_after(pair: Pair, table: Table) -> TableChanges:
    """Return the changes of a table that only the target has.

    Raises:
        sqlite3.Error: it can't be read.
    """
    rows = count(pair.connection, rows_of(TARGET, table.name, TARGET_ALIAS))
    return TableChanges(table.name, Compared.ONLY_AFTER, 0, rows, added=rows)


def compare(pair: Pair, before: Table, after: Table, *, limit: int = 3) -> TableChanges:
    """Return how the rows of a table changed from the source (`before`) to the target (`after`).

    Up to `limit` rows are named.

    Raises:
        sqlite3.Error: one of the tables can't be read.
    """
    connection = pair.connection
    theirs = count(connection, rows_of(SOURCE, before.name, SOURCE_ALIAS))
    ours = count(connection, rows_of(TARGET, after.name, TARGET_ALIAS))
    table = _in_common(before, after)
    unchanged = TableChanges(after.name, Compared.DIGEST, theirs, ours)
    if not table.columns:
        return replace(unchanged, compared=Compared.ROWS, added=ours, removed=theirs)
    if ours == theirs and _digests_equal(pair, table, before):
        return unchanged
    register(connection)
    match = _match(connection, table, before)
    found = _by_key(pair, table, before, match, unchanged, limit) if match else None
    return found or _by_rows(pair, table, before, unchanged, limit)


def _in_common(before: Table, after: Table) -> TablePair:
    columns: list[ColumnPair] = []
    for column in after.columns:
        origin = before.column(column.name)
        if origin is not None:
            columns.append(ColumnPair(column, origin))
    return TablePair(before, after, tuple(columns))


def _digests_equal(pair: Pair, table: TablePair, before: Table) -> bool:
    theirs: list[Column] = [each.source for each in table.columns if each.source is not None]
    ours = tuple(each.target for each in table.columns)
    one = table_digest(pair.connection, SOURCE, replace(before, columns=tuple(theirs)))
    return one == table_digest(pair.connection, TARGET, replace(table.target, columns=ours))


def _match(connection: sqlite3.Connection, table: TablePair, before: Table) -> Match | None:
    """How rows are matched, or None where there is no key or one that is NULL somewhere."""
    match = match_by_key(table, before)
    if match is None:
        return None
    for rows, name in (
        (rows_of(TARGET, table.target.name, TARGET_ALIAS), match.target_name),
        (rows_of(SOURCE, before.name, SOURCE_ALIAS), match.source_name),
    ):
        if count(connection, rows, any_of([is_null(key) for key in name.nodes])):
            return None
    return match


def _by_key(
    pair: Pair, table: TablePair, before: Table, match: Match, sizes: TableChanges, limit: int
) -> TableChanges | None:
    """What changed by key, or None where a key is there twice after all."""
    connection = pair.connection
    cells = [c for c in copied_cells(table, before) if c.name not in match.target_name.labels]
    rows = join(table, before, match)
    added = count(connection, rows.all_rows, rows.is_added)
    removed = count(connection, rows.source, rows.is_missing)
    if sizes.rows_after - added != sizes.rows_before - removed:
        return None
    columns = count_by_column(connection, rows.joined, cells)
    odd = [cell for cell in cells if cell.name in columns]
    differs = any_of([cell.differs for cell in odd]) if odd else None
    changed = count(connection, rows.joined, differs) if odd else 0
    lost = keys(connection, rows.source, match.source_name, rows.is_missing, min(limit, removed))
    new = keys(connection, rows.all_rows, match.target_name, rows.is_added, min(limit, added))
    examples = _in_turn(
        limit,
        _changed_rows(connection, rows, match, odd, min(limit, changed)),
        [RowExample(Change.ADDED, key) for key in new],
        [RowExample(Change.REMOVED, key) for key in lost],
    )
    return replace(
        sizes,
        compared=Compared.KEY,
        added=added,
        removed=removed,
        changed=changed,
        columns=columns,
        examples=examples,
    )


def _changed_rows(
    connection: sqlite3.Connection, rows: Joined, match: Match, odd: Sequence[Cell], limit: int
) -> list[RowExample]:
    if not limit:
        return []
    shown = odd[:SHOWN_CELLS]
    selected = match.target_name.selected()
    for cell in shown:
        selected += [cell.differs, *values.selected(cell.expected), *values.selected(cell.actual)]
    where = any_of([cell.differs for cell in shown])
    codec = values.codec(connection)
    width, start = 1 + 2 * values.WIDTH, match.target_name.width
    found = []
    for row in fetched(
        connection, peewee.Select([rows.joined], selected).where(where).limit(limit)
    ):
        changes = tuple(
            CellChange(
                cell.name,
                before=values.shown(row[at + 1 : at + 1 + values.WIDTH], codec),
                after=values.shown(row[at + 1 + values.WIDTH : at + width], codec),
            )
            for cell, at in zip(shown, range(start, len(row), width), strict=True)
            if row[at]
        )
        found.append(
            RowExample(Change.CHANGED, match.target_name.text(row[:start], codec), changes)
        )
    return found


def _by_rows(
    pair: Pair, table: TablePair, before: Table, sizes: TableChanges, limit: int
) -> TableChanges:
    """What changed by whole rows, of equal ones as many as are there."""
    copied = copied_cells(table, before)
    ours, theirs = sides(pair, table, before, copied)
    balance = unbalanced(ours, theirs, limit)
    return replace(
        sizes,
        compared=Compared.ROWS,
        added=balance.additional_rows,
        removed=balance.missing_rows,
        examples=_in_turn(
            limit,
            [RowExample(Change.ADDED, key) for key in ours.named(balance.additional, limit)],
            [RowExample(Change.REMOVED, key) for key in theirs.named(balance.missing, limit)],
        ),
    )


def _in_turn(limit: int, *groups: Sequence[RowExample]) -> tuple[RowExample, ...]:
    """Up to `limit` examples, taken from the groups in turn so that each gets its share."""
    taken = (each for some in zip_longest(*groups) for each in some if each is not None)
    return tuple(taken)[:limit]
