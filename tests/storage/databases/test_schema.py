"""Claims about our own introspection, each held against what SQLite itself does."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from junmai_svc.storage.databases.names import fold, quoted
from junmai_svc.storage.databases.schema import (
    Affinity,
    Column,
    Definition,
    ForeignKey,
    IndexColumn,
    Schema,
    Table,
    affinity_of,
    read_schema,
)

ODD_NAMES = [
    "",
    " ",
    "select",
    'quo"te',
    "apo'strophe",
    "back`tick",
    "[bracket]",
    "写真",
    "🍶",
    "new\nline",
    "semi;colon--",
    "a" * 300,
    "ÄÖÜ",
    "rowid",
]


@pytest.fixture
def database() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        yield connection


def described(database: sqlite3.Connection, *statements: str) -> Schema:
    for statement in statements:
        database.execute(statement)
    return read_schema(database)


def only_table(schema: Schema) -> Table:
    (table,) = schema.tables
    return table


def test_an_empty_database_has_nothing_but_settings(database: sqlite3.Connection) -> None:
    schema = read_schema(database)
    assert schema == Schema(schema.settings)


def test_columns_are_as_declared_and_in_their_order(database: sqlite3.Connection) -> None:
    table = only_table(
        described(
            database,
            "CREATE TABLE t (b VARCHAR(10) NOT NULL DEFAULT 'x''y', a, c INT DEFAULT (1 + 1),"
            " PRIMARY KEY (c, b))",
        )
    )
    assert table.columns == (
        Column("b", "VARCHAR(10)", not_null=True, default="'x''y'", key_position=2),
        Column("a", "", not_null=False, default=None, key_position=0),
        Column("c", "INT", not_null=False, default="1 + 1", key_position=1),
    )
    assert table.key == ("c", "b")


TYPES = ["", "BLOB", "text", "INTEGER", "CHARINT", "FLOATING POINT", "CLOB", "DOUBLE PRECISION"]
TYPES += ["DECIMAL(10,5)", "BOOLEAN", "DATETIME", "STRING", "xBLOBx", "REALTEXT", "ANY"]


@pytest.mark.parametrize("declared", TYPES)
def test_an_affinity_is_the_one_that_sqlite_applies(
    declared: str, database: sqlite3.Connection
) -> None:
    """Told by what becomes of values that each affinity stores in another class."""
    database.execute(f"CREATE TABLE t (a {declared})")
    table = only_table(read_schema(database))
    database.execute("INSERT INTO t VALUES ('1.0'), ('1.5'), (2), (x'31')")
    stored = [cls for (cls,) in database.execute("SELECT typeof(a) FROM t")]
    assert (
        stored
        == {
            Affinity.TEXT: ["text", "text", "text", "blob"],
            Affinity.BLOB: ["text", "text", "integer", "blob"],
            Affinity.REAL: ["real", "real", "real", "blob"],
            Affinity.NUMERIC: ["integer", "real", "integer", "blob"],
            Affinity.INTEGER: ["integer", "real", "integer", "blob"],
        }[table.columns[0].affinity]
    )
    assert table.columns[0].affinity is affinity_of(declared.lower())


KEYS = [
    ("a INTEGER PRIMARY KEY, b", True),
    ("a integer primary key, b", True),
    ('a "INTEGER" PRIMARY KEY, b', True),
    ("a INTEGER PRIMARY KEY AUTOINCREMENT, b", True),
    ("a INTEGER PRIMARY KEY ASC, b", True),
    ("a INTEGER, b, PRIMARY KEY (a)", True),
    ("a INTEGER, b, PRIMARY KEY (a DESC)", True),
    ("a INTEGER PRIMARY KEY DESC, b", False),
    ("a INT PRIMARY KEY, b", False),
    ("a BIGINTEGER PRIMARY KEY, b", False),
    ("a INTEGER(8) PRIMARY KEY, b", False),
    ("a TEXT PRIMARY KEY, b", False),
    ("a INTEGER, b, PRIMARY KEY (a, b)", False),
    ("a INTEGER UNIQUE, b", False),
    ("a INTEGER, b", False),
]


@pytest.mark.parametrize(("columns", "is_alias"), KEYS)
def test_a_key_is_the_rowid_exactly_where_sqlite_makes_it_so(
    columns: str, is_alias: bool, database: sqlite3.Connection
) -> None:
    table = only_table(described(database, f"CREATE TABLE t ({columns})"))
    database.execute("INSERT INTO t (a, b) VALUES (77, 0)")
    ((rowid,),) = database.execute("SELECT rowid FROM t")
    assert (rowid == 77) is is_alias
    assert table.rowid_alias == ("a" if is_alias else None)


@pytest.mark.parametrize("columns", ["a INTEGER PRIMARY KEY", "a, b, PRIMARY KEY (b, a)"])
def test_a_table_without_rowid_has_neither_alias_nor_rowid(
    columns: str, database: sqlite3.Connection
) -> None:
    table = only_table(described(database, f"CREATE TABLE t ({columns}) WITHOUT ROWID"))
    assert table.without_rowid
    assert table.rowid_alias is None
    assert table.rowid_name is None


@pytest.mark.parametrize(
    ("columns", "name"),
    [
        ("a", "rowid"),
        ("RowID", "_rowid_"),
        ("rowid, OID", "_rowid_"),
        ("rowid, _ROWID_", "oid"),
        ("rowid, _rowid_, oid", None),
    ],
)
def test_the_rowids_name_is_one_that_no_column_has_taken(
    columns: str, name: str | None, database: sqlite3.Connection
) -> None:
    table = only_table(described(database, f"CREATE TABLE t ({columns})"))
    assert table.rowid_name == name
    if name is not None:
        database.execute(f"INSERT INTO t ({name}) VALUES (-9)")
        assert database.execute(f"SELECT {name} FROM t").fetchone() == (-9,)


def test_strict_tables_are_told_apart(database: sqlite3.Connection) -> None:
    schema = described(
        database,
        "CREATE TABLE s (a INT) STRICT",
        "CREATE TABLE w (a INT PRIMARY KEY) STRICT, WITHOUT ROWID",
        "CREATE TABLE t (a)",
    )
    flags = {table.name: (table.strict, table.without_rowid) for table in schema.tables}
    assert flags == {"s": (True, False), "w": (True, True), "t": (False, False)}


def test_generated_columns_are_there_and_marked(database: sqlite3.Connection) -> None:
    table = only_table(
        described(
            database,
            "CREATE TABLE t (a, b INT AS (a + 1), c AS (a || 'x') STORED,"
            " d GENERATED ALWAYS AS (a) VIRTUAL, e)",
        )
    )
    generated = [(column.name, column.generated) for column in table.columns]
    assert generated == [("a", False), ("b", True), ("c", True), ("d", True), ("e", False)]


def test_indexes_are_described_whole(database: sqlite3.Connection) -> None:
    by_name = "CREATE UNIQUE INDEX by_name ON t (name COLLATE NOCASE DESC, lower(kind), id)"
    some = "CREATE INDEX some ON t (kind) WHERE kind IS NOT NULL"
    table = only_table(
        described(
            database,
            "CREATE TABLE t (id TEXT PRIMARY KEY, name UNIQUE COLLATE RTRIM, kind)",
            by_name,
            some,
        )
    )
    told = {index.name: index for index in table.indexes}
    assert list(told) == ["sqlite_autoindex_t_1", "sqlite_autoindex_t_2", "by_name", "some"]
    assert [index.origin for index in table.indexes] == ["pk", "u", "c", "c"]
    assert [index.unique for index in table.indexes] == [True, True, True, False]
    assert [index.partial for index in table.indexes] == [False, False, False, True]
    assert [index.sql for index in table.indexes] == [None, None, by_name, some]
    assert told["by_name"].columns == (
        IndexColumn("name", descending=True, collation="NOCASE"),
        IndexColumn(None, descending=False, collation="BINARY"),
        IndexColumn("id", descending=False, collation="BINARY"),
    )
    assert told["sqlite_autoindex_t_2"].columns == (
        IndexColumn("name", descending=False, collation="RTRIM"),
    )


def test_foreign_keys_keep_their_order_their_columns_and_their_actions(
    database: sqlite3.Connection,
) -> None:
    table = only_table(
        described(
            database,
            "CREATE TABLE t (a REFERENCES one, b, c REFERENCES Two (x) ON DELETE CASCADE,"
            " FOREIGN KEY (c, a) REFERENCES three (y, z) ON UPDATE SET NULL,"
            " FOREIGN KEY (b, c) REFERENCES missing)",
        )
    )
    no = "NO ACTION"
    assert table.foreign_keys == (
        ForeignKey(("a",), "one", (), no, no, "NONE"),
        ForeignKey(("c",), "Two", ("x",), no, "CASCADE", "NONE"),
        ForeignKey(("c", "a"), "three", ("y", "z"), "SET NULL", no, "NONE"),
        ForeignKey(("b", "c"), "missing", (), no, no, "NONE"),
    )


def test_everything_is_told_in_the_order_of_creation(database: sqlite3.Connection) -> None:
    view, trigger = "CREATE VIEW v AS SELECT * FROM z", "CREATE TRIGGER tr BEFORE DELETE ON z BEGIN"
    trigger += " SELECT 1; END"
    schema = described(
        database,
        "CREATE TABLE z (id INTEGER PRIMARY KEY AUTOINCREMENT)",
        view,
        trigger,
        "CREATE TABLE a (b)",
        "CREATE VIEW early AS SELECT 1",
        "CREATE INDEX i ON z (id)",
        "INSERT INTO z VALUES (1)",
        "ANALYZE",
    )
    assert [table.name for table in schema.tables] == ["z", "a"]
    assert schema.views == (
        Definition("v", "v", view),
        Definition("early", "early", "CREATE VIEW early AS SELECT 1"),
    )
    assert schema.triggers == (Definition("tr", "z", trigger),)
    assert set(schema.internal_tables) >= {"sqlite_sequence", "sqlite_stat1"}


@pytest.mark.parametrize("name", ODD_NAMES, ids=ascii)
def test_names_of_any_kind_are_told_as_they_are(name: str, database: sqlite3.Connection) -> None:
    n = quoted(name)
    other = quoted(name + "2")
    schema = described(
        database,
        f"CREATE TABLE {n} ({n} INT NOT NULL, {other} REFERENCES {n} ({n}), PRIMARY KEY ({n}))",
        f"CREATE INDEX {quoted(name + ' index')} ON {n} ({n}, {other})",
        f"CREATE VIEW {quoted(name + ' view')} AS SELECT {n} FROM {n}",
    )
    table = only_table(schema)
    assert table.name == name
    assert [column.name for column in table.columns] == [name, name + "2"]
    assert table.key == (name,)
    assert table.foreign_keys[0].parent == name
    assert table.foreign_keys[0].parent_columns == (name,)
    (index,) = (index for index in table.indexes if index.origin == "c")
    assert index.name == name + " index"
    assert [column.name for column in index.columns] == [name, name + "2"]
    assert [view.name for view in schema.views] == [name + " view"]
    assert schema.table(name) is table
    assert table.column(name) is table.columns[0]


def test_names_are_found_as_sqlite_compares_them(database: sqlite3.Connection) -> None:
    """Letters of ASCII without regard to case, all others with it."""
    schema = described(database, "CREATE TABLE Fotos (Name, Ärger)")
    table = schema.table("fOTOS")
    assert table is not None
    assert table.column("nAME") is table.columns[0]
    assert table.column("Ärger") is table.columns[1]
    assert table.column("ärger") is None
    assert schema.table("other") is None


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1))
def test_folded_names_are_equal_exactly_where_sqlite_finds_them_equal(name: str) -> None:
    for other in {name.upper(), name.lower(), name.swapcase(), name.casefold()}:
        with closing(sqlite3.connect(":memory:")) as database:
            database.execute(f"CREATE TABLE {quoted('t' + name)} (a)")
            finds = False
            with suppress(sqlite3.OperationalError):
                database.execute(f"SELECT a FROM {quoted('t' + other)}")
                finds = True
        assert (fold(name) == fold(other)) is finds


def test_a_virtual_table_is_told_by_its_sql_and_its_shadow_tables_as_tables(
    database: sqlite3.Connection,
) -> None:
    sql = "CREATE VIRTUAL TABLE search USING fts5(title, body)"
    schema = described(database, sql, "CREATE TABLE t (a)")
    assert schema.virtual_tables == (Definition("search", "search", sql),)
    shadows = {f"search_{part}" for part in ("data", "idx", "content", "docsize", "config")}
    assert {table.name for table in schema.tables} == {"t", *shadows}


def test_a_virtual_table_whose_module_is_missing_is_described_all_the_same(tmp_path: Path) -> None:
    path, sql = tmp_path / "photos.db", "CREATE VIRTUAL TABLE v USING missing(a)"
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("CREATE TABLE t (a)")
        database.execute("PRAGMA writable_schema = 1")
        database.execute("INSERT INTO sqlite_schema VALUES ('table', 'v', 'v', 0, ?)", (sql,))
    with closing(sqlite3.connect(path)) as database:
        schema = read_schema(database)
    assert [definition.sql for definition in schema.virtual_tables] == [sql]
    assert only_table(schema).columns[0].name == "a"


def test_the_header_is_told_as_it_is(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "photos.db", isolation_level=None)) as database:
        schema = described(
            database,
            "PRAGMA page_size = 1024",
            "PRAGMA encoding = 'UTF-16be'",
            "PRAGMA auto_vacuum = 2",
            "PRAGMA journal_mode = WAL",
            "PRAGMA user_version = -7",
            "PRAGMA application_id = 2147483647",
        )
    told = schema.settings
    assert (told.page_size, told.encoding, told.auto_vacuum) == (1024, "UTF-16be", 2)
    assert (told.journal_mode, told.user_version, told.application_id) == ("wal", -7, 2147483647)


def test_an_attached_database_is_described_like_the_main_one(tmp_path: Path) -> None:
    statements = [
        "CREATE TABLE 'odd name' (a INT PRIMARY KEY, b UNIQUE REFERENCES 'odd name')",
        "CREATE INDEX i ON 'odd name' (b, a)",
        "CREATE VIEW v AS SELECT 1",
        "PRAGMA user_version = 3",
    ]
    path = tmp_path / "photos.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        main = described(database, *statements)
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
        # What the two have in common must not be mixed up.
        database.execute("CREATE TABLE 'odd name' (x, y, z)")
        database.execute("CREATE INDEX i ON 'odd name' (z)")
        database.execute("ATTACH ? AS [the source]", (str(path),))
        assert read_schema(database, "the source") == main


def test_the_same_sql_gives_an_equal_description(database: sqlite3.Connection) -> None:
    statement = "CREATE TABLE t (a INTEGER PRIMARY KEY, b UNIQUE, c REFERENCES t)"
    with closing(sqlite3.connect(":memory:")) as again:
        assert described(database, statement) == described(again, statement)


def statements_for(tables: int) -> int:
    """The number of statements that describing so many tables takes."""
    counted: list[str] = []
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
        for number in range(tables):
            database.execute(f"CREATE TABLE t{number} (a PRIMARY KEY, b REFERENCES t{number})")
            database.execute(f"CREATE INDEX i{number} ON t{number} (b)")
        database.set_trace_callback(counted.append)
        schema = read_schema(database)
    assert [table.name for table in schema.tables] == [f"t{number}" for number in range(tables)]
    assert all(len(table.indexes) == 2 for table in schema.tables)
    # Statements that SQLite runs by itself inside of one are traced as comments.
    return sum(1 for statement in counted if not statement.startswith("--"))


def test_five_hundred_tables_take_as_many_statements_as_one() -> None:
    assert statements_for(500) == statements_for(1)


def test_a_table_of_two_thousand_columns_is_told_whole(database: sqlite3.Connection) -> None:
    columns = ", ".join(f"c{number}" for number in range(2000))
    table = only_table(described(database, f"CREATE TABLE t ({columns})"))
    assert [column.name for column in table.columns] == columns.split(", ")


def test_a_name_whose_case_differs_from_its_sql_is_no_stumbling_block(tmp_path: Path) -> None:
    """One flipped bit in the schema turns a `t` into a `T`, and SQLite goes on."""
    path = tmp_path / "photos.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("CREATE TABLE t (a, b UNIQUE)")
        database.execute("CREATE INDEX i ON t (a)")
        database.execute("PRAGMA writable_schema = 1")
        database.execute("UPDATE sqlite_schema SET name = upper(name), tbl_name = upper(tbl_name)")
    with closing(sqlite3.connect(path)) as database:
        table = only_table(read_schema(database))
    assert [column.name for column in table.columns] == ["a", "b"]
    assert [index.origin for index in table.indexes] == ["u", "c"]


@pytest.mark.parametrize("column", ["type", "name", "tbl_name", "sql"])
def test_a_schema_whose_texts_are_none_is_damaged(
    column: str, database: sqlite3.Connection
) -> None:
    """SQLite itself reads blobs there as if they were texts."""
    database.execute("CREATE TABLE t (a)")
    database.execute("PRAGMA writable_schema = 1")
    database.execute(f"UPDATE sqlite_schema SET {column} = CAST({column} AS BLOB)")
    with pytest.raises(sqlite3.DatabaseError, match="malformed"):
        read_schema(database)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_flipped_bit_in_the_schema_is_an_error_of_sqlite_or_nothing(data: st.DataObject) -> None:
    """Whatever a damaged schema holds, introspection raises nothing of its own."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
        described(
            database,
            "CREATE TABLE t (a PRIMARY KEY, b REFERENCES t)",
            "CREATE INDEX i ON t (b)",
            "CREATE VIEW v AS SELECT * FROM t",
        )
        image = bytearray(database.serialize())
    at = data.draw(st.integers(100, min(4096, len(image)) - 1))
    image[at] ^= 1 << data.draw(st.integers(0, 7))
    with closing(sqlite3.connect(":memory:")) as damaged:
        damaged.deserialize(bytes(image))
        with suppress(sqlite3.Error, UnicodeDecodeError):
            read_schema(damaged)
