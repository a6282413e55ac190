"""What a SQLite database holds, read by our own introspection.

Reads only `sqlite_schema`, `table_xinfo`, `index_list`, `index_xinfo`, `foreign_key_list` and the
header's pragmas, in a fixed number of statements whatever the number of tables. Virtual tables are
never loaded, so a missing module can't stop it. Everything returned is immutable and comparable.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from junmai_svc.storage.databases.names import fold, quoted


class Affinity(StrEnum):
    """A column's type affinity; https://sqlite.org/datatype3.html section 3.1."""

    INTEGER = "INTEGER"
    TEXT = "TEXT"
    BLOB = "BLOB"
    REAL = "REAL"
    NUMERIC = "NUMERIC"


def affinity_of(declared_type: str) -> Affinity:
    """Return the affinity that SQLite derives from a declared type, by its five rules in order."""
    name = declared_type.upper()
    if "INT" in name:
        return Affinity.INTEGER
    if any(part in name for part in ("CHAR", "CLOB", "TEXT")):
        return Affinity.TEXT
    if not name or "BLOB" in name:
        return Affinity.BLOB
    if any(part in name for part in ("REAL", "FLOA", "DOUB")):
        return Affinity.REAL
    return Affinity.NUMERIC


@dataclass(frozen=True)
class Column:
    """One column. `key_position` counts from 1 within the primary key, 0 outside of it."""

    name: str
    declared_type: str
    not_null: bool
    default: str | None
    key_position: int
    generated: bool = False

    @property
    def affinity(self) -> Affinity:
        """The affinity of the declared type."""
        return affinity_of(self.declared_type)


@dataclass(frozen=True)
class IndexColumn:
    """One indexed column; `name` is None for the rowid or an expression."""

    name: str | None
    descending: bool
    collation: str


@dataclass(frozen=True)
class Index:
    """An index. `origin` is c (CREATE INDEX), u (UNIQUE constraint) or pk; only c has `sql`."""

    name: str
    unique: bool
    origin: str
    partial: bool
    columns: tuple[IndexColumn, ...]
    sql: str | None


@dataclass(frozen=True)
class ForeignKey:
    """A foreign key; `parent_columns` is empty where it points at the parent's primary key."""

    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]
    on_update: str
    on_delete: str
    match: str


