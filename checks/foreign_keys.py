"""Rows whose parent row is not there.

In the good case one test a key proves that there are none: the distinct child keys, sorted, all
found among the parent's. Only where that fails are the orphans looked at row by row.
"""

import sqlite3
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import peewee

from junmai_svc.checks import values
from junmai_svc.checks.finding import CheckResult, Finding
from junmai_svc.checks.parents import (
    BINARY,
    CHILD,
    Parent,
    distinct_keys,
    find_parent,
    has_no_parent,
    in_source,
    key_columns,
)
from junmai_svc.checks.queries import count, fetched, rows_of
from junmai_svc.checks.row_names import RowName, row_name
from junmai_svc.storage.databases.mapping import TablePair
from junmai_svc.storage.databases.names import fold, node, quoted
from junmai_svc.storage.databases.pair import SOURCE, TARGET, Pair
from junmai_svc.storage.databases.schema import ForeignKey, Schema, Table

CHECK = "foreign_keys"
HINT = "Check foreign key relationships in source database"


@dataclass(frozen=True)
class Orphans:
    """How many rows of one table have no parent row in another."""

    child: str
    parent: str
    rows: int


def check(
    pair: Pair, table: TablePair, tables: Mapping[str, TablePair], *, limit: int = 20
) -> CheckResult:
    """Find the orphans in one target table; `tables` are all pairs by the target's folded name.

    An orphan is known where its key is the source's and no parent row had that key there either.
    `counts` has `keys` and, for each key that orphans have, `<columns> -> <parent>`.

    Raises:
        sqlite3.Error: one of the tables can't be read.
    """
    started = time.perf_counter()
    counts = {"keys": len(table.target.foreign_keys)}
    findings: list[Finding] = []
    total = known = 0
    mismatch = _mismatch(pair.connection, TARGET, table.target.name)
    if mismatch is not None:
        was = table.source and _mismatch(pair.connection, SOURCE, table.source.name)
        total, known = 1, int(was is not None)
        findings.append(
            Finding(
                CHECK,
                table.name,
                actual=mismatch,
                hint=HINT,
                known=bool(known),
                message="Foreign key that SQLite can't check",
            )
        )
    for key in table.target.foreign_keys:
        other = tables.get(fold(key.parent))
        parent = find_parent(key, other.target) if other is not None else None
        if parent is None and other is not None:
            continue  # a mismatch
        if not _has_orphans(pair.connection, table.target, key, parent):
            continue
        orphan = has_no_parent(key_columns(key), parent)
        was_orphan = _was_orphan(pair.connection, table, key, parent, other)
        rows = rows_of(TARGET, table.target.name, CHILD)
        query = peewee.Select(
            [rows], [peewee.fn.count(peewee.SQL("*")), peewee.fn.total(was_orphan)]
        )
        ((number, before),) = fetched(pair.connection, query.where(orphan))
        total, known = total + number, known + int(before)
        counts[f"{', '.join(key.columns)} -> {key.parent}"] = number
        findings += _named(pair.connection, table.target, key, orphan, was_orphan, limit)
    findings.sort(key=lambda finding: finding.known)
    return CheckResult(
        CHECK,
        table.name,
        total=total,
        known=known,
        findings=tuple(findings[:limit]),
        counts=counts,
        seconds=time.perf_counter() - started,
    )


def orphans(connection: sqlite3.Connection, schema: Schema) -> list[Orphans]:
    """Count the orphans in one database alone, for each pair of tables that has any.

    Keys whose parent columns don't exist are left out: nothing can be looked up there.

    Raises:
        sqlite3.Error: a table can't be read.
    """
    tables = {fold(table.name): table for table in schema.tables}
    found = []
    for table in schema.tables:
        for key in table.foreign_keys:
            other = tables.get(fold(key.parent))
            parent = find_parent(key, other) if other is not None else None
            is_mismatch = parent is None and other is not None
            if not is_mismatch and _has_orphans(connection, table, key, parent):
                orphan = has_no_parent(key_columns(key), parent)
                rows = count(connection, rows_of(TARGET, table.name, CHILD), orphan)
                found.append(Orphans(table.name, key.parent, rows))
    return found


