"""When two cells hold the same value: byte for byte and of the same storage class. Built as SQL.

Values are compared where they are stored. Collations and affinities never help: 'A' is not 'a',
the text '5' is not the integer 5, 1 is not 1.0, and -0.0 is not 0.0.
"""

import math
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

import peewee

from junmai_svc.storage.databases.digest import SqlValue
from junmai_svc.storage.databases.mapping import ColumnPair, Rule, TablePair
from junmai_svc.storage.databases.moment import is_random
from junmai_svc.storage.databases.names import node
from junmai_svc.storage.databases.schema import Affinity, Column, Table

TARGET_ALIAS = "t"
SOURCE_ALIAS = "s"

_SIGN = "junmai_sign"
_EMPTY_TEXT = peewee.SQL("'' COLLATE BINARY")
_LARGEST = peewee.SQL(str(2**63 - 1))
_INDIVISIBLE = peewee.SQL(f"(0, {-(2**63)})")


@dataclass(frozen=True)
class Cell:
    """A target column, what its value should be, and the condition under which it is not."""

    name: str
    actual: peewee.ColumnBase
    expected: peewee.ColumnBase
    differs: peewee.ColumnBase


def register(connection: sqlite3.Connection) -> None:
    """Make the SQL function behind `differs` known to a connection; harmless when repeated."""
    connection.create_function(_SIGN, 1, _sign, deterministic=True)


def copied_cells(table: TablePair, source: Table) -> list[Cell]:
    """The cells whose value is the source's, the rowid first where it is a value of its own."""
    cells = []
    condition: peewee.ColumnBase
    if table.keeps_rowid and table.target.rowid_name and source.rowid_name:
        actual = node(TARGET_ALIAS, table.target.rowid_name)
        expected = node(SOURCE_ALIAS, source.rowid_name)
        condition = peewee.Expression(actual, "IS NOT", expected)
        cells.append(Cell(table.target.rowid_name, actual, expected, condition))
    for pair in table.columns:
        if pair.source is not None:
            actual = node(TARGET_ALIAS, pair.target.name)
            expected = node(SOURCE_ALIAS, pair.source.name)
            is_real = {affinity(table.target, pair.target), affinity(source, pair.source)} == {
                Affinity.REAL
            }
            condition = differs(actual, expected, reals_only=is_real)
            cells.append(Cell(pair.target.name, actual, expected, condition))
    return cells


def filled_cells(connection: sqlite3.Connection, table: TablePair) -> list[Cell]:
    """The cells of new columns, whose value is that of their rule as the column stores it.

    Nothing can be said of one that a rule filled by chance; running the migration again can.

    Raises:
        sqlite3.Error: a rule is no constant SQL expression.
    """
    cells = []
    for pair in table.columns:
        if pair.rule is not None and not is_random(pair.rule.sql):
            actual = node(TARGET_ALIAS, pair.target.name)
            expected = peewee.Value(_stored(connection, table.target, pair, pair.rule), False)
            cells.append(Cell(pair.target.name, actual, expected, differs(actual, expected)))
    return cells


def differs(
    one: peewee.ColumnBase, other: peewee.ColumnBase, *, reals_only: bool = False
) -> peewee.ColumnBase:
    """Return the condition, 0 or 1 and never NULL, that two values are not exactly the same.

    `reals_only` says that both are read through REAL affinity, so that numbers are reals anyway.
    """
    unequal = _is_not(_bare(one), _binary(_bare(other)))
    signs = _is_not(_sign_of(one), _sign_of(other))
    if reals_only:
        return unequal | (peewee.Expression(_binary(_bare(one)), "=", peewee.SQL("0")) & signs)
    # Only numbers can be equal and yet not the same. To ask typeof() about each of them would take
    # a third of the whole check, so two cheap questions come first: is it a number at all (all
    # numbers sort before all texts), and does dividing by the largest integer tell it apart? That
    # leaves 0 of an integer, and a fraction of the equal real; only two values it can't tell.
    is_number = _bare(one) < _EMPTY_TEXT
    fractions = _is_not(_divided(one), _divided(other))
    kinds = _is_not(peewee.fn.typeof(one), peewee.fn.typeof(other))
    is_real = peewee.fn.typeof(one) == peewee.SQL("'real'")
    is_special = peewee.Expression(_binary(_bare(one)), "IN", _INDIVISIBLE)
    special = is_special & (kinds | (is_real & signs))
    return unequal | (is_number & (fractions | special))


def any_of(conditions: Sequence[peewee.ColumnBase]) -> peewee.ColumnBase:
    """Return the conditions joined by OR, as a balanced tree.

    SQLite refuses expressions deeper than 1,000, which a chain over 2,000 columns would be.
    """
    if len(conditions) == 1:
        return conditions[0]
    half = len(conditions) // 2
    return peewee.Expression(any_of(conditions[:half]), "OR", any_of(conditions[half:]))


def affinity(table: Table, column: Column) -> Affinity:
    """The affinity that a column really has: ANY of a STRICT table has none, elsewhere NUMERIC."""
    if table.strict and column.declared_type.upper() == "ANY":
        return Affinity.BLOB
    return column.affinity


def _stored(connection: sqlite3.Connection, table: Table, pair: ColumnPair, rule: Rule) -> SqlValue:
    """What a rule's value becomes in a column, by letting SQLite store it in one like it."""
    (value,) = connection.execute(f"SELECT {rule.sql}").fetchone()
    with closing(sqlite3.connect(":memory:")) as scratch:
        scratch.execute(f"CREATE TABLE one (value {affinity(table, pair.target)})")
        scratch.execute("INSERT INTO one VALUES (?)", (value,))
        (stored,) = scratch.execute("SELECT value FROM one").fetchone()
    result: SqlValue = stored
    return result


def _bare(value: peewee.ColumnBase) -> peewee.ColumnBase:
    """A value without its column's affinity, which would turn '5' into 5 in a comparison."""
    return peewee.NodeList((peewee.SQL("+"), value), glue="")


def _binary(value: peewee.ColumnBase) -> peewee.ColumnBase:
    return peewee.NodeList((value, peewee.SQL("COLLATE BINARY")))


def _is_not(one: peewee.ColumnBase, other: peewee.ColumnBase) -> peewee.Expression:
    return peewee.Expression(one, "IS NOT", other)


def _divided(value: peewee.ColumnBase) -> peewee.Expression:
    return peewee.Expression(_bare(value), "/", _LARGEST)


def _sign_of(value: peewee.ColumnBase) -> peewee.ColumnBase:
    # The function never sees a text: one that is not valid UTF-8 can't be handed to Python.
    real = peewee.Case(peewee.fn.typeof(value), (("real", value),))
    return peewee.Function(_SIGN, [real])


def _sign(value: object) -> float | None:
    return math.copysign(1.0, value) if isinstance(value, float) else None
