"""The committed sample is what its builder builds: an old database as they are in the field."""

import importlib.util
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import ModuleType

import pytest

from junmai_svc.storage.databases.schema import Schema, read_schema

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "data" / "junmai.db"
OLDEST = ROOT / "tests" / "golden" / "schema_001.sql"
TABLES = ["sessions", "presets", "photos", "statistics", "jobs", "learning_data"]


@pytest.fixture
def sample() -> Iterator[sqlite3.Connection]:
    with closing(open_readonly(SAMPLE)) as connection:
        yield connection


def open_readonly(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)


def builder() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_sample", ROOT / "data/build_sample.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rows_of(connection: sqlite3.Connection) -> dict[str, list[tuple[object, ...]]]:
    return {
        table: connection.execute(f"SELECT * FROM {table} ORDER BY rowid").fetchall()
        for table in TABLES
    }


def objects_of(schema: Schema) -> list[object]:
    return [(t.name, t.columns, t.indexes, t.foreign_keys) for t in schema.tables]


def test_building_it_again_gives_the_committed_rows(
    tmp_path: Path, sample: sqlite3.Connection
) -> None:
    again = tmp_path / "again.db"
    builder().build(again)
    with closing(open_readonly(again)) as connection:
        assert rows_of(connection) == rows_of(sample)
        assert list(connection.iterdump()) == list(sample.iterdump())


def test_building_it_twice_gives_the_same_bytes_and_leaves_nothing_else(tmp_path: Path) -> None:
    build = builder().build
    first, second = tmp_path / "first.db", tmp_path / "second.db"
    build(first)
    second.write_bytes(b"something older")
    build(second)
    assert first.read_bytes() == second.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first.db", "second.db"]


def test_its_schema_is_the_application_s_oldest(sample: sqlite3.Connection) -> None:
    with closing(sqlite3.connect(":memory:")) as oldest:
        oldest.executescript(OLDEST.read_text(encoding="utf-8"))
        assert objects_of(read_schema(sample)) == objects_of(read_schema(oldest))


def test_all_six_tables_are_filled(sample: sqlite3.Connection) -> None:
    counts = {table: len(rows) for table, rows in rows_of(sample).items()}
    assert min(counts.values()) > 0
    assert (counts["photos"], counts["jobs"], counts["presets"], counts["sessions"]) == (
        300,
        360,
        12,
        8,
    )


def test_every_column_that_may_be_null_is_null_here_and_filled_there(
    sample: sqlite3.Connection,
) -> None:
    nullable = [
        (table.name, column.name)
        for table in read_schema(sample).tables
        for column in table.columns
        if not column.not_null
    ]
    one_sided = [
        (table, column)
        for table, column in nullable
        for (sides,) in sample.execute(f"SELECT count(DISTINCT {column} IS NULL) FROM {table}")
        if sides == 1
    ]
    assert nullable
    assert one_sided == []


def test_every_allowed_status_occurs_in_photos_jobs_and_decisions(
    sample: sqlite3.Connection,
) -> None:
    def values(column: str, table: str) -> set[object]:
        return {value for (value,) in sample.execute(f"SELECT DISTINCT {column} FROM {table}")}

    assert len(values("status", "photos")) == 7
    assert len(values("status", "jobs")) == 4
    assert len(values("status", "sessions")) == 5
    assert values("action", "learning_data") == {"approved", "rejected", "modified"}


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("sessions", "name"),
        ("presets", "name"),
        ("photos", "file_path"),
        ("jobs", "error_message"),
        ("statistics", "preset_usage"),
        ("learning_data", "final_preset"),
    ],
)
def test_it_holds_japanese(sample: sqlite3.Connection, table: str, column: str) -> None:
    texts = sample.execute(f"SELECT {column} FROM {table} WHERE {column} IS NOT NULL").fetchall()
    assert any("\u3040" <= letter <= "\u9fff" for (text,) in texts for letter in text)


def test_it_is_sound_and_small(sample: sqlite3.Connection) -> None:
    assert sample.execute("PRAGMA foreign_key_check").fetchall() == []
    assert SAMPLE.stat().st_size < 400_000


def test_it_violates_no_check_constraint(tmp_path: Path) -> None:
    """On a copy opened for writing: SQLite knows CHECK constraints only there."""
    copy = tmp_path / "copy.db"
    copy.write_bytes(SAMPLE.read_bytes())
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
