"""Field types whose declared SQL type peewee would change, and the constraints that it lacks.

Declared types are part of the schema that applications read back, so they are kept to the letter:
peewee would write REAL for FLOAT and INTEGER for BOOLEAN. Values never pass through these fields;
rows are copied inside SQL.
"""

from typing import Any

import peewee

UNIQUE = peewee.SQL("UNIQUE")


class FloatField(peewee.Field):
    """A column declared FLOAT."""

    def ddl_datatype(self, ctx: Any) -> peewee.SQL:  # noqa: ARG002  # peewee's signature
        """Return the declared type past peewee's table of SQLite types."""
        return peewee.SQL("FLOAT")


class BooleanField(peewee.Field):
    """A column declared BOOLEAN."""

    def ddl_datatype(self, ctx: Any) -> peewee.SQL:  # noqa: ARG002  # peewee's signature
        """Return the declared type past peewee's table of SQLite types."""
        return peewee.SQL("BOOLEAN")


class Reference(peewee.ForeignKeyField):
    """A foreign key to a parent's primary key, without the index that peewee would add."""

    def __init__(self, parent: type[peewee.Model], *, null: bool = False) -> None:
        super().__init__(parent, null=null, index=False, backref="+")


def one_of(column: str, *values: str | int) -> list[peewee.Node]:
    """Return the constraints of a column that takes only these values."""
    return [peewee.Check(f"{column} IN ({', '.join(map(repr, values))})")]
