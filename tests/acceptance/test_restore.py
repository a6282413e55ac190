"""Claims about `restore`: the snapshot's exact bytes, and what was there is never lost."""

import hashlib
import json
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.harness.databases import (
    all_rows,
    as_wal,
    change,
    contents,
    leave_in_wal,
    make_current,
    make_oldest,
    rows,
    unrecorded,
    value,
)
from tests.harness.neighbour import neighbour
from tests.harness.program import Program
from tests.harness.small_disk import small_disk

LATER = "UPDATE sessions SET name = 'later'; DELETE FROM jobs"


@pytest.fixture
def backup(program: Program, source: Path) -> Path:
    """A backup of the source, whose rows have been changed since."""
    stored = Path(program("backup", "--source", source, "--json").json["backup_path"])
    change(source, LATER)
    return stored


def manifest_of(backup: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(backup.with_suffix(".json").read_text(encoding="utf-8"))
    return found


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def snapshots(program: Program, store: Path) -> dict[str, str]:
    """The reasons of a store's snapshots by their names."""
    listed = program("snapshots", store, "--json").json["snapshots"]
    return {item["snapshot"]: item["reason"] for item in listed}


@pytest.mark.parametrize(
    "reference",
    [
        str,
        lambda backup: backup.stem,
        lambda backup: backup.name,
        lambda _: "latest",
    ],
    ids=["its file", "its name", "its file's name", "latest"],
)
def test_a_snapshot_is_restored_by_any_of_its_names_byte_for_byte(
    program: Program, source: Path, backup: Path, reference: Callable[[Path], str]
) -> None:
    outcome = program("restore", reference(backup), "--to", source, "--json")
    assert source.read_bytes() == backup.read_bytes()
    assert sha256(source) == manifest_of(backup)["checksum"] == outcome.json["checksum"]
    assert outcome.json["snapshot"] == backup.stem


def test_what_was_there_is_kept_and_can_be_restored_in_turn(
    program: Program, source: Path, backup: Path
) -> None:
    before = all_rows(source)
    kept = program("restore", backup, "--to", source, "--json").json["pre_restore_snapshot"]
    assert snapshots(program, backup.parent)[kept] == "pre-restore"
    program("restore", kept, "--to", source)
    assert all_rows(source) == before


def test_restoring_latest_twice_gives_the_same_rows(
    program: Program, source: Path, backup: Path
) -> None:
    for _ in range(2):
        outcome = program("restore", "latest", "--to", source, "--json")
        assert outcome.json["snapshot"] == backup.stem
        assert sha256(source) == manifest_of(backup)["checksum"]
    assert sorted(snapshots(program, backup.parent).values()) == ["manual"] + ["pre-restore"] * 2


def test_latest_is_the_newest_of_this_database(program: Program, source: Path) -> None:
    """A store may hold those of several; whose `latest` is meant must be plain."""
    store = source.parent / "backups"
    program("backup", "--source", source)
    other = make_current(source.with_name("other.db"))
    program("backup", "--source", other)
    before = source.read_bytes()
    program("restore", "latest", "--to", source)
    assert len(rows(source, "photos")) == 24
    outcome = program(
        "restore", "latest", "--to", source.with_name("third.db"), "--backup-dir", store, code=10
    )
    assert f"{source}, {other}" in outcome.message
    assert value(source, "SELECT count(*) FROM pragma_table_info('photos')") == 30
    assert len(before) == source.stat().st_size


def test_a_snapshot_is_restored_to_where_nothing_is(
    program: Program, backup: Path, tmp_path: Path
) -> None:
    target = tmp_path / "elsewhere.db"
    outcome = program("restore", backup, "--to", target, "--json")
    assert sha256(target) == manifest_of(backup)["checksum"]
    assert outcome.json["pre_restore_snapshot"] is None
    assert outcome.json["set_aside"] == []


def test_a_wal_database_with_rows_in_its_wal_is_kept_whole_and_replaced(
    program: Program, source: Path, backup: Path
) -> None:
    """Its `-wal` would bring old rows back into what was restored."""
    leave_in_wal(source, "INSERT INTO sessions SELECT id + 50, name, '', '', 0, 0, status FROM"
                         " sessions")  # fmt: skip
    kept = program("restore", backup, "--to", source, "--json").json["pre_restore_snapshot"]
    assert not list(source.parent.glob("junmai.db-*"))
    assert sha256(source) == manifest_of(backup)["checksum"]
    assert len(rows(source, "sessions")) == 3
    assert len(rows(backup.with_name(f"{kept}.db"), "sessions")) == 6


def test_stale_sidecars_beside_a_path_where_nothing_is_do_no_harm(
    program: Program, backup: Path, tmp_path: Path
) -> None:
    """They are of a database that somebody deleted; they are kept, and not beside the new one."""
    target = tmp_path / "gone.db"
    make_oldest(target)
    leave_in_wal(target, "UPDATE sessions SET name = 'from the wal'")
    stale = target.with_name("gone.db-wal").read_bytes()
    target.unlink()
    outcome = program("restore", backup, "--to", target, "--json")
    assert sha256(target) == manifest_of(backup)["checksum"]
    assert not list(tmp_path.glob("gone.db-*"))
    (kept,) = outcome.json["set_aside"]
    assert Path(kept).read_bytes() == stale


WRITING = "database.execute('BEGIN IMMEDIATE'); database.execute('DELETE FROM sessions')"
READING = "database.execute('BEGIN'); database.execute('SELECT * FROM sessions').fetchone()"
OPEN = "database.execute('SELECT * FROM sessions').fetchall()"


@pytest.mark.parametrize(
    ("wal", "use"),
    [(False, WRITING), (True, WRITING), (True, READING), (True, OPEN)],
    ids=["writing", "writing in WAL mode", "reading in WAL mode", "open in WAL mode"],
)
def test_a_database_in_use_is_not_replaced(
    program: Program, source: Path, backup: Path, wal: bool, use: str
) -> None:
    if wal:
        as_wal(source)
    with neighbour(source, use, last="database.execute('UPDATE sessions SET name = 1')") as other:
        before = unrecorded(contents(source.parent, without=("-shm", "-wal")))
        outcome = program("restore", backup, "--to", source, code=11)
        assert unrecorded(contents(source.parent, without=("-shm", "-wal"))) == before
        assert "locked" in outcome.message
        assert "Close the program that uses it" in outcome.message
        if use != READING:
            other.tell()
    program("restore", backup, "--to", source)
    assert sha256(source) == manifest_of(backup)["checksum"]


def test_an_idle_connection_in_rollback_mode_does_not_stop_it(
    program: Program, source: Path, backup: Path
) -> None:
    with neighbour(source, OPEN):
        program("restore", backup, "--to", source)
        assert sha256(source) == manifest_of(backup)["checksum"]


def flip(backup: Path) -> None:
    whole = bytearray(backup.read_bytes())
    whole[-10] ^= 1
    backup.write_bytes(whole)


def cut(backup: Path) -> None:
    backup.write_bytes(backup.read_bytes()[:-4096])


def lengthen(backup: Path) -> None:
    backup.write_bytes(backup.read_bytes() + b"\0")


def without_manifest(backup: Path) -> None:
    backup.with_suffix(".json").unlink()


def damaged_before_it_was_hashed(backup: Path) -> None:
    whole = backup.read_bytes()
    backup.write_bytes(whole[:8192] + b"\xa5" * 4096 + whole[12288:])
    manifest = manifest_of(backup) | {"checksum": sha256(backup)}
    backup.with_suffix(".json").write_text(json.dumps(manifest), encoding="utf-8")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (flip, "Backup checksum mismatch"),
        (cut, "Backup checksum mismatch"),
        (lengthen, "Backup checksum mismatch"),
        (without_manifest, "has no manifest"),
        (damaged_before_it_was_hashed, "damaged"),
    ],
    ids=lambda item: getattr(item, "__name__", ""),
)
def test_a_backup_that_is_not_what_it_was_is_refused_and_the_target_stays(
    program: Program, source: Path, backup: Path, spoil: Callable[[Path], None], words: str
) -> None:
    spoil(backup)
    before = source.read_bytes()
    outcome = program("restore", backup, "--to", source, code=20)
    assert words in outcome.message
    assert source.read_bytes() == before
    assert not list(source.parent.glob(".*"))
    assert len(list(backup.parent.glob("*.db"))) == 1


