"""Claims about beginning a journal, finding one, and files that are none."""

import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest

from junmai_svc.storage.errors import (
    AccessDeniedError,
    IntegrityError,
    LockedError,
    NotFoundError,
    UsageError,
)
from junmai_svc.storage.journal.entry import pseudonym
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.journal.keyring import key_beside, key_path

CREATE = """
import datetime, os, pathlib, signal, sys
from junmai_svc.storage.journal.journal import Journal

def clock():
    if "die" in sys.argv:
        os.kill(os.getpid(), signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
    return datetime.datetime.now(datetime.UTC)

print("ready", flush=True)
sys.stdin.readline()
path = pathlib.Path(sys.argv[1])
journal = Journal.open(path, create=True, actor="ann@desk", clock=clock, tool_version="1")
print(journal.journal_id, flush=True)
"""

DENIED = """
import datetime, os, pathlib, sys
from junmai_svc.storage.errors import JunmaiError
from junmai_svc.storage.journal.journal import Journal

os.geteuid() or os.seteuid(65534)
clock = lambda: datetime.datetime.now(datetime.UTC)
path = pathlib.Path(sys.argv[1])
try:
    Journal.open(path, create=True, actor="ann@desk", clock=clock, tool_version="1")
except JunmaiError as error:
    print(type(error).__name__)
"""


def test_a_new_journal_holds_event_0_which_opened_it(journal: Journal) -> None:
    [event] = journal.read()
    assert event.position == 0
    assert event.version == 1
    assert event.type == "junmai.journal.opened.v2"
    assert event.stream == f"journal/{journal.journal_id}"
    assert event.data == {
        "journal": journal.journal_id,
        "public_key": str(*key_beside(journal.path, journal.journal_id)),
        "tool": "0.1.0",
        "continues": None,
    }
    assert event.actor == pseudonym(journal.journal_id, "ann", "desk") == journal.actor
    assert b"ann" not in event.entry


def test_opening_again_finds_the_same_journal(opened: Callable[..., Journal]) -> None:
    first = opened()
    first.close()
    for create in (True, False):
        again = opened(create=create, tool_version="9.9.9")
        assert again.journal_id == first.journal_id
        assert len(list(again.read())) == 1


def test_a_missing_one_is_not_created_unasked(opened: Callable[..., Journal], path: Path) -> None:
    with pytest.raises(NotFoundError, match="no journal in") as missing:
        opened(create=False)
    assert missing.value.hint
    assert not path.exists()


def test_an_empty_file_is_no_journal_yet(opened: Callable[..., Journal], path: Path) -> None:
    path.touch()
    with pytest.raises(NotFoundError):
        opened(create=False)
    assert opened(create=True).journal_id


def test_a_folder_is_no_journal(opened: Callable[..., Journal], path: Path) -> None:
    path.mkdir()
    with pytest.raises(NotFoundError, match="it is a folder"):
        opened()


def test_a_journal_needs_a_folder(opened: Callable[..., Journal], path: Path) -> None:
    path.parent.rmdir()
    with pytest.raises(NotFoundError, match="no folder"):
        opened()


@pytest.mark.parametrize("create", [True, False])
@pytest.mark.parametrize(
    "content", [b"shopping list\n" * 100, b"SQLite format 3\x00" + b"\x07" * 900]
)
def test_a_file_of_something_else_is_named_and_left_alone(
    opened: Callable[..., Journal], path: Path, content: bytes, create: bool
) -> None:
    path.write_bytes(content)
    with pytest.raises(IntegrityError, match="journal #1") as refused:
        opened(create=create)
    assert refused.value.hint
    assert path.read_bytes() == content
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_journal_whose_first_page_is_damaged_is_known_by_the_key_beside_it(
    opened: Callable[..., Journal], path: Path
) -> None:
    opened(create=True).close()
    content = bytearray(path.read_bytes())
    content[:4096] = b"\x07" * 4096
    path.write_bytes(content)
    key = key_path(path)
    key.unlink(missing_ok=True)
    with pytest.raises(IntegrityError, match="is not a database") as refused:
        opened()
    assert "no journal" in refused.value.hint
    key.touch()
    with pytest.raises(IntegrityError, match="is not a database") as refused:
        opened()
    assert "audit recover" in refused.value.hint
    assert path.read_bytes() == content


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_another_database_is_named_and_left_alone(
    opened: Callable[..., Journal], path: Path, mode: str
) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute(f"PRAGMA journal_mode = {mode}")
        other.execute("CREATE TABLE photos (id INTEGER PRIMARY KEY)")
        other.commit()
    before = path.read_bytes()
    with pytest.raises(IntegrityError, match="is a database, but no journal"):
        opened()
    assert path.read_bytes() == before


