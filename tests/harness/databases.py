"""Real databases: Junmai's oldest schema, its current one, the mix of the field; and a reader.

What is read here is read by Python alone, cell by cell, so that it can judge the program.
"""

import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

GOLDEN = Path(__file__).parents[1] / "golden"

OLD_TABLES = ("sessions", "photos", "jobs", "presets", "statistics", "learning_data")
NEW_TABLES = (
    "desktop_notifications",
    "push_subscriptions",
    "photo_groups",
    "ab_tests",
    "ab_test_assignments",
)
NEW_PHOTO_COLUMNS = ("phash", "photo_group_id", "is_best_in_group")
DAY = "2025-11-08"

Row = Mapping[str, object]


class Text(bytes):
    """A text's bytes as they are stored, apart from a blob's."""

    __slots__ = ()


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a database in autocommit mode; closed at the end."""
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        yield database


def change(path: Path, script: str) -> Path:
    """Run an SQL script on a database, made if need be; foreign keys are not enforced."""
    with opened(path) as database:
        database.executescript(script)
    return path


def make_oldest(path: Path, photos: int = 24, settings: str = "") -> Path:
    """Make a database of the oldest schema with rows in its six tables.

    `settings` is SQL that runs first, such as a page size.
    """
    return _make(path, settings, (GOLDEN / "schema_001.sql").read_text(encoding="utf-8"), photos)


def make_current(path: Path, photos: int = 24) -> Path:
    """Make a database of the current schema with rows in all eleven tables."""
    _make(path, "", (GOLDEN / "schema_current.sql").read_text(encoding="utf-8"), photos)
    with opened(path) as database:
        _fill(database, _newer_rows())
        database.execute(
            "UPDATE photos SET phash = printf('%016x', id * 7919), photo_group_id = 1 + id % 2,"
            " is_best_in_group = id % 2 WHERE id > 2"
        )
    return path


def make_mixed(path: Path, photos: int = 24) -> Path:
    """Make the mix of the field: the newer tables beside `photos` of the oldest schema."""
    newer = (GOLDEN / "schema_current.sql").read_text(encoding="utf-8")
    pattern = rf"CREATE (TABLE|INDEX \w+ ON) ({'|'.join(NEW_TABLES)}) .*?;"
    created = [found[0] for found in re.finditer(pattern, newer, re.DOTALL)]
    make_oldest(path, photos)
    with opened(path) as database:
        database.executescript("".join(created))
        database.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        database.execute("INSERT INTO alembic_version VALUES ('002_photo_groups')")
        _fill(database, _newer_rows())
    return path


def _make(path: Path, settings: str, schema: str, photos: int) -> Path:
    with opened(path) as database:
        database.executescript(settings)
        database.execute("PRAGMA synchronous = OFF")
        database.executescript(schema)
        database.execute("BEGIN")
        _fill(database, _rows(photos))
        database.execute("COMMIT")
    return path


def _fill(database: sqlite3.Connection, rows: Iterable[tuple[str, Row]]) -> None:
    for table, row in rows:
        names = ", ".join(row)
        marks = ", ".join(f":{name}" for name in row)
        database.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", row)


def _rows(photos: int) -> Iterator[tuple[str, Row]]:
    """Rows of the oldest six tables; each column that may be NULL is NULL in some."""
    for number, name in enumerate(("京都の秋", "Hochzeit Müller", "O'Brien; DROP"), 1):
        row = {"id": number, "name": name, "created_at": f"{DAY} 10:0{number}:00.250000"}
        yield "sessions", row | {"status": "completed", "total_photos": number if number > 1 else 0}
    for number in range(1, 5):
        times = {"created_at": DAY, "updated_at": DAY}
        row = {"id": number, "name": f"WhiteLayer_v{number}", "version": "1.0", **times}
        yield "presets", row | {"config_template": "{}", "blend_amount": number * 25 or None}
    for number in range(1, photos + 1):
        yield "photos", _photo(number)
    for number in range(1, photos + 1):
        row = {"id": f"job-{number * 7919 % 1000:03}-{number}", "photo_id": number, "priority": 2}
        yield "jobs", row | {"config_json": '{"iso": 0}', "status": "pending", "created_at": DAY}
    for number in range(1, 4):
        row = {"id": number, "date": DAY, "session_id": number, "success_rate": number / 3}
        yield "statistics", row
    for number in range(1, photos + 1):
        row = {"id": number, "photo_id": number, "action": "approved", "timestamp": DAY}
        yield "learning_data", row | {"final_preset": None if number % 2 else "WhiteLayer_v1"}


def _photo(number: int) -> Row:
    odd = number % 2
    return {
        "id": number,
        "session_id": 1 + number % 3 if number > 1 else None,
        "file_path": f"D:/写真/IMG_{number:05}.CR3",
        "file_name": f"IMG_{number:05}.CR3",
        "file_size": 0 if number == 3 else number * 1_000_003,
        "import_time": f"{DAY} 09:00:00+09:00",
        "focal_length": number * 0.1,
        "iso": None if odd else 100 * number,
        "ai_score": 1 + number % 4,
        "detected_faces": None if odd else 0,
        "status": "imported",
        "approved": None if odd else 0,
    }


def _newer_rows() -> Iterator[tuple[str, Row]]:
    for number in (1, 2):
        row = {"id": number, "session_id": number, "created_at": DAY, "similarity_threshold": 5}
        yield "photo_groups", row | {"best_photo_id": number, "avg_similarity": 0.5 * number}
    row = {"id": 1, "title": "できた", "message": "…", "notification_type": "error", "priority": 1}
    yield "desktop_notifications", row | {"sent_at": DAY, "read": 0}
    keys = {"p256dh_key": "p", "auth_key": "a"}
    yield "push_subscriptions", {"id": 1, "endpoint": "https://push", "created_at": DAY, **keys}
    row = {"id": 1, "name": "A/B", "preset_a_id": 1, "preset_b_id": 2, "status": "active"}
    yield "ab_tests", row | {"created_at": DAY}
    row = {"id": 1, "test_id": 1, "photo_id": 1, "variant": "A", "preset_id": 1}
    yield "ab_test_assignments", row | {"assigned_at": DAY, "processing_time": -0.0}


def rows(path: Path, table: str, columns: str = "*") -> list[str]:
    """Return a table's rows as texts that tell classes, -0.0 and invalid UTF-8 apart, sorted."""
    with opened(path) as database:
        database.text_factory = Text
        quoted = table.replace('"', '""')
        found = database.execute(f'SELECT {columns} FROM "{quoted}"')
        return sorted(repr([(type(cell).__name__, cell) for cell in row]) for row in found)


