"""Claims about `audit`, asked of the real program: what it says, and how it ends."""

import csv
import io
import json
import shutil
import sys
from pathlib import Path

import pytest
from tests.harness.audits import OK, answers, findings, notes
from tests.harness.databases import change
from tests.harness.program import Program
from tests.harness.terminal import on_terminal


def test_after_honest_work_all_is_well_here_and_outside(
    program: Program, source: Path, journal: Path, key: Path, tmp_path: Path
) -> None:
    program("migrate", "--source", source)
    program("restore", "latest", "--to", source)
    here = program("--journal", journal, "audit", "verify", "--read-data", "--json").json
    assert answers(here) == OK
    assert here["status"] == "passed"
    assert (journal.with_name("journal.db.key").stat().st_mode & 0o777) == 0o600
    pin = tmp_path / "pin"
    store = journal.with_name("backups")
    outside = ("audit", "verify", "--store", store, "--key", key, "--pin", pin)
    said = program(*outside, "--json").json
    assert answers(said) == OK
    assert (said["size"], said["root"]) == (here["size"], here["root"])
    assert f"\n{said['size']}\n" in pin.read_text(encoding="utf-8")
    told = program(*outside).out
    for question in OK:
        assert question in told
    assert here["journal"] in told


def test_the_manifests_hold_checkpoints_that_the_journal_grew_from(
    program: Program, journal: Path
) -> None:
    manifests = [
        json.loads(path.read_text(encoding="utf-8"))
        for path in journal.with_name("backups").glob("*_backup_*.json")
    ]
    assert len(manifests) == 2
    assert all("junmai-svc/journal/" in manifest["checkpoint"] for manifest in manifests)
    shutil.rmtree(journal.with_name("backups") / "journal")
    change(
        journal,
        "DROP TRIGGER event_no_delete; DROP TRIGGER journal_head_follows;"
        "DELETE FROM event WHERE position > 4",
    )
    said = program("--journal", journal, "audit", "verify", "--json", code=3).json
    assert "TRUNCATED" in findings(said, "current")


def test_a_lost_and_a_foreign_snapshot_are_named(program: Program, journal: Path) -> None:
    store = journal.with_name("backups")
    one, other = sorted(store.glob("*_backup_*.db"))
    one.unlink()
    foreign = f"{other.stem.rpartition('_')[0]}_000000"
    shutil.copy(other, store / f"{foreign}.db")
    manifest = json.loads(other.with_suffix(".json").read_text(encoding="utf-8"))
    (store / f"{foreign}.json").write_text(
        json.dumps(manifest | {"name": foreign}), encoding="utf-8"
    )
    said = program("--journal", journal, "audit", "verify", "--json", code=3).json
    told = findings(said, "objects")
    assert one.stem in told
    assert f"{foreign} is explained by no event" in told


