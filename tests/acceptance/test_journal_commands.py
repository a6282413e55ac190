"""Claims about what the journal keeps: `history`, `show`, dead runs, and two runs at once."""

import json
import signal
import sqlite3
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from tests.harness.databases import change, make_oldest, objects, opened, rows, value
from tests.harness.halting import BACKING_UP, COPYING, PHOTOS, can_halt, halted
from tests.harness.program import Program

STORY = [
    "requested",
    "planned",
    "backup_linked",
    "started",
    *["table_copied"] * 11,
    "constraints_checked",
    "verified",
]


def history(program: Program, journal: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = program("--journal", journal, "history", "--json").json["runs"]
    return found


def show(program: Program, journal: Path, run: str) -> dict[str, Any]:
    return program("--journal", journal, "show", run, "--json").json


def names(told: dict[str, Any]) -> list[str]:
    return [event["type"].split(".")[2] for event in told["events"]]


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A source that takes long enough to be halted in the middle of its migration."""
    return make_oldest(tmp_path / "junmai.db", photos=PHOTOS)


def test_all_commands_leave_their_runs_in_the_journal_newest_first(
    program: Program, source: Path
) -> None:
    journal = source.with_name("journal.db")
    runs = [
        program("migrate", "--source", source, "--json").json["run"],
        program("backup", "--source", source, "--json").json["run"],
        program("restore", "latest", "--to", source, "--json").json["run"],
        program(
            "verify", "--source", source, "--target", source.with_suffix(".new.db"), "--json"
        ).json["run"],
    ]
    found = history(program, journal)
    assert [run["run"] for run in found if run["run"] in runs] == runs[::-1]
    kinds = {run["run"]: (run["kind"], run["status"]) for run in found}
    assert [kinds[run] for run in runs] == [
        ("migration", "verified"),
        ("backup", "verified"),
        ("restore", "switched"),
        ("verification", "completed"),
    ]
    # The migration's own backup, and the one before the restore.
    assert sum(run["kind"] == "backup" for run in found) == 3
    assert {run["database"] for run in found} == {str(source)}
    for run in found:
        assert datetime.fromisoformat(run["started"]) <= datetime.fromisoformat(run["ended"])
        assert "@" not in run["actor"]


def test_a_migration_tells_its_story_in_order(program: Program, source: Path) -> None:
    said = program("migrate", "--source", source, "--json").json
    told = show(program, source.with_name("journal.db"), said["run"])
    assert names(told) == STORY
    assert [event["version"] for event in told["events"]] == list(range(1, len(STORY) + 1))
    positions = [event["position"] for event in told["events"]]
    assert positions == sorted(positions)
    by_name = dict(zip(names(told), (event["data"] for event in told["events"]), strict=True))
    assert by_name["backup_linked"]["snapshot"] == said["snapshot"]
    assert by_name["planned"]["rules"]["photos.is_best_in_group"] == "0"
    assert by_name["verified"]["target"] == said["target"]
    digests = {table["table"]: table["digest"] for table in said["tables"]}
    recorded = by_name["verified"]["tables"]
    assert {name: facts["digest"] for name, facts in recorded.items()} == digests


def test_history_and_show_speak_to_people_too(program: Program, source: Path) -> None:
    run = program("migrate", "--source", source, "--json").json["run"]
    journal = ("--journal", source.with_name("journal.db"))
    told = program(*journal, "history").out
    assert "migration" in told
    assert run in told
    story = program(*journal, "show", run).out
    for name in STORY:
        assert f" {name.replace('_', ' ')} " in story
    assert "photos: 24 rows in " in story
    assert "{" not in story
    assert str(source) in story


def test_a_run_is_found_by_the_beginning_or_end_of_its_id(program: Program, source: Path) -> None:
    run = program("backup", "--source", source, "--json").json["run"]
    program("backup", "--source", source)
    journal = source.with_name("journal.db")
    assert show(program, journal, run[-12:])["run"] == run
    assert "2 runs fit" in program("--journal", journal, "show", run[:2], code=2).message
    assert "No run" in program("--journal", journal, "show", "ffff-no", code=10).message


def test_without_a_journal_nothing_is_made_up(program: Program, tmp_path: Path) -> None:
    assert "No journal found" in program("history", code=10).message
    assert "named.db" in program("--journal", tmp_path / "named.db", "history", code=10).message
    assert list(tmp_path.iterdir()) == []


def test_the_usual_journals_are_found_without_naming_them(program: Program, source: Path) -> None:
    """`data/journal.db` of the folder that the program is started in."""
    run = program("backup", "--source", source, "--json").json["run"]
    assert [item["run"] for item in program("history", "--json").json["runs"]] == [run]


def test_a_failed_run_is_on_record_with_its_reason(program: Program, source: Path) -> None:
    change(source, "ALTER TABLE photos ADD COLUMN rating INTEGER")
    program("migrate", "--source", source, code=2)
    journal = source.with_name("journal.db")
    (run,) = history(program, journal)
    assert run["status"] == "failed"
    assert "photos.rating" in run["message"]
    told = show(program, journal, run["run"])
    assert names(told) == ["requested", "failed"]
    assert told["events"][-1]["data"]["exit"] == 2
    assert "DROP COLUMN" in told["events"][-1]["data"]["hint"]


def test_differences_are_on_record_without_any_value(program: Program, source: Path) -> None:
    program("migrate", "--source", source)
    target = source.with_suffix(".new.db")
    change(target, "UPDATE sessions SET name = 'a private name' WHERE id = 1")
    said = program("verify", "--source", source, "--target", target, "--json", code=3).json
    assert "a private name" in json.dumps(said)
    told = show(program, source.with_name("journal.db"), said["run"])
    assert names(told)[-1] == "mismatch_found"
    assert told["events"][-1]["data"]["findings"] == {"rows sessions": 1}
    assert b"private" not in source.with_name("journal.db").read_bytes()


@can_halt
def test_a_second_migration_of_a_database_is_refused_while_the_first_is_alive(
    program: Program, large: Path
) -> None:
    running = halted(program, large, COPYING)
    link = large.with_name("link.db")
    link.symlink_to(large.name)
    for named in (large, link, large.parent / "." / large.name):
        begun = time.monotonic()
        outcome = program("migrate", "--source", named, code=11)
        assert time.monotonic() - begun < 30
        assert "is in use by the run" in outcome.message
        assert " show " in outcome.message
    refused = program("restore", "latest", "--to", large, code=11)
    assert "(migration)" in refused.message
    running.send_signal(signal.SIGCONT)
    first = program.end(running).json
    assert rows(Path(first["target"]), "jobs") == rows(large, "jobs")
    program("migrate", "--source", large, "--target", large.with_name("second.db"))


@can_halt
def test_a_backup_may_be_taken_while_a_migration_runs(program: Program, large: Path) -> None:
    running = halted(program, large, COPYING)
    program("backup", "--source", large)
    running.send_signal(signal.SIGCONT)
    program.end(running)


@can_halt
@pytest.mark.parametrize(("moment", "last"), [(BACKING_UP, "planned"), (COPYING, "started")])
def test_a_killed_run_is_closed_as_abandoned_by_the_next_one(
    program: Program, large: Path, moment: str, last: str
) -> None:
    running = halted(program, large, moment)
    running.kill()
    running.communicate()
    journal = large.with_name("journal.db")
    (dead,) = (run for run in history(program, journal) if run["kind"] == "migration")
    assert dead["status"] == "running"
    program("backup", "--source", large)
    told = show(program, journal, dead["run"])
    assert told["status"] == "abandoned"
    found = "partial" if moment == COPYING else "absent"
    assert told["events"][-1]["data"] == {"found": found, "after": f"junmai.migration.{last}.v1"}
    assert "running" not in {run["status"] for run in history(program, journal)}
    assert not list(large.parent.glob(".*"))
    assert not list(large.parent.glob("backups/.*"))
    program("migrate", "--source", large)
    assert rows(large.with_suffix(".new.db"), "jobs") == rows(large, "jobs")


@can_halt
def test_a_run_that_is_only_slow_is_not_taken_for_dead(program: Program, large: Path) -> None:
    running = halted(program, large, COPYING)
    program("backup", "--source", large)
    journal = large.with_name("journal.db")
    assert "running" in {run["status"] for run in history(program, journal)}
    assert list(large.parent.glob(COPYING))
    running.send_signal(signal.SIGCONT)
    assert program.end(running).json["status"] == "verified"


def test_two_journals_know_nothing_of_each_other(program: Program, source: Path) -> None:
    other = source.with_name("other.db")
    run = program("--journal", other, "backup", "--source", source, "--json").json["run"]
    assert not source.with_name("journal.db").exists()
    assert [item["run"] for item in history(program, other)] == [run]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE event SET type = 'x'",
        "DELETE FROM event",
        "INSERT OR REPLACE INTO event SELECT * FROM event WHERE position = 0",
        """INSERT INTO event SELECT position + 500, 'a', stream, version + 9, type, time, entry,
            leaf_hash FROM event WHERE position = 1""",
    ],
)
def test_another_program_can_neither_change_nor_skip_events(
    program: Program, source: Path, statement: str
) -> None:
    program("backup", "--source", source)
    journal = source.with_name("journal.db")
    with opened(journal) as database, pytest.raises(sqlite3.IntegrityError):
        database.execute(statement)


def test_an_edited_journal_is_named_whether_its_triggers_are_put_back_or_not(
    program: Program, source: Path
) -> None:
    program("backup", "--source", source)
    journal = source.with_name("journal.db")
    triggers = {name: sql for name, sql in objects(journal).items() if name.startswith("trigger ")}
    change(journal, ";".join(f"DROP {name}" for name in triggers))
    change(
        journal,
        """UPDATE event SET entry = CAST(replace(CAST(entry AS TEXT), 'manual', 'MANUAL') AS BLOB)
        WHERE position = 1""",
    )
    assert "it lacks" in program("--journal", journal, "history", code=20).message
    program("--journal", journal, "backup", "--source", source, code=20)
    assert len(list(source.parent.glob("backups/*.db"))) == 1
    change(journal, ";".join(str(sql) for sql in triggers.values()))
    assert "damaged at position 1" in program("--journal", journal, "history", code=20).message


def test_events_of_a_migration_of_many_tables_fit(program: Program, tmp_path: Path) -> None:
    """What is too large for an event is stored beside the backups, under its SHA-256."""
    source = make_oldest(tmp_path / "junmai.db")
    tables = ";".join(f"CREATE TABLE table_{n}_{'x' * 90} (a)" for n in range(300))
    change(source, f"BEGIN; {tables}; COMMIT")
    said = program("migrate", "--source", source, "--json").json
    told = show(program, tmp_path / "journal.db", said["run"])
    verified = told["events"][-1]["data"]
    assert len(verified["details"]) == 64
    stored = tmp_path / "backups" / "details" / f"{verified['details']}.json"
    assert len(json.loads(stored.read_text(encoding="utf-8"))["tables"]) == 311
    assert value(tmp_path / "journal.db", "SELECT max(length(entry)) FROM event") <= 65_535
