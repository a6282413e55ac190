"""Claims about looking at a run again: what is not as it was recorded is named, whatever it is."""

from pathlib import Path
from typing import Any

import pytest
from tests.harness.databases import change
from tests.harness.program import Program


@pytest.fixture
def run(program: Program, source: Path) -> dict[str, Any]:
    """A migration of a database with a view and more tables than an event can hold."""
    tables = ";".join(f"CREATE TABLE table_{n}_{'x' * 90} (a)" for n in range(300))
    change(source, f"BEGIN; {tables}; CREATE VIEW waiting AS SELECT id FROM jobs; COMMIT")
    return program("migrate", "--source", source, "--json").json


def reverified(program: Program, source: Path, run: dict[str, Any], code: int) -> dict[str, Any]:
    journal = ("--journal", source.with_name("journal.db"))
    return program(*journal, "replay", run["run"], "--reverify", "--json", code=code).json


def test_objects_and_details_that_are_not_as_recorded_are_named(
    program: Program, source: Path, run: dict[str, Any]
) -> None:
    assert reverified(program, source, run, 0)["status"] == "confirmed"
    change(
        Path(run["target"]),
        "CREATE TABLE smuggled (a); DROP VIEW waiting;"
        " CREATE TRIGGER thief AFTER INSERT ON photos BEGIN DELETE FROM jobs; END;"
        " DROP INDEX idx_photos_status",
    )
    said = reverified(program, source, run, 3)
    assert said["status"] == "diverged"
    found = {
        each["subject"].partition(" of ")[0]
        for each in said["looked"]
        if each["found"] == "differs"
    }
    assert found == {"table smuggled", "view waiting", "trigger thief", "index idx_photos_status"}


def test_a_plan_and_details_that_are_gone_are_missed(
    program: Program, source: Path, run: dict[str, Any]
) -> None:
    for path in (source.parent / "backups" / "details").iterdir():
        path.unlink()
    said = reverified(program, source, run, 3)
    assert said["status"] == "input_missing"
    missing = [each["subject"] for each in said["looked"] if each["found"] == "missing"]
    assert any(each.startswith("plan (") for each in missing)
    assert sum(each.startswith("details of event") for each in missing) == 3
