"""Claims about `restore` where several stores, or several databases, could be meant."""

import shutil
from pathlib import Path

import pytest
from tests.harness.databases import all_rows, change
from tests.harness.program import Program


@pytest.fixture
def name(program: Program, source: Path) -> str:
    """The name of a snapshot in a store of blocks, `one`, and in a folder of images, `other`."""
    said = program("backup", "--source", source, "--store", "./one", "--store", "./other", "--json")
    return str(said.json["snapshot"])


def damage_pack(store: Path) -> None:
    pack = max(store.glob("packs/*/*"), key=lambda path: path.stat().st_size)
    content = bytearray(pack.read_bytes())
    content[30:60] = bytes(30)
    pack.write_bytes(content)


def test_where_one_copy_is_damaged_the_other_store_s_is_restored(
    program: Program, source: Path, tmp_path: Path, name: str
) -> None:
    damage_pack(tmp_path / "one")
    target = tmp_path / "restored.db"
    stores = ("--store", "./one", "--store", "./other")
    outcome = program("restore", name, "--to", target, *stores)
    assert "Damaged  the copy in" in outcome.out
    assert all_rows(target) == all_rows(source)
    said = program("restore", "latest", "--to", target, *stores, "--json").json
    assert said["store"].endswith("other")
    assert [each["store"].endswith("one") for each in said["damaged_copies"]] == [True]


def test_where_a_manifest_is_damaged_the_other_store_s_is_taken(
    program: Program, source: Path, tmp_path: Path, name: str
) -> None:
    (tmp_path / "one" / "snapshots" / f"{name}.json").write_text("{", encoding="utf-8")
    target = tmp_path / "restored.db"
    program("restore", name, "--to", target, "--store", "./one", "--store", "./other")
    assert all_rows(target) == all_rows(source)


def test_where_no_copy_is_whole_the_snapshot_is_named_and_who_else_has_it(
    program: Program, source: Path, tmp_path: Path, name: str
) -> None:
    damage_pack(tmp_path / "one")
    outcome = program("restore", name, "--to", source, "--store", "./one", code=20)
    assert f"{name} is damaged in" in outcome.message
    assert f"{tmp_path / 'other'} has it too" in outcome.message


def test_latest_never_puts_another_database_over_one_of_the_same_name(
    program: Program, source: Path, tmp_path: Path
) -> None:
    ours, theirs = tmp_path / "host1" / "app.db", tmp_path / "host2" / "app.db"
    for path in (ours, theirs):
        path.parent.mkdir()
        shutil.copy(source, path)
    change(theirs, "UPDATE sessions SET name = 'theirs'")
    for path in (ours, theirs):
        program("backup", "--source", path, "--store", "./store")
    rows = all_rows(ours)
    change(ours, "DELETE FROM jobs")
    program("restore", "latest", "--to", ours, "--store", "./store")
    assert all_rows(ours) == rows
    outcome = program("restore", "latest", "--to", "new/app.db", "--store", "./store", code=10)
    assert "new" in outcome.message  # there is no such folder
    for when in ("latest", "--at=2999-01-01T00:00"):
        outcome = program("restore", when, "--to", "app.db", "--store", "./store", code=10)
        assert f"{ours}, {theirs}" in outcome.message


def test_latest_in_a_diff_is_of_the_other_snapshot_s_database(
    program: Program, source: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.db"
    shutil.copy(source, other)
    first = program("backup", "--source", source, "--store", "./store", "--json").json["snapshot"]
    second = program("backup", "--source", source, "--store", "./store", "--json").json["snapshot"]
    program("backup", "--source", other, "--store", "./store")
    for pair in ((first, "latest"), ("latest", first)):
        said = program("snapshots", "diff", *pair, "./store", "--json").json
        found = [said[side]["snapshot"] for side in ("before", "after")]
        assert found == [second if each == "latest" else each for each in pair]
    message = program("release", "latest", "--store", "./store", code=10).message
    assert "None" not in message
    assert "several databases" in message


def test_latest_is_the_newest_of_all_stores_whichever_is_named_first(
    program: Program, source: Path, tmp_path: Path, name: str
) -> None:
    change(source, "UPDATE sessions SET name = 'later'")
    newer = program("backup", "--source", source, "--store", "./other", "--json").json["snapshot"]
    target = tmp_path / "restored.db"
    for stores in (("./one", "./other"), ("./other", "./one")):
        options = [part for store in stores for part in ("--store", store)]
        said = program("restore", "latest", "--to", target, *options, "--json").json
        assert said["snapshot"] == newer != name
    assert all_rows(target) == all_rows(source)


def test_a_store_that_is_down_is_told_as_what_is_meant_may_be_there(
    program: Program, tmp_path: Path, name: str
) -> None:
    (tmp_path / "none").mkdir()
    (tmp_path / "none/store.json").write_text("{", encoding="utf-8")
    target, stores = tmp_path / "restored.db", ("--store", "./none", "--store", "./other")
    outcome = program("restore", name, "--to", target, *stores, "--json")
    assert "none was not asked" in outcome.err
    assert [each["store"] for each in outcome.json["failed_stores"]] == ["./none"]
    damage = program("restore", "nothing", "--to", target, *stores, code=10)
    assert "none was not asked" in damage.err