def test_a_changed_byte_of_a_snapshot_is_found_where_the_data_is_read(
    program: Program, journal: Path
) -> None:
    image = min(journal.with_name("backups").glob("*_backup_*.db"))
    content = bytearray(image.read_bytes())
    content[len(content) // 2] ^= 1
    image.write_bytes(content)
    assert answers(program("--journal", journal, "audit", "verify", "--json").json) == OK
    said = program("--journal", journal, "audit", "verify", "--read-data", "--json", code=3).json
    assert image.stem in findings(said, "objects")


def test_pruned_snapshots_are_not_missed(program: Program, source: Path, journal: Path) -> None:
    for _ in range(3):
        program("backup", "--source", source)
    program(
        "--journal",
        journal,
        "prune",
        journal.with_name("backups"),
        "--older-than",
        "1s",
        "--keep-last",
        "0",
    )
    assert answers(program("--journal", journal, "audit", "verify", "--json").json) == OK


def test_a_store_that_is_down_is_reported_and_made_good_by_the_next_command(
    program: Program, source: Path, journal: Path
) -> None:
    mirror = journal.with_name("backups") / "journal"
    shutil.move(mirror, journal.with_name("away"))
    mirror.write_text("in the way", encoding="utf-8")
    done = program("backup", "--source", source)
    assert "journal is not published" in done.message
    mirror.unlink()
    shutil.move(journal.with_name("away"), mirror)
    assert "not published" not in program("backup", "--source", source).message
    said = program("--journal", journal, "audit", "verify", "--json").json
    assert answers(said) == OK
    assert not any("not yet published" in note for v in said["verdicts"] for note in v["notes"])


def test_a_journal_put_back_to_an_older_state_is_refilled(
    program: Program, source: Path, journal: Path
) -> None:
    shutil.copy(journal, journal.with_name("older.db"))
    program("backup", "--source", source)
    shutil.copy(journal.with_name("older.db"), journal)
    said = program("--journal", journal, "audit", "verify", "--json", code=3).json
    assert "TRUNCATED" in findings(said, "current")
    assert "Refilled" in program("--journal", journal, "audit", "recover").out
    assert answers(program("--journal", journal, "audit", "verify", "--json").json) == OK


def test_a_fork_ends_with_3_and_says_what_to_do(
    program: Program, source: Path, journal: Path
) -> None:
    shutil.copy(journal, journal.with_name("older.db"))
    program("backup", "--source", source)
    shutil.copy(journal.with_name("older.db"), journal)
    store = journal.with_name("backups")
    store.rename(journal.with_name("away"))  # else the next command refills the journal from it
    program("backup", "--source", source)
    shutil.rmtree(store)
    journal.with_name("away").rename(store)
    assert "at position" in program("backup", "--source", source).message
    explained = program("--journal", journal, "audit", "recover", code=3).out
    assert "nothing is ever merged" in explained
    assert "--new-epoch" in explained
    told = program("--journal", journal, "audit", "recover", "--new-epoch", "a test", "--json").json
    assert told["status"] == "new epoch"
    assert Path(told["kept"]).exists()
    program("backup", "--source", source)
    said = program("--journal", journal, "audit", "verify", "--json").json
    assert answers(said) == OK


def test_a_proof_of_one_event_verifies_alone(
    program: Program, journal: Path, key: Path, tmp_path: Path
) -> None:
    proof = tmp_path / "proof"
    program("--journal", journal, "audit", "prove", "3", "--to", proof)
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(key, alone)
    journal.unlink()
    check = ("audit", "verify", "--proof", proof, "--key", alone / key.name)
    assert program(*check, "--json").json["position"] == 3
    assert "Proven" in program(*check).out
    proof.write_bytes(proof.read_bytes().replace(b"index 3", b"index 4"))
    assert "not at position 4" in program(*check, code=3).message


def test_events_are_written_out_as_they_are_stored(
    program: Program, journal: Path, tmp_path: Path
) -> None:
    lines = program("--journal", journal, "audit", "export").out.splitlines()
    told = [json.loads(line) for line in lines]
    assert [each["position"] for each in told] == list(range(len(told)))
    assert {each["specversion"] for each in told} == {"1.0"}
    target = tmp_path / "events.csv"
    to = ("audit", "export", "--format", "csv", "--to", target, "--json")
    said = program("--journal", journal, *to).json
    assert (said["status"], said["events"], said["path"]) == ("exported", len(told), str(target))
    program("--journal", journal, "audit", "export", "--json", code=2)
    rows = list(csv.DictReader(io.StringIO(target.read_bytes().decode())))
    assert [row["id"] for row in rows] == [each["id"] for each in told]
    assert [json.loads(row["data"]) for row in rows] == [each["data"] for each in told]


def test_keys_are_rotated_and_rows_rebuilt(program: Program, journal: Path, key: Path) -> None:
    said = program("--journal", journal, "audit", "rotate-key", "--json").json
    assert said["key"] != key.read_text(encoding="ascii").strip()
    program("--journal", journal, "audit", "checkpoint", "--publish")
    store = journal.with_name("backups")
    assert answers(program("audit", "verify", "--store", store, "--key", key, "--json").json) == OK
    rebuilt = program("--journal", journal, "audit", "rebuild", "--json").json
    assert (rebuilt["status"], rebuilt["before"]) == ("same", rebuilt["digest"])
    change(journal, "UPDATE projection SET value = '{}' WHERE name = 'run'")
    changed = program("--journal", journal, "audit", "rebuild", "--json", code=3).json
    assert changed["digest"] == rebuilt["digest"]


def test_a_lost_key_stops_no_backup_and_is_said(
    program: Program, source: Path, journal: Path
) -> None:
    journal.with_name("journal.db.key").unlink()
    done = program("backup", "--source", source)
    assert "signing key" in done.message
    assert not journal.with_name("journal.db.key").exists()
    said = program("--journal", journal, "audit", "verify", "--json", code=3).json
    assert "missing" in findings(said, "authentic")
    program("--journal", journal, "audit", "rotate-key", "--lost", "a test")
    program("backup", "--source", source)
    said = program("--journal", journal, "audit", "verify", "--json").json
    assert answers(said) == OK


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("audit", "verify"), 10),
        (("audit", "verify", "--store", "nowhere", "--key", "nothing"), 10),
        (("audit", "verify", "--proof", "nothing"), 2),
        (("audit", "checkpoint", "--accept-loss", "x"), 2),
        (("audit", "recover"), 10),
        (("audit", "export"), 10),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_what_can_not_be_done_has_its_exit_code(
    program: Program, arguments: tuple[str, ...], code: int
) -> None:
    assert program(*arguments, code=code).message


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pty")
def test_a_journal_that_begins_says_its_public_key_once(program: Program, source: Path) -> None:
    """To people on the terminal; machines ask for it."""
    first = on_terminal(source.parent, "backup", "--source", source).err
    key = history_key(program, source.with_name("journal.db"))
    assert key in first.replace("\r\n", "")
    assert "journal.db.key" in first
    again = on_terminal(source.parent, "backup", "--source", source).err
    assert "public key" not in again