@dataclass(frozen=True)
class Table:
    """An ordinary table with all that hangs on it except triggers."""

    name: str
    sql: str
    columns: tuple[Column, ...]
    without_rowid: bool
    strict: bool
    indexes: tuple[Index, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()

    @property
    def key(self) -> tuple[str, ...]:
        """The primary key's columns in key order; empty where there is none."""
        keyed = sorted((c.key_position, c.name) for c in self.columns if c.key_position)
        return tuple(name for _, name in keyed)

    @property
    def rowid_alias(self) -> str | None:
        """The INTEGER PRIMARY KEY column that is the rowid, or None.

        `INTEGER PRIMARY KEY DESC` is no alias (SQLite keeps that quirk); it shows by its own index.
        """
        if self.without_rowid or len(self.key) != 1:
            return None
        if any(index.origin == "pk" for index in self.indexes):
            return None
        (name,) = self.key
        column = self.column(name)
        is_integer = column is not None and column.declared_type.upper() == "INTEGER"
        return name if is_integer else None

    @property
    def rowid_name(self) -> str | None:
        """A name under which the rowid can be read and written, or None where there is none."""
        if self.without_rowid:
            return None
        taken = {fold(column.name) for column in self.columns}
        return next((name for name in ("rowid", "_rowid_", "oid") if name not in taken), None)

    @cached_property
    def _by_name(self) -> Mapping[str, Column]:
        return {fold(column.name): column for column in self.columns}

    def column(self, name: str) -> Column | None:
        """The column of that name, compared as SQLite compares names; None if absent."""
        return self._by_name.get(fold(name))


@dataclass(frozen=True)
class Definition:
    """A view, trigger or virtual table and the SQL that made it; `table` is what it is on."""

    name: str
    table: str
    sql: str


@dataclass(frozen=True)
class Settings:
    """The header's properties that a copy must keep; `page_size` in bytes."""

    page_size: int
    encoding: str
    application_id: int
    user_version: int
    auto_vacuum: int
    journal_mode: str


@dataclass(frozen=True)
class Schema:
    """All objects of one database, in the order in which they were created."""

    settings: Settings
    tables: tuple[Table, ...] = ()
    virtual_tables: tuple[Definition, ...] = ()
    views: tuple[Definition, ...] = ()
    triggers: tuple[Definition, ...] = ()
    internal_tables: tuple[str, ...] = field(default=())

    @cached_property
    def _by_name(self) -> Mapping[str, Table]:
        return {fold(table.name): table for table in self.tables}

    def table(self, name: str) -> Table | None:
        """The table of that name, compared as SQLite compares names; None if absent."""
        return self._by_name.get(fold(name))


def read_schema(connection: sqlite3.Connection, schema: str = "main") -> Schema:
    """Describe one schema of a connection (`main` or an attached one) as it is right now.

    Raises:
        sqlite3.Error: the database can't be read; translated by the caller, who knows the path.
    """
    db = quoted(schema)
    rows = connection.execute(
        f"SELECT type, name, tbl_name, sql FROM {db}.sqlite_schema ORDER BY rowid"
    ).fetchall()
    _require_texts(rows)
    virtual = {name for kind, name, _, sql in rows if kind == "table" and _is_virtual(sql)}
    ordinary = [
        (name, sql)
        for kind, name, _, sql in rows
        if kind == "table" and name not in virtual and not _is_internal(name)
    ]
    # A damaged schema may spell a name in another case than its SQL; SQLite takes both for one.
    index_sql = {fold(name): sql for kind, name, _, sql in rows if kind == "index"}
    columns = _columns(connection, db, schema)
    flags = _table_flags(connection, schema)
    indexes = _indexes(connection, db, schema, index_sql)
    keys = _foreign_keys(connection, db, schema)
    return Schema(
        settings=_settings(connection, db),
        tables=tuple(
            Table(
                name=name,
                sql=sql,
                columns=tuple(columns[name]),
                without_rowid=flags[fold(name)][0],
                strict=flags[fold(name)][1],
                indexes=tuple(indexes[name]),
                foreign_keys=tuple(keys[name]),
            )
            for name, sql in ordinary
        ),
        virtual_tables=_definitions(row for row in rows if row[1] in virtual),
        views=_definitions(row for row in rows if row[0] == "view"),
        triggers=_definitions(row for row in rows if row[0] == "trigger"),
        internal_tables=tuple(
            name for kind, name, _, _ in rows if kind == "table" and _is_internal(name)
        ),
    )


def _require_texts(rows: Iterable[tuple[object, ...]]) -> None:
    """Refuse rows of sqlite_schema that SQLite would pass over and a damaged file may hold."""
    for kind, name, table, sql in rows:
        named = all(isinstance(text, str) for text in (kind, name, table))
        if not named or not isinstance(sql, str | None):
            raise sqlite3.DatabaseError(f"malformed database schema ({name!r} is not described)")


def _is_virtual(sql: str | None) -> bool:
    return sql is not None and sql[:20].upper() == "CREATE VIRTUAL TABLE"


def _is_internal(name: str) -> bool:
    return fold(name).startswith("sqlite_")


def _definitions(rows: Iterable[tuple[str, str, str, str]]) -> tuple[Definition, ...]:
    return tuple(Definition(name, table, sql) for _, name, table, sql in rows)


# Ordinary tables only: asking table_xinfo about a virtual table would load its module.
_ORDINARY = "type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL TABLE%'"
# hidden: 1 a virtual table's hidden column, 2 a VIRTUAL and 3 a STORED generated column.
_GENERATED = (2, 3)


def _columns(connection: sqlite3.Connection, db: str, schema: str) -> Mapping[str, list[Column]]:
    found: defaultdict[str, list[Column]] = defaultdict(list)
    for table, name, declared, not_null, default, key, hidden in connection.execute(
        'SELECT t.name, c.name, c.type, c."notnull", c.dflt_value, c.pk, c.hidden '
        f"FROM {db}.sqlite_schema AS t, pragma_table_xinfo(t.name, ?) AS c "
        f"WHERE t.{_ORDINARY} ORDER BY t.rowid, c.cid",
        (schema,),
    ):
        found[table].append(
            Column(name, declared, bool(not_null), default, key, hidden in _GENERATED)
        )
    return found


def _table_flags(connection: sqlite3.Connection, schema: str) -> Mapping[str, tuple[bool, bool]]:
    rows = connection.execute(
        "SELECT name, wr, strict FROM pragma_table_list WHERE schema = ?", (schema,)
    )
    return {fold(name): (bool(without_rowid), bool(strict)) for name, without_rowid, strict in rows}


def _indexes(
    connection: sqlite3.Connection, db: str, schema: str, index_sql: Mapping[str, str | None]
) -> Mapping[str, list[Index]]:
    members: defaultdict[str, list[IndexColumn]] = defaultdict(list)
    # Through index_list: the key of a WITHOUT ROWID table is an index that sqlite_schema lacks.
    for index, column, descending, collation in connection.execute(
        "SELECT i.name, x.name, x.desc, x.coll "
        f"FROM {db}.sqlite_schema AS t, pragma_index_list(t.name, ?1) AS i, "
        "pragma_index_xinfo(i.name, ?1) AS x "
        f"WHERE t.{_ORDINARY} AND x.key ORDER BY t.rowid, i.seq, x.seqno",
        (schema,),
    ):
        members[index].append(IndexColumn(column, bool(descending), collation))
    found: defaultdict[str, list[Index]] = defaultdict(list)
    for table, name, unique, origin, partial in connection.execute(
        'SELECT t.name, i.name, i."unique", i.origin, i.partial '
        f"FROM {db}.sqlite_schema AS t, pragma_index_list(t.name, ?) AS i "
        f"WHERE t.{_ORDINARY} ORDER BY t.rowid, i.seq DESC",
        (schema,),
    ):
        sql = index_sql.get(fold(name))
        found[table].append(
            Index(name, bool(unique), origin, bool(partial), tuple(members[name]), sql)
        )
    return found


def _foreign_keys(
    connection: sqlite3.Connection, db: str, schema: str
) -> Mapping[str, list[ForeignKey]]:
    parts: dict[tuple[str, int], list[tuple[str, str, str | None, str, str, str]]] = {}
    for table, key, *part in connection.execute(
        'SELECT t.name, f.id, f."table", f."from", f."to", f.on_update, f.on_delete, f."match" '
        f"FROM {db}.sqlite_schema AS t, pragma_foreign_key_list(t.name, ?) AS f "
        f"WHERE t.{_ORDINARY} ORDER BY t.rowid, f.id DESC, f.seq",
        (schema,),
    ):
        parts.setdefault((table, key), []).append(tuple(part))
    found: defaultdict[str, list[ForeignKey]] = defaultdict(list)
    for (table, _), members in parts.items():
        parent, _, first, on_update, on_delete, match = members[0]
        found[table].append(
            ForeignKey(
                columns=tuple(member[1] for member in members),
                parent=parent,
                parent_columns=() if first is None else tuple(str(m[2]) for m in members),
                on_update=on_update,
                on_delete=on_delete,
                match=match,
            )
        )
    return found


def _settings(connection: sqlite3.Connection, db: str) -> Settings:
    def pragma(name: str) -> int:
        value = connection.execute(f"PRAGMA {db}.{name}").fetchone()
        return int(value[0])

    return Settings(
        page_size=pragma("page_size"),
        encoding=str(connection.execute("PRAGMA encoding").fetchone()[0]),
        application_id=pragma("application_id"),
        user_version=pragma("user_version"),
        auto_vacuum=pragma("auto_vacuum"),
        journal_mode=str(connection.execute(f"PRAGMA {db}.journal_mode").fetchone()[0]),
    )
