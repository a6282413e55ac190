"""Claims about copying: every value's bytes and class, the rowids, the marks, the settings."""

import math
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import peewee
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from junmai_svc.storage.databases import copying
from junmai_svc.storage.databases.digest import table_digest
from junmai_svc.storage.databases.mapping import ColumnPair, Rule, TablePair
from junmai_svc.storage.databases.names import quoted
from junmai_svc.storage.databases.schema import Column, Schema, Table, read_schema

SqlValue = None | int | float | str | bytes


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return tmp_path / "source.db"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "target.db"


def make(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        for statement in statements:
            database.execute(statement)


def schema_of(path: Path) -> Schema:
    with closing(sqlite3.connect(path)) as database:
        return read_schema(database)


def carried(table: Table) -> TablePair:
    """A table that is taken over as it is."""
    return TablePair(
        source=table,
        target=table,
        columns=tuple(ColumnPair(column, source=column) for column in table.columns),
        carried=True,
        keeps_rowid=table.rowid_alias is None and table.rowid_name is not None,
    )


def copy_all(source: Path, target: Path) -> dict[str, int]:
    """Take over everything and return the rows copied by table."""
    schema = schema_of(source)
    with copying.new_target(target, source, schema.settings) as pair:
        for table in schema.tables:
            copying.create_table(pair, table)
        rows = {t.name: copying.copy_rows(pair, carried(t), {}) for t in schema.tables}
        copying.copy_internal_tables(pair, schema.internal_tables)
        for table in schema.tables:
            for index in table.indexes:
                if index.sql is not None:
                    copying.create(pair, index.sql)
        copying.create_virtual_tables(pair, schema.virtual_tables)
        for definition in (*schema.views, *schema.triggers):
            copying.create(pair, definition.sql)
    return rows


def content(path: Path) -> dict[str, str]:
    """The digest of each table, with the rowid where it has a name: what must be equal."""
    with closing(sqlite3.connect(path)) as database:
        found = {}
        for table in read_schema(database).tables:
            columns = table.columns
            if table.rowid_name is not None:
                columns = (*columns, Column(table.rowid_name, "", False, None, 0))
            told = replace(table, columns=columns)
            found[table.name] = table_digest(database, "main", told).sha256
        return found


def query(path: Path, sql: str) -> list[tuple[SqlValue, ...]]:
    with closing(sqlite3.connect(path)) as database:
        return database.execute(sql).fetchall()


VALUES = (
    st.none()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.sampled_from([0.0, -0.0, 1.0, math.inf, -math.inf, -(2**63), 2**63 - 1])
    | st.sampled_from(["", "1", "1.0", "1e3", "0x1", " 1", "a\0b", "写真🍶", b"", b"1", b"\xff\0"])
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
    | st.binary(max_size=10)
)
ENCODINGS = st.sampled_from(["UTF-8", "UTF-16le", "UTF-16be"])


@settings(max_examples=12, deadline=None)
@given(ENCODINGS, st.lists(st.tuples(*[VALUES] * 6), min_size=10, max_size=60))
def test_every_value_arrives_with_its_bytes_and_its_class(
    encoding: str, rows: Sequence[tuple[SqlValue, ...]]
) -> None:
    with TemporaryDirectory() as folder:
        source, target = Path(folder, "source.db"), Path(folder, "target.db")
        with closing(sqlite3.connect(source, isolation_level=None)) as database:
            database.execute(f"PRAGMA encoding = '{encoding}'")
            database.execute("CREATE TABLE t (a, b INT, c TEXT, d REAL, e NUMERIC, f BLOB)")
            database.executemany("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?)", rows)
        assert copy_all(source, target) == {"t": len(rows)}
        assert content(target) == content(source)


def test_texts_that_are_no_valid_utf_8_arrive_as_they_are(source: Path, target: Path) -> None:
    make(source, "CREATE TABLE t (a)", "INSERT INTO t VALUES (CAST(x'ff00fe41' AS TEXT))")
    copy_all(source, target)
    copied = query(target, "SELECT typeof(a), CAST(a AS BLOB) FROM t")
    assert copied == [("text", b"\xff\x00\xfeA")]


TABLES = {
    "no key": "CREATE TABLE t (a, b)",
    "integer key": "CREATE TABLE t (a INTEGER PRIMARY KEY, b)",
    "descending integer key": "CREATE TABLE t (a INTEGER PRIMARY KEY DESC, b)",
    "text key": "CREATE TABLE t (a TEXT PRIMARY KEY, b)",
    "key of two, backwards": "CREATE TABLE t (a, b, PRIMARY KEY (b, a))",
    "without rowid": "CREATE TABLE t (a, b, PRIMARY KEY (b, a)) WITHOUT ROWID",
    "strict": "CREATE TABLE t (a ANY, b ANY) STRICT",
    "column named rowid": "CREATE TABLE t (a AS (rowid), b, rowid TEXT, c AS (b))",
    "no name for the rowid": "CREATE TABLE t (a, b, rowid, _rowid_, oid)",
    "generated": "CREATE TABLE t (a, b, c AS (a || b), d AS (a) STORED NOT NULL)",
    "collations": "CREATE TABLE t (a TEXT COLLATE NOCASE UNIQUE, b TEXT COLLATE RTRIM)",
    "default": "CREATE TABLE t (a DEFAULT (random()), b DEFAULT CURRENT_TIMESTAMP NOT NULL)",
}


@pytest.mark.parametrize("kind", TABLES)
def test_tables_of_every_kind_are_taken_over_with_their_rowids(
    kind: str, source: Path, target: Path
) -> None:
    table = TABLES[kind]
    columns = "b, rowid" if "named rowid" in kind else "a, b"
    make(
        source,
        table,
        *(f"INSERT INTO t ({columns}) VALUES ({n * 7 % 11}, {n})" for n in range(11)),
        "DELETE FROM t WHERE b % 3 = 0",
    )
    before = source.read_bytes()
    assert copy_all(source, target) == {"t": 7}
    assert content(target) == content(source)
    assert query(target, "PRAGMA integrity_check") == [("ok",)]
    assert replace(schema_of(target), settings=schema_of(source).settings) == schema_of(source)
    assert source.read_bytes() == before


ODD_NAMES = ["", " ", "select", 'quo"te', "apo'strophe", "[x]", "写真", "new\nline", "a;--", "%s"]


@pytest.mark.parametrize("name", ODD_NAMES, ids=ascii)
def test_names_of_any_kind_are_taken_over(name: str, source: Path, target: Path) -> None:
    n = quoted(name)
    make(
        source,
        f"CREATE TABLE {n} ({n} TEXT PRIMARY KEY, b)",
        f"CREATE INDEX {quoted(name + ' i')} ON {n} (b)",
        f"INSERT INTO {n} VALUES ('x', 1), ('a', 2)",
        f"CREATE VIEW {quoted(name + ' v')} AS SELECT * FROM {n}",
    )
    assert copy_all(source, target) == {name: 2}
    assert content(target) == content(source)
    assert schema_of(target) == schema_of(source)


def test_the_header_is_taken_over(source: Path, target: Path) -> None:
    make(
        source,
        "PRAGMA page_size = 1024",
        "PRAGMA encoding = 'UTF-16le'",
        "PRAGMA auto_vacuum = 2",
        "PRAGMA journal_mode = WAL",
        "PRAGMA user_version = 2147483647",
        "PRAGMA application_id = -2147483648",
        "CREATE TABLE t (a)",
    )
    copy_all(source, target)
    assert schema_of(target).settings == schema_of(source).settings
    assert {file.name for file in target.parent.iterdir()} == {"source.db", "target.db"}


def test_marks_of_autoincrement_and_statistics_are_taken_over(source: Path, target: Path) -> None:
    make(
        source,
        "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, a)",
        "CREATE TABLE empty (id INTEGER PRIMARY KEY AUTOINCREMENT)",
        "CREATE INDEX i ON t (a)",
        "INSERT INTO t VALUES (1, 'x'), (900, 'y'), (901, 'y')",
        "DELETE FROM t WHERE id > 1",
        "INSERT INTO empty VALUES (5)",
        "DELETE FROM empty",
        "INSERT INTO t (a) VALUES ('z')",
        "ANALYZE",
    )
    copy_all(source, target)
    for table in ("sqlite_sequence", "sqlite_stat1"):
        kept = query(source, f"SELECT * FROM {table} ORDER BY 1, 2")
        assert query(target, f"SELECT * FROM {table} ORDER BY 1, 2") == kept != []
    make(target, "INSERT INTO t (a) VALUES ('next')", "INSERT INTO empty DEFAULT VALUES")
    assert query(target, "SELECT max(id) FROM t") == [(903,)]
    assert query(target, "SELECT id FROM empty") == [(6,)]


def test_marks_of_tables_that_have_none_in_the_target_are_left_out(
    source: Path, target: Path
) -> None:
    make(
        source, "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT)", "INSERT INTO t VALUES (7)"
    )
    with copying.new_target(target, source, schema_of(source).settings) as pair:
        pair.connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)")
        copying.copy_internal_tables(pair, ["sqlite_sequence"])
    assert schema_of(target).internal_tables == ()


