"""Claims about a journal that was put back, lost or forked, asked of the real program."""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.harness.program import Outcome, Program

from junmai_svc.service.backup import backup
from junmai_svc.service.progress import Silent
from junmai_svc.service.wiring import context_for
from junmai_svc.storage.snapshots.manifest import Reason


def take(database: Path) -> None:
    """Take a backup as the program does, and publish."""
    with context_for(None, database, [], None, Silent()) as context:
        backup(context, database, Reason.MANUAL)


@pytest.fixture
def journal(source: Path) -> Path:
    """The journal of two backups, published; `older.db` is a copy from between them."""
    path = source.with_name("journal.db")
    take(source)
    shutil.copy(path, path.with_name("older.db"))
    take(source)
    return path


def count(journal: Path) -> int:
    with closing(sqlite3.connect(journal)) as database:
        return int(database.execute("SELECT count(*) FROM event").fetchone()[0])


def put_back(journal: Path) -> None:
    shutil.copy(journal.with_name("older.db"), journal)


def require_proven(program: Program, journal: Path) -> None:
    program("--journal", journal, "audit", "verify", "--read-data")


@pytest.fixture
def forked(source: Path, journal: Path) -> Path:
    """The journal, after a backup over its older copy while its store was away."""
    take(source)
    put_back(journal)
    store = journal.with_name("backups")
    store.rename(journal.with_name("away"))
    take(source)
    shutil.rmtree(store)
    journal.with_name("away").rename(store)
    return journal


def test_the_next_command_refills_an_older_copy(
    program: Program, source: Path, journal: Path
) -> None:
    before = count(journal)
    put_back(journal)
    said = program("backup", "--source", source)
    assert "events that it lacked were refilled" in said.err
    assert count(journal) == before + 1 + before - count(journal.with_name("older.db"))
    require_proven(program, journal)
    put_back(journal)
    program("restore", "latest", "--to", source)
    require_proven(program, journal)


def test_a_daemon_that_starts_refills_it_too(
    program: Program, source: Path, journal: Path, tmp_path: Path
) -> None:
    put_back(journal)
    running = program.start("--config", configured(tmp_path, source), "daemon", "run")
    try:
        while count(journal) <= count(journal.with_name("older.db")):
            assert running.poll() is None
    finally:
        running.terminate()
        program.end(running)
    require_proven(program, journal)


def configured(folder: Path, source: Path) -> Path:
    path = folder / "junmai.toml"
    path.write_text(
        f"""
        [journal]
        url = "sqlite:///{source.with_name("journal.db").as_posix()}"
        [stores.local]
        url = "{source.with_name("backups").as_posix()}"
        layout = "file"
        [[databases]]
        name = "junmai"
        path = "{source.as_posix()}"
        schedule = "0 0 1 1 *"
        [status]
        listen = ""
        """,
        encoding="utf-8",
    )
    return path


def test_a_journal_that_is_gone_is_missed_by_every_command_until_it_is_recovered(
    program: Program, source: Path, journal: Path, tmp_path: Path
) -> None:
    before = count(journal)
    journal.unlink()
    daemon = ("--config", configured(tmp_path, source), "daemon", "run")
    for call in (
        ("backup", "--source", source),
        ("prune", journal.with_name("backups")),
        daemon,
    ):
        said = program(*call, code=20)
        assert "is gone" in said.message
        assert "audit recover" in said.message
        assert not journal.exists()
    program("--journal", journal, "audit", "recover")
    assert count(journal) == before + 1
    take(source)
    require_proven(program, journal)


def test_a_fork_stops_what_cannot_be_undone_and_nothing_else(
    program: Program, source: Path, forked: Path
) -> None:
    target = source.with_name("new.db")
    shutil.copy(source, target)
    content = source.read_bytes(), target.read_bytes()
    store = forked.with_name("backups")
    snapshots = sorted(store.glob("*.json"))
    for call in (
        ("restore", "latest", "--to", source),
        ("prune", store, "--older-than", "1s", "--keep-last", "1"),
        ("migrate", "--source", source, "--target", target, "--overwrite"),
    ):
        said = program(*call, code=20)
        assert "two histories" in said.message
        assert "audit recover" in said.message
    assert (source.read_bytes(), target.read_bytes()) == content
    assert sorted(store.glob("*.json")) == snapshots
    said = program("backup", "--source", source)
    assert "The journal is not published" in said.message
    assert "Nothing was changed. Look closer with" in said.message
    assert "Hint" not in said.message
    program("restore", "latest", "--to", source.with_name("elsewhere.db"))


def told(said: Outcome) -> str:
    return " ".join(said.message.split())


def test_why_nothing_could_be_published_is_said_with_the_way_out(
    program: Program, source: Path, journal: Path
) -> None:
    journal.with_name("journal.db.key").unlink()
    said = told(program("restore", "latest", "--to", source))
    assert "Only the local journal knows that this was begun" in said
    assert "signing key of this journal is missing" in said
    assert "audit rotate-key --lost REASON" in said
    assert "could be reached" not in said


def test_a_backup_of_the_journal_itself_comes_back_by_way_of_another_journal(
    program: Program, journal: Path
) -> None:
    take(journal)
    before = count(journal)
    said = program("restore", "latest", "--to", journal, code=2)
    assert "audit recover" in said.message
    assert "--journal" in said.message
    journal.unlink()
    shutil.rmtree(journal.with_name("backups") / "journal")  # and no store can refill it
    other = journal.with_name("other.db")
    (snapshot,) = journal.with_name("backups").glob("journal_backup_*.db")
    said = program("--journal", other, "restore", snapshot, "--to", journal, "--json")
    assert json.loads(said.out)["status"] == "restored"
    assert 0 < count(journal) < before
