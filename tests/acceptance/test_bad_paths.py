"""Claims about paths, permissions and calls that are bad, and about what others do meanwhile."""

import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.harness.databases import (
    as_wal,
    change,
    contents,
    make_oldest,
    rows,
)
from tests.harness.halting import BACKING_UP, COPYING, PHOTOS, can_halt, halted
from tests.harness.program import Program

NAMES = ["with space.db", "50%25.db", "#1.db", "写真 📷.db", "-f.db", "a&b=1;c.db"]
if sys.platform != "win32":  # where a name can't have a question mark
    NAMES.append("a?mode=memory&b=1.db")
# What a call leaves that ends before its run begins.
JOURNAL = {"journal.db", "journal.db.key", "journal.db-wal", "journal.db-shm"}


def same(source: Path) -> Path:
    return source


def spelled_otherwise(source: Path) -> Path:
    return source.parent / ".." / source.parent.name / "." / source.name


def symlink(source: Path) -> Path:
    link = source.with_name("link.db")
    link.symlink_to(source.name)
    return link


def hardlink(source: Path) -> Path:
    link = source.with_name("hard.db")
    link.hardlink_to(source)
    return link


@pytest.mark.parametrize("spelling", [same, spelled_otherwise, symlink, hardlink])
@pytest.mark.parametrize("options", [(), ("--overwrite",)], ids=["plain", "overwrite"])
def test_source_and_target_may_not_be_one_file(
    program: Program, source: Path, spelling: Callable[[Path], Path], options: tuple[str, ...]
) -> None:
    target = spelling(source)
    before = contents(program.folder)
    outcome = program("migrate", "--source", source, "--target", target, *options, code=2)
    assert "Source and target are the same file" in outcome.message
    assert contents(program.folder) == before


def test_a_database_may_be_verified_against_itself(program: Program, source: Path) -> None:
    before = source.read_bytes()
    outcome = program("verify", "--source", source, "--target", source, "--json")
    assert outcome.json["status"] == "passed"
    assert source.read_bytes() == before


def test_a_target_in_a_folder_that_is_not_there_is_refused_and_the_folder_not_made(
    program: Program, source: Path
) -> None:
    before = contents(program.folder)
    target = source.parent / "no" / "folder" / "new.db"
    outcome = program("migrate", "--source", source, "--target", target, code=10)
    assert str(target.parent) in outcome.message
    assert contents(program.folder) == before


def test_a_target_that_is_a_folder_is_refused(program: Program, source: Path) -> None:
    before = contents(program.folder)
    for options in ((), ("--overwrite",)):
        program("migrate", "--source", source, "--target", source.parent, *options, code=2)
    assert contents(program.folder) == before


@pytest.mark.parametrize("name", NAMES)
def test_a_path_may_have_any_name(program: Program, tmp_path: Path, name: str) -> None:
    source = make_oldest(tmp_path / "origin.db").rename(tmp_path / name)
    outcome = program("migrate", "--source", source, "--json")
    assert rows(Path(outcome.json["target"]), "jobs") == rows(source, "jobs")
    program("restore", "latest", "--to", source, "--json")
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == {
        source.name,
        source.with_suffix(".new.db").name,
        "journal.db",
        "journal.db.key",
    }


@pytest.mark.skipif(os.name == "nt", reason="names are text on Windows")
@pytest.mark.parametrize("command", ["migrate", "backup"])
def test_a_name_that_is_no_text_is_refused_before_anything_is_done(
    program: Program, source: Path, command: str
) -> None:
    named = source.rename(source.with_name(os.fsdecode(b"caf\xe9.db")))
    outcome = program(command, "--source", named, "--json", code=2)
    assert "caf\\udce9.db is no valid text" in outcome.message
    assert {path.name for path in named.parent.iterdir()} - JOURNAL == {named.name}
    assert program("migrate", "--source", named, "--dry-run").out


