"""What a migration will do, decided before anything is written: (source, target) -> MigrationPlan.

Pure. Every object of the source ends as copied, carried over or replaced by name; a column that
the target lacks stops the plan. `--dry-run` prints what this module returns and stops.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter

from junmai_svc.service.notes import Note, notes_on
from junmai_svc.storage.databases.mapping import ColumnPair, Rule, TablePair
from junmai_svc.storage.databases.names import fold, quoted
from junmai_svc.storage.databases.schema import Column, Definition, Index, Schema, Table
from junmai_svc.storage.errors import PlanError

# The order of the replaced tool; newer tables follow by their foreign keys.
FIRST_TABLES = ("sessions", "photos", "jobs", "presets", "statistics", "learning_data")
# What one SELECT may return: a table of so many columns leaves no room for its rowid.
MOST_COLUMNS = 2_000

Defaults = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class MigrationPlan:
    """All that a migration does, in the order in which it does it.

    `expected` is the schema that the target must have afterwards, object by object.
    """

    tables: tuple[TablePair, ...]
    indexes: tuple[Index, ...]
    virtual_tables: tuple[Definition, ...]
    views: tuple[Definition, ...]
    triggers: tuple[Definition, ...]
    expected: Schema
    carried: tuple[str, ...]
    notes: tuple[Note, ...]


def plan_migration(source: Schema, target: Schema, defaults: Defaults) -> MigrationPlan:
    """Decide how each object of `source` gets into a database of the `target` schema.

    `defaults` gives, by table and column, the SQL literal for new columns; without one they are
    NULL.

    Raises:
        PlanError: a source column has no counterpart, a required one has no value, or names clash.
    """
    refuse_unplanned(source, target)
    refuse_clashes(source, target)
    known = [_known_pair(source, table, defaults) for table in in_order(target)]
    unknown = [table for table in source.tables if target.table(table.name) is None]
    pairs = (*known, *(_carried_pair(table) for table in unknown))
    tables = tuple(_with_indexes(pair) for pair in pairs)
    indexes = tuple(i for pair in tables for i in pair.target.indexes if i.sql is not None)
    expected = Schema(
        settings=source.settings,
        tables=tuple(pair.target for pair in tables),
        virtual_tables=source.virtual_tables,
        views=source.views,
        triggers=source.triggers,
    )
    return MigrationPlan(
        tables=tables,
        indexes=indexes,
        virtual_tables=source.virtual_tables,
        views=source.views,
        triggers=source.triggers,
        expected=expected,
        carried=tuple(_carried_names(source, target, unknown)),
        notes=tuple(notes_on(source, pairs)),
    )


def in_order(target: Schema) -> list[Table]:
    """The target's tables: the replaced tool's six first, then the others, parents before children.

    A cycle of foreign keys falls back to the order of creation; rows are copied with foreign keys
    unenforced, so the order is for people.
    """
    first = [table for name in FIRST_TABLES if (table := target.table(name))]
    rest = [table for table in target.tables if table not in first]
    names = {fold(table.name) for table in rest}
    graph = {
        # In the order of the keys, so that the plan is the same in every process.
        fold(table.name): dict.fromkeys(
            parent
            for key in table.foreign_keys
            if (parent := fold(key.parent)) in names - {fold(table.name)}
        )
        for table in rest
    }
    try:
        order = list(TopologicalSorter(graph).static_order())
    except CycleError:
        order = list(graph)
    return first + sorted(rest, key=lambda table: order.index(fold(table.name)))


def refuse_unplanned(source: Schema, target: Schema) -> None:
    """Stop where a known table has a column that the target lacks.

    Raises:
        PlanError: naming every such column and what to do.
    """
    lost = [
        (table, column.name, kept.key)
        for table in source.tables
        if (kept := target.table(table.name)) is not None
        for column in table.columns
        if kept.column(column.name) is None
    ]
    if not lost:
        return
    names = ", ".join(f"{table.name}.{column}" for table, column, _ in lost)
    raise PlanError(
        f"The target schema has no place for {names}; nothing was migrated",
        "Keep the values in a table of their own, which is carried over as it is (where a"
        " constraint, a view or a trigger uses the column, change that first), and run again: "
        + _remedy(*lost[0]),
    )


def _remedy(table: Table, column: str, key: Iterable[str]) -> str:
    """The SQL that moves a column into a table of its own, which the plan then carries over."""
    side = quoted(f"{table.name}_{column}")
    columns = ", ".join(quoted(name) for name in (*key, column))
    indexes = [
        index.name
        for index in table.indexes
        if index.sql is not None and column in {member.name for member in index.columns}
    ]
    return " ".join(
        [
            f"CREATE TABLE {side} AS SELECT {columns} FROM {quoted(table.name)};",
            *(f"DROP INDEX {quoted(name)};" for name in indexes),
            f"ALTER TABLE {quoted(table.name)} DROP COLUMN {quoted(column)};",
        ]
    )


def refuse_clashes(source: Schema, target: Schema) -> None:
    """Stop where something carried over has the name of another kind of object in the target.

    Raises:
        PlanError: naming both.
    """
    taken = {fold(table.name): f"table {table.name}" for table in target.tables}
    index_names = {
        fold(index.name): f"index {index.name}"
        for table in target.tables
        for index in table.indexes
    }
    carried: list[tuple[str, str]] = [
        *(("view", view.name) for view in source.views),
        *(("virtual table", table.name) for table in source.virtual_tables),
    ]
    carried_tables = [("table", t.name) for t in source.tables if target.table(t.name) is None]
    carried_indexes = [
        ("index", index.name)
        for table in source.tables
        for index in _extra_indexes(table, target.table(table.name))
    ]
    for kind, name in (*carried, *carried_tables, *carried_indexes):
        other = taken.get(fold(name)) or index_names.get(fold(name))
        if other is not None:
            raise PlanError(
                f"The source's {kind} {name} has the name of the target's {other}",
                f"Rename the {kind} in the source, then run again.",
            )


def _known_pair(source: Schema, target: Table, defaults: Defaults) -> TablePair:
    origin = source.table(target.name)
    columns = tuple(
        _column_pair(origin, target, column, defaults.get(target.name, {}))
        for column in target.columns
    )
    return TablePair(source=origin, target=target, columns=columns)


def _column_pair(
    origin: Table | None, target: Table, column: Column, defaults: Mapping[str, str]
) -> ColumnPair:
    if origin is None:
        return ColumnPair(column)
    found = origin.column(column.name)
    if found is not None:
        return ColumnPair(column, source=found)
    value = defaults.get(column.name, column.default or "NULL")
    if column.not_null and value.upper() == "NULL":
        raise PlanError(
            f"{target.name}.{column.name} must have a value and the source has no such column",
            f"Add the column to the source's table {origin.name} with the values it should have.",
        )
    return ColumnPair(column, rule=Rule(value, "new column"))


def _carried_pair(table: Table) -> TablePair:
    return TablePair(
        source=table,
        target=table,
        columns=tuple(ColumnPair(column, source=column) for column in table.columns),
        carried=True,
        keeps_rowid=table.rowid_alias is None
        and table.rowid_name is not None
        and len(table.columns) < MOST_COLUMNS,
    )


def _with_indexes(pair: TablePair) -> TablePair:
    """Give a known target table the indexes that only the source's table has."""
    if pair.carried or pair.source is None:
        return pair
    extra = _extra_indexes(pair.source, pair.target)
    if not extra:
        return pair
    return replace(pair, target=replace(pair.target, indexes=(*pair.target.indexes, *extra)))


def _extra_indexes(table: Table, kept: Table | None) -> list[Index]:
    """The created indexes of a source table whose names the target's table does not have."""
    own = {fold(index.name) for index in kept.indexes} if kept else set()
    return [i for i in table.indexes if i.sql is not None and fold(i.name) not in own]


def _carried_names(source: Schema, target: Schema, unknown: Iterable[Table]) -> Iterable[str]:
    for table in unknown:
        yield f"table {table.name}"
    for table in source.tables:
        kept = target.table(table.name)
        if kept is not None:
            yield from (f"index {index.name}" for index in _extra_indexes(table, kept))
    for kind, definitions in (
        ("virtual table", source.virtual_tables),
        ("view", source.views),
        ("trigger", source.triggers),
    ):
        for definition in definitions:
            yield f"{kind} {definition.name}"
