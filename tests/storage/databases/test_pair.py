"""Claims about a pair: the target can be written, the source can only be read."""

import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import peewee
import pytest

from junmai_svc.storage.databases.connection import cursors_let_go, reading
from junmai_svc.storage.databases.failures import translated
from junmai_svc.storage.databases.pair import SOURCE, TARGET, open_pair
from junmai_svc.storage.errors import (
    AccessDeniedError,
    IntegrityError,
    JunmaiError,
    MigrationFailedError,
)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "the source?" / "写真 #1.db"
    path.parent.mkdir()
    make(path)
    return path


@pytest.fixture
def target(tmp_path: Path) -> Path:
    path = tmp_path / "the target" / "写真 #2.db"
    path.parent.mkdir()
    return path


def make(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        for statement in statements:
            database.execute(statement)
        database.execute("CREATE TABLE photos (name)")
        database.execute("INSERT INTO photos VALUES ('a')")


def test_both_are_seen_through_one_connection_and_through_peewee(
    source: Path, target: Path
) -> None:
    with open_pair(target, source, target_mode="rwc", encoding="UTF-8", page_size=4096) as pair:
        assert (pair.target, pair.source) == (target, source)
        pair.connection.execute(f"CREATE TABLE {TARGET}.photos AS SELECT * FROM {SOURCE}.photos")
        rows = pair.database.execute_sql(f"SELECT name FROM {TARGET}.photos")  # type: ignore[no-untyped-call]
        assert rows.fetchall() == [("a",)]


@pytest.mark.parametrize("is_image", [True, False])
def test_the_source_is_never_written(is_image: bool, source: Path, target: Path) -> None:
    make(target)
    before = source.read_bytes()
    with open_pair(target, source, target_mode="rw", source_is_image=is_image) as pair:
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            pair.connection.execute(f"DELETE FROM {SOURCE}.photos")
        pair.connection.execute("DELETE FROM photos")
    assert source.read_bytes() == before
    assert list(source.parent.iterdir()) == [source]


@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-16le", "UTF-16be"])
@pytest.mark.parametrize("page_size", [512, 65536])
def test_a_new_target_has_the_encoding_and_page_size_of_its_source(
    encoding: str, page_size: int, tmp_path: Path, target: Path
) -> None:
    source = tmp_path / "source.db"
    make(source, f"PRAGMA encoding = '{encoding}'", f"PRAGMA page_size = {page_size}")
    with open_pair(
        target, source, target_mode="rwc", encoding=encoding, page_size=page_size
    ) as pair:
        pair.connection.execute("CREATE TABLE photos (name)")
    with reading(target) as made:
        assert made.execute("PRAGMA encoding").fetchone() == (encoding,)
        assert made.execute("PRAGMA page_size").fetchone() == (page_size,)


def test_foreign_keys_are_not_enforced_and_no_schema_is_trusted(source: Path, target: Path) -> None:
    make(target)
    with open_pair(target, source, target_mode="rw") as pair:
        assert pair.connection.execute("PRAGMA foreign_keys").fetchone() == (0,)
        assert pair.connection.execute("PRAGMA trusted_schema").fetchone() == (0,)


def nothing(path: Path) -> None:
    path.unlink()


def no_database(path: Path) -> None:
    path.write_bytes(b"dear diary, " * 100)


@pytest.mark.parametrize(
    ("damage", "kind"), [(nothing, AccessDeniedError), (no_database, IntegrityError)]
)
@pytest.mark.parametrize("side", ["source", "target"])
def test_the_side_that_can_not_be_opened_is_named(
    damage: Callable[[Path], None],
    kind: type[JunmaiError],
    side: str,
    source: Path,
    target: Path,
) -> None:
    make(target)
    broken = source if side == "source" else target
    damage(broken)
    with pytest.raises(kind) as caught, open_pair(target, source, target_mode="rw"):
        pytest.fail("one of them can't be opened")
    assert str(broken) in caught.value.message


def test_databases_of_different_encodings_are_no_pair(source: Path, target: Path) -> None:
    make(target, "PRAGMA encoding = 'UTF-16le'")
    refused = pytest.raises(JunmaiError, match="same text encoding")
    with refused, open_pair(target, source, target_mode="rw"):
        pytest.fail("SQLite attaches no other encoding")


def test_both_are_closed_after_an_error_too(source: Path, target: Path) -> None:
    make(target, "PRAGMA journal_mode = WAL")
    missing = pytest.raises(sqlite3.OperationalError, match="no such table")
    with missing, open_pair(target, source, target_mode="rw") as pair:
        pair.connection.execute("SELECT * FROM missing")
    # The last one to close a WAL database removes its sidecars.
    assert list(target.parent.iterdir()) == [target]


def test_after_a_row_that_is_refused_no_file_stays_open(source: Path, target: Path) -> None:
    """What the error holds must not keep it open: Windows would not let it be deleted."""
    with closing(sqlite3.connect(source, isolation_level=None)) as database:
        database.execute("INSERT INTO photos SELECT name FROM photos")
    rows = peewee.Select([peewee.SQL("source.photos")], [peewee.SQL("name")])
    insert = peewee.Table("photos", ["name"]).insert(rows, columns=[peewee.SQL("name")])
    still_open = True
    with pytest.raises(MigrationFailedError):  # noqa: PT012  # looked at while it is on its way
        try:
            with (
                open_pair(target, source, target_mode="rwc") as pair,
                translated("write", target),
                pair.database.atomic("IMMEDIATE"),
            ):
                pair.connection.execute("CREATE TABLE photos (name UNIQUE)")
                assert target in open_files()
                insert.execute(pair.database)
        finally:
            still_open = target in open_files()
    assert not still_open
    target.unlink()


def test_an_error_that_came_of_itself_is_let_go_of_too() -> None:
    first, second = ValueError("one"), ValueError("other")
    first.__cause__, second.__context__ = second, first
    with pytest.raises(ValueError, match="one"), cursors_let_go():
        raise first


def open_files() -> set[Path]:
    """The files that this process has open; only Linux tells."""
    if sys.platform != "linux":
        pytest.skip("only Linux tells which files are open")
    found = set()
    for each in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            found.add(each.readlink())
    return found
