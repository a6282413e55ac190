"""Claims about replay: what was done can be looked at again, and done again, years later."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.harness.databases import change, make_oldest, opened, rows
from tests.harness.program import PATIENCE, Outcome, Program, environment, judged

# The program, with new columns of the target schema filled by what a test asks for.
WITH_DEFAULTS = """
import dataclasses, json, sys
from junmai_svc.service import preflight
usual, wanted = preflight.definitions, json.loads(sys.argv[1])
def changed():
    found = dict(usual())
    new = dict(found["photos"].defaults) | wanted
    found["photos"] = dataclasses.replace(found["photos"], defaults=new)
    return found
preflight.definitions = changed
if len(sys.argv[2:]) and sys.argv[2] == "--flaky":
    del sys.argv[2]
    from junmai_svc.storage.databases import moment
    import secrets
    moment._Dice.random = lambda dice: secrets.randbits(62)
from junmai_svc.service.cli import main
sys.argv = ["junmai-svc", *sys.argv[2:]]
main()
"""
CHANCE = {
    "phash": "hex(randomblob(8)) || random()",
    "is_best_in_group": "strftime('%Y-%m-%d %H:%M:%f')",
}


def migrated(program: Program, source: Path, *options: str) -> dict[str, Any]:
    return program("migrate", "--source", source, *options, "--json").json


def replay(program: Program, source: Path, run: str, how: str, *, code: int = 0) -> dict[str, Any]:
    journal = source.with_name("journal.db")
    return program("--journal", journal, "replay", run, how, "--json", code=code).json


def with_defaults(
    folder: Path, defaults: Mapping[str, str], *arguments: str | Path, code: int = 0
) -> Outcome:
    command = [sys.executable, "-c", WITH_DEFAULTS, json.dumps(defaults), *map(str, arguments)]
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment(),
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE,
        check=False,
    )
    outcome = judged(done.returncode, done.stdout, done.stderr)
    assert outcome.code == code, outcome.message
    return outcome


def last_event(program: Program, source: Path, run: str) -> dict[str, Any]:
    told = program("--journal", source.with_name("journal.db"), "show", run, "--json").json
    event: dict[str, Any] = told["events"][-1]
    return event


def restamp(image: Path) -> None:
    """Make the manifest agree with an image that was changed, as whoever tampers would."""
    manifest = image.with_suffix(".json")
    told = json.loads(manifest.read_text(encoding="utf-8"))
    told["checksum"] = hashlib.sha256(image.read_bytes()).hexdigest()
    told["file_size"] = image.stat().st_size
    manifest.write_text(json.dumps(told), encoding="utf-8")


def test_what_is_as_it_was_left_is_confirmed_and_that_is_on_record(
    program: Program, source: Path
) -> None:
    run = migrated(program, source)
    said = replay(program, source, run["run"], "--reverify")
    assert said["status"] == "confirmed"
    journal = ("--journal", source.with_name("journal.db"))
    plan = program(*journal, "show", run["run"], "--json").json["events"][1]["data"]
    assert [(each["subject"], each["found"]) for each in said["looked"]] == [
        (f"snapshot {run['snapshot']} in {source.parent / 'backups'}", "as recorded"),
        (f"target {run['target']}", "as recorded"),
        (f"plan ({plan['plan'][:16]}…)", "as recorded"),
    ]
    evidence = last_event(program, source, said["run"])
    assert evidence["type"] == "junmai.replay.confirmed.v1"
    assert evidence["data"]["of"] == run["run"]
    people = program(
        "--journal", source.with_name("journal.db"), "replay", run["run"], "--reverify"
    )
    assert "CONFIRMED: everything that is stored is as it was recorded" in people.out


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_snapshots_of_any_run_are_looked_at_again(
    program: Program, source: Path, command: str
) -> None:
    first = program("backup", "--source", source, "--json").json
    if command == "restore":
        first = program("restore", "latest", "--to", source, "--json").json
    said = replay(program, source, first["run"], "--reverify")
    assert said["status"] == "confirmed"
    assert len(said["looked"]) == (2 if command == "restore" else 1)


def test_a_snapshot_whose_bytes_were_changed_is_named(program: Program, source: Path) -> None:
    run = migrated(program, source)
    image = Path(run["backup_path"])
    change(image, "UPDATE photos SET iso = 7 WHERE id = 3")
    for how in ("--reverify", "--execute"):
        said = replay(program, source, run["run"], how, code=3)
        assert said["status"] == "diverged"
        assert said["reason"] == (
            f"snapshot {run['snapshot']} in {image.parent}: its bytes are not those of its manifest"
        )


def test_a_snapshot_that_was_changed_with_its_manifest_diverges_at_table_and_key(
    program: Program, source: Path
) -> None:
    run = migrated(program, source)
    image = Path(run["backup_path"])
    change(image, "UPDATE photos SET iso = 7 WHERE id >= 3")
    restamp(image)
    looked = replay(program, source, run["run"], "--reverify", code=3)
    assert "is not the recorded" in looked["reason"]
    said = replay(program, source, run["run"], "--execute", code=3)
    assert said["status"] == "diverged"
    assert said["reason"] == "other rows in table photos"
    assert said["looked"][1] == {
        "subject": "table photos",
        "found": "differs",
        "text": "other rows than recorded",
        "key": "id = 3",
    }


def test_a_target_that_was_changed_since_is_told_by_its_table(
    program: Program, source: Path
) -> None:
    run = migrated(program, source)
    change(Path(run["target"]), "DELETE FROM jobs WHERE id LIKE '%-3'")
    said = replay(program, source, run["run"], "--reverify", code=3)
    assert said["status"] == "diverged"
    assert said["looked"][1]["subject"] == f"table jobs of {run['target']}"
    # What it was made from is as it was, and makes the same again.
    assert replay(program, source, run["run"], "--execute")["status"] == "reproduced"


def test_a_target_that_is_gone_is_no_reason_to_complain(program: Program, source: Path) -> None:
    run = migrated(program, source)
    Path(run["target"]).unlink()
    said = replay(program, source, run["run"], "--reverify")
    assert (said["status"], said["looked"][1]["found"]) == ("confirmed", "not there any more")


def test_a_migration_is_reproduced_without_changing_anything(
    program: Program, source: Path
) -> None:
    change(
        source,
        """CREATE TABLE "<b>odd & names</b>" (a, b AS (date(a)) STORED);
        CREATE INDEX "i <i>" ON "<b>odd & names</b>" (date(a));
        INSERT INTO "<b>odd & names</b>" VALUES ('2026-01-01'), (NULL), (-0.0), (x'00ff');
        CREATE TABLE later (at DEFAULT (datetime('now')), r DEFAULT (random()));
        INSERT INTO later DEFAULT VALUES;""",
    )
    run = migrated(program, source)
    image, target = Path(run["backup_path"]), Path(run["target"])
    before = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (source, image, target)]
    said = replay(program, source, run["run"], "--execute")
    assert said["status"] == "reproduced"
    assert said["tables"] == len(run["tables"]) == 13
    after = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (source, image, target)]
    assert before == after
    evidence = last_event(program, source, said["run"])["data"]
    assert evidence["message"] == "the same digests for all 13 tables"
    assert set(evidence["versions"]) == {"tool", "sqlite", "python"}


def test_a_snapshot_that_was_pruned_is_missing_and_the_prune_is_named(
    program: Program, source: Path
) -> None:
    run = migrated(program, source)
    migrated(program, source, "--overwrite")
    manifest = Path(run["backup_path"]).with_suffix(".json")
    told = json.loads(manifest.read_text(encoding="utf-8"))
    told["created_at"] = "2025-01-08T12:00:00.000000+00:00"
    manifest.write_text(json.dumps(told), encoding="utf-8")
    pruned = program("prune", manifest.parent, "--keep-last", "1", "--json").json
    assert pruned["deleted"] == [run["snapshot"]]
    for how in ("--reverify", "--execute"):
        said = replay(program, source, run["run"], how, code=3)
        assert said["status"] == "input_missing"
        assert f"deleted by the prune {pruned['run']}" in said["reason"]


def test_a_snapshot_that_somebody_deleted_is_missing_without_a_culprit(
    program: Program, source: Path
) -> None:
    run = migrated(program, source)
    image = Path(run["backup_path"])
    image.unlink()
    image.with_suffix(".json").unlink()
    said = replay(program, source, run["run"], "--execute", code=3)
    assert said["status"] == "input_missing"
    assert "no event says that it was deleted" in said["reason"]


def test_a_migration_that_kept_no_backup_has_nothing_to_be_run_from(
    program: Program, source: Path
) -> None:
    run = migrated(program, source, "--no-backup")
    said = replay(program, source, run["run"], "--execute", code=3)
    assert (said["status"], said["reason"]) == (
        "input_missing",
        "no snapshot was kept (--no-backup)",
    )


def test_a_plan_that_is_gone_or_changed_is_told(program: Program, source: Path) -> None:
    run = migrated(program, source)
    (plan,) = (source.parent / "backups" / "details").glob("*.json")
    content = plan.read_bytes()
    plan.write_bytes(content.replace(b"photos", b"fotos!", 1))
    said = replay(program, source, run["run"], "--execute", code=3)
    assert (said["status"], "are not what they were" in said["reason"]) == ("diverged", True)
    plan.unlink()
    said = replay(program, source, run["run"], "--execute", code=3)
    assert (said["status"], "are not in" in said["reason"]) == ("input_missing", True)


def test_a_migration_that_failed_is_not_reproducible(program: Program, source: Path) -> None:
    change(source, "ALTER TABLE photos ADD COLUMN rating INTEGER")
    program("migrate", "--source", source, code=2)
    journal = ("--journal", source.with_name("journal.db"))
    (run,) = program(*journal, "history", "--json").json["runs"]
    said = replay(program, source, run["run"], "--execute", code=3)
    assert (said["status"], said["reason"]) == (
        "not_reproducible",
        "the run did not finish: it is failed",
    )
    refused = program(*journal, "replay", run["run"], "--reverify", code=2)
    assert "stored nothing to look at" in refused.message


def test_time_and_chance_in_new_columns_are_reproduced(tmp_path: Path) -> None:
    source = make_oldest(tmp_path / "junmai.db")
    said = with_defaults(tmp_path, CHANCE, "migrate", "--source", source, "--prove", "--json").json
    target = Path(said["target"])
    with opened(target) as database:
        found = database.execute("SELECT DISTINCT phash FROM photos").fetchall()
        times = database.execute("SELECT DISTINCT is_best_in_group FROM photos").fetchall()
    assert len(found) == 24
    assert len(times) == 1
    # By the program as it is: what is recorded decides, not what its models say now.
    program = Program(tmp_path)
    again = program(
        "--journal", tmp_path / "journal.db", "replay", said["run"], "--execute", "--json"
    )
    assert again.json["status"] == "reproduced"


def test_a_migration_that_is_not_the_same_twice_is_not_published(tmp_path: Path) -> None:
    source = make_oldest(tmp_path / "junmai.db")
    before = rows(source, "photos")
    failed = with_defaults(
        tmp_path, CHANCE, "--flaky", "migrate", "--source", source, "--prove", code=21
    )
    assert (
        "run a second time, it left other rows in table photos, first at id = 1" in failed.message
    )
    assert not any("first at id" in json.dumps(line) for line in failed.log)
    history = ("history", "--kind", "migration", "--json")
    (run,) = Program(tmp_path)("--journal", "journal.db", *history).json["runs"]
    assert run["message"].endswith("it left other rows in table photos")
    assert not source.with_suffix(".new.db").exists()
    assert not list(tmp_path.glob(".*"))
    assert rows(source, "photos") == before


def test_a_proven_migration_says_so_in_its_story(program: Program, source: Path) -> None:
    run = migrated(program, source, "--prove")
    story = program("--journal", source.with_name("journal.db"), "show", run["run"])
    assert "Migrated a second time: the same digests for all 11 tables" in story.out
    assert not list(source.parent.glob(".*"))


@pytest.mark.parametrize("how", [(), ("--reverify", "--execute")])
def test_one_way_to_replay_has_to_be_named(
    program: Program, source: Path, how: tuple[str, ...]
) -> None:
    run = program("backup", "--source", source, "--json").json["run"]
    journal = ("--journal", source.with_name("journal.db"))
    assert "--execute" in program(*journal, "replay", run, *how, code=2).message
    if not how:
        assert "is no migration" in program(*journal, "replay", run, "--execute", code=2).message


def test_no_value_of_a_row_gets_into_the_journal(program: Program, source: Path) -> None:
    run = migrated(program, source)
    image = Path(run["backup_path"])
    change(image, "UPDATE jobs SET id = 'a private key' WHERE id LIKE '%-3'")
    restamp(image)
    said = replay(program, source, run["run"], "--execute", code=3)
    assert any("private" in each["key"] or each["key"] for each in said["looked"])
    assert b"private" not in source.with_name("journal.db").read_bytes()


def test_every_copy_is_looked_at_and_one_is_enough_to_run_again(
    program: Program, source: Path
) -> None:
    near, far = source.with_name("near"), source.with_name("far")
    run = migrated(program, source, "--backup-dir", str(near), "--backup-dir", str(far))
    said = replay(program, source, run["run"], "--reverify")
    snapshots = [each for each in said["looked"] if each["subject"].startswith("snapshot")]
    assert [each["subject"].rpartition(" in ")[2] for each in snapshots] == [str(near), str(far)]
    for path in near.glob("*_backup_*"):
        path.unlink()
    missing = replay(program, source, run["run"], "--reverify", code=3)
    assert (missing["status"], "near" in missing["reason"]) == ("input_missing", True)
    again = replay(program, source, run["run"], "--execute")
    assert again["status"] == "reproduced"
    assert [each["found"] for each in again["looked"]] == ["missing", "as recorded"]


def test_stores_of_blocks_and_copies_elsewhere_serve_as_well(
    program: Program, source: Path, tmp_path: Path
) -> None:
    blocks = tmp_path / "blocks"
    run = migrated(program, source, "--store", str(blocks))
    assert replay(program, source, run["run"], "--execute")["status"] == "reproduced"
    moved = tmp_path / "moved"
    blocks.rename(moved)
    journal = ("--journal", source.with_name("journal.db"))
    said = program(*journal, "replay", run["run"], "--execute", "--store", moved, "--json").json
    assert said["status"] == "reproduced"
