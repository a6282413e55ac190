"""Claims about privacy: no value or key of a row gets onto any record, from which none is removed.

Records are the journal, what is published of it, the log, the migration log, the page, and all that
lies in a store except the snapshots, which hold the rows.
"""

import gzip
import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.harness.program import Outcome, Program

MARKER = "jane.doe@example.org"
SEALED = ("--store", "sealed", "--key-file", "sealed.key")


def changed(database: Path, *statements: str) -> None:
    with closing(sqlite3.connect(database)) as opened, opened:
        opened.execute("PRAGMA ignore_check_constraints = 1")
        for statement in statements:
            opened.execute(statement)


def refused_by_a_check(source: Path) -> None:
    changed(source, f"UPDATE photos SET status = '{MARKER}' WHERE id = 1")


def an_orphan_by_a_text(source: Path) -> None:
    changed(
        source,
        "CREATE TABLE person (mail TEXT PRIMARY KEY) WITHOUT ROWID",
        "CREATE TABLE visit (mail TEXT PRIMARY KEY REFERENCES person (mail)) WITHOUT ROWID",
        f"INSERT INTO visit VALUES ('{MARKER}')",
    )


def refused_by_a_function(source: Path) -> None:
    """A path of JSON that SQLite quotes when it is none: the index can't be built in the target."""
    changed(
        source,
        "CREATE TABLE doc (body TEXT, path TEXT)",
        "CREATE INDEX by_path ON doc (json_extract(body, path))",
        "PRAGMA writable_schema = 1",
        f"INSERT INTO doc VALUES (NULL, '{MARKER}')",
    )
    changed(source, f"UPDATE doc SET body = body WHERE path = '{MARKER}'")


FAILING = {"check": refused_by_a_check, "orphan": an_orphan_by_a_text}


def records(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """Everything in a folder but databases of rows, unpacked where it is packed."""
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        if path.suffix == ".db" and path.name != "journal.db":
            continue
        content = path.read_bytes()
        yield path, gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content


def holding(folder: Path, *texts: str) -> list[str]:
    found = [str(path) for path, content in records(folder) if MARKER.encode() in content]
    return found + [text for text in texts if MARKER in text]


def logged(outcome: Outcome) -> str:
    return json.dumps(outcome.log)


@pytest.mark.parametrize("breaks", FAILING.values(), ids=FAILING)
@pytest.mark.parametrize("store", [(), SEALED], ids=["folder", "sealed"])
def test_what_a_row_holds_is_on_no_record_of_a_migration(
    program: Program, source: Path, breaks: Callable[[Path], None], store: tuple[str, ...]
) -> None:
    breaks(source)
    if store:
        program("store", "init", "sealed", "--key-file", "sealed.key", "--new-key")
    outcome = program(
        *("--log-file", "log.json", "migrate", "--source", source, "--json", *store), code=None
    )
    findings = [each for each in outcome.json["findings"] if MARKER in json.dumps(each)]
    assert findings, "people are shown which row it is"
    journal = ("--journal", source.parent / "journal.db")
    exported = program(*journal, "audit", "export").out
    run = json.loads(program(*journal, "history", "--kind", "migration", "--json").out)["runs"][0]
    program(*journal, "show", run["run"], "--html", "page.html")
    assert not holding(program.folder, exported, logged(outcome))
    assert (program.folder / "page.html").stat().st_size > 10_000


def test_people_read_on_the_terminal_which_row_fails_a_migration(
    program: Program, source: Path
) -> None:
    refused_by_a_check(source)
    outcome = program("--log-file", "log.json", "migrate", "--source", source, code=21)
    assert f"found status = '{MARKER}'" in outcome.err
    assert "CHECK constraint failed" in outcome.err
    assert "1 finding in all, 1 shown" in outcome.err


def test_what_a_row_holds_is_on_no_record_of_a_verification(program: Program, source: Path) -> None:
    program("migrate", "--source", source, "--target", "new.db")
    changed(program.folder / "new.db", f"UPDATE sessions SET name = '{MARKER}'")
    outcome = program("verify", "--source", source, "--target", "new.db", "--json", code=3)
    assert MARKER in outcome.out
    assert not holding(program.folder, logged(outcome))


def test_the_replaced_tools_log_tells_no_value(
    program: Program, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from data_migration_tool import DataMigrationTool  # noqa: PLC0415  # finds its folder here

    monkeypatch.chdir(program.folder)
    tool = DataMigrationTool(str(source), "new.db")
    assert tool.migrate_data()
    changed(program.folder / "new.db", f"UPDATE sessions SET name = '{MARKER}'")
    assert MARKER in "\n".join(tool.verify_migration()["errors"])
    assert MARKER not in Path(tool.save_migration_log()).read_text(encoding="utf-8")
