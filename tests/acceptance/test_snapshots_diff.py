"""Claims about `snapshots` of several stores and `snapshots diff`, with the real program."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.contracts import s3_server
from tests.harness.databases import as_wal, change, contents, unrecorded
from tests.harness.program import Program


def backup(program: Program, source: Path, *options: str | Path) -> dict[str, Any]:
    return program("backup", "--source", source, "--json", *options).json


def tables(view: dict[str, Any]) -> dict[str, tuple[int, int, int]]:
    return {
        each["table"]: (each["added"], each["removed"], each["changed"])
        for each in view["tables"]
        if each["status"] == "different"
    }


@pytest.fixture
def both(tmp_path: Path, source: Path) -> tuple[str | Path, ...]:
    """A folder of images and a store of blocks."""
    return ("--backup-dir", source.parent / "backups", "--store", tmp_path / "blocks")


def test_a_snapshot_in_two_stores_is_one_row_and_the_newest_comes_first(
    program: Program, source: Path, tmp_path: Path, both: tuple[str | Path, ...]
) -> None:
    first = backup(program, source, *both)["snapshot"]
    second = backup(program, source, "--store", tmp_path / "blocks")["snapshot"]
    listed = program("snapshots", *both, "--json").json
    assert [row["snapshot"] for row in listed["snapshots"]] == [second, first]
    assert [[c["layout"] for c in row["stores"]] for row in listed["snapshots"]] == [
        ["blocks"],
        ["file", "blocks"],
    ]
    new = [row["stores"][-1]["new_bytes"] for row in listed["snapshots"]]
    assert new[0] == 0 < new[1]
    told = program("snapshots", *both).out.splitlines()
    assert next(line for line in told if first in line.split()).rstrip().endswith("1 2")
    again = program("snapshots", source.parent / "backups", *both[2:], "--json").json
    assert again["snapshots"] == listed["snapshots"]


def test_a_store_that_is_down_is_said_and_stops_no_other(
    program: Program, source: Path, tmp_path: Path
) -> None:
    name = backup(program, source)["snapshot"]
    options = ("--backup-dir", source.parent / "backups", "--store", tmp_path / "nowhere")
    listed = program("snapshots", *options, "--json", code=30).json
    assert [row["snapshot"] for row in listed["snapshots"]] == [name]
    assert [each["store"] for each in listed["failed_stores"]] == [str(tmp_path / "nowhere")]
    assert "Down " in program("snapshots", *options, code=30).out
    missing = program("snapshots", "diff", name, "none", *options, code=10)
    assert "nowhere" in missing.message


def test_the_stores_of_a_configured_database_are_listed_by_its_name(
    program: Program, source: Path, tmp_path: Path
) -> None:
    other = source.with_name("other.db")
    change(other, "CREATE TABLE t (a)")
    config = tmp_path / "junmai.toml"
    config.write_text(
        f"""[stores.near]\nurl = "near"\nlayout = "file"\n[stores.far]\nurl = "far"