def all_rows(path: Path) -> dict[str, list[str]]:
    """Return the rows of every ordinary table of ours, by table."""
    with opened(path) as database:
        names = database.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%'"
        ).fetchall()
    return {name: rows(path, name) for (name,) in names}


def columns(path: Path, table: str) -> list[str]:
    """Return the names of a table's columns in order."""
    with opened(path) as database:
        return [name for _, name, *_ in database.execute(f'PRAGMA table_info("{table}")')]


def objects(path: Path) -> dict[str, str | None]:
    """Return all that the schema holds: `<type> <name>` and its SQL."""
    with opened(path) as database:
        found = database.execute("SELECT type || ' ' || name, sql FROM sqlite_schema")
        return dict(found.fetchall())


def value(path: Path, query: str) -> Any:
    """Return the first value that a query gives."""
    with opened(path) as database:
        return database.execute(query).fetchone()[0]


def as_wal(path: Path) -> Path:
    """Put a database into WAL mode and leave it without sidecars."""
    return change(path, "PRAGMA journal_mode = WAL")


def leave_in_wal(path: Path, script: str) -> Path:
    """Leave committed rows in a `-wal` beside a database, as a killed application does.

    The main file lacks them; no `-shm` is left.
    """
    origin = path.with_name(f"{path.name}.origin")
    path.rename(origin)
    with opened(origin) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA wal_autocheckpoint = 0")
        database.executescript(script)
        for suffix in ("", "-wal"):
            copied = origin.with_name(origin.name + suffix).read_bytes()
            path.with_name(path.name + suffix).write_bytes(copied)
    origin.unlink()
    return path


def unrecorded(found: Mapping[str, bytes | None]) -> dict[str, bytes | None]:
    """Return what `contents` found without the journal, its key, locks and published entries."""
    return {
        name: content
        for name, content in found.items()
        if "journal" not in Path(name).parts and not name.startswith("journal.db")
    }


def contents(folder: Path, *, without: tuple[str, ...] = ()) -> dict[str, bytes | None]:
    """Return every file below a folder and its bytes, folders as None.

    Names that end as `without` says are left out.
    """
    return {
        str(path.relative_to(folder)): None if path.is_dir() else path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if not path.name.endswith(without or ("\0",))
    }
