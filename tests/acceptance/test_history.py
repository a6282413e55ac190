"""Claims about `history` and `show`: what is wanted, and as it was at any position or time."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.harness.databases import change, make_oldest
from tests.harness.program import Program


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A journal of two databases: backups of both, a failed and a good migration of the first."""
    folder = tmp_path_factory.mktemp("history")
    program = Program(folder)
    source, other = (make_oldest(folder / name) for name in ("junmai.db", "other.db"))
    program("backup", "--source", other)
    change(source, "ALTER TABLE photos ADD COLUMN rating INTEGER")
    program("migrate", "--source", source, code=2)
    change(source, "ALTER TABLE photos DROP COLUMN rating")
    program("migrate", "--source", source)
    return folder / "journal.db"


def runs(program: Program, journal: Path, *options: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]]
    found = program("--journal", journal, "history", *options, "--json").json["runs"]
    return found


def kinds(found: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(run["kind"], run["status"]) for run in found]


def test_runs_are_filtered_by_what_is_known_of_them(program: Program, journal: Path) -> None:
    everything = runs(program, journal)
    assert kinds(everything) == [
        ("backup", "verified"),
        ("migration", "verified"),
        ("migration", "failed"),
        ("backup", "verified"),
    ]
    assert runs(program, journal, "--kind", "migration") == everything[1:3]
    assert runs(program, journal, "--status", "failed") == everything[2:3]
    assert runs(program, journal, "--database", "other.db") == everything[3:]
    assert (
        runs(program, journal, "--database", str(journal.with_name("other.db"))) == everything[3:]
    )
    assert runs(program, journal, "--database", "other") == []
    assert runs(program, journal, "--limit", "2") == everything[:2]
    assert runs(program, journal, "--kind", "backup", "--limit", "1") == everything[:1]
    actor = everything[0]["actor"]
    assert runs(program, journal, "--actor", actor) == everything
    assert runs(program, journal, "--actor", actor.removeprefix("actor:")[:6]) == everything
    assert runs(program, journal, "--actor", "zzz") == []


def test_a_database_is_meant_from_the_folder_of_whoever_asks(
    program: Program, source: Path, tmp_path: Path
) -> None:
    program("backup", "--source", "data/junmai.db")
    program("backup", "--source", source)
    (tmp_path / "elsewhere").mkdir()
    elsewhere, journal = Program(tmp_path / "elsewhere"), source.with_name("journal.db")
    both = runs(elsewhere, journal, "--database", str(source))
    assert [run["database"] for run in both] == [str(source), "data/junmai.db"]
    assert runs(program, journal, "--database", "./data/../data/junmai.db") == both
    assert runs(elsewhere, journal, "--database", "../data/junmai.db") == both
    assert runs(elsewhere, journal, "--database", "./junmai.db") == []


def test_a_kind_or_status_that_there_is_not_is_refused(program: Program, journal: Path) -> None:
    for option, word, known in (("--kind", "snapshot", "backup"), ("--status", "fine", "verified")):
        refused = program("--journal", journal, "history", option, word, code=2)
        assert known in refused.message
    assert runs(program, journal, "--status", "Failed") == runs(
        program, journal, "--status", "failed"
    )


def test_the_end_of_an_id_names_a_run_where_its_beginning_does_not(
    program: Program, journal: Path
) -> None:
    migration = runs(program, journal, "--kind", "migration")[0]["run"]
    shown = program("--journal", journal, "show", migration[-12:].upper(), "--json").json
    assert shown["run"] == migration
    refused = program("--journal", journal, "show", migration[:6], code=2)
    assert "last twelve digits" in refused.message


def test_runs_are_filtered_by_when_they_began(program: Program, journal: Path) -> None:
    everything = runs(program, journal)
    third = everything[1]["started"]
    assert runs(program, journal, "--since", third) == everything[:2]
    assert runs(program, journal, "--until", third) == everything[1:]
    assert runs(program, journal, "--since", "1h") == everything
    assert runs(program, journal, "--until", "1h") == []
    today = third[:10]
    assert runs(program, journal, "--until", today) == everything
    assert runs(program, journal, "--since", "2999-01-01") == []


@pytest.mark.parametrize("option", ["--since", "--until", "--at"])
def test_what_is_no_time_is_refused(program: Program, journal: Path, option: str) -> None:
    refused = program("--journal", journal, "history", option, "yesterday", code=2)
    assert "'yesterday' is no time" in refused.message