def test_an_image_replaced_together_with_its_manifest_is_not_what_was_recorded(
    program: Program, source: Path, backup: Path
) -> None:
    """Who can write a store can make the two agree; what the journal recorded stays."""
    change(backup, "UPDATE photos SET file_name = 'evil' WHERE id = 1")
    said = manifest_of(backup) | {"checksum": sha256(backup), "file_size": backup.stat().st_size}
    recorded = manifest_of(backup)["checksum"]
    backup.with_suffix(".json").write_text(json.dumps(said), encoding="utf-8")
    before = source.read_bytes()
    refused = program("restore", backup, "--to", source, code=20).message
    assert "not the snapshot that was recorded" in refused
    assert recorded in refused
    assert source.read_bytes() == before
    found = program("verify", "--snapshot", backup, "--json", code=3).json["findings"]
    assert [each["key"] for each in found] == [backup.stem]
    copied = program("copy", "--from", backup.parent, "--to", "elsewhere", "--json", code=3).json
    assert "not the snapshot that was recorded" in copied["not_copied"][0]["problem"]
    assert program("snapshots", "elsewhere", "--json").json["snapshots"] == []


def test_a_damaged_target_is_replaced_and_its_bytes_are_kept(
    program: Program, source: Path, backup: Path
) -> None:
    whole = source.read_bytes()
    for damaged in (whole[: len(whole) // 2], b"not a database " * 999, whole[:-9] + b"\xff" * 9):
        source.write_bytes(damaged)
        outcome = program("restore", backup, "--to", source, "--json")
        assert sha256(source) == manifest_of(backup)["checksum"]
        if outcome.json["set_aside"]:
            (kept,) = outcome.json["set_aside"]
            assert Path(kept).read_bytes()[100:] == damaged[100:]
        else:
            assert outcome.json["pre_restore_snapshot"]


def test_an_empty_target_is_replaced(program: Program, source: Path, backup: Path) -> None:
    source.write_bytes(b"")
    program("restore", backup, "--to", source)
    assert sha256(source) == manifest_of(backup)["checksum"]


def test_a_backup_of_the_replaced_tool_is_restored(
    program: Program, source: Path, tmp_path: Path
) -> None:
    """Its manifest has five fields, and it may have been moved to another folder since."""
    store = tmp_path / "old backups"
    store.mkdir()
    image = store / "junmai_backup_20250108_120000.db"
    shutil.copyfile(source, image)
    manifest = {
        "original_path": "data\\junmai.db",
        "backup_path": f"data\\backups\\{image.name}",
        "timestamp": "20250108_120000",
        "checksum": sha256(image),
        "file_size": image.stat().st_size,
    }
    image.with_suffix(".json").write_text(json.dumps(manifest, indent=2), encoding="utf-8")
    change(source, LATER)
    program("restore", "latest", "--to", source, "--backup-dir", store)
    assert sha256(source) == sha256(image)
    (listed,) = (
        item
        for item in program("snapshots", store, "--json").json["snapshots"]
        if item["reason"] == "manual"
    )
    assert listed["taken"] == "2025-01-08T12:00:00+00:00"


def test_a_backup_is_not_restored_onto_itself(program: Program, backup: Path) -> None:
    before = backup.read_bytes()
    program("restore", backup, "--to", backup, code=2)
    assert backup.read_bytes() == before


@pytest.mark.parametrize(
    ("reference", "code"),
    [
        ("backups/nothing_backup_20250101_000000.db", 10),
        ("nothing_backup_20250101_000000", 10),
        ("", 10),
        ("../junmai", 10),
    ],
)
def test_a_snapshot_that_is_not_there_is_named(
    program: Program, source: Path, backup: Path, reference: str, code: int
) -> None:
    before = source.read_bytes()
    outcome = program("restore", reference, "--to", source, code=code)
    assert "Backup not found" in outcome.message
    assert source.read_bytes() == before
    assert backup.exists()


def test_a_folder_and_a_missing_folder_are_refused_as_targets(
    program: Program, source: Path, backup: Path
) -> None:
    program("restore", backup, "--to", source.parent, code=2)
    program("restore", backup, "--to", source.parent / "no" / "junmai.db", code=10)
    assert not (source.parent / "no").exists()


def test_rows_that_break_constraints_do_not_stop_a_restore(program: Program, source: Path) -> None:
    change(source, "PRAGMA ignore_check_constraints = 1; UPDATE photos SET ai_score = 9")
    for stored, restored in (("--full-check", ""), ("", "--full-check")):
        taken: list[str | Path] = ["backup", "--source", source, "--json"]
        taken += filter(None, [stored])
        backup = program(*taken).json["backup_path"]
        put: list[str | Path] = ["restore", backup, "--to", source, "--json"]
        put += filter(None, [restored])
        outcome = program(*put)
        assert outcome.json["violations"] == {"CHECK constraint failed in photos": 24}


def test_a_link_stays_and_what_it_leads_to_is_restored(
    program: Program, source: Path, backup: Path, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere/link.db"
    link.symlink_to(source)
    program("restore", "latest", "--to", link, "--backup-dir", backup.parent)
    assert link.is_symlink()
    assert sha256(source) == sha256(backup)
    assert "pre-restore" in snapshots(program, backup.parent).values()
    dangling = tmp_path / "elsewhere/dangling.db"
    dangling.symlink_to(tmp_path / "new.db")
    program("restore", backup.stem, "--to", dangling, "--backup-dir", backup.parent)
    assert dangling.is_symlink()
    assert sha256(tmp_path / "new.db") == sha256(backup)


def test_a_restore_to_a_read_only_disk_is_denied_and_no_bug(
    program: Program, backup: Path, tmp_path: Path
) -> None:
    with small_disk(tmp_path) as (disk, _):
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        journal = ("--journal", tmp_path / "other.db")
        outcome = program(*journal, "restore", backup, "--to", disk / "x.db", code=12)
    assert "Read-only file system" in outcome.message


def test_the_way_back_is_printed_as_a_command_that_works(program: Program, source: Path) -> None:
    there = ("--store", "./my store")
    program("backup", "--source", source, *there)
    change(source, LATER)
    before = all_rows(source)
    outcome = program("restore", "latest", "--to", source, *there)
    assert all_rows(source) != before
    (undo,) = (line for line in outcome.out.splitlines() if line.startswith("Undo "))
    name, *words = shlex.split(undo.removeprefix("Undo").replace("\\", "/"))
    assert name == "junmai-svc"
    program(*words)
    assert all_rows(source) == before
