"""Claims about images: one moment of the source, whole, and always the same bytes."""

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from junmai_svc.storage.databases import online_backup
from junmai_svc.storage.databases.connection import reading, reading_image, sidecar, size_of
from junmai_svc.storage.databases.online_backup import remove_database, take_image
from junmai_svc.storage.errors import (
    AccessDeniedError,
    IntegrityError,
    LockedError,
)

# Runs a script in another process and gives that process; see conftest.
Start = Callable[[str, Path], Any]

# Moves money from one account to another every 2 ms, for ever: the sum is always 1000.
WRITER = """
import time
done = 0
while True:
    time.sleep(0.002)
    database.execute("BEGIN IMMEDIATE")
    database.execute("UPDATE accounts SET money = money - 1 WHERE id = 1")
    database.execute("UPDATE accounts SET money = money + 1, note = randomblob(8000) WHERE id = 2")
    database.execute("COMMIT")
    done += 1
    if done == 3:
        tell("ready")
"""


@pytest.fixture(params=["delete", "wal"])
def journal_mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "live" / "photos.db"


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return tmp_path / "image.db"


def make(path: Path, *pragmas: str, commits: int = 1, ballast: int = 100_000) -> None:
    """A database with two accounts, and `ballast` bytes in each of some transactions more."""
    path.parent.mkdir(exist_ok=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        for pragma in ("synchronous = off", *pragmas):
            database.execute(f"PRAGMA {pragma}")
        database.execute("CREATE TABLE accounts (id INTEGER PRIMARY KEY, money INT, note)")
        database.execute("INSERT INTO accounts VALUES (1, 500, NULL), (2, 500, NULL)")
        database.execute("CREATE TABLE ballast (a)")
        for _ in range(commits):
            database.execute("INSERT INTO ballast VALUES (zeroblob(?))", (ballast,))


def image_of(path: Path, image: Path) -> bytes:
    with reading(path) as live:
        take_image(live, image)
    return image.read_bytes()


def money_in(image: Path) -> list[int]:
    with reading_image(image) as opened:
        assert opened.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return [money for (money,) in opened.execute("SELECT money FROM accounts ORDER BY id")]


PRAGMAS = [
    ["journal_mode = wal"],
    ["journal_mode = delete"],
    ["page_size = 512"],
    ["page_size = 65536"],
    ["encoding = 'UTF-16le'"],
    ["auto_vacuum = 1"],
    ["user_version = 77", "application_id = 88"],
]


@pytest.mark.parametrize("pragmas", PRAGMAS, ids=" ".join)
def test_an_image_is_its_source_but_for_counters_of_the_first_page(
    pragmas: list[str], path: Path, image: Path
) -> None:
    make(path, *pragmas)
    source, copy = path.read_bytes(), image_of(path, image)
    differing = {
        at for at, (one, other) in enumerate(zip(source, copy, strict=True)) if one != other
    }
    assert differing <= {27, 43, 95}


def test_counters_that_have_counted_far_differ_within_their_four_bytes(
    path: Path, image: Path
) -> None:
    make(path, commits=300, ballast=10)
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA schema_version = 305419896")
    # As written by an older SQLite: its version is in the last four of these bytes.
    source = bytearray(path.read_bytes())
    source[96:100] = (3_008_000).to_bytes(4, "big")
    path.write_bytes(source)
    copy = image_of(path, image)
    differing = {
        at for at, (one, other) in enumerate(zip(source, copy, strict=True)) if one != other
    }
    assert differing <= {*range(24, 28), *range(40, 44), *range(92, 100)}
    assert {26, 40} <= differing


@pytest.mark.parametrize("pragmas", PRAGMAS, ids=" ".join)
def test_two_images_of_an_unchanged_database_are_the_same_bytes(
    pragmas: list[str], path: Path, tmp_path: Path
) -> None:
    make(path, *pragmas)
    assert image_of(path, tmp_path / "one.db") == image_of(path, tmp_path / "other.db")


def test_an_image_of_an_image_is_the_same_bytes(path: Path, tmp_path: Path) -> None:
    make(path)
    first = image_of(path, tmp_path / "one.db")
    assert image_of(tmp_path / "one.db", tmp_path / "other.db") == first


def test_rows_that_are_only_in_the_wal_are_in_the_image(path: Path, image: Path) -> None:
    make(path, "journal_mode = wal")
    with closing(sqlite3.connect(path, isolation_level=None)) as application:
        application.execute("UPDATE accounts SET money = 7")
        image_of(path, image)
        assert application.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone() == (0, 0, 0)
    assert money_in(image) == [7, 7]


def test_an_image_is_one_moment_while_somebody_writes(
    path: Path, image: Path, journal_mode: str, other: Start
) -> None:
    make(path, f"journal_mode = {journal_mode}", commits=20)
    other(WRITER, path)
    seen: list[int] = []
    while not seen or seen[-1] < seen[0] + 20:
        image_of(path, image)
        one, two = money_in(image)
        assert one + two == 1000
        seen.append(two)
        image.unlink()
    assert seen == sorted(seen)


def test_taking_an_image_does_not_touch_the_source(
    path: Path, image: Path, journal_mode: str
) -> None:
    make(path, f"journal_mode = {journal_mode}")
    before = path.read_bytes()
    image_of(path, image)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_an_image_has_no_sidecars(path: Path, image: Path, journal_mode: str) -> None:
    make(path, f"journal_mode = {journal_mode}")
    image_of(path, image)
    assert sorted(image.parent.iterdir()) == [image, path.parent]


def test_an_empty_file_that_claims_a_name_is_filled(path: Path, image: Path) -> None:
    make(path)
    image.touch()
    image_of(path, image)
    assert money_in(image) == [500, 500]


def test_the_bytes_reported_on_the_way_are_those_that_have_arrived(
    path: Path, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(online_backup, "LOOK_SECONDS", 0.0001)
    make(path, ballast=30_000_000)
    reported: list[int] = []
    threads = threading.active_count()
    with reading(path) as live:
        expected = size_of(live)
        take_image(live, image, reported.append)
    assert 0 < sum(reported) <= expected == image.stat().st_size
    assert all(amount >= 0 for amount in reported)
    assert threading.active_count() == threads


def test_a_source_that_somebody_has_for_himself_is_refused_and_leaves_no_image(
    path: Path, image: Path, other: Start
) -> None:
    make(path)
    other("database.execute('BEGIN EXCLUSIVE'); tell('ready'); wait()", path)
    with pytest.raises(LockedError), reading(path, busy_seconds=0.1) as live:
        take_image(live, image)
    assert not image.exists()


def test_a_connection_that_lost_its_read_lock_does_not_wait_for_ever(
    path: Path, image: Path, other: Start
) -> None:
    """backup() alone would retry for as long as the other one works."""
    make(path)
    with closing(sqlite3.connect(path, isolation_level=None, timeout=0.1)) as live:
        other("database.execute('BEGIN EXCLUSIVE'); tell('ready'); wait()", path)
        with pytest.raises(LockedError, match="the database is locked"):
            take_image(live, image)
    assert not image.exists()


def test_a_truncated_source_is_refused_and_leaves_no_image(path: Path, image: Path) -> None:
    make(path)
    with path.open("r+b") as file:
        file.truncate(4096 * 3)
    with pytest.raises(IntegrityError, match="malformed"):
        image_of(path, image)
    assert not image.exists()


def test_an_image_that_can_not_be_written_is_an_error_of_its_own_path(
    path: Path, tmp_path: Path
) -> None:
    make(path)
    elsewhere = tmp_path / "missing" / "image.db"
    with pytest.raises(AccessDeniedError, match="missing"), reading(path) as live:
        take_image(live, elsewhere)


def test_removing_a_staged_database_takes_its_sidecars_and_nothing_else(
    image: Path, path: Path
) -> None:
    make(path)
    for name in (image, *(sidecar(image, suffix) for suffix in ("-wal", "-shm", "-journal"))):
        name.touch()
    remove_database(image)
    remove_database(image)
    assert list(image.parent.iterdir()) == [path.parent]