def test_a_run_is_shown_as_it_was_at_any_of_its_events(program: Program, journal: Path) -> None:
    run = runs(program, journal, "--kind", "migration")[0]["run"]
    told = program("--journal", journal, "show", run, "--json").json
    for number, event in enumerate(told["events"], 1):
        at = str(event["position"])
        then = program("--journal", journal, "show", run, "--at", at, "--json").json
        assert then["events"] == told["events"][:number]
        assert then["status"] == ("verified" if number == len(told["events"]) else "running")
        if number > 3:
            break
    first = told["events"][0]
    before = str(first["position"] - 1)
    refused = program("--journal", journal, "show", run, "--at", before, code=10)
    assert "had not begun by then" in refused.message
    moment = program("--journal", journal, "show", run, "--at", first["time"], "--json").json
    assert moment["events"][0] == first
    assert len(moment["events"]) < len(told["events"])


def test_the_whole_journal_is_shown_as_of_any_point(program: Program, journal: Path) -> None:
    everything = runs(program, journal)
    assert runs(program, journal, "--at", "0") == []
    failed = program("--journal", journal, "show", everything[2]["run"], "--json").json
    first, last = (failed["events"][at]["position"] for at in (0, -1))
    then = runs(program, journal, "--at", str(first))
    assert kinds(then) == [("migration", "running"), ("backup", "verified")]
    assert runs(program, journal, "--at", str(last)) == everything[2:]
    assert runs(program, journal, "--at", "100000") == everything
    told = datetime.fromisoformat(everything[1]["started"]) - timedelta(milliseconds=1)
    assert runs(program, journal, "--at", told.isoformat()) == everything[2:]
    people = program("--journal", journal, "history", "--at", str(first)).out
    assert f"As of event {first}" in people


def test_a_timeline_speaks_in_words(program: Program, journal: Path) -> None:
    run = runs(program, journal, "--status", "failed")[0]["run"]
    story = program("--journal", journal, "show", run).out
    assert "Failed: The target schema has no place for photos.rating" in story
    assert "Took " in story
    for event in program("--journal", journal, "show", run, "--json").json["events"]:
        assert event["text"] in story
        assert json.dumps(event["data"]) not in story


HOSTILE = "<script>alert('x')</script> & \"co\""


def test_a_run_is_written_as_a_page_that_needs_nothing_else(
    program: Program, source: Path, tmp_path: Path
) -> None:
    name = HOSTILE.replace('"', '""')
    change(source, f'CREATE TABLE "{name}" (x); INSERT INTO "{name}" VALUES (1), (2)')
    run = program("migrate", "--source", source, "--json").json
    html = tmp_path / "page.html"
    journal = ("--journal", source.with_name("journal.db"))
    said = program(*journal, "show", run["run"], "--html", html)
    assert said.out.strip() == f"Wrote {html}"
    text = html.read_text(encoding="utf-8")
    assert "<script" not in text
    assert "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &#34;co&#34;" in text
    for shown in (run["snapshot"], run["run"], *(table["digest"] for table in run["tables"])):
        assert shown in text
    again = program(*journal, "show", run["run"], "--html", html, "--json").json
    assert again["page"] == str(html)
    assert again["status"] == "verified"
    refused = program(*journal, "show", run["run"], "--html", tmp_path / "no" / "page", code=10)
    assert "page" in refused.message
    assert "folder" in program(*journal, "show", run["run"], "--html", tmp_path, code=2).message
    assert "junmai-svc/journal/" in text
    assert f"audit verify --store {source.parent / 'backups'} --key FILE" in text


def test_what_was_too_large_for_an_event_is_on_the_page_all_the_same(
    program: Program, tmp_path: Path
) -> None:
    source = make_oldest(tmp_path / "junmai.db")
    tables = ";".join(f"CREATE TABLE table_{n}_{'x' * 90} (a)" for n in range(300))
    change(source, f"BEGIN; {tables}; COMMIT")
    run = program("migrate", "--source", source, "--json").json
    html = tmp_path / "page.html"
    journal = ("--journal", tmp_path / "journal.db")
    program(*journal, "show", run["run"], "--html", html)
    assert run["tables"][-1]["digest"] in html.read_text(encoding="utf-8")
    assert "not on record one by one" not in html.read_text(encoding="utf-8")
    assert program(*journal, "replay", run["run"], "--execute", "--json").json["tables"] == 311
    for path in (tmp_path / "backups" / "details").iterdir():
        path.unlink()
    program(*journal, "show", run["run"], "--html", html)
    text = html.read_text(encoding="utf-8")
    assert "This page is not complete" in text
    assert f"are not in {tmp_path / 'backups'}" in text
    assert "value for value" not in text
