"""Which source row belongs to which target row, as the condition of a join. Pure.

Rows belong together whose keys are exactly the same, as `cells` defines it. The source row is
looked up by a unique index, with that index's own collation and affinity, and then compared.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import peewee

from junmai_svc.checks.cells import SOURCE_ALIAS, TARGET_ALIAS, affinity, differs
from junmai_svc.checks.row_names import RowName, is_identified
from junmai_svc.storage.databases.mapping import TablePair
from junmai_svc.storage.databases.names import fold, node
from junmai_svc.storage.databases.schema import Column, Table


@dataclass(frozen=True)
class Match:
    """A join of target rows to at most one source row each.

    `on` joins; `found` is a source column that is NULL only where there is no such row. Rows of
    both sides are named by what joins them, `target_name.labels`, which so needs no comparing.
    """

    on: peewee.ColumnBase
    found: peewee.ColumnBase
    target_name: RowName
    source_name: RowName


def match_rows(table: TablePair, source: Table) -> Match | None:
    """Return how rows are matched, or None where only whole rows can be compared.

    By the target's primary key where that can't be NULL and comes from source columns that are
    unique; else by the rowid where the rowid is carried over.
    """
    match = match_by_key(table, source) if is_identified(table.target) else None
    if match is not None:
        return match
    ours, theirs = table.target.rowid_name, source.rowid_name
    if table.keeps_rowid and ours is not None and theirs is not None:
        mine, other = node(TARGET_ALIAS, ours), node(SOURCE_ALIAS, theirs)
        on = peewee.Expression(other, "=", mine)
        return Match(on, other, RowName((ours,), (mine,)), RowName((ours,), (other,)))
    return None


def match_by_key(table: TablePair, source: Table) -> Match | None:
    """Return how rows are matched by the target's primary key, or None where they can't be.

    That a key which may be NULL is not is left to the caller to find out.
    """
    columns = _key_pairs(table)
    collations = _unique(source, [origin.name for _, origin in columns]) if columns else None
    return _by_key(table, source, columns, collations) if collations is not None else None


def row_identity(source: Table) -> list[peewee.ColumnBase]:
    """Return the columns that tell source rows apart whatever else they hold."""
    if source.rowid_name is not None:
        return [node(SOURCE_ALIAS, source.rowid_name)]
    return [node(SOURCE_ALIAS, name) for name in source.key]


def _key_pairs(table: TablePair) -> list[tuple[Column, Column]]:
    """The target's key columns with their source columns; empty where they can't match rows."""
    pairs = {fold(pair.target.name): pair for pair in table.columns}
    found = []
    for name in table.target.key:
        pair = pairs.get(fold(name))
        if pair is None or pair.source is None:
            return []
        found.append((pair.target, pair.source))
    return found


def _unique(source: Table, names: Sequence[str]) -> Mapping[str, str | None] | None:
    """The collation by which each of these columns is looked up, if together they are unique.

    None as a collation stands for the rowid, which has none.
    """
    wanted = sorted(fold(name) for name in names)
    if source.rowid_alias is not None and [fold(source.rowid_alias)] == wanted:
        return dict.fromkeys(wanted)
    for index in source.indexes:
        columns = {fold(c.name): c.collation for c in index.columns if c.name is not None}
        is_whole = not index.partial and len(columns) == len(index.columns)
        if index.unique and is_whole and sorted(columns) == wanted:
            return columns
    return None


def _by_key(
    table: TablePair,
    source: Table,
    columns: Sequence[tuple[Column, Column]],
    collations: Mapping[str, str | None],
) -> Match:
    ours = [node(TARGET_ALIAS, column.name) for column, _ in columns]
    theirs = [node(SOURCE_ALIAS, origin.name) for _, origin in columns]
    conditions: list[peewee.ColumnBase] = []
    for (column, origin), mine, other in zip(columns, ours, theirs, strict=True):
        collation = collations[fold(origin.name)]
        if collation is None and table.target.rowid_alias is not None:
            conditions.append(peewee.Expression(other, "=", mine))
            continue
        # Stripped of its affinity, the target's value takes on that of the source's index.
        bare = affinity(table.target, column) is not affinity(source, origin)
        value = peewee.NodeList((peewee.SQL("+"), mine), glue="") if bare else mine
        if collation is not None:
            value = peewee.NodeList((value, peewee.SQL("COLLATE"), node(collation)))
        conditions.append(peewee.Expression(other, "=", value))
        conditions.append(peewee.NodeList((peewee.SQL("NOT"), differs(mine, other))))
    labels = tuple(column.name for column, _ in columns)
    return Match(
        on=peewee.NodeList(conditions, glue=" AND "),
        found=theirs[0],
        target_name=RowName(labels, tuple(ours)),
        source_name=RowName(labels, tuple(theirs)),
    )
