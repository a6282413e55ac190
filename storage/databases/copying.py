"""Rows copied from the attached source into the target inside SQL, one statement a table.

Rows never pass through Python: `INSERT ... SELECT` across the attached schema keeps every value's
bytes and storage class. The whole copy is one transaction. Indexes and triggers come after the
rows: an index is built faster from full tables, and no trigger fires.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import peewee

from junmai_svc.storage.databases.failures import translated
from junmai_svc.storage.databases.mapping import TablePair
from junmai_svc.storage.databases.names import node
from junmai_svc.storage.databases.pair import SOURCE, Pair, open_pair
from junmai_svc.storage.databases.schema import Definition, Settings, Table
from junmai_svc.storage.databases.sqltext import without_not_null

Models = Mapping[str, type[peewee.Model]]

TARGET_CACHE_KIB = 16 * 1024
SOURCE_CACHE_KIB = 2 * 1024


@contextmanager
def new_target(target: Path, source_image: Path, settings: Settings) -> Iterator[Pair]:
    """Create the staged target beside its image, inside one transaction that ends with the block.

    Encoding, page size, auto_vacuum, application_id and user_version are those of `settings`. On
    leaving the block normally everything is committed and on disk (synchronous=FULL); the journal
    mode is then the source's. After an exception the file is of no use.

    Raises:
        JunmaiError: the target can't be created or the source can't be read.
    """
    with (
        open_pair(
            target,
            source_image,
            target_mode="rwc",
            encoding=settings.encoding,
            page_size=settings.page_size,
        ) as pair,
        translated("write", target),
    ):
        run = pair.connection.execute
        run(f"PRAGMA auto_vacuum = {settings.auto_vacuum:d}")
        run("PRAGMA journal_mode = DELETE")
        run("PRAGMA synchronous = FULL")
        run(f"PRAGMA cache_size = -{TARGET_CACHE_KIB}")
        run(f"PRAGMA {SOURCE}.cache_size = -{SOURCE_CACHE_KIB}")
        # A row that breaks a CHECK is carried over and reported by the checks, never dropped.
        run("PRAGMA ignore_check_constraints = 1")
        with pair.database.atomic("IMMEDIATE"):
            run(f"PRAGMA application_id = {settings.application_id:d}")
            run(f"PRAGMA user_version = {settings.user_version:d}")
            yield pair
        if settings.journal_mode == "wal":
            run("PRAGMA journal_mode = WAL")


def create_table(pair: Pair, table: Table, *, allow_null: bool = False) -> None:
    """Create a table as its SQL says; `allow_null` leaves out NOT NULL until `restore_sql`.

    Raises:
        sqlite3.Error: SQLite refuses the SQL.
    """
    pair.connection.execute(without_not_null(table.sql) if allow_null else table.sql)


def copy_rows(pair: Pair, table: TablePair, models: Models) -> int:
    """Copy all rows of one table in key order and return their number.

    Values of columns with a rule are the rule's. A rowid that is no column is copied with a carried
    table, as other tables may refer to it.

    Raises:
        peewee.PeeweeException: a row can't be inserted; the transaction is to be rolled back.
    """
    if table.source is None:
        return 0
    origin = peewee.NodeList((node(SOURCE, table.source.name), peewee.SQL("AS s")))
    names: list[str] = []
    values: list[peewee.Node] = []
    if table.keeps_rowid and table.source.rowid_name and table.target.rowid_name:
        names.append(table.target.rowid_name)
        values.append(node("s", table.source.rowid_name))
    for column in table.columns:
        if column.target.generated:
            continue
        if column.source is not None:
            names.append(column.target.name)
            values.append(node("s", column.source.name))
        elif column.rule is not None:
            names.append(column.target.name)
            values.append(peewee.SQL(column.rule.sql))
    rows = peewee.Select([origin], values).order_by(*_order(table, table.source))
    before = pair.connection.total_changes
    _insert(table, models, rows, names).execute(pair.database)
    return pair.connection.total_changes - before


def _insert(
    table: TablePair, models: Models, rows: peewee.Select, names: Sequence[str]
) -> peewee.Insert:
    model = models.get(table.name)
    if model is None or table.carried:
        # A model can't hold every column name; a bare table can.
        into = _Named(table.name)
        return into.insert(rows, columns=[node(name) for name in names])
    by_column = {field.column_name: field for field in model._meta.sorted_fields}  # noqa: SLF001
    return model.insert_from(rows, [by_column[name] for name in names])


class _Named(peewee.Table):
    """A table to insert into, whatever its name: peewee leaves out one that is empty."""

    def __sql__(self, ctx: Any) -> Any:
        return ctx.sql(node(self.__name__))


def _order(table: TablePair, source: Table) -> list[peewee.Node]:
    """The key to read in, so that the target is written front to back.

    A key that is an index of its own is sorted (`+key`): walking it would look up every row.
    """
    if source.rowid_alias is not None:
        return [node("s", source.rowid_alias)]
    if source.without_rowid:
        return [node("s", name) for name in source.key]
    key = [column.name for name in table.target.key if (column := source.column(name)) is not None]
    if key and not table.keeps_rowid:
        return [peewee.NodeList((peewee.SQL("+"), node("s", name)), glue="") for name in key]
    return [node("s", source.rowid_name)] if source.rowid_name else []


def restore_sql(pair: Pair, tables: Sequence[Table]) -> None:
    """Give tables that were created without NOT NULL their full SQL back.

    The procedure for changes that don't touch what is stored: https://sqlite.org/lang_altertable.html
    section 7.

    Raises:
        sqlite3.Error: SQLite refuses to have its schema written.
    """
    with _schema_writable(pair):
        for table in tables:
            pair.connection.execute(
                "UPDATE main.sqlite_schema SET sql = ? WHERE type = 'table' AND name = ?",
                (table.sql, table.name),
            )


def create_virtual_tables(pair: Pair, tables: Sequence[Definition]) -> None:
    """Enter virtual tables whose shadow tables were carried over row by row.

    Entered into the schema directly: CREATE VIRTUAL TABLE would need the module, and would make
    and fill the shadow tables anew.

    Raises:
        sqlite3.Error: SQLite refuses to have its schema written.
    """
    if not tables:
        return
    with _schema_writable(pair):
        for table in tables:
            pair.connection.execute(
                "INSERT INTO main.sqlite_schema (type, name, tbl_name, rootpage, sql)"
                " VALUES ('table', ?, ?, 0, ?)",
                (table.name, table.table, table.sql),
            )


def copy_internal_tables(pair: Pair, names: Sequence[str]) -> None:
    """Carry over AUTOINCREMENT marks and planner statistics for what exists in the target.

    Raises:
        sqlite3.Error: they can't be written.
    """
    run = pair.connection.execute
    if "sqlite_stat1" in names:
        run("ANALYZE main.sqlite_schema")  # makes an empty sqlite_stat1
        run(f"INSERT INTO main.sqlite_stat1 SELECT * FROM {SOURCE}.sqlite_stat1 ORDER BY rowid")
    has_marks = run("SELECT 1 FROM main.sqlite_schema WHERE name = 'sqlite_sequence'").fetchone()
    if "sqlite_sequence" in names and has_marks:
        run("DELETE FROM main.sqlite_sequence")
        run(
            "INSERT INTO main.sqlite_sequence"
            f" SELECT name, seq FROM {SOURCE}.sqlite_sequence"
            " WHERE name IN (SELECT name FROM main.sqlite_schema WHERE type = 'table')"
            " ORDER BY rowid"
        )


def create(pair: Pair, sql: str) -> None:
    """Create an index, a view or a trigger from its SQL.

    Raises:
        sqlite3.Error: SQLite refuses it, such as a unique index over rows that are not unique.
    """
    pair.connection.execute(sql)


@contextmanager
def _schema_writable(pair: Pair) -> Iterator[None]:
    run = pair.connection.execute
    run("PRAGMA writable_schema = 1")
    try:
        yield
        (version,) = run("PRAGMA main.schema_version").fetchone()
        run(f"PRAGMA main.schema_version = {version + 1:d}")
    finally:
        run("PRAGMA writable_schema = RESET")