@pytest.mark.parametrize(
    "arguments",
    [
        ("migrate",),
        ("migrate", "--source"),
        ("migrate", "--source", "x.db", "--fast"),
        ("verify", "--source", "x.db"),
        ("verify", "--snapshot", "latest", "--source", "x.db"),
        ("restore", "latest"),
        ("undo",),
        ("--log-level", "loud", "history"),
        ("completion", "tcsh"),
    ],
    ids=" ".join,
)
def test_a_call_that_makes_no_sense_is_answered_with_code_2(
    program: Program, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    outcome = program(*arguments, code=2)
    assert outcome.out == ""
    assert "Error" in outcome.message
    assert contents(tmp_path) == {}


def test_a_folder_of_backups_that_is_a_file_is_refused(program: Program, source: Path) -> None:
    taken = source.with_name("backups")
    taken.write_text("mine", encoding="utf-8")
    outcome = program("backup", "--source", source, code=None)
    assert outcome.code in {2, 12, 30}
    assert "backups" in outcome.message
    assert taken.read_text(encoding="utf-8") == "mine"


def test_a_journal_that_is_none_is_refused_before_anything_is_done(
    program: Program, source: Path
) -> None:
    journal = source.with_name("notes.txt")
    journal.write_text("not a journal, " * 100, encoding="utf-8")
    before = journal.read_bytes()
    outcome = program("--journal", journal, "migrate", "--source", source, code=20)
    assert "notes.txt" in outcome.message
    assert journal.read_bytes() == before
    assert not source.with_name("junmai.new.db").exists()
    assert not source.with_name("backups").exists()


def test_another_database_is_never_taken_for_a_journal(program: Program, source: Path) -> None:
    other = make_oldest(source.with_name("other.db"))
    before = other.read_bytes()
    program("--journal", other, "backup", "--source", source, code=20)
    assert other.read_bytes() == before


def test_a_log_file_in_a_missing_folder_is_refused(program: Program, source: Path) -> None:
    log = source.parent / "no" / "folder.log"
    outcome = program("--log-file", log, "backup", "--source", source, code=10)
    assert "folder.log" in outcome.message


@pytest.fixture
def restrained(tmp_path: Path) -> Iterator[Program]:
    """The program as a user who may do with a file what its mode says, even if that is root."""
    if sys.platform == "win32":
        pytest.skip("Windows has no such modes")
    program = Program(tmp_path, restrained=True)
    running = program.start("--version")
    _, problem = running.communicate()
    if running.returncode:
        assert "CI" not in os.environ, problem
        pytest.skip(f"root can't be restrained here: {problem[-200:]}")
    yield program
    program.close()
    for path in tmp_path.rglob("*"):
        path.chmod(0o700)


def test_a_source_that_may_not_be_read_is_refused(restrained: Program) -> None:
    source = make_oldest(restrained.folder / "junmai.db")
    source.chmod(0)
    for command in ("migrate", "backup"):
        outcome = restrained(command, "--source", source, "--json", code=12)
        assert "who owns the file" in outcome.message
    source.chmod(0o600)
    assert not list(restrained.folder.rglob("*.new.db"))
    assert not list(restrained.folder.rglob("*_backup_*"))


@pytest.mark.parametrize("wal", [False, True], ids=["rollback mode", "WAL mode"])
def test_a_source_on_a_disk_that_is_read_only_is_migrated_elsewhere(
    restrained: Program, wal: bool
) -> None:
    """In WAL mode SQLite needs to write beside the file even to read it, and that is said."""
    disk = restrained.folder / "disk"
    disk.mkdir()
    source = make_oldest(disk / "junmai.db")
    expected = rows(source, "jobs")
    if wal:
        as_wal(source)
    source.chmod(0o444)
    disk.chmod(0o555)
    places = ("--target", restrained.folder / "new.db", "--backup-dir", restrained.folder)
    journal = ("--journal", restrained.folder / "journal.db")
    before = contents(disk)
    outcome = restrained(*journal, "migrate", "--source", source, *places, code=12 if wal else 0)
    assert contents(disk) == before
    if wal:
        assert "the file and its folder" in outcome.message
    else:
        assert rows(restrained.folder / "new.db", "jobs") == expected


@pytest.mark.parametrize("what", ["target", "backups", "journal"])
def test_a_folder_that_may_not_be_written_is_refused_by_name(
    restrained: Program, what: str
) -> None:
    source = make_oldest(restrained.folder / "junmai.db")
    closed = restrained.folder / "closed"
    closed.mkdir(mode=0o555)
    places = {
        "target": restrained.folder / "new.db",
        "backups": restrained.folder / "backups",
        "journal": restrained.folder / "journal.db",
    }
    places[what] = closed / places[what].name
    outcome = restrained(
        "--journal", places["journal"], "migrate", "--source", source,
        "--target", places["target"], "--backup-dir", places["backups"], code=12,
    )  # fmt: skip
    assert str(closed) in outcome.message
    assert contents(closed) == {}
    assert not places["target"].exists()
    assert not list(restrained.folder.rglob(".*"))


def test_a_restore_into_a_folder_that_may_not_be_written_changes_nothing(
    restrained: Program,
) -> None:
    source = make_oldest(restrained.folder / "junmai.db")
    backup = restrained("backup", "--source", source, "--json").json["backup_path"]
    closed = restrained.folder / "closed"
    closed.mkdir()
    target = make_oldest(closed / "junmai.db", photos=1)
    closed.chmod(0o555)
    before = target.read_bytes()
    journal = ("--journal", restrained.folder / "journal.db")
    restrained(*journal, "restore", backup, "--to", target, code=12)
    assert target.read_bytes() == before


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A source whose migration can be halted."""
    return make_oldest(tmp_path / "junmai.db", photos=PHOTOS)


@can_halt
def test_a_target_that_somebody_else_makes_meanwhile_is_left_to_them(
    program: Program, large: Path
) -> None:
    target = large.with_name("junmai.new.db")
    running = halted(program, large, COPYING)
    target.write_text("mine", encoding="utf-8")
    running.send_signal(signal.SIGCONT)
    outcome = program.end(running, code=2)
    assert "junmai.new.db: it exists already" in outcome.message
    assert target.read_text(encoding="utf-8") == "mine"
    assert not list(large.parent.glob(COPYING))


@can_halt
@pytest.mark.parametrize("what", ["staged", "backups"])
def test_what_somebody_removes_meanwhile_is_missed_and_nothing_is_published(
    program: Program, large: Path, what: str
) -> None:
    running = halted(program, large, COPYING)
    if what == "staged":
        for path in large.parent.glob(".junmai.new.db.*"):
            path.unlink()
    else:
        shutil.rmtree(large.with_name("backups"))
    running.send_signal(signal.SIGCONT)
    outcome = program.end(running, code=None)
    assert outcome.code in {10, 12, 20, 21, 30}
    target = large.with_name("junmai.new.db")
    assert not target.exists()
    program("migrate", "--source", large)
    assert rows(target, "jobs") == rows(large, "jobs")


@can_halt
def test_rows_that_change_meanwhile_are_in_the_target_as_they_were_in_the_backup(
    program: Program, large: Path
) -> None:
    before = rows(large, "sessions")
    running = halted(program, large, COPYING)
    change(large, "UPDATE sessions SET name = 'later'; DELETE FROM jobs")
    running.send_signal(signal.SIGCONT)
    program.end(running)
    assert rows(large.with_name("junmai.new.db"), "sessions") == before
    assert len(rows(large.with_name("junmai.new.db"), "jobs")) == PHOTOS


@can_halt
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("moment", [BACKING_UP, COPYING])
def test_a_signal_ends_a_migration_with_nothing_half_done(
    program: Program, large: Path, number: signal.Signals, code: int, moment: str
) -> None:
    before = large.read_bytes()
    running = halted(program, large, moment)
    running.send_signal(number)
    running.send_signal(signal.SIGCONT)
    outcome = program.end(running, code=code)
    assert "Interrupted" in outcome.message
    assert large.read_bytes() == before
    assert not list(large.parent.rglob("*.partial"))
    assert not large.with_name("junmai.new.db").exists()
    runs = program("history", "--json").json["runs"]
    assert {run["status"] for run in runs if run["kind"] == "migration"} == {"failed"}
    assert "running" not in {run["status"] for run in runs}
