"""Claims about opening databases: what is read, what is left behind, what is refused."""

import os
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from junmai_svc.storage.databases.connection import (
    SIDECARS,
    Mode,
    reading,
    reading_image,
    require_database,
    sidecar,
    size_of,
    uri,
    writing,
)
from junmai_svc.storage.errors import (
    AccessDeniedError,
    IntegrityError,
    LockedError,
    NotFoundError,
)

# Runs a script in another process and gives that process; see conftest.
Start = Callable[[str, Path], Any]

COUNT = "SELECT count(*) FROM photos"


@pytest.fixture(params=["delete", "wal"])
def journal_mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "photos.db"


def make(path: Path, journal_mode: str = "delete") -> None:
    """A database with three photos, closed by everybody."""
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute(f"PRAGMA journal_mode = {journal_mode}")
        database.execute("CREATE TABLE photos (id INTEGER PRIMARY KEY, name)")
        database.execute("INSERT INTO photos (name) VALUES ('a'), ('b'), ('c')")


def count(connection: sqlite3.Connection) -> int:
    (rows,) = connection.execute(COUNT).fetchone()
    return int(rows)


def files_in(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


NAMES = [
    "plain.db",
    "with space.db",
    "a#b.db",
    "a%20b%.db",
    "a&b=c;d.db",
    "写真 été 🍶.db",
    "e\u0301 decomposed.db",
    "it's [a] (b) + ~$!@^`{}.db",
    "no_suffix",
    ".hidden",
]
if sys.platform != "win32":
    NAMES += ["what?.db", "a?mode=memory", 'quo"te.db', "back\\slash.db", "line\nbreak.db", "c:d"]
if sys.platform == "linux":
    NAMES += [os.fsdecode(b"latin1 \xe9.db")]


@pytest.mark.parametrize("name", NAMES)
def test_a_database_of_any_name_is_that_file_and_no_other(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    with writing(path, create=True) as database:
        database.execute("CREATE TABLE photos (id)")
    assert [file.name for file in tmp_path.iterdir()] == [name]
    with reading(path) as live, reading_image(path) as image:
        assert count(live) == count(image) == 0


@pytest.mark.skipif(sys.platform == "win32", reason="two slashes begin a server's name there")
def test_a_path_with_two_slashes_before_it_names_no_server(path: Path) -> None:
    make(path)
    with reading(Path(f"/{path}")) as live:
        assert count(live) == 3


def test_a_relative_path_counts_from_the_current_folder(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(path)
    monkeypatch.chdir(path.parent)
    with reading(Path(path.name)) as live:
        assert count(live) == 3


@pytest.mark.parametrize("name", ["ro", "rw"])
def test_only_creating_creates(name: Mode, path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError), closing(sqlite3.connect(uri(path, name))):
        pass
    with pytest.raises(NotFoundError), reading(path):
        pass
    with pytest.raises(NotFoundError), reading_image(path):
        pass
    with pytest.raises(AccessDeniedError), writing(path):
        pass
    assert files_in(path.parent) == {}


def test_what_is_no_file_of_bytes_is_refused_by_name(path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"^Source database not found: .*photos\.db$"):
        require_database(path)
    with pytest.raises(NotFoundError, match=r"^Target database not found: .* is a folder$"):
        require_database(path.parent, "Target database")
    path.touch()
    with pytest.raises(IntegrityError, match="the file is empty"):
        require_database(path)


def test_reading_writes_nothing_and_leaves_nothing(path: Path, journal_mode: str) -> None:
    """A clean WAL database read with mode=ro would have a -wal and a -shm beside it afterwards."""
    make(path, journal_mode)
    before = files_in(path.parent)
    assert set(before) == {path.name}
    for _ in range(2):
        with reading(path) as live:
            assert count(live) == 3
    assert files_in(path.parent) == before


def test_reading_refuses_to_write(path: Path, journal_mode: str) -> None:
    make(path, journal_mode)
    before = files_in(path.parent)
    with pytest.raises(AccessDeniedError), reading(path) as live:
        live.execute("DELETE FROM photos")
    assert files_in(path.parent) == before


def test_rows_that_are_only_in_the_wal_are_read_and_stay_there(path: Path, other: Start) -> None:
    """The application died: nobody has folded its -wal into the main file, nor do we."""
    make(path, "wal")
    main = path.read_bytes()
    dead = other(
        "database.execute(\"INSERT INTO photos (name) VALUES ('d')\"); tell('ready'); wait()", path
    )
    dead.kill()
    wal = sidecar(path, "-wal").read_bytes()
    with reading(path) as live:
        assert count(live) == 4
    assert path.read_bytes() == main
    assert sidecar(path, "-wal").read_bytes() == wal


def test_commits_of_others_meanwhile_are_neither_seen_nor_folded_in(
    path: Path, other: Start
) -> None:
    """The others close before us, so ours would be the last close, which writes the main file."""
    make(path, "wal")
    main = path.read_bytes()
    writer = other(
        "tell('ready'); wait();"
        "database.execute(\"INSERT INTO photos (name) VALUES ('d')\"); database.close()",
        path,
    )
    with reading(path) as live:
        assert count(live) == 3
        writer.go_on()
        assert writer.ended() == 0
        assert count(live) == 3
    assert path.read_bytes() == main
    assert sidecar(path, "-wal").stat().st_size > 0
    with reading(path) as live:
        assert count(live) == 4
    assert path.read_bytes() == main


def test_an_application_that_goes_on_working_is_not_disturbed(
    path: Path, journal_mode: str, other: Start
) -> None:
    make(path, journal_mode)
    application = other(
        "tell('ready'); wait();"
        "database.execute(\"INSERT INTO photos (name) VALUES ('d')\"); tell('done'); wait()",
        path,
    )
    with reading(path) as live:
        assert count(live) == 3
    application.go_on()
    assert application.hear() == "done"
    with reading(path) as live:
        assert count(live) == 4


def test_a_hot_journal_is_refused_with_what_to_do_and_kept(path: Path, other: Start) -> None:
    """Only its application may take back the transaction in which it died."""
    make(path)
    dead = other(
        """
database.execute("PRAGMA cache_size = 5")
database.execute("BEGIN")
for _ in range(200):
    database.execute("INSERT INTO photos (name) VALUES (randomblob(4000))")
tell("ready")
wait()
""",
        path,
    )
    dead.kill()
    before = files_in(path.parent)
    assert before["photos.db-journal"]
    with pytest.raises(IntegrityError, match="hot journal") as caught, reading(path):
        pass
    assert caught.value.hint.startswith("Open it once in its application")
    assert files_in(path.parent) == before


@pytest.mark.parametrize("kept_as", ["truncate", "persist"])
def test_a_journal_that_is_kept_between_transactions_is_not_hot(path: Path, kept_as: str) -> None:
    make(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute(f"PRAGMA journal_mode = {kept_as}")
        database.execute("DELETE FROM photos WHERE id = 1")
    before = files_in(path.parent)
    assert "photos.db-journal" in before
    with reading(path) as live:
        assert count(live) == 2
    assert files_in(path.parent) == before


def test_a_database_that_somebody_has_for_himself_is_refused_in_time(
    path: Path, other: Start
) -> None:
    make(path)
    other("database.execute('BEGIN EXCLUSIVE'); tell('ready'); wait()", path)
    refused = pytest.raises(LockedError, match=r"photos\.db: the database is locked$")
    with refused as caught, reading(path, busy_seconds=0.1):
        pass
    assert "Close the program" in caught.value.hint


def test_what_is_no_database_is_refused_as_such(path: Path) -> None:
    path.write_bytes(b"dear diary, " * 100)
    before = files_in(path.parent)
    for opening in (reading, reading_image):
        with pytest.raises(IntegrityError, match="not a SQLite database"), opening(path) as opened:
            opened.execute(COUNT)
    assert files_in(path.parent) == before


def test_an_image_is_read_without_a_sidecar_whatever_its_mode(
    path: Path, journal_mode: str
) -> None:
    make(path, journal_mode)
    with reading_image(path) as image:
        assert count(image) == 3
        assert set(files_in(path.parent)) == {path.name}
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            image.execute("DELETE FROM photos")
    assert set(files_in(path.parent)) == {path.name}


def test_the_size_counts_what_is_only_in_the_wal(path: Path) -> None:
    make(path, "wal")
    with closing(sqlite3.connect(path, isolation_level=None)) as application:
        application.execute("INSERT INTO photos (name) VALUES (zeroblob(100000))")
        with reading(path) as live:
            assert size_of(live) > 100_000 > path.stat().st_size
    with reading(path) as live:
        assert size_of(live) == path.stat().st_size


def test_sidecars_are_named_after_the_whole_name(tmp_path: Path) -> None:
    names = {sidecar(tmp_path / "a.b", suffix).name for suffix in SIDECARS}
    assert names == {"a.b-wal", "a.b-shm", "a.b-journal"}
