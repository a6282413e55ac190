"""Claims about `check`, `check --repair` and `prune` on a store of blocks, by the real program."""

import os
import sys
from pathlib import Path

import pytest
from tests.harness.databases import all_rows, change
from tests.harness.program import Program


@pytest.fixture
def store(program: Program, source: Path, tmp_path: Path) -> Path:
    """A store of blocks with two snapshots, made by the program."""
    change(source, "CREATE TABLE filler (b)")
    change(source, "INSERT INTO filler SELECT randomblob(4000) FROM photos")
    for _ in range(2):
        program("backup", "--source", source, "--store", "./store")
    return tmp_path / "store"


def flip_largest_pack(store: Path) -> str:
    pack = max(store.glob("packs/*/*"), key=lambda path: path.stat().st_size)
    content = bytearray(pack.read_bytes())
    content[1_000] ^= 1
    pack.write_bytes(content)
    return pack.name


def test_damage_is_found_named_mended_and_gone(
    program: Program, source: Path, store: Path, tmp_path: Path
) -> None:
    assert program("check", "./store", "--json").json["status"] == "sound"
    rows = all_rows(source)
    pack = flip_largest_pack(store)
    outcome = program("check", "./store", "--read-data", code=3)
    assert f"{pack[:12]}…" in outcome.out
    assert "`junmai-svc check ./store --repair`" in outcome.out  # and not of another store
    assert max(map(len, outcome.out.splitlines())) < 160
    assert "Damaged  2 snapshots" in outcome.out
    said = program("check", "./store", "--sample", "100%", "--json", code=3).json
    assert len(said["damaged"]) == 2
    assert said["findings"][0]["key"].endswith(pack)
    assert {"check", "message", "key", "hint", "snapshots"} <= said["findings"][0].keys()
    outcome = program("check", "./store", "--repair", "--from-source", source)
    assert f"quarantine/{pack}" in outcome.out
    assert "Nothing is damaged" in outcome.out
    program("check", "./store", "--read-data")
    program("backup", "--source", source, "--store", "./store")
    program("restore", "latest", "--store", "./store", "--to", tmp_path / "restored.db")
    assert all_rows(tmp_path / "restored.db") == rows


@pytest.mark.parametrize("found_by", ["check", "restore"])
def test_a_backup_after_damage_was_found_is_good(
    program: Program, source: Path, store: Path, tmp_path: Path, found_by: str
) -> None:
    """Nothing was written to the database, and another machine found the damage."""
    rows = all_rows(source)
    flip_largest_pack(store)
    elsewhere = {"XDG_CACHE_HOME": str(tmp_path / "other"), "LOCALAPPDATA": str(tmp_path / "other")}
    commands: dict[str, tuple[int, tuple[str | Path, ...]]] = {
        "check": (3, ("check", "./store", "--read-data")),
        "restore": (20, ("restore", "latest", "--store", "./store", "--to", tmp_path / "no.db")),
    }
    code, command = commands[found_by]
    program(*command, code=code, env=elsewhere)
    program("backup", "--source", source, "--store", "./store")
    program("restore", "latest", "--store", "./store", "--to", tmp_path / "restored.db")
    assert all_rows(tmp_path / "restored.db") == rows


def test_prune_keeps_what_is_damaged_from_counting_as_good(program: Program, store: Path) -> None:
    flip_largest_pack(store)
    program("check", "./store", "--read-data", code=3)
    said = program("prune", "./store", "--dry-run", "--json").json
    assert [row["damaged"] for row in said["snapshots"]] == [True, True]
    outcome = program("prune", "./store", "--keep-last", "1", "--older-than", "30d")
    assert "Deleted 0 snapshots" in outcome.out


@pytest.mark.parametrize(
    "options",
    [
        ("--read-data", "--sample", "5%"),
        ("--sample", "0%"),
        ("--sample", "101%"),
        ("--sample", "some"),
        ("--from", "elsewhere"),
        ("--from-source", "junmai.db"),
        ("--repair", "--sample", "5%"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    program: Program, tmp_path: Path, options: tuple[str, ...]
) -> None:
    (tmp_path / "backups").mkdir()
    program("check", "backups", *options, code=2)
    assert list((tmp_path / "backups").iterdir()) == []


def test_a_store_that_is_not_there_is_not_found(program: Program) -> None:
    program("check", "./nowhere", code=10)
    program("check", code=10)


@pytest.mark.skipif(sys.platform == "win32", reason="links are for administrators there")
def test_where_a_link_hides_the_snapshots_nothing_is_taken_for_garbage(
    program: Program, store: Path, tmp_path: Path
) -> None:
    (store / "snapshots").rename(tmp_path / "elsewhere")
    (store / "snapshots").symlink_to(tmp_path / "elsewhere")
    for path in store.glob("*/**/*"):
        os.utime(path, (0, 0), follow_symlinks=False)
    before = sorted(store.rglob("*"))
    for command in (("check", "./store", "--read-data"), ("prune", "./store")):
        assert "snapshots in" in program(*command, code=20).message
    (store / "snapshots").unlink()
    assert "not one manifest" in program("check", "./store", code=3).out
    assert "No bytes were freed" in program("prune", "./store").out
    (tmp_path / "elsewhere").rename(store / "snapshots")
    program("check", "./store", "--read-data")
    assert [path for path in before if not path.exists()] == []


def test_a_hold_whose_snapshot_is_gone_stops_nobody_and_can_be_lifted(
    program: Program, source: Path
) -> None:
    store = ("--store", "blocks")
    program("store", "init", "blocks")
    gone, _ = (
        program("backup", "--source", source, *store, "--json").json["snapshot"] for _ in range(2)
    )
    program("hold", gone, *store)
    (program.folder / "blocks" / "snapshots" / f"{gone}.json").unlink()
    assert len(program("snapshots", *store, "--json").json["snapshots"]) == 1
    program("prune", *store)
    assert "the snapshot itself is gone" in program("release", gone, *store).out
    assert gone in program("release", gone, *store, code=10).message
