"""What a foreign key points at, and the condition under which a child's row finds no parent. Pure.

A key is compared as SQLite compares it: with the parent column's affinity and collation, and not
at all where one of its columns is NULL. https://sqlite.org/foreignkeys.html section 3
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import peewee

from junmai_svc.checks.cells import affinity
from junmai_svc.storage.databases.names import fold, node
from junmai_svc.storage.databases.schema import Affinity, Column, ForeignKey, Table

BINARY = "BINARY"
CHILD = "c"
PARENT = "p"


@dataclass(frozen=True)
class Parent:
    """A parent table and, in the foreign key's order, its key columns and their collations."""

    table: Table
    columns: tuple[Column, ...]
    collations: tuple[str, ...]


def find_parent(key: ForeignKey, tables: Mapping[str, Table]) -> Parent | None:
    """Return what a key of a table points at, or None where there is nothing that fits.

    `tables` are all tables of the database by folded name.
    """
    table = tables.get(fold(key.parent))
    if table is None:
        return None
    names = key.parent_columns or table.key
    columns = tuple(column for name in names if (column := table.column(name)) is not None)
    if len(columns) != len(key.columns):
        return None
    return Parent(table, columns, _collations(table, columns))


def _collations(table: Table, columns: Sequence[Column]) -> tuple[str, ...]:
    """The collations of the unique index over these columns, which are those of the columns."""
    wanted = {fold(column.name) for column in columns}
    for index in table.indexes:
        found = {fold(column.name or ""): column.collation for column in index.columns}
        if index.unique and not index.partial and set(found) == wanted:
            return tuple(found[fold(column.name)] for column in columns)
    return (BINARY,) * len(columns)


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


def has_no_parent(
    values: Sequence[peewee.ColumnBase],
    collations: Sequence[str],
    parent_rows: peewee.Select | None,
) -> peewee.ColumnBase:
    """Return the condition that none of `values` is NULL and no row of `parent_rows` has them."""
    # By its class: SQLite takes IS NULL on a NOT NULL column to be false without looking.
    conditions: list[peewee.ColumnBase] = [
        peewee.fn.typeof(value) != peewee.SQL("'null'") for value in values
    ]
    if parent_rows is not None:
        wanted = [
            peewee.NodeList((peewee.SQL("+"), value, peewee.SQL(" COLLATE "), node(name)), glue="")
            for value, name in zip(values, collations, strict=True)
        ]
        conditions.append(peewee.Expression(peewee.EnclosedNodeList(wanted), "NOT IN", parent_rows))
    return peewee.NodeList(conditions, glue=" AND ")


def parent_keys(schema: str, table: Table, columns: Sequence[Column]) -> peewee.Select:
    """Return the query for the keys of all rows of a parent table, those with a NULL left out."""
    rows = peewee.NodeList((node(schema, table.name), peewee.SQL(f"AS {PARENT}")))
    query = peewee.Select([rows], [node(PARENT, column.name) for column in columns])
    for column in columns:
        # Asked only where it can be: without a WHERE, SQLite looks keys up in the parent's index.
        if not column.not_null and column.name != table.rowid_alias and not table.without_rowid:
            query = query.where(node(PARENT, column.name).is_null(False))
    return query
