"""Claims about `backup`, `snapshots` and `verify --snapshot`, also against a busy writer."""

import hashlib
import json
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
    make_oldest,
    rows,
    unrecorded,
    value,
)
from tests.harness.neighbour import neighbour
from tests.harness.program import Program


def backup(program: Program, source: Path, *options: str) -> tuple[Path, dict[str, Any]]:
    outcome = program("backup", "--source", source, "--json", *options)
    return Path(outcome.json["backup_path"]), outcome.json


def manifest_of(image: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(image.with_suffix(".json").read_text(encoding="utf-8"))
    return found


def test_a_backup_is_a_database_of_its_own_with_all_rows_and_its_manifest(
    program: Program, source: Path
) -> None:
    before = source.read_bytes()
    image, said = backup(program, source)
    assert source.read_bytes() == before
    assert all_rows(image) == all_rows(source)
    manifest = manifest_of(image)
    assert manifest["checksum"] == hashlib.sha256(image.read_bytes()).hexdigest()
    assert manifest["checksum"] == said["checksum"]
    assert manifest["file_size"] == image.stat().st_size == said["file_size"]
    assert manifest["name"] == said["snapshot"] == image.stem
    assert (manifest["reason"], manifest["run"]) == ("manual", said["run"])
    assert manifest["check"]["method"] == said["check"] == "quick_check"


def test_the_image_differs_from_its_source_in_three_bytes_of_the_header_at_most(
    program: Program, source: Path
) -> None:
    image, _ = backup(program, source)
    pairs = enumerate(zip(image.read_bytes(), source.read_bytes(), strict=True))
    assert {at for at, (ours, theirs) in pairs if ours != theirs} <= {27, 43, 95}


def test_a_full_check_counts_the_rows(program: Program, source: Path) -> None:
    image, said = backup(program, source, "--full-check")
    assert said["check"] == "integrity_check"
    counted = {name: facts["rows"] for name, facts in manifest_of(image)["tables"].items()}
    assert counted == {name: len(found) for name, found in all_rows(source).items()}


def test_a_lost_index_entry_stops_a_full_backup_and_is_named(
    program: Program, source: Path
) -> None:
    """quick_check does not see it, and afterwards an ORDER BY would silently lose the row."""
    root = value(source, "SELECT rootpage FROM sqlite_schema WHERE name = 'idx_jobs_status'")
    other = value(source, "SELECT rootpage FROM sqlite_schema WHERE name = 'idx_statistics_date'")
    whole = source.read_bytes()
    page = whole[(other - 1) * 4096 : other * 4096]
    source.write_bytes(whole[: (root - 1) * 4096] + page + whole[root * 4096 :])
    outcome = program("backup", "--source", source, "--full-check", code=20)
    assert "idx_jobs_status" in outcome.message
    assert not list(source.parent.glob("backups/*_backup_*"))


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
def test_a_backup_while_somebody_commits_all_the_time_is_one_moment(
    program: Program, source: Path, mode: str
) -> None:
    """Each commit moves an amount from one row to another, so the sum is always the same."""
    change(
        source,
        f"""PRAGMA journal_mode = {mode}; CREATE TABLE accounts (id INTEGER PRIMARY KEY, n);
        INSERT INTO accounts SELECT id, 100 FROM photos; CREATE TABLE filler (b);
        INSERT INTO filler SELECT randomblob(4000) FROM photos, photos LIMIT 400""",
    )
    writer = """
import random
commits = 0
while not told():
    a, b = random.sample(range(1, 25), 2)
    try:
        database.execute("BEGIN IMMEDIATE")
        database.execute("UPDATE accounts SET n = n - 1 WHERE id = ?", (a,))
        database.execute("UPDATE accounts SET n = n + 1 WHERE id = ?", (b,))
        database.execute("INSERT INTO filler VALUES (randomblob(3000))")
        database.execute("COMMIT")
        commits += 1
    except sqlite3.OperationalError:
        if database.in_transaction:
            database.execute("ROLLBACK")
    time.sleep(0.002)
print(commits)
"""
    with neighbour(source, "database.execute('PRAGMA synchronous = OFF')", meanwhile=writer) as at:
        images = [backup(program, source)[0] for _ in range(3)]
        assert int(at.tell()) > 20
    for image in images:
        assert value(image, "SELECT sum(n) FROM accounts") == 2400
        assert value(image, "PRAGMA integrity_check") == "ok"
    counts = [value(image, "SELECT count(*) FROM filler") for image in images]
    assert counts == sorted(counts)
    assert counts[0] < counts[-1]


def test_rows_in_a_left_over_wal_are_backed_up_and_the_wal_stays(
    program: Program, source: Path
) -> None:
    leave_in_wal(source, "DELETE FROM jobs")
    wal = source.with_name("junmai.db-wal").read_bytes()
    image, _ = backup(program, source)
    assert rows(image, "jobs") == []
    assert source.with_name("junmai.db-wal").read_bytes() == wal


def test_a_copy_without_its_wal_is_backed_up_and_told_to_lack_something(
    program: Program, source: Path
) -> None:
    as_wal(source)
    program("backup", "--source", source)
    leave_in_wal(source, "DELETE FROM jobs")
    assert "newest changes" not in program("backup", "--source", source).err
    source.with_name("junmai.db-wal").unlink()
    assert source.with_name("junmai.db-shm").exists()
    assert "may have left its newest changes behind" in program("backup", "--source", source).err


def test_a_wal_database_gets_no_sidecars_by_being_backed_up(program: Program, source: Path) -> None:
    before = as_wal(source).read_bytes()
    image, _ = backup(program, source)
    assert source.read_bytes() == before
    names = {path.name for folder in (source.parent, image.parent) for path in folder.iterdir()}
    assert not {name for name in names if name.endswith(("-wal", "-shm"))} - {
        "journal.db-wal",
        "journal.db-shm",
    }


def test_rows_that_break_constraints_are_counted_and_stop_nothing(
    program: Program, source: Path
) -> None:
    change(
        source,
        """PRAGMA ignore_check_constraints = 1; UPDATE photos SET ai_score = 7 WHERE id < 4;
        UPDATE jobs SET photo_id = 1000 WHERE photo_id < 6""",
    )
    quick, said = backup(program, source)
    assert said["violations"] == manifest_of(quick)["check"]["violations"] == {}
    image, said = backup(program, source, "--full-check")
    expected = {"CHECK constraint failed in photos": 3, "foreign key jobs -> photos": 5}
    assert said["violations"] == manifest_of(image)["check"]["violations"] == expected
    told = program("backup", "--source", source, "--full-check").out
    assert "3 rows break CHECK constraint failed in photos" in told


def test_snapshots_are_listed_newest_first_with_their_age_size_and_reason(
    program: Program, source: Path
) -> None:
    stored = [backup(program, source)[0].stem for _ in range(3)]
    store = source.parent / "backups"
    listed = program("snapshots", store, "--json").json
    assert [item["snapshot"] for item in listed["snapshots"]] == stored[::-1]
    assert listed["unreadable"] == []
    assert {item["database"] for item in listed["snapshots"]} == {str(source)}
    told = program("snapshots", store).out
    for name in stored:
        line = next(line for line in told.splitlines() if f"{name} " in line)
        assert "manual" in line
        assert " kB " in line
        assert " s " in line


def test_the_usual_folders_are_found_without_naming_them(program: Program, source: Path) -> None:
    image, _ = backup(program, source)
    listed = program("snapshots", "--json").json["snapshots"]
    assert [item["snapshot"] for item in listed] == [image.stem]


def test_a_store_that_is_not_there_is_named_and_not_made(program: Program, tmp_path: Path) -> None:
    assert "backups" in program("snapshots", code=10).message
    assert "nowhere" in program("snapshots", tmp_path / "nowhere", code=10).message
    assert contents(tmp_path) == {}


def test_a_snapshot_is_proven_against_its_manifest(program: Program, source: Path) -> None:
    image, _ = backup(program, source)
    before = unrecorded(contents(image.parent))
    for reference in (str(image), image.stem, "latest"):
        options = ("--snapshot", reference, "--backup-dir", image.parent, "--json")
        assert program("verify", *options).json["status"] == "passed"
    assert unrecorded(contents(image.parent)) == before
    whole = bytearray(image.read_bytes())
    whole[5000] ^= 4
    image.write_bytes(whole)
    outcome = program("verify", "--snapshot", image, "--json", code=3)
    (finding,) = outcome.json["findings"]
    assert finding["check"] == "backup_checksum"
    assert finding["expected"] == manifest_of(image)["checksum"]
    told = program("verify", "--snapshot", image, code=3).out
    assert "Backup file may be corrupted, create a new backup" in told


def other_name(manifest: dict[str, Any], store: Path) -> None:
    del store
    manifest["name"] = "../../etc/passwd"


def other_layout(manifest: dict[str, Any], store: Path) -> None:
    del store
    manifest["layout"] = "zip"


def path_of_somebody_else(manifest: dict[str, Any], store: Path) -> None:
    """It is shown, and never followed."""
    manifest["backup_path"] = str(store.parent / "secret.db")
    manifest["checksum"] = hashlib.sha256((store.parent / "secret.db").read_bytes()).hexdigest()


def negative_size(manifest: dict[str, Any], store: Path) -> None:
    del store
    manifest["file_size"] = -1


def size_as_text(manifest: dict[str, Any], store: Path) -> None:
    del store
    manifest["file_size"] = "1048576"


def size_that_is_no_number(manifest: dict[str, Any], store: Path) -> None:
    del store
    manifest["file_size"] = float("nan")


def checksum_in_capitals(manifest: dict[str, Any], store: Path) -> None:
    del store
    manifest["checksum"] = str(manifest["checksum"]).upper()


def no_such_day(manifest: dict[str, Any], store: Path) -> None:
    del store
    manifest.update(timestamp="20251399_000000", created_at="")


def newer_format(manifest: dict[str, Any], store: Path) -> None:
    del store
    manifest["format"] = 99


HOSTILE = [
    other_name,
    other_layout,
    path_of_somebody_else,
    negative_size,
    size_as_text,
    size_that_is_no_number,
    checksum_in_capitals,
    no_such_day,
    newer_format,
]


@pytest.mark.parametrize("spoil", HOSTILE, ids=lambda spoil: str(spoil.__name__))
def test_a_hostile_manifest_restores_nothing(
    program: Program, source: Path, spoil: Callable[[dict[str, Any], Path], None]
) -> None:
    secret = make_oldest(source.with_name("secret.db"), photos=2)
    image, _ = backup(program, source)
    manifest = manifest_of(image)
    spoil(manifest, image.parent)
    image.with_suffix(".json").write_text(json.dumps(manifest), encoding="utf-8")
    change(source, "DELETE FROM jobs")
    before = source.read_bytes()
    program("restore", image, "--to", source, code=20)
    assert source.read_bytes() == before
    assert secret.exists()


def test_what_is_no_manifest_is_shown_and_hides_no_good_snapshot(
    program: Program, source: Path, tmp_path: Path
) -> None:
    good, _ = backup(program, source)
    store = good.parent
    texts = {
        "empty": b"",
        "cut": good.with_suffix(".json").read_bytes()[:-20],
        "list": b"[]",
        "bytes": bytes(range(256)),
        "deep": b"[" * 100_000,
        "huge": b" " * (5 << 20),
    }
    for number, text in enumerate(texts.values()):
        (store / f"junmai_backup_2025010{number + 1}_000000.json").write_bytes(text)
    elsewhere = tmp_path / "elsewhere.json"
    elsewhere.write_bytes(good.with_suffix(".json").read_bytes())
    (store / "junmai_backup_20250108_000000.json").symlink_to(elsewhere)
    (store / "junmai_backup_20250109_000000.json").mkdir()
    (store / "junmai_backup_20250110_000000.json").write_bytes(
        good.with_suffix(".json").read_bytes()
    )
    (store / "notes.json").write_text("{}", encoding="utf-8")
    listed = program("snapshots", store, "--json").json
    assert [item["snapshot"] for item in listed["snapshots"]] == [good.stem]
    assert len(listed["unreadable"]) == len(texts) + 3
    assert program("snapshots", store).out.count("Can't be used: ") == len(texts) + 3
    program("restore", "latest", "--to", source)


def test_an_image_that_is_a_link_is_not_followed(program: Program, source: Path) -> None:
    image, _ = backup(program, source)
    moved = image.rename(source.with_name("moved.db"))
    image.symlink_to(moved)
    outcome = program("restore", image.stem, "--to", source, code=20)
    assert image.name in outcome.message


def test_an_image_that_is_gone_is_said(program: Program, source: Path) -> None:
    image, _ = backup(program, source)
    image.unlink()
    assert "only its manifest is left" in program("snapshots", image.parent).out
    outcome = program("restore", image.stem, "--to", source, code=20)
    assert "only its manifest is left" in outcome.message


def test_what_a_killed_backup_may_leave_is_no_snapshot(program: Program, source: Path) -> None:
    """That is a staged image, or an image whose manifest was never written."""
    image, _ = backup(program, source)
    image.with_name(".junmai_backup_20250101_000000.db.partial").write_bytes(b"half")
    image.with_suffix(".json").unlink()
    assert program("snapshots", image.parent, "--json").json["snapshots"] == []
    program("restore", "latest", "--to", source, code=10)
    again, _ = backup(program, source)
    listed = program("snapshots", image.parent, "--json").json["snapshots"]
    assert [item["snapshot"] for item in listed] == [again.stem]
    assert again != image
