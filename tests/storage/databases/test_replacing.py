"""Claims about replacing a database: nobody's commits get lost, and no old row comes back."""

import sqlite3
import stat
import sys
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from tests.harness.windows import no_waiting, refuse

from junmai_svc.storage.databases.connection import SIDECARS, reading, sidecar
from junmai_svc.storage.databases.replacing import held, leftovers, set_aside
from junmai_svc.storage.errors import IntegrityError, LockedError, UsageError

__all__ = ["no_waiting"]

# Runs a script in another process and gives that process; see conftest.
Start = Callable[[str, Path], Any]

IDLE = "database.execute('SELECT * FROM photos').fetchall(); tell('ready'); wait()"
READING = "database.execute('BEGIN'); " + IDLE
WRITING = "database.execute('BEGIN IMMEDIATE'); " + IDLE


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "live" / "photos.db"


@pytest.fixture
def staged(path: Path) -> Path:
    staged = path.with_name(".photos.db.1.partial")
    make(staged, "new")
    return staged


@pytest.fixture
def aside(tmp_path: Path) -> Path:
    return tmp_path / "photos_replaced.db"


def make(path: Path, photo: str, journal_mode: str = "delete") -> None:
    path.parent.mkdir(exist_ok=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute(f"PRAGMA journal_mode = {journal_mode}")
        database.execute("CREATE TABLE photos (name)")
        database.execute("INSERT INTO photos VALUES (?)", (photo,))


def photos(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as database:
        return [name for (name,) in database.execute("SELECT name FROM photos")]


def names_in(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


def died_with_a_wal(path: Path, other: Start) -> None:
    """Leave a -wal with a row that the main file does not have."""
    other("database.execute(\"INSERT INTO photos VALUES ('in the wal')\");" + IDLE, path).kill()
    assert sidecar(path, "-wal").stat().st_size > 0


@pytest.mark.parametrize("journal_mode", ["delete", "wal"])
def test_a_database_at_rest_is_replaced_and_alone_afterwards(
    journal_mode: str, path: Path, staged: Path
) -> None:
    make(path, "old", journal_mode)
    with held(path) as database:
        assert database.holder is not None
        assert database.damage is None
        database.replace_by(staged)
    assert photos(path) == ["new"]
    assert names_in(path.parent) == {path.name}


def test_nothing_there_is_replaced_too(path: Path, staged: Path) -> None:
    with held(path) as database:
        assert (database.holder, database.damage) == (None, None)
        database.replace_by(staged)
    assert photos(path) == ["new"]


@pytest.mark.parametrize("journal_mode", ["wal", "delete"])
def test_one_that_windows_does_not_let_go_is_as_it_was_and_says_so(
    journal_mode: str,
    path: Path,
    staged: Path,
    monkeypatch: pytest.MonkeyPatch,
    no_waiting: list[float],
) -> None:
    """There it has to be closed before it can be replaced, and somebody may open it then."""
    make(path, "old", journal_mode)
    monkeypatch.setattr(sys, "platform", "win32")
    refuse(monkeypatch, "replace", 1_000)
    with pytest.raises(LockedError, match="another process"), held(path) as database:
        database.replace_by(staged)
    assert no_waiting
    with closing(sqlite3.connect(path)) as after:
        assert after.execute("PRAGMA journal_mode").fetchone() == (journal_mode,)
    assert photos(path) == ["old"]


def test_an_empty_file_is_replaced_too(path: Path, staged: Path) -> None:
    path.touch()
    with held(path) as database:
        assert (database.holder, database.damage) == (None, None)
        database.replace_by(staged)
    assert photos(path) == ["new"]


def test_a_stale_wal_is_folded_in_before_and_brings_nothing_back_after(
    path: Path, staged: Path, other: Start
) -> None:
    make(path, "old", "wal")
    died_with_a_wal(path, other)
    with held(path) as database:
        assert leftovers(path) == []
        with reading(path) as seen:
            assert seen.execute("SELECT count(*) FROM photos").fetchone() == (2,)
        database.replace_by(staged)
    assert photos(path) == ["new"]
    assert names_in(path.parent) == {path.name}


@pytest.mark.parametrize(
    ("journal_mode", "doing"),
    [
        ("wal", IDLE),
        ("wal", READING),
        ("wal", WRITING),
        ("delete", WRITING),
        ("delete", "database.execute('BEGIN EXCLUSIVE'); tell('ready'); wait()"),
    ],
    ids=["wal idle", "wal reading", "wal writing", "delete writing", "delete exclusive"],
)
def test_a_database_in_use_by_another_process_is_refused_and_untouched(
    journal_mode: str, doing: str, path: Path, staged: Path, other: Start
) -> None:
    make(path, "old", journal_mode)
    application = other(doing, path)
    before = path.read_bytes()
    with pytest.raises(LockedError, match="the database is locked"), held(path, busy_seconds=0.1):
        pytest.fail("it must not be held")
    assert path.read_bytes() == before
    application.kill()
    assert photos(path) == ["old"]
    with held(path) as database:
        database.replace_by(staged)
    assert photos(path) == ["new"]


@pytest.mark.parametrize("doing", [IDLE, READING], ids=["idle", "reading"])
def test_a_reader_in_rollback_mode_does_not_disturb_and_sees_the_new_rows(
    doing: str, path: Path, staged: Path, other: Start
) -> None:
    """Its file stays the old one until it opens the new one; it has nothing to lose."""
    make(path, "old")
    other(doing, path)
    with held(path, busy_seconds=0.1) as database:
        database.replace_by(staged)
    assert photos(path) == ["new"]


@pytest.mark.parametrize("journal_mode", ["delete", "wal"])
def test_while_it_is_held_others_may_read_but_not_write(
    journal_mode: str, path: Path, other: Start
) -> None:
    make(path, "old", journal_mode)
    with held(path):
        with reading(path) as seen:
            assert seen.execute("SELECT name FROM photos").fetchall() == [("old",)]
        writer = other(
            """
database.execute("PRAGMA busy_timeout = 50")
try:
    database.execute("INSERT INTO photos VALUES ('lost')")
except sqlite3.OperationalError as error:
    tell("ready")
    tell(error)
""",
            path,
        )
        assert writer.hear() == "database is locked"
    assert photos(path) == ["old"]


@pytest.mark.parametrize("journal_mode", ["delete", "wal"])
def test_what_was_held_and_not_replaced_is_as_it_was(journal_mode: str, path: Path) -> None:
    make(path, "old", journal_mode)
    with pytest.raises(ZeroDivisionError), held(path):
        raise ZeroDivisionError
    assert photos(path) == ["old"]
    assert names_in(path.parent) == {path.name}
    with closing(sqlite3.connect(path, timeout=0)) as application:
        assert application.execute("PRAGMA journal_mode").fetchone() == (journal_mode,)
        application.execute("INSERT INTO photos VALUES ('more')")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")
def test_the_new_one_has_the_permissions_of_the_old_one(path: Path, staged: Path) -> None:
    make(path, "old")
    path.chmod(0o640)
    staged.chmod(0o600)
    with held(path) as database:
        database.replace_by(staged)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def destroy_page_one(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[100:200] = b"\xff" * 100
    path.write_bytes(content)


def cut(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(4096)


def overwrite(path: Path) -> None:
    path.write_bytes(b"not a database at all " * 500)


@pytest.mark.parametrize("damage", [destroy_page_one, cut, overwrite])
def test_what_can_not_be_read_is_told_and_can_be_replaced(
    damage: Callable[[Path], None], path: Path, staged: Path
) -> None:
    make(path, "old")
    damage(path)
    with held(path) as database:
        assert database.holder is None
        assert isinstance(database.damage, IntegrityError)
        database.replace_by(staged)
    assert photos(path) == ["new"]


@pytest.fixture
def unreadable(path: Path) -> dict[str, bytes]:
    """A destroyed database with all three sidecars; their content by name."""
    path.parent.mkdir()
    files = [path, *(sidecar(path, suffix) for suffix in SIDECARS)]
    for number, file in enumerate(files):
        file.write_bytes(bytes([number]) * 1000)
    return {file.name: file.read_bytes() for file in files}


def test_what_is_set_aside_is_kept_byte_by_byte_and_its_sidecars_are_gone(
    unreadable: dict[str, bytes], path: Path, aside: Path
) -> None:
    assert leftovers(path) == [sidecar(path, suffix) for suffix in SIDECARS]
    copies = set_aside(path, aside)
    assert [copy.read_bytes() for copy in copies] == list(unreadable.values())
    assert copies == [aside, *(sidecar(aside, suffix) for suffix in SIDECARS)]
    assert names_in(path.parent) == {path.name}
    assert path.read_bytes() == unreadable[path.name]


def test_sidecars_without_their_database_are_set_aside_too(path: Path, aside: Path) -> None:
    path.parent.mkdir()
    sidecar(path, "-wal").write_bytes(b"wal")
    assert set_aside(path, aside) == [sidecar(aside, "-wal")]
    assert names_in(path.parent) == set()


def test_what_can_not_be_set_aside_stays_whole(
    unreadable: dict[str, bytes], path: Path, aside: Path
) -> None:
    sidecar(aside, "-shm").write_bytes(b"somebody's")
    with pytest.raises(UsageError, match="exists already"):
        set_aside(path, aside)
    assert {name: (path.parent / name).read_bytes() for name in unreadable} == unreadable
    assert sidecar(aside, "-shm").read_bytes() == b"somebody's"


def test_two_can_not_hold_one_database(path: Path) -> None:
    make(path, "old")
    with ExitStack() as stack:
        stack.enter_context(held(path))
        with pytest.raises(LockedError):
            stack.enter_context(held(path, busy_seconds=0.05))
