"""Claims about lost writes: each page of an image, when lost, is noticed by us or by SQLite."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from junmai_svc.storage.databases.connection import reading
from junmai_svc.storage.databases.lost_writes import has_empty_page, require_written
from junmai_svc.storage.databases.online_backup import take_image
from junmai_svc.storage.databases.schema import read_schema
from junmai_svc.storage.errors import IntegrityError, JunmaiError

ROWS = """
    CREATE TABLE notes (id INTEGER PRIMARY KEY, title TEXT, body TEXT);
    CREATE INDEX titles ON notes (title);
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40)
        INSERT INTO notes SELECT i, 'title ' || i,
            substr(replace(hex(zeroblob(7000)), '00', 'long ' || i), 1, 10 + i % 3 * 5000) FROM n;
"""
ZEROS = "INSERT INTO notes (title, body) VALUES ('zeros', zeroblob(30000))"
FREED = """
    PRAGMA secure_delete = 1;
    DELETE FROM notes WHERE id > 20;
"""


@pytest.fixture(params=[512, 4096, 65536])
def page_size(request: pytest.FixtureRequest) -> int:
    size: int = request.param
    return size


def make(path: Path, page_size: int, *scripts: str) -> Path:
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute(f"PRAGMA page_size = {page_size}")
        for script in scripts:
            database.executescript(script)
    return path


def is_noticed(source: Path, image: Path) -> bool:
    """Whether the program, or else SQLite's integrity_check, sees that the image is not right."""
    with reading(source) as live:
        try:
            require_written(live, read_schema(live), image)
        except JunmaiError:
            return True
    return is_noticed_by_sqlite(image)


def is_noticed_by_sqlite(image: Path) -> bool:
    with closing(sqlite3.connect(image)) as database:
        try:
            return database.execute("PRAGMA integrity_check").fetchall() != [("ok",)]
        except sqlite3.DatabaseError:
            return True


def image_of(source: Path) -> Path:
    image = source.with_name("image.db")
    with reading(source) as live:
        take_image(live, image)
        require_written(live, read_schema(live), image)
    return image


def test_each_lost_page_is_noticed(tmp_path: Path, page_size: int) -> None:
    source = make(tmp_path / "source.db", page_size, ROWS)
    image = image_of(source)
    right = image.read_bytes()
    assert not is_noticed(source, image)
    assert not has_empty_page(image, page_size)
    for at in range(0, len(right), page_size):
        image.write_bytes(right[:at] + bytes(page_size) + right[at + page_size :])
        assert is_noticed(source, image), f"page {at // page_size + 1}"


def test_the_end_of_a_long_text_is_not_missed_where_sqlite_misses_it(tmp_path: Path) -> None:
    source = make(tmp_path / "source.db", 4096, ROWS)
    image = image_of(source)
    right = image.read_bytes()
    missed_by_sqlite = 0
    for at in range(4096, len(right), 4096):
        image.write_bytes(right[:at] + bytes(4096) + right[at + 4096 :])
        if not is_noticed_by_sqlite(image):
            missed_by_sqlite += 1
            with reading(source) as live, pytest.raises(IntegrityError, match="lost them"):
                require_written(live, read_schema(live), image)
    assert missed_by_sqlite > 0


@pytest.mark.parametrize("script", [ZEROS, FREED])
def test_zeros_that_belong_there_are_no_reason_to_refuse(
    script: str, tmp_path: Path, page_size: int
) -> None:
    source = make(tmp_path / "source.db", page_size, ROWS, script)
    image = image_of(source)
    assert not is_noticed(source, image)
    assert image.read_bytes()[page_size:] == source.read_bytes()[page_size:]


def test_zeros_within_a_page_make_no_empty_page(tmp_path: Path) -> None:
    image = tmp_path / "image.db"
    image.write_bytes(b"\x01" + bytes(8190) + b"\x01")
    assert not has_empty_page(image, 4096)
    image.write_bytes(b"\x01" * 4096 + bytes(4096))
    assert has_empty_page(image, 4096)