def test_triggers_do_not_fire_and_are_there_afterwards(source: Path, target: Path) -> None:
    make(
        source,
        "CREATE TABLE t (a)",
        "CREATE TABLE log (what)",
        "INSERT INTO t VALUES (1), (2)",
        "CREATE TRIGGER tr AFTER INSERT ON t BEGIN INSERT INTO log VALUES (new.a); END",
    )
    assert copy_all(source, target) == {"t": 2, "log": 0}
    make(target, "INSERT INTO t VALUES (3)")
    assert query(target, "SELECT what FROM log") == [(3,)]


def test_rows_that_break_a_check_or_a_foreign_key_are_taken_over(
    source: Path, target: Path
) -> None:
    make(
        source,
        "CREATE TABLE t (a CHECK (a > 0), b REFERENCES t (a))",
        "PRAGMA ignore_check_constraints = 1",
        "INSERT INTO t VALUES (-1, 'nobody')",
    )
    copy_all(source, target)
    assert query(target, "SELECT * FROM t") == [(-1, "nobody")]
    with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
        make(target, "INSERT INTO t VALUES (-2, NULL)")


def test_a_null_in_a_not_null_column_is_taken_over_where_it_is_allowed_for(
    source: Path, target: Path
) -> None:
    sql = "CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT NOT NULL, c CHECK (c NOT NULL))"
    make(
        source,
        sql.replace(" NOT NULL,", ","),
        "INSERT INTO t VALUES (1, NULL, 'c')",
        "PRAGMA writable_schema = 1",
        f"UPDATE sqlite_schema SET sql = '{sql}'",
    )
    schema = schema_of(source)
    (table,) = schema.tables
    with copying.new_target(target, source, schema.settings) as pair:
        copying.create_table(pair, table, allow_null=True)
        assert copying.copy_rows(pair, carried(table), {}) == 1
        copying.restore_sql(pair, [table])
    assert schema_of(target).tables == (table,)
    assert query(target, "SELECT * FROM t") == [(1, None, "c")]
    assert query(target, "PRAGMA integrity_check") == [("NULL value in t.b",)]
    with pytest.raises(sqlite3.IntegrityError, match="NOT NULL"):
        make(target, "INSERT INTO t VALUES (2, NULL, 'c')")


