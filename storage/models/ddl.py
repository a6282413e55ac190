"""From peewee models to SQL text: what SQLite itself recorded when the models were created.

The text comes out of an in-memory database's `sqlite_schema`, so it is exactly what a file made
from the models holds: compact, with neither IF NOT EXISTS nor a schema name.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import peewee

from junmai_svc.storage.databases.schema import Schema, read_schema

Models = Sequence[type[peewee.Model]]


@dataclass(frozen=True)
class TableDefinition:
    """One table: its model and the SQL that creates it and then its indexes.

    `defaults` gives, by column, the SQL literal of what the model declares for rows that come
    without that column.
    """

    model: type[peewee.Model]
    create_table: str
    create_indexes: tuple[str, ...]
    defaults: Mapping[str, str]


Definitions = Mapping[str, TableDefinition]


def schema_of(models: Models) -> Schema:
    """Return the schema of an empty database made from models, given parents first.

    Raises:
        peewee.PeeweeException: the models make no valid schema.
    """
    database = peewee.SqliteDatabase(":memory:")
    with database.connection_context():
        for model in models:
            manager = peewee.SchemaManager(model, database)
            manager.create_table(safe=False)
            manager.create_indexes(safe=False)
        connection: sqlite3.Connection = database.connection()  # type: ignore[no-untyped-call]
        return read_schema(connection)


def define(models: Models) -> Definitions:
    """Return the definition of each table by its name, in the order of the models.

    Raises:
        peewee.PeeweeException: the models make no valid schema.
        TypeError: a default is no constant that SQL can spell.
    """
    tables = schema_of(models).tables
    return {
        table.name: TableDefinition(
            model=model,
            create_table=table.sql,
            create_indexes=tuple(index.sql for index in table.indexes if index.sql is not None),
            defaults=_defaults(model),
        )
        for model, table in zip(models, tables, strict=True)
    }


def literal(value: object) -> str:
    """Return a constant as an SQL literal, a boolean as the 0 or 1 that SQLite stores.

    Raises:
        TypeError: the value is neither a boolean, an integer nor a text.
    """
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    raise TypeError(f"{value!r} is no constant default")


def _defaults(model: type[peewee.Model]) -> Mapping[str, str]:
    fields = model._meta.sorted_fields  # noqa: SLF001  # peewee's documented way to the fields
    return {
        field.column_name: literal(field.default) for field in fields if field.default is not None
    }