def test_the_wal_that_another_program_left_behind_is_left_alone(
    opened: Callable[..., Journal], path: Path
) -> None:
    crashing = (
        "import os, sqlite3, sys; c = sqlite3.connect(sys.argv[1]);"
        "c.execute('PRAGMA journal_mode = wal'); c.execute('CREATE TABLE t (x)');"
        "c.commit(); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", crashing, path], check=True)
    wal = path.with_name(path.name + "-wal")
    before = path.read_bytes(), wal.read_bytes()
    assert before[1]
    with pytest.raises(IntegrityError, match="no journal"):
        opened()
    assert (path.read_bytes(), wal.read_bytes()) == before


def test_a_journal_of_a_newer_format_is_refused(opened: Callable[..., Journal], path: Path) -> None:
    opened().close()
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA user_version = 2")
    with pytest.raises(IntegrityError, match="is of format 2"):
        opened()


def test_a_journal_that_lost_a_trigger_is_refused(
    opened: Callable[..., Journal], path: Path
) -> None:
    opened().close()
    with closing(sqlite3.connect(path)) as other:
        other.execute("DROP TRIGGER event_no_delete")
    with pytest.raises(IntegrityError, match="no longer append-only: it lacks event_no_delete"):
        opened()


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM journal_head",
        "UPDATE journal_head SET journal_id = '0190163d-8694-739b-aea5-966c26f8ad91'",
        "DELETE FROM event",
        "UPDATE event SET entry = CAST(replace(entry, 'opened', 'closed') AS BLOB)",
    ],
)
def test_a_journal_without_its_beginning_is_refused(
    opened: Callable[..., Journal], tamper: Callable[..., None], damage: str
) -> None:
    opened().close()
    tamper(damage)
    with pytest.raises(IntegrityError, match="journal #1") as refused:
        opened()
    assert refused.value.hint


def test_a_truncated_file_is_damage(opened: Callable[..., Journal], path: Path) -> None:
    opened().close()
    path.write_bytes(path.read_bytes()[: 3 * 4096])
    with pytest.raises(IntegrityError, match="journal #1"):
        opened()


def test_a_damaged_page_is_damage(opened: Callable[..., Journal], path: Path) -> None:
    opened().close()
    content = bytearray(path.read_bytes())
    content[4096:8192] = b"\xa5" * 4096
    path.write_bytes(content)
    with pytest.raises(IntegrityError, match="journal #1"):
        opened()


def test_a_clock_without_a_zone_leaves_no_journal(
    opened: Callable[..., Journal], path: Path
) -> None:
    with pytest.raises(UsageError, match="has no zone"):
        opened(clock=lambda: datetime(2026, 11, 22))  # noqa: DTZ001
    with pytest.raises(NotFoundError):
        opened(create=False)
    assert path.exists()


def test_a_locked_file_is_reported_within_the_time_allowed(
    opened: Callable[..., Journal], path: Path
) -> None:
    path.touch()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(LockedError, match="is locked"):
            opened(busy_seconds=0.05)


@pytest.mark.skipif(sys.platform == "win32", reason="permissions of POSIX")
def test_a_folder_that_may_not_be_written_is_denied(
    process: Callable[..., subprocess.Popen[str]],
) -> None:
    """In a process that stops being the superuser, in a folder that everybody may look into."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o555)
        output, _ = process(DENIED, folder / "journal.db").communicate()
        folder.chmod(0o755)
    assert output == f"{AccessDeniedError.__name__}\n"


def test_killed_while_it_creates_it_leaves_nothing_that_stands_in_the_way(
    process: Callable[..., subprocess.Popen[str]], opened: Callable[..., Journal], path: Path
) -> None:
    """The clock is asked for event 0's time after the tables were made, before the commit."""
    killed = process(CREATE, path, "die")
    output, _ = killed.communicate("\n")
    assert killed.returncode != 0
    assert output.split() == ["ready"]
    assert path.exists()
    with pytest.raises(NotFoundError):
        opened(create=False)
    assert [event.position for event in opened(create=True).read()] == [0]


@pytest.mark.parametrize("_round", range(5))
def test_of_processes_that_create_it_at_once_all_open_the_same(
    process: Callable[..., subprocess.Popen[str]],
    opened: Callable[..., Journal],
    path: Path,
    _round: int,
) -> None:
    processes = [process(CREATE, path) for _ in range(6)]
    for running in processes:
        assert running.stdout is not None
        assert running.stdout.readline() == "ready\n"
    for running in processes:
        assert running.stdin is not None
        running.stdin.write("\n")
        running.stdin.flush()
    ids = {running.communicate()[0].strip() for running in processes}
    assert ids == {opened(create=False).journal_id}
    assert all(running.returncode == 0 for running in processes)