def test_a_row_that_the_target_refuses_stops_the_copy_and_leaves_no_row(
    source: Path, target: Path
) -> None:
    make(source, "CREATE TABLE t (a, b)", "INSERT INTO t VALUES (1, 1), (2, 1)")
    (table,) = schema_of(source).tables
    stricter = replace(table, sql="CREATE TABLE t (a, b UNIQUE)")
    pair_of_tables = replace(carried(table), target=stricter)
    with pytest.raises(Exception, match=r"UNIQUE constraint failed: t\.b"):
        copy_into(source, target, pair_of_tables)
    assert schema_of(target).tables == ()


def copy_into(source: Path, target: Path, table: TablePair) -> int:
    with copying.new_target(target, source, schema_of(source).settings) as pair:
        copying.create_table(pair, table.target)
        return copying.copy_rows(pair, table, {})


def test_a_full_text_index_is_taken_over_and_finds_what_it_found(
    source: Path, target: Path
) -> None:
    make(
        source,
        "CREATE VIRTUAL TABLE search USING fts5(title)",
        "INSERT INTO search VALUES ('an old photo'), ('another one')",
        "DELETE FROM search WHERE rowid = 2",
    )
    copy_all(source, target)
    assert query(target, "SELECT * FROM search WHERE search MATCH 'photo'") == [("an old photo",)]
    make(target, "INSERT INTO search (search) VALUES ('integrity-check')")
    assert schema_of(target).virtual_tables == schema_of(source).virtual_tables


