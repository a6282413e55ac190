"""Claims about what `audit verify` asks of the stores, and what it says where one is not as it was.

By default it looks for all that is there; with --read-data it hashes it.
"""

import shutil
from pathlib import Path

import pytest
from tests.harness.audits import OK, answers, findings, notes, verdict
from tests.harness.databases import change
from tests.harness.program import Outcome, Program

CREDENTIALS = dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "none")


def verify(program: Program, journal: Path, *more: str | Path, code: int | None = 0) -> Outcome:
    return program("--journal", journal, "audit", "verify", *more, "--json", code=code)


def test_a_store_that_was_wiped_is_missed_by_whoever_published_there(
    program: Program, journal: Path
) -> None:
    """Also where nobody names it, until a person says that it was given up."""
    beside = journal.with_name("backups")
    shutil.rmtree(beside)
    said = verify(program, journal, code=3).json
    assert "EMPTIED" in findings(said, "current")
    assert verdict(said, "current")["position"] == 0
    give_up = ("--journal", journal, "audit", "checkpoint", "--accept-loss", "sold", "--store")
    assert str(beside) in program(*give_up, "elsewhere", code=10).message
    program(*give_up, beside)
    said = verify(program, journal, code=None).json
    assert findings(said, "current") == ""
    assert answers(said)["objects"] == "unchecked"
    assert "stored in" in notes(said)


def test_a_store_of_blocks_without_its_maps_or_packs_is_not_well(
    program: Program, source: Path
) -> None:
    journal, store = source.with_name("journal.db"), source.with_name("blocks")
    program("store", "init", store)
    program("backup", "--source", source, "--store", store)
    said = verify(program, journal).json
    assert answers(said) == OK
    assert verdict(said, "objects")["extent"] == "0 of 1 snapshots hashed"
    said = verify(program, journal, "--read-data").json
    assert verdict(said, "objects")["extent"] == "1 of 1 snapshots hashed"
    (pack,) = (path for path in (store / "packs").rglob("*") if path.is_file())
    content = pack.read_bytes()
    pack.write_bytes(content[:-1])
    assert "not those of its maps" in findings(verify(program, journal, code=3).json, "objects")
    pack.write_bytes(content[:100] + bytes([content[100] ^ 1]) + content[101:])
    assert answers(verify(program, journal).json) == OK
    assert findings(verify(program, journal, "--read-data", code=3).json, "objects")
    for lost in ("packs", "maps"):
        shutil.rmtree(store / lost)
        assert findings(verify(program, journal, code=3).json, "objects")


def test_a_plan_that_an_event_names_is_missed_and_hashed(program: Program, source: Path) -> None:
    program("migrate", "--source", source)
    journal = source.with_name("journal.db")
    (plan,) = (source.with_name("backups") / "details").iterdir()
    content = plan.read_bytes()
    plan.write_bytes(content + b" ")
    assert answers(verify(program, journal).json) == OK
    said = verify(program, journal, "--read-data", code=3).json
    assert "not what they were" in findings(said, "objects")
    plan.unlink()
    said = verify(program, journal, code=3).json
    assert plan.stem in findings(said, "objects")
    assert isinstance(verdict(said, "objects")["position"], int)


