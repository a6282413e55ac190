"""Which tables and columns of two existing databases belong together. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from junmai_svc.checks.finding import CheckResult, Finding
from junmai_svc.storage.databases.mapping import ColumnPair, Rule, TablePair
from junmai_svc.storage.databases.schema import Column, Schema, Table
from junmai_svc.storage.models.junmai import definitions

SCHEMA = "schema"
LOST_HINT = "Review migration log for errors, restore from backup if needed"


@dataclass(frozen=True)
class Pairing:
    """The tables to compare, and what the target lacks altogether."""

    pairs: tuple[TablePair, ...]
    results: tuple[CheckResult, ...]


def pair_tables(source: Schema, target: Schema) -> Pairing:
    """Pair tables and columns by name; a table or column that the target lacks is a finding.

    A column that only the target has is compared with what a migration fills it with, where the
    target schema knows it, else not at all.
    """
    pairs = []
    lost: list[Finding] = []
    for table in source.tables:
        other = target.table(table.name)
        if other is None:
            lost.append(Finding(SCHEMA, table.name, expected="table", hint=LOST_HINT))
            continue
        lost += [
            Finding(SCHEMA, table.name, column=column.name, expected="column", hint=LOST_HINT)
            for column in table.columns
            if other.column(column.name) is None
        ]
        pairs.append(TablePair(table, other, tuple(_columns(table, other))))
    lost += [
        Finding(SCHEMA, name, expected=kind, hint=LOST_HINT)
        for kind, name in _missing_definitions(source, target)
    ]
    result = CheckResult(SCHEMA, total=len(lost), findings=tuple(lost))
    return Pairing(tuple(pairs), (result,))


def _columns(source: Table, target: Table) -> Iterable[ColumnPair]:
    for column in target.columns:
        found = source.column(column.name)
        yield ColumnPair(column, found, None if found else _rule(target, column))


def _rule(target: Table, column: Column) -> Rule | None:
    known = definitions().get(target.name)
    if known is None or f'"{column.name}"' not in known.create_table:
        return None
    return Rule(known.defaults.get(column.name, "NULL"), "new column")


def _missing_definitions(source: Schema, target: Schema) -> Iterable[tuple[str, str]]:
    for kind, ours, theirs in (
        ("view", source.views, target.views),
        ("trigger", source.triggers, target.triggers),
        ("virtual table", source.virtual_tables, target.virtual_tables),
    ):
        kept = {definition.name for definition in theirs}
        yield from ((kind, definition.name) for definition in ours if definition.name not in kept)
