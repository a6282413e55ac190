"""What a foreign key points at, and the condition under which a child's row finds no parent. Pure.

A key is compared as SQLite compares it: with the parent column's affinity and collation, and not
at all where one of its columns is NULL. https://sqlite.org/foreignkeys.html section 3
"""

from collections.abc import Sequence
from dataclasses import dataclass

import peewee

from junmai_svc.checks.cells import affinity
from junmai_svc.storage.databases.mapping import TablePair
from junmai_svc.storage.databases.names import fold, node
from junmai_svc.storage.databases.pair import SOURCE, TARGET
from junmai_svc.storage.databases.schema import Affinity, Column, ForeignKey, Table

BINARY = "BINARY"
CHILD = "c"
PARENT = "p"


@dataclass(frozen=True)
class Parent:
    """A parent table of `schema` and, in the foreign key's order, its key columns.

    `collations` are those to compare by; `is_indexed` says that a row is quickly found by them.
    """

    schema: str
    table: Table
    columns: tuple[Column, ...]
    collations: tuple[str, ...]
    is_indexed: bool

    def among(self, values: Sequence[peewee.ColumnBase]) -> peewee.ColumnBase:
        """Return the condition that some row has these values as its key."""
        rows = peewee.NodeList((node(self.schema, self.table.name), peewee.SQL(f"AS {PARENT}")))
        columns = [node(PARENT, column.name) for column in self.columns]
        # Stripped of its affinity, a value takes on that of the parent's column.
        wanted = [
            peewee.NodeList((peewee.SQL("+"), value, peewee.SQL(" COLLATE "), node(name)), glue="")
            for value, name in zip(values, self.collations, strict=True)
        ]
        if self.is_indexed:
            equal = [
                peewee.Expression(column, "=", value)
                for column, value in zip(columns, wanted, strict=True)
            ]
            one = peewee.Select([rows], [peewee.SQL("1")]).where(*equal)
            return peewee.Function("EXISTS", [one])
        # Read once and kept by SQLite; a NULL among them would make the answer NULL.
        keys = peewee.Select([rows], columns).where(*(c.is_null(False) for c in columns))
        return peewee.Expression(peewee.EnclosedNodeList(wanted), "IN", keys)


def find_parent(key: ForeignKey, table: Table) -> Parent | None:
    """Return what a key points at in its parent table, or None where no columns there fit."""
    names = key.parent_columns or table.key
    columns = tuple(column for name in names if (column := table.column(name)) is not None)
    if len(columns) != len(key.columns):
        return None
    collations = _collations(table, columns)
    is_indexed = collations is not None
    return Parent(TARGET, table, columns, collations or (BINARY,) * len(columns), is_indexed)


def in_source(parent: Parent, pair: TablePair) -> Parent | None:
    """Return the source's side of a parent, or None where its key does not come from there."""
    wanted = {fold(column.name) for column in parent.columns}
    origins = {fold(p.target.name): p.source for p in pair.columns if p.source is not None}
    if pair.source is None or not wanted <= set(origins):
        return None
    columns = tuple(origins[fold(column.name)] for column in parent.columns)
    is_indexed = _collations(pair.source, columns) == parent.collations
    return Parent(SOURCE, pair.source, columns, parent.collations, is_indexed)


def _collations(table: Table, columns: Sequence[Column]) -> tuple[str, ...] | None:
    """The collations of the unique index over these columns; BINARY for the rowid, which has none.

    A parent's unique index has its columns' own collations, or SQLite takes it for a mismatch.
    """
    wanted = {fold(column.name) for column in columns}
    if table.rowid_alias is not None and wanted == {fold(table.rowid_alias)}:
        return (BINARY,)
    for index in table.indexes:
        found = {fold(column.name or ""): column.collation for column in index.columns}
        if index.unique and not index.partial and set(found) == wanted:
            return tuple(found[fold(column.name)] for column in columns)
    return None


def key_columns(key: ForeignKey) -> list[peewee.ColumnBase]:
    """Return the child's key columns, the child being called `CHILD`."""
    return [node(CHILD, name) for name in key.columns]


def distinct_keys(key: ForeignKey, child: Table, parent: Parent | None) -> bool:
    """Whether it is enough to look up each distinct child key once.

    1 and 1.0 are one distinct key, but '1' and '1.0' once they take on a parent's TEXT affinity.
    """
    columns = [child.column(name) for name in key.columns]
    return parent is not None and all(
        mine is not None
        and (
            affinity(parent.table, theirs) is not Affinity.TEXT
            or affinity(child, mine) is Affinity.TEXT
        )
        for mine, theirs in zip(columns, parent.columns, strict=True)
    )


def has_no_parent(values: Sequence[peewee.ColumnBase], parent: Parent | None) -> peewee.ColumnBase:
    """Return the condition that no key column is NULL and no parent row is there."""
    # By its class: SQLite takes IS NULL on a NOT NULL column to be false without looking.
    conditions: list[peewee.ColumnBase] = [
        peewee.fn.typeof(value) != peewee.SQL("'null'") for value in values
    ]
    if parent is not None:
        conditions.append(peewee.NodeList((peewee.SQL("NOT"), parent.among(values))))
    return peewee.NodeList(conditions, glue=" AND ")
