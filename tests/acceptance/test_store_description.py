"""A store's description as people meet it: gone, damaged, of a newer format; and its copy."""

import json
from pathlib import Path

import pytest
from tests.acceptance.test_stores import backup
from tests.harness.program import Program


def test_a_store_whose_description_is_gone_is_named_and_nothing_is_made_over_it(
    program: Program, source: Path
) -> None:
    backup(program, source, "--store", "vault")
    kept = (program.folder / "vault" / "store.json").read_bytes()
    (program.folder / "vault" / "store.json").unlink()
    (program.folder / "vault" / "state" / "description.json").unlink()
    program("backup", "--source", source, "--store", "vault", code=20)
    program("snapshots", "vault", code=20)
    (program.folder / "vault" / "store.json").write_bytes(kept)
    assert len(program("snapshots", "vault", "--json").json["snapshots"]) == 1


@pytest.mark.parametrize("damage", [None, b"", b'{"format": 1'], ids=["gone", "empty", "torn"])
def test_a_sealed_store_whose_description_is_damaged_is_used_by_its_copy_and_mended(
    program: Program, source: Path, damage: bytes | None
) -> None:
    vault = ("vault", "--key-file", "a.key")
    (program.folder / "a.key").write_bytes(bytes(32))
    program("store", "init", *vault)
    backup(program, source, "--store", *vault)
    path = program.folder / "vault" / "store.json"
    kept = path.read_bytes()
    path.unlink() if damage is None else path.write_bytes(damage)
    listed = program("snapshots", *vault, "--json")
    assert len(listed.json["snapshots"]) == 1
    assert "its copy was used" in listed.err
    backup(program, source, "--store", *vault)
    found = program("check", *vault, "--json", code=3).json
    assert [(each["check"], each["key"]) for each in found["findings"]] == [
        ("description", "store.json")
    ]
    assert found["damaged"] == []
    mended = program("check", *vault, "--repair", "--json").json
    assert mended["put_back"] == ["store.json"]
    assert path.read_bytes() == kept
    assert "Nothing is damaged" in program("check", *vault).out


def test_the_copy_of_a_description_makes_no_store_of_the_folders_around_it(
    program: Program, source: Path
) -> None:
    """A store may lie in a folder `state` of another one, and hold images or blocks."""
    backup(program, source, "--backup-dir", "images")
    program("store", "init", "images/state")
    assert len(program("snapshots", "--backup-dir", "images", "--json").json["snapshots"]) == 1
    program("store", "init", "outer")
    backup(program, source, "--store", "outer/state")
    ids = [program("store", "show", name, "--json").json["id"] for name in ("outer", "outer/state")]
    assert ids[0] != ids[1]


def test_a_store_of_whole_images_has_a_copy_of_its_description_too(
    program: Program, source: Path
) -> None:
    program("store", "init", "vault", "--layout", "file")
    backup(program, source, "--store", "vault")
    (program.folder / "vault" / "store.json").unlink()
    assert "store.json is gone" in program("check", "vault", code=3).out
    program("check", "vault", "--repair")
    assert (program.folder / "vault" / "store.json").exists()
    assert "Nothing is damaged" in program("check", "vault").out


def test_the_copy_of_a_description_follows_its_key_and_is_put_back(
    program: Program, source: Path
) -> None:
    for name, key in (("a.key", bytes(32)), ("b.key", bytes(range(32)))):
        (program.folder / name).write_bytes(key)
    program("store", "init", "vault", "--key-file", "a.key")
    backup(program, source, "--store", "vault", "--key-file", "a.key")
    program("store", "key", "vault", "--key-file", "a.key", "--new-key-file", "b.key")
    vault = ("vault", "--key-file", "b.key")
    own, copy = (
        program.folder / "vault" / name for name in ("store.json", "state/description.json")
    )
    assert copy.read_bytes() == own.read_bytes()
    copy.unlink()  # as in a store that was made before there was one
    assert "state/description.json is missing" in program("check", *vault).out
    copy.write_bytes(own.read_bytes()[:-9])
    assert "state/description.json" in program("check", *vault, code=3).out
    assert program("check", *vault, "--repair", "--json").json["put_back"] == [
        "state/description.json"
    ]
    assert copy.read_bytes() == own.read_bytes()
    assert "Nothing is damaged" in program("check", *vault).out


def test_a_newer_store_is_refused_with_the_way_out(program: Program, source: Path) -> None:
    backup(program, source, "--store", "vault")
    path = program.folder / "vault" / "store.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 2}))
    refused = program("backup", "--source", source, "--store", "vault", "--json", code=20).json
    assert "newest junmai-svc" in refused["error"]["hint"]
