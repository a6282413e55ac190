"""The models make the application's current schema, object by object.

The other side is the application's own schema, word for word (tests/golden/schema_current.sql).
"""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import peewee
import pytest

from junmai_svc.storage.databases.schema import Schema, Table, read_schema
from junmai_svc.storage.models.junmai import MODELS, definitions, target_schema

GOLDEN = Path(__file__).parents[2] / "golden" / "schema_current.sql"
NAMES = [
    "sessions",
    "presets",
    "desktop_notifications",
    "push_subscriptions",
    "statistics",
    "photo_groups",
    "ab_tests",
    "photos",
    "jobs",
    "learning_data",
    "ab_test_assignments",
]


def in_memory() -> sqlite3.Connection:
    return sqlite3.connect(":memory:")


def golden_schema() -> Schema:
    with closing(in_memory()) as connection:
        connection.executescript(GOLDEN.read_text(encoding="utf-8"))
        return read_schema(connection)


def table_of(schema: Schema, name: str) -> Table:
    table = schema.table(name)
    assert table is not None
    return table


def checks_of(table: Table) -> list[str]:
    """The CHECK constraints of a table, without what differs in spelling only."""
    text = re.sub(r"\s+", " ", table.sql)
    return [
        text[start : end_of_parenthesis(text, start)]
        for start in (match.end() for match in re.finditer(r"CHECK (?=\()", text))
    ]


def end_of_parenthesis(text: str, start: int) -> int:
    depth = 0
    for position in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[position], 0)
        if depth == 0:
            return position + 1
    raise AssertionError(f"unbalanced: {text[start:]}")


def spelling(sql: str | None) -> str | None:
    return None if sql is None else sql.replace('"', "")


def test_the_tables_are_the_eleven_of_the_application_and_nothing_else() -> None:
    schema = target_schema()
    assert [table.name for table in schema.tables] == NAMES
    assert [table.name for table in golden_schema().tables] == NAMES
    others = (schema.views, schema.triggers, schema.virtual_tables, schema.internal_tables)
    assert not any(others)


@pytest.mark.parametrize("name", NAMES)
def test_columns_have_the_same_order_names_types_nullability_and_keys(name: str) -> None:
    ours, theirs = table_of(target_schema(), name), table_of(golden_schema(), name)
    assert ours.columns == theirs.columns
    assert (ours.rowid_alias, ours.without_rowid, ours.strict) == (
        theirs.rowid_alias,
        theirs.without_rowid,
        theirs.strict,
    )


@pytest.mark.parametrize("name", NAMES)
def test_foreign_keys_are_the_same(name: str) -> None:
    ours, theirs = table_of(target_schema(), name), table_of(golden_schema(), name)
    assert ours.foreign_keys == theirs.foreign_keys


@pytest.mark.parametrize("name", NAMES)
def test_indexes_are_the_same_and_unique_is_a_constraint(name: str) -> None:
    ours, theirs = table_of(target_schema(), name), table_of(golden_schema(), name)
    assert [(i.name, i.unique, i.origin, i.partial, i.columns) for i in ours.indexes] == [
        (i.name, i.unique, i.origin, i.partial, i.columns) for i in theirs.indexes
    ]
    assert [spelling(i.sql) for i in ours.indexes] == [spelling(i.sql) for i in theirs.indexes]


@pytest.mark.parametrize("name", NAMES)
def test_check_constraints_say_the_same(name: str) -> None:
    ours, theirs = table_of(target_schema(), name), table_of(golden_schema(), name)
    assert sorted(checks_of(ours)) == sorted(checks_of(theirs))


def test_the_comparison_of_checks_sees_all_of_them() -> None:
    assert sum(len(checks_of(table)) for table in golden_schema().tables) == 10


