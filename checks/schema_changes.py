"""What of a schema changed from one database to another, object by object. Pure.

Names are compared as SQLite compares them, SQL texts without regard to how they are written.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from junmai_svc.checks.row_changes import Change
from junmai_svc.checks.schema import SETTINGS, described
from junmai_svc.storage.databases.names import fold
from junmai_svc.storage.databases.schema import Definition, Schema, Table
from junmai_svc.storage.databases.sqltext import normalised


@dataclass(frozen=True)
class SchemaChange:
    """An object that only one database has, or that differs; `table` is what it is part of.

    `before` and `after` are its SQL, its description or its value, empty where it is not there.
    """

    change: Change
    kind: str
    name: str
    table: str = ""
    before: str = ""
    after: str = ""


def schema_changes(before: Schema, after: Schema) -> tuple[SchemaChange, ...]:
    """Return what changed: tables, their columns and indexes, views, triggers and settings.

    A table of which nothing else changed but its SQL (such as a CHECK) is one that changed itself.
    """
    return (
        *_settings(before, after),
        *_tables(before, after),
        *_objects("index", _indexes(before), _indexes(after)),
        *_objects("virtual table", _named(before.virtual_tables), _named(after.virtual_tables)),
        *_objects("view", _named(before.views), _named(after.views)),
        *_objects("trigger", _named(before.triggers), _named(after.triggers)),
    )


def _settings(before: Schema, after: Schema) -> Iterator[SchemaChange]:
    for name in SETTINGS:
        was, is_ = str(getattr(before.settings, name)), str(getattr(after.settings, name))
        if was != is_:
            yield SchemaChange(Change.CHANGED, "setting", name, "", was, is_)


def _tables(before: Schema, after: Schema) -> Iterator[SchemaChange]:
    for table in before.tables:
        other = after.table(table.name)
        if other is None:
            yield SchemaChange(Change.REMOVED, "table", table.name, "", table.sql)
            continue
        columns = list(_columns(table, other))
        yield from columns
        if not columns and normalised(table.sql) != normalised(other.sql):
            yield SchemaChange(Change.CHANGED, "table", other.name, "", table.sql, other.sql)
    for table in after.tables:
        if before.table(table.name) is None:
            yield SchemaChange(Change.ADDED, "table", table.name, "", "", table.sql)


def _columns(before: Table, after: Table) -> Iterator[SchemaChange]:
    for column in before.columns:
        other = after.column(column.name)
        was, is_ = described(column), described(other) if other is not None else ""
        if was != is_:
            change = Change.CHANGED if other is not None else Change.REMOVED
            yield SchemaChange(change, "column", column.name, after.name, was, is_)
    for column in after.columns:
        if before.column(column.name) is None:
            is_ = described(column)
            yield SchemaChange(Change.ADDED, "column", column.name, after.name, "", is_)


def _objects(
    kind: str, before: Mapping[str, Definition], after: Mapping[str, Definition]
) -> Iterator[SchemaChange]:
    for folded, each in before.items():
        other = after.get(folded)
        if other is None:
            yield SchemaChange(Change.REMOVED, kind, each.name, each.table, each.sql)
        elif normalised(each.sql) != normalised(other.sql):
            yield SchemaChange(Change.CHANGED, kind, other.name, other.table, each.sql, other.sql)
    for folded, each in after.items():
        if folded not in before:
            yield SchemaChange(Change.ADDED, kind, each.name, each.table, "", each.sql)


def _named(definitions: Iterable[Definition]) -> Mapping[str, Definition]:
    return {fold(each.name): each for each in definitions}


def _indexes(schema: Schema) -> Mapping[str, Definition]:
    """The indexes that were made by a statement of their own; others are part of their table."""
    return _named(
        Definition(index.name, table.name, index.sql)
        for table in schema.tables
        for index in table.indexes
        if index.sql is not None
    )
