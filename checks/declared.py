"""The constraints that a table declares, each as the condition under which it is broken. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import peewee

from junmai_svc.checks.values import SHOWN_CHARACTERS
from junmai_svc.storage.databases.mapping import TablePair
from junmai_svc.storage.databases.names import fold, node
from junmai_svc.storage.databases.pair import TARGET
from junmai_svc.storage.databases.schema import Column, Index, Table
from junmai_svc.storage.databases.sqltext import (
    check_expressions,
    names_in,
    normalised,
    predicate,
)

_CLASSES = {"INT": "integer", "INTEGER": "integer", "REAL": "real", "TEXT": "text", "BLOB": "blob"}


@dataclass(frozen=True)
class Constraint:
    """One constraint of a table: SQLite's line for it, and the condition under which it is broken.

    `known` says that the source declares it too and holds the values that it is about.
    """

    line: str
    message: str
    columns: tuple[str, ...]
    expected: str
    broken: peewee.ColumnBase
    known: bool


def declared_constraints(table: TablePair) -> Iterator[Constraint]:
    """Yield the target's CHECKs, NOT NULLs, STRICT types and unique indexes of whole columns."""
    origins = _origins(table)
    yield from declared_checks(table)
    for column in table.target.columns:
        yield from _of_column(table, column, origins.get(fold(column.name)))
    for index in table.target.indexes:
        if index.unique and all(column.name is not None for column in index.columns):
            yield _unique(table, index, origins)


def declared_checks(table: TablePair) -> Iterator[Constraint]:
    """Yield the target's CHECKs."""
    origins = _origins(table)
    declared = check_expressions(table.source.sql) if table.source is not None else []
    in_source = {normalised(expression) for expression in declared}
    for expression in check_expressions(table.target.sql):
        names = names_in(expression)
        columns = [c.name for c in table.target.columns if fold(c.name) in names]
        yield Constraint(
            line=f"CHECK constraint failed in {table.name}",
            message="CHECK constraint failed",
            columns=tuple(columns),
            expected=_cut(expression),
            broken=peewee.SQL(f"NOT ({expression}\n)"),
            known=normalised(expression) in in_source
            and all(_is_same(name, origins) for name in columns),
        )


def _origins(table: TablePair) -> Mapping[str, Column]:
    """The source column of each target column that has one, by the target's folded name."""
    return {fold(p.target.name): p.source for p in table.columns if p.source is not None}


def _of_column(table: TablePair, column: Column, origin: Column | None) -> Iterator[Constraint]:
    kind = peewee.fn.typeof(node(table.name, column.name))
    # By its class: SQLite takes IS NULL on a NOT NULL column to be false without looking.
    is_null = kind == peewee.SQL("'null'")
    if column.not_null:
        yield Constraint(
            line=f"NULL value in {table.name}.{column.name}",
            message="NULL in a NOT NULL column",
            columns=(column.name,),
            expected="a value",
            broken=is_null,
            known=origin is not None and origin.not_null,
        )
    declared = column.declared_type.upper()
    if table.target.strict and declared in _CLASSES:
        fits = kind == peewee.SQL(f"'{_CLASSES[declared]}'")
        in_source = table.source is not None and table.source.strict and origin is not None
        yield Constraint(
            line=f"non-{declared} value in {table.name}.{column.name}",
            message="Value of another type in a STRICT table",
            columns=(column.name,),
            expected=declared,
            broken=peewee.NodeList((peewee.SQL("NOT"), fits | is_null)),
            known=in_source and origin is not None and origin.declared_type.upper() == declared,
        )


def _unique(table: TablePair, index: Index, origins: Mapping[str, Column]) -> Constraint:
    names = [column.name for column in index.columns if column.name is not None]
    keys = [
        peewee.NodeList((node(table.name, str(c.name)), peewee.SQL("COLLATE"), node(c.collation)))
        for c in index.columns
    ]
    groups = peewee.Select([own_rows(table.target)], keys).group_by(*keys)
    condition = predicate(index.sql) if index.partial and index.sql else None
    inside = peewee.SQL(f"({condition}\n)") if condition is not None else peewee.SQL("1")
    repeated = groups.where(inside).having(peewee.fn.count(peewee.SQL("*")) > peewee.SQL("1"))
    wanted = {fold(origin.name) for name in names if (origin := origins.get(fold(name)))}
    in_source = table.source.indexes if table.source is not None else ()
    return Constraint(
        line=f"non-unique entry in index {index.name}",
        message="Values that should be unique are not",
        columns=tuple(names),
        expected="unique values",
        broken=inside & peewee.Expression(peewee.EnclosedNodeList(keys), "IN", repeated),
        known=len(wanted) == len(names)
        and any(i.unique and {fold(c.name or "") for c in i.columns} == wanted for i in in_source),
    )


def _is_same(name: str, origins: Mapping[str, Column]) -> bool:
    """Whether a column's values are those of the source's column of the same name."""
    origin = origins.get(fold(name))
    return origin is not None and fold(origin.name) == fold(name)


def own_rows(table: Table) -> peewee.NodeList:
    """Return a FROM clause for a target table under its own name, as its CHECKs may call it."""
    return peewee.NodeList((node(TARGET, table.name), peewee.SQL("NOT INDEXED")))


def _cut(expression: str) -> str:
    text = " ".join(expression.split())
    limit = SHOWN_CHARACTERS
    return text if len(text) <= limit else text[:limit] + "…"