def test_a_virtual_table_is_taken_over_without_its_module(source: Path, target: Path) -> None:
    sql = "CREATE VIRTUAL TABLE v USING missing(a, b)"
    make(
        source,
        "CREATE TABLE v_data (a)",
        "INSERT INTO v_data VALUES ('kept')",
        "PRAGMA writable_schema = 1",
        f"INSERT INTO sqlite_schema VALUES ('table', 'v', 'v', 0, '{sql}')",
    )
    copy_all(source, target)
    assert [table.sql for table in schema_of(target).virtual_tables] == [sql]
    assert query(target, "SELECT * FROM v_data") == [("kept",)]
    assert query(target, "PRAGMA integrity_check(v_data)") == [("ok",)]


class Photos(peewee.Model):
    """A target that has more columns than its source, in another order."""

    is_best = peewee.BooleanField(null=True)
    name = peewee.TextField(primary_key=True)
    score = peewee.IntegerField(column_name="Score", null=True)
    note = peewee.TextField(null=True)


PHOTOS = (
    'CREATE TABLE "photos" ("is_best" INTEGER, "name" TEXT NOT NULL PRIMARY KEY, "Score" INTEGER,'
    ' "note" TEXT)'
)


def mapped(source: Path) -> TablePair:
    """`photos` of the source into the model's table, by two rules."""
    (before,) = schema_of(source).tables
    with closing(sqlite3.connect(":memory:")) as database:
        database.execute(PHOTOS)
        (after,) = read_schema(database).tables
    is_best, name, score, note = after.columns
    return TablePair(
        before,
        after,
        (
            ColumnPair(is_best, rule=Rule("0", "new column")),
            ColumnPair(name, source=before.column("NAME")),
            ColumnPair(score, source=before.column("score")),
            ColumnPair(note, rule=Rule("'it''s new'", "new column")),
        ),
    )


@pytest.mark.parametrize("models", [{}, {"photos": Photos}], ids=["bare table", "model"])
def test_rules_fill_new_columns_and_nothing_else_changes(
    models: copying.Models, source: Path, target: Path
) -> None:
    """Values that the model's fields would convert stay what they are, sorted by the key."""
    make(
        source,
        "CREATE TABLE Photos (score, name TEXT)",
        "INSERT INTO Photos VALUES ('no', 'b'), (1.5, 'a'), (NULL, 'd'), (x'00', 'c')",
    )
    table = mapped(source)
    with copying.new_target(target, source, schema_of(source).settings) as pair:
        copying.create_table(pair, table.target)
        assert copying.copy_rows(pair, table, models) == 4
    new = "it's new"
    assert query(target, "SELECT rowid, * FROM photos") == [
        (1, 0, "a", 1.5, new),
        (2, 0, "b", "no", new),
        (3, 0, "c", b"\x00", new),
        (4, 0, "d", None, new),
    ]


def test_a_table_that_is_new_is_empty(source: Path, target: Path) -> None:
    make(source, "CREATE TABLE other (a)")
    with closing(sqlite3.connect(":memory:")) as database:
        database.execute(PHOTOS)
        (after,) = read_schema(database).tables
    table = TablePair(None, after, tuple(ColumnPair(column) for column in after.columns))
    assert copy_into(source, target, table) == 0
    assert query(target, "SELECT * FROM photos") == []


@pytest.mark.parametrize("key", ["c0 INTEGER PRIMARY KEY", "c0 PRIMARY KEY"])
def test_a_table_as_wide_as_can_be_is_taken_over(key: str, source: Path, target: Path) -> None:
    """2,000 columns are the most, the rowid included where it must be read as one more."""
    most = 2000 if "INTEGER" in key else 1999
    columns = ", ".join([key, *(f"c{number}" for number in range(1, most))])
    last = f"c{most - 1}"
    make(source, f"CREATE TABLE t ({columns})", f"INSERT INTO t (c0, {last}) VALUES (7, 2)")
    copy_all(source, target)
    assert query(target, f"SELECT c0, c1, {last}, rowid FROM t") == query(
        source, f"SELECT c0, c1, {last}, rowid FROM t"
    )


def test_the_file_is_of_no_use_until_the_block_has_ended(source: Path, target: Path) -> None:
    make(source, "CREATE TABLE t (a)", "INSERT INTO t VALUES (1)")
    schema = schema_of(source)

    with copying.new_target(target, source, schema.settings) as pair:
        copying.create_table(pair, schema.tables[0])
        copying.copy_rows(pair, carried(schema.tables[0]), {})
        assert query(target, "SELECT count(*) FROM sqlite_schema") == [(0,)]
    assert query(target, "SELECT * FROM t") == [(1,)]
