"""Claims about privacy: no value or key of a row gets onto any record, from which none is removed.

Records are the journal, what is published of it, the log, the migration log, the page, and all that
lies in a store except the snapshots, which hold the rows.
"""

import gzip
import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
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


def known_to_break_a_check(source: Path) -> None:
    changed(source, f"UPDATE photos SET status = '{MARKER}' WHERE id = 1")


def refused_by_a_check(source: Path) -> None:
    """The source lacks the CHECK that the target has."""
    changed(
        source,
        "PRAGMA writable_schema = 1",
        "UPDATE sqlite_schema SET sql = replace(sql, 'CHECK (status IN', 'CHECK (1 OR status IN')"
        " WHERE name = 'photos'",
    )
    known_to_break_a_check(source)


def an_orphan_by_a_text(source: Path) -> None:
    changed(
        source,
        "CREATE TABLE person (mail TEXT PRIMARY KEY) WITHOUT ROWID",
        "CREATE TABLE visit (mail TEXT PRIMARY KEY REFERENCES person (mail)) WITHOUT ROWID",
        f"INSERT INTO visit VALUES ('{MARKER}')",
    )


def known_to_break_two_rules(source: Path) -> None:
    known_to_break_a_check(source)
    an_orphan_by_a_text(source)


FAILING = {
    "known": (known_to_break_two_rules, ()),
    "new, sealed": (refused_by_a_check, SEALED),
}


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


@pytest.mark.parametrize(("breaks", "store"), FAILING.values(), ids=FAILING)
def test_what_a_row_holds_is_on_no_record_of_a_migration(
    program: Program, source: Path, breaks: Callable[[Path], None], store: Sequence[str]
) -> None:
    breaks(source)
    if store:
        program("store", "init", "sealed", "--key-file", "sealed.key", "--new-key")
    migrate: list[str | Path] = ["migrate", "--source", source, *store, "--json"]
    outcome = program("--log-file", "log.json", *migrate, code=None)
    assert MARKER in outcome.out, "people are shown which row it is"
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
    from data_migration_tool import DataMigrationTool  # finds its folder here

    monkeypatch.chdir(program.folder)
    tool = DataMigrationTool(str(source), "new.db")
    assert tool.migrate_data()
    changed(program.folder / "new.db", f"UPDATE sessions SET name = '{MARKER}'")
    assert MARKER in "\n".join(tool.verify_migration()["errors"])
    assert MARKER not in Path(tool.save_migration_log()).read_text(encoding="utf-8")
