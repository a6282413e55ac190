"""From any models to SQL text and the literals of their defaults."""

import sqlite3
from contextlib import closing

import peewee
import pytest
from hypothesis import given
from hypothesis import strategies as st

from junmai_svc.storage.models.ddl import define, literal, schema_of


class Parent(peewee.Model):
    """With constant defaults."""

    name = peewee.TextField(default="it's")
    size = peewee.IntegerField(default=3)
    note = peewee.TextField(null=True)


class Child(peewee.Model):
    """With an index of peewee's own."""

    parent = peewee.ForeignKeyField(Parent)


class Clocked(peewee.Model):
    """With a default that only Python can compute."""

    made = peewee.TextField(default=lambda: "now")


def test_models_are_defined_in_the_order_given() -> None:
    assert list(define([Parent, Child])) == ["parent", "child"]
    assert [table.name for table in schema_of([Parent, Child]).tables] == ["parent", "child"]


def test_indexes_belong_to_their_table() -> None:
    defined = define([Parent, Child])
    assert defined["parent"].create_indexes == ()
    assert defined["child"].create_indexes == (
        'CREATE INDEX "child_parent_id" ON "child" ("parent_id")',
    )


def test_defaults_are_sql_literals_by_column() -> None:
    assert define([Parent])["parent"].defaults == {"name": "'it''s'", "size": "3"}


def test_a_default_that_is_computed_is_refused() -> None:
    with pytest.raises(TypeError, match="no constant default"):
        define([Clocked])


@given(
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
)
def test_a_literal_means_its_value(value: bool | int | str) -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        assert connection.execute(f"SELECT {literal(value)}").fetchone() == (value,)