def _has_orphans(
    connection: sqlite3.Connection, child: Table, key: ForeignKey, parent: Parent | None
) -> bool:
    rows = rows_of(TARGET, child.name, CHILD)
    columns = key_columns(key)
    if distinct_keys(key, child, parent):
        from_index = peewee.NodeList((node(TARGET, child.name), peewee.SQL(f"AS {CHILD}")))
        named = [
            peewee.NodeList(
                (peewee.SQL("+"), column, peewee.SQL(f" COLLATE {BINARY} AS k{at}")), glue=""
            )
            for at, column in enumerate(columns)
        ]
        order = [peewee.SQL(str(at + 1)) for at in range(len(columns))]
        distinct = peewee.Select([from_index], named).distinct().order_by(*order)
        rows = peewee.NodeList((distinct.alias("d"),))
        columns = [node("d", f"k{at}") for at in range(len(columns))]
    orphan = has_no_parent(columns, parent)
    query = peewee.Select([rows], [peewee.SQL("1")]).where(orphan).limit(1)
    return any(True for _ in fetched(connection, query))


def _was_orphan(
    connection: sqlite3.Connection,
    table: TablePair,
    key: ForeignKey,
    parent: Parent | None,
    other: TablePair | None,
) -> peewee.ColumnBase:
    """The condition that the source has such an orphan too: that key, and no parent row for it."""
    had_key = _had_key(table, key)
    if had_key is None:
        return peewee.SQL("0")
    if parent is None or other is None:
        return peewee.SQL("0") if _in_source(connection, key.parent) else had_key
    if other.source is None:
        return had_key
    before = in_source(parent, other)
    if before is None:
        return peewee.SQL("0")
    no_parent = has_no_parent(key_columns(key), before)
    return peewee.NodeList((had_key, no_parent), glue=" AND ", parens=True)


def _in_source(connection: sqlite3.Connection, table: str) -> bool:
    names = connection.execute(f"SELECT name FROM {SOURCE}.sqlite_schema WHERE type = 'table'")
    return fold(table) in {fold(name) for (name,) in names}


def _had_key(table: TablePair, key: ForeignKey) -> peewee.ColumnBase | None:
    """The condition that a source row has the same key; None where its columns don't come from it.

    Asked of a list that SQLite makes once: the child's key columns need not have an index.
    """
    origins = {fold(pair.target.name): pair.source for pair in table.columns}
    columns = [origin for name in key.columns if (origin := origins.get(fold(name))) is not None]
    if table.source is None or len(columns) < len(key.columns):
        return None
    wanted = [
        peewee.NodeList((peewee.SQL("+"), column, peewee.SQL(f" COLLATE {BINARY}")), glue="")
        for column in key_columns(key)
    ]
    theirs = [node("k", column.name) for column in columns]
    keys = peewee.Select([rows_of(SOURCE, table.source.name, "k")], theirs)
    filled = keys.where(*(column.is_null(False) for column in theirs))
    return peewee.Expression(peewee.EnclosedNodeList(wanted), "IN", filled)


def _named(
    connection: sqlite3.Connection,
    child: Table,
    key: ForeignKey,
    orphan: peewee.ColumnBase,
    was_orphan: peewee.ColumnBase,
    limit: int,
) -> Iterator[Finding]:
    """Name orphans, new ones first."""
    name = row_name(child, CHILD)
    held = RowName(key.columns, tuple(key_columns(key)))
    columns = [was_orphan, *name.selected(), *held.selected()]
    query = peewee.Select([rows_of(TARGET, child.name, CHILD)], columns).where(orphan)
    codec = values.codec(connection)
    for known, *row in fetched(connection, query.order_by(peewee.SQL("1")).limit(limit)):
        yield Finding(
            CHECK,
            child.name,
            key=name.text(row[: name.width], codec),
            column=", ".join(key.columns),
            expected=f"a row in {key.parent}",
            actual=held.text(row[name.width :], codec),
            hint=HINT,
            known=bool(known),
            message="Orphaned records detected",
        )


def _mismatch(connection: sqlite3.Connection, schema: str, table: str) -> str | None:
    """Why SQLite can't check the keys of a table at all, found by compiling the check only."""
    try:
        connection.execute(f"EXPLAIN PRAGMA {schema}.foreign_key_check({quoted(table)})").fetchall()
    except sqlite3.OperationalError as error:
        if "foreign key mismatch" in str(error):
            return str(error)
        raise
    return None