def test_a_copy_elsewhere_without_the_snapshots_proves_none_of_them(
    program: Program, journal: Path, key: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(journal.with_name("backups"), copy)
    outside = ("audit", "verify", "--store", copy, "--key", key, "--json")
    assert answers(program(*outside).json) == OK
    one, other = sorted(copy.glob("*_backup_*.json"))
    one.unlink()
    said = program(*outside).json
    assert answers(said) == OK
    assert "1 snapshots that were stored in" in notes(said)
    other.unlink()
    said = program(*outside).json
    assert answers(said) == OK | {"objects": "unchecked"}
    assert "2 snapshots that were stored in" in notes(said)


def test_a_store_that_does_not_answer_leaves_its_questions_open(
    program: Program, journal: Path
) -> None:
    silent = "s3://bucket/prefix"
    asked = ("--store", journal.with_name("backups"), "--store", silent)
    said = program(
        *("--journal", journal, "audit", "verify", "--json"),
        *(*asked, "--endpoint-url", "http://127.0.0.1:9"),
        code=30,
        env=CREDENTIALS,
    ).json
    assert said["status"] == "incomplete"
    unchecked = dict.fromkeys(("append-only", "current", "objects"), "unchecked")
    assert answers(said) == OK | unchecked
    assert [each["store"] for each in said["unreachable"]] == [silent]


def test_a_pin_is_begun_and_moved_on_here_too_and_said(
    program: Program, source: Path, journal: Path, key: Path
) -> None:
    pin = journal.with_name("seen")
    told = program("--journal", journal, "audit", "verify", "--pin", pin).out
    assert "begun at 11 events" in told
    program("backup", "--source", source)
    said = verify(program, journal, "--pin", pin).json["pin"]
    assert (said["status"], said["before"], said["size"]) == ("moved on", 11, 16)
    assert verify(program, journal, "--pin", pin).json["pin"]["status"] == "kept"
    store = journal.with_name("backups")
    outside = ("audit", "verify", "--store", store, "--key", key, "--pin", pin, "--json")
    assert program(*outside).json["pin"]["status"] == "kept"
    assert program(*outside[:-2], journal.with_name("sene"), "--json").json["pin"] == {
        "file": str(journal.with_name("sene")),
        "status": "begun",
        "size": 16,
        "before": None,
    }


def test_a_public_key_is_taken_from_the_line_in_which_it_was_printed(
    program: Program, journal: Path, key: Path, tmp_path: Path
) -> None:
    printed = program("--journal", journal, "audit", "checkpoint").out
    [line] = [line for line in printed.splitlines() if line.startswith("Key ")]
    noted = tmp_path / "noted"
    for text in (line, f"Its public key: {key.read_text(encoding='utf-8')}"):
        noted.write_text(text, encoding="utf-8")
        said = program("audit", "verify", "--store", journal.with_name("backups"), "--key", noted)
        assert "authentic" in said.out


def test_rows_that_are_not_what_the_events_tell_are_named(program: Program, journal: Path) -> None:
    change(journal, "UPDATE projection SET value = '{}' WHERE name = 'run'")
    said = verify(program, journal, code=3).json
    assert "not what the events tell" in findings(said, "intact")
    program("--journal", journal, "audit", "rebuild", code=3)
    assert answers(verify(program, journal).json) == OK


@pytest.mark.parametrize("more", [("--repair",), ("--accept-loss", "x")], ids=lambda more: more[0])
def test_what_only_goes_with_publishing_is_refused_without(
    program: Program, journal: Path, more: tuple[str, ...]
) -> None:
    assert program("--journal", journal, "audit", "checkpoint", *more, code=2).message


@pytest.mark.parametrize("lost", ["its end", "all of it"])
def test_a_journal_comes_back_from_a_sealed_store_whose_key_is_not_at_hand(
    program: Program, source: Path, lost: str
) -> None:
    journal, sealed = source.with_name("journal.db"), ("--store", "vault")
    program("store", "init", "vault", "--key-file", "a.key", "--new-key")
    backup = ("backup", "--source", source, *sealed, "--key-file", "a.key")
    program(*backup)
    older = journal.read_bytes()
    program(*backup)
    journal.unlink()
    if lost == "its end":
        journal.write_bytes(older)
    said = program("--journal", journal, "audit", "recover", *sealed, "--json").json
    assert (said["status"], said["added"]) == ("recovered", 5 if lost == "its end" else 11)
    assert "vault" in said["store"]
    assert said["unreachable"] == []
    verify(program, journal, *sealed, "--key-file", "a.key")