[[databases]]\nname = "photos"\npath = '{source}'\nschedule = "0 * * * *"
[[databases]]\nname = "other"\npath = '{other}'\nschedule = "0 * * * *"\nstores = ["far"]
""",
        encoding="utf-8",
    )
    stores = ("--store", "near", "--store", "far")
    name = program("--config", config, "backup", "--source", source, *stores, "--json").json
    program("--config", config, "backup", "--source", other, "--store", "far")
    listed = program("--config", config, "snapshots", "--database", "photos", "--json").json
    (row,) = listed["snapshots"]
    assert row["snapshot"] == name["snapshot"]
    assert len(row["stores"]) == 2
    said = program("--config", config, "snapshots", "--database", "foto", code=10).message
    assert "photos, other" in said + program("snapshots", "--database", "x", code=10).message


def test_an_empty_store_says_what_to_do(program: Program, source: Path) -> None:
    (source.parent / "backups").mkdir()
    assert "backup --source PATH" in program("snapshots", source.parent / "backups").out


def test_what_changed_is_counted_by_key_with_examples(program: Program, source: Path) -> None:
    as_wal(source)
    before = backup(program, source)["snapshot"]
    with closing(sqlite3.connect(source)) as database:
        (jobs,) = database.execute("SELECT count(*) FROM jobs").fetchone()
        (photos,) = database.execute("SELECT count(*) FROM photos").fetchone()
    change(
        source,
        """DELETE FROM jobs; UPDATE photos SET file_name = file_name || 'x' WHERE id <= 2;
        CREATE TABLE extra (a); INSERT INTO extra VALUES (1); DROP INDEX idx_jobs_status;""",
    )
    backup(program, source)
    store = source.parent / "backups"
    kept = unrecorded(contents(source.parent))
    found = program("snapshots", "diff", before, "latest", store, "--json").json
    assert unrecorded(contents(source.parent)) == kept
    assert found["status"] == "different"
    assert tables(found) == {"jobs": (0, jobs, 0), "photos": (0, 0, 2), "extra": (1, 0, 0)}
    (changed,) = (each for each in found["tables"] if each["table"] == "photos")
    assert changed["columns"] == {"file_name": 2}
    assert changed["rows_before"] == changed["rows_after"] == photos
    assert [each["key"] for each in changed["examples"]] == ["id = 1", "id = 2"]
    assert {(each["kind"], each["name"], each["change"]) for each in found["schema"]} == {
        ("table", "extra", "added"),
        ("index", "idx_jobs_status", "removed"),
    }
    told = program("snapshots", "diff", before, "latest", store, "--exit-code", code=3).out
    assert "photos: changed id = 1: file_name " in told
    assert "index idx_jobs_status removed" in told
    options = ("--json", "--examples", "0", "--exit-code")
    backwards = program("snapshots", "diff", "latest", before, store, *options, code=3).json
    assert tables(backwards) == {"jobs": (jobs, 0, 0), "photos": (0, 0, 2), "extra": (0, 1, 0)}
    assert all(each["examples"] == [] for each in backwards["tables"])


def test_snapshots_of_two_layouts_and_stores_are_compared(
    program: Program, source: Path, tmp_path: Path
) -> None:
    first = Path(backup(program, source)["backup_path"])
    change(source, "CREATE TABLE gone (a); DROP TABLE gone")
    backup(program, source, "--store", tmp_path / "blocks")
    options = ("--b-store", tmp_path / "blocks", "--exit-code", "--json")
    for one in (first, first.stem, "latest"):
        found = program("snapshots", "diff", one, "latest", first.parent, *options).json
        assert (found["status"], found["same_image"]) == ("equal", False)
        assert {each["compared"] for each in found["tables"]} == {"digest"}
    assert program("snapshots", "diff", first, "latest", "--json").json["same_image"]


def test_a_damaged_snapshot_is_not_compared(program: Program, source: Path) -> None:
    image = Path(backup(program, source)["backup_path"])
    change(source, "DELETE FROM jobs")
    backup(program, source)
    whole = bytearray(image.read_bytes())
    whole[5000] ^= 4
    image.write_bytes(whole)
    outcome = program("snapshots", "diff", image, "latest", code=20)
    assert image.name in outcome.message


def test_snapshots_of_other_encodings_are_refused(program: Program, source: Path) -> None:
    names = []
    for encoding in ("UTF-8", "UTF-16le"):
        path = source.with_name(f"{encoding}.db")
        change(path, f"PRAGMA encoding = '{encoding}'; CREATE TABLE t (a)")
        names.append(backup(program, path)["snapshot"])
    outcome = program("snapshots", "diff", *names, source.parent / "backups", code=2)
    assert "UTF-16le" in outcome.message


def test_schemas_of_two_versions_are_compared(program: Program, source: Path) -> None:
    """The migrated database has new tables and columns, and every row of the old one."""
    target = source.with_name("new.db")
    program("migrate", "--source", source, "--target", target)
    old, new = backup(program, source)["snapshot"], backup(program, target)["snapshot"]
    found = program("snapshots", "diff", old, new, source.parent / "backups", "--json").json
    kinds = {(each["kind"], each["change"]) for each in found["schema"]}
    assert ("column", "added") in kinds
    both = [each for each in found["tables"] if not each["compared"].startswith("only")]
    assert len(both) > 2
    assert all(each["status"] == "equal" for each in both)


def test_snapshots_in_s3_are_listed_and_compared(
    program: Program, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in s3_server.ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_DEFAULT_REGION", s3_server.REGION)
    with s3_server.running() as server:
        away = ("--store", f"s3://{s3_server.make_bucket(server)}/x", "--endpoint-url", server)
        both = ("--backup-dir", source.parent / "backups", *away)
        first = backup(program, source, *both)["snapshot"]
        change(source, "DELETE FROM jobs WHERE id = (SELECT min(id) FROM jobs)")
        second = backup(program, source, *away)["snapshot"]
        rows = program("snapshots", *both, "--json").json["snapshots"]
        assert [len(row["stores"]) for row in rows] == [1, 2]
        found = program("snapshots", "diff", first, second, *both, "--json").json
        assert tables(found) == {"jobs": (0, 1, 0)}


def test_help_tells_of_the_list_and_of_the_comparison(program: Program) -> None:
    for flag in ("--help", "-h"):
        told = program("snapshots", flag).out
        assert "[OPTIONS] [STORE]" in told
        assert "--backup-dir" in told
        assert "diff" in told
    assert "--exit-code" in program("snapshots", "diff", "--help").out
    assert program("snapshots", "--nonsense", code=2)


@pytest.mark.parametrize("command", ["backup", "migrate"])
def test_people_are_told_each_store_and_each_that_is_down(
    program: Program, source: Path, tmp_path: Path, command: str
) -> None:
    (tmp_path / "taken").write_bytes(b"no folder")
    stores = ("--backup-dir", "kept", "--store", tmp_path / "blocks", "--store", tmp_path / "taken")
    told = program(command, "--source", source, *stores, code=2).out
    lines = [line for line in told.splitlines() if line.startswith(("Stored", "Backup", "Down"))]
    assert [str(place) in line for place, line in zip(stores[1::2], lines, strict=True)] == [
        True
    ] * 3
    assert lines[1].endswith(" kB new")