def history_key(program: Program, journal: Path) -> str:
    said: str = program("--journal", journal, "audit", "checkpoint", "--json").json["key"]
    return said


def test_no_result_replaces_a_database_or_a_key(
    program: Program, source: Path, journal: Path
) -> None:
    for arguments, there in (
        (("prove", "3"), source),
        (("export",), journal),
        (("prove", "3"), journal.with_name("journal.db.key")),
    ):
        before = there.read_bytes()
        refused = program("--journal", journal, "audit", *arguments, "--to", there, code=2)
        assert "Can't write" in refused.message
        assert there.read_bytes() == before
    refused = program("--log-file", source, "snapshots", source.parent / "backups", code=2)
    assert "is a database" in refused.message


def test_what_was_recovered_or_rotated_is_published_at_once(
    program: Program, source: Path, journal: Path
) -> None:
    shutil.copy(journal, journal.with_name("older.db"))
    program("backup", "--source", source)
    shutil.copy(journal.with_name("older.db"), journal)
    for command in (("recover",), ("rotate-key",)):
        program("--journal", journal, "audit", *command)
        said = program("--journal", journal, "audit", "verify", "--json").json
        assert answers(said) == OK
        assert notes(said) == ""


def test_a_recovery_says_which_store_it_could_not_ask(
    program: Program, journal: Path, tmp_path: Path
) -> None:
    sealed, beside = tmp_path / "sealed", journal.with_name("backups")
    program("store", "init", sealed, "--key-file", tmp_path / "k", "--new-key")
    call = ("--journal", journal, "audit", "recover", "--backup-dir", beside, "--store", sealed)
    said = program(*call, "--json").json
    assert [each["store"] for each in said["unreachable"]] == [str(sealed)]


def test_a_proven_event_is_told_field_by_field(
    program: Program, source: Path, journal: Path, key: Path, tmp_path: Path
) -> None:
    program("migrate", "--source", source)
    lines = program("--journal", journal, "audit", "export").out.splitlines()
    at = next(n for n, line in enumerate(lines) if "migration.table_copied" in line)
    program("--journal", journal, "audit", "prove", str(at), "--to", tmp_path / "proof")
    told = program("audit", "verify", "--proof", tmp_path / "proof", "--key", key).out
    words = [line.split(maxsplit=1)[0] for line in told.splitlines()]
    assert {"Proven", "Event", "table", "rows", "microseconds"} <= set(words)


def test_snapshots_of_another_journal_are_counted_not_listed(
    program: Program, source: Path, journal: Path, tmp_path: Path
) -> None:
    for _ in range(3):
        program("backup", "--source", source)
    (tmp_path / "away").mkdir()
    for path in (journal, journal.with_name("journal.db.key")):
        path.rename(tmp_path / "away" / path.name)
    program("backup", "--source", source)
    said = program("--journal", journal, "audit", "verify", "--json").json
    assert "snapshots in" in notes(said)
    assert notes(said).count("of another journal") == 1