VALUES: list[tuple[str, str, list[object]]] = [
    ("photos", "ai_score", [None, 0.99, 1, 3.5, 5, 5.01, "x"]),
    ("photos", "status", ["imported", "Imported", "rejected", "", None]),
    ("jobs", "priority", [0, 1, 3, 4, "2", None]),
    ("jobs", "status", ["pending", "completed", "queued"]),
    ("sessions", "status", ["importing", "completed", "done"]),
    ("learning_data", "action", ["approved", "modified", "kept"]),
    ("ab_tests", "status", ["active", "stopped"]),
    ("ab_test_assignments", "variant", ["A", "B", "a", "C"]),
    ("desktop_notifications", "notification_type", ["error", "system_status", "info"]),
    ("desktop_notifications", "priority", [1, 4]),
]


@pytest.mark.parametrize(("table", "column", "values"), VALUES)
def test_check_constraints_accept_and_refuse_the_same(
    table: str, column: str, values: list[object]
) -> None:
    verdicts = [list(accepted(sql, table, column, values)) for sql in (our_sql(), golden_sql())]
    assert verdicts[0] == verdicts[1]
    assert set(verdicts[0]) == {True, False}


def our_sql() -> str:
    return ";".join(
        statement
        for definition in definitions().values()
        for statement in (definition.create_table, *definition.create_indexes)
    )


def golden_sql() -> str:
    return GOLDEN.read_text(encoding="utf-8")


def accepted(sql: str, table: str, column: str, values: list[object]) -> Iterator[bool]:
    """Whether a row goes in whose required columns are valid except perhaps the one named."""
    valid = {
        "status": {"photos": "imported", "jobs": "pending", "sessions": "importing"}.get(
            table, "active"
        ),
        "action": "approved",
        "variant": "A",
        "priority": 1,
        "notification_type": "error",
    }
    with closing(in_memory()) as connection:
        connection.executescript(sql)
        required = [c.name for c in table_of(read_schema(connection), table).columns if c.not_null]
        for number, value in enumerate(values):
            row = {name: valid.get(name, number) for name in required} | {column: value}
            marks = ", ".join("?" * len(row))
            try:
                connection.execute(
                    f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", tuple(row.values())
                )
            except sqlite3.IntegrityError:
                yield False
            else:
                yield True


def test_definitions_create_by_themselves_what_the_models_create() -> None:
    with closing(in_memory()) as connection:
        connection.executescript(our_sql())
        assert read_schema(connection).tables == target_schema().tables


def test_definitions_say_create_and_no_more() -> None:
    for name, definition in definitions().items():
        assert definition.create_table.startswith(f'CREATE TABLE "{name}" (')
        for statement in definition.create_indexes:
            assert statement.startswith('CREATE INDEX "idx_')
            assert f' ON "{name}" (' in statement


def test_only_one_new_column_has_a_default_and_it_is_zero() -> None:
    assert {n: dict(d.defaults) for n, d in definitions().items() if d.defaults} == {
        "photos": {"is_best_in_group": "0"}
    }


def test_each_table_leads_to_its_model() -> None:
    assert [definition.model for definition in definitions().values()] == list(MODELS)
    photos = definitions()["photos"].model
    assert "photo_group_id" in photos._meta.columns


def test_parents_come_before_children() -> None:
    seen: set[str] = set()
    for table in target_schema().tables:
        assert {key.parent for key in table.foreign_keys} <= seen
        seen.add(table.name)


def test_rows_go_in_by_insert_from_unchanged(tmp_path: Path) -> None:
    """Class, text and NULLs survive: no value passes through a field."""
    path = tmp_path / "copy.db"
    database = peewee.SqliteDatabase(str(path))
    sessions = definitions()["sessions"].model
    columns = ["id", "name", "created_at", "total_photos", "status"]
    values = peewee.SQL("7, CAST(X'00FF' AS TEXT), 1.5, 'many', 'importing'")
    with database.connection_context():
        peewee.SchemaManager(sessions, database).create_table()
        sessions.insert_from(peewee.Select(columns=[values]), columns).execute(database)
    with closing(sqlite3.connect(path)) as connection:
        row = connection.execute(
            "SELECT id, hex(name), created_at, total_photos, import_folder FROM sessions"
        ).fetchone()
    assert row == (7, "00FF", 1.5, "many", None)
