"""Claims about bad input: a clear message, the documented exit code, and nothing lost or left."""

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.harness.databases import (
    all_rows,
    change,
    contents,
    make_oldest,
    objects,
    opened,
    rows,
    unrecorded,
)
from tests.harness.neighbour import neighbour
from tests.harness.program import Program

# How the names of a journal's files end.
RECORDS = ("journal.db", "journal.db-wal", "journal.db-shm", ".lock")
# Every command that reads a source, as it is called with one.
READERS = {
    "migrate": ("migrate", "--source"),
    "dry run": ("migrate", "--dry-run", "--source"),
    "backup": ("backup", "--source"),
}


def missing(path: Path) -> None:
    del path


def folder(path: Path) -> None:
    path.mkdir()


def text(path: Path) -> None:
    path.write_text("not a db", encoding="utf-8")


def long_text(path: Path) -> None:
    path.write_text("no database either\n" * 1000, encoding="utf-8")


def empty(path: Path) -> None:
    path.touch()


def zeros(path: Path) -> None:
    path.write_bytes(bytes(8192))


def truncated(path: Path) -> None:
    make_oldest(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def cut_in_a_page(path: Path) -> None:
    make_oldest(path)
    path.write_bytes(path.read_bytes()[:-1000])


def header_only(path: Path) -> None:
    make_oldest(path)
    path.write_bytes(path.read_bytes()[:100])


def encrypted(path: Path) -> None:
    """As SQLCipher's are: random from the first byte to the last."""
    path.write_bytes(bytes((n * n * 7919 + n // 3) % 251 for n in range(16384)))


def with_collation(path: Path) -> None:
    make_oldest(path)
    with opened(path) as database:
        database.create_collation("KANA", lambda a, b: (a > b) - (a < b))
        database.execute("CREATE TABLE titles (t TEXT COLLATE KANA)")
        database.execute("INSERT INTO titles VALUES ('b'), ('a')")
        database.execute("CREATE INDEX idx_titles ON titles (t)")


def schema_that_is_no_utf8(path: Path) -> None:
    make_oldest(path)
    change(
        path,
        """CREATE TABLE oldname (x); PRAGMA writable_schema = 1;
        UPDATE sqlite_schema SET name = CAST(x'6fff6c64' AS TEXT),
            tbl_name = CAST(x'6fff6c64' AS TEXT),
            sql = CAST(x'435245415445205441424c4520226fff6c642220287829' AS TEXT)
        WHERE name = 'oldname'""",
    )


def newer_format(path: Path) -> None:
    """Its header has a schema format that no SQLite knows yet."""
    make_oldest(path)
    whole = bytearray(path.read_bytes())
    whole[44:48] = b"\0\0\0\x09"
    path.write_bytes(whole)


def hot_journal(path: Path) -> None:
    """An application was killed in the middle of a transaction that had reached the file."""
    origin = make_oldest(path.with_name("origin"), photos=500)
    with opened(origin) as database:
        database.execute("PRAGMA cache_size = 1")
        database.execute("BEGIN IMMEDIATE")
        database.execute("UPDATE photos SET file_name = file_name || 'x'")
        shutil.copyfile(origin, path)
        shutil.copyfile(f"{origin}-journal", f"{path}-journal")
        database.execute("ROLLBACK")
    origin.unlink()


BAD: dict[Callable[[Path], None], tuple[int, str]] = {
    missing: (10, "Source database not found"),
    folder: (10, "is a folder"),
    text: (20, "not a SQLite database"),
    long_text: (20, "not a SQLite database"),
    empty: (20, "the file is empty"),
    zeros: (20, "not a SQLite database"),
    truncated: (20, "damaged"),
    header_only: (20, ""),
    encrypted: (20, "it is encrypted"),
    newer_format: (20, "newer SQLite"),
    hot_journal: (20, "hot journal"),
}
# What only shows when the rows are looked at, so a plan alone does not meet it.
DEEP: dict[Callable[[Path], None], tuple[int, str]] = {
    cut_in_a_page: (20, "damaged"),
    with_collation: (20, "no such collation sequence: KANA"),
    schema_that_is_no_utf8: (20, "UTF-8"),
}


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
@pytest.mark.parametrize("make", BAD, ids=lambda make: str(make.__name__))
def test_a_bad_source_is_refused_with_its_reason_and_nothing_is_made_of_it(
    program: Program, tmp_path: Path, make: Callable[[Path], None], reader: tuple[str, ...]
) -> None:
    source = tmp_path / "data" / "junmai.db"
    source.parent.mkdir()
    make(source)
    refused(program, source, reader, *BAD[make])


@pytest.mark.parametrize("make", DEEP, ids=lambda make: str(make.__name__))
def test_what_shows_only_in_the_rows_is_refused_too(
    program: Program, tmp_path: Path, make: Callable[[Path], None]
) -> None:
    source = tmp_path / "data" / "junmai.db"
    source.parent.mkdir()
    make(source)
    for reader in (("migrate", "--no-backup", "--source"), READERS["migrate"]):
        refused(program, source, reader, *DEEP[make])


def refused(program: Program, source: Path, reader: tuple[str, ...], code: int, words: str) -> None:
    before = unrecorded(contents(source.parent, without=RECORDS))
    outcome = program(*reader, source, "--json", code=code)
    assert words in outcome.message
    assert str(source) in outcome.message or source.name in outcome.message
    assert "Hint:" in outcome.message
    assert outcome.json["status"] == "failed"
    assert outcome.json["error"]["exit"] == code
    after = contents(source.parent)
    assert {name: after.get(name, b"gone") for name in before} == before
    assert left_behind(set(after) - set(before)) == set()


def left_behind(names: set[str]) -> set[str]:
    """What is neither the record of a run nor an empty folder of backups."""
    records = ("journal.db", "backups/journal", "backups/details", "backups/migration_log_")
    return {name for name in names if not name.startswith(records)} - {"backups"}


@pytest.mark.parametrize("command", ["migrate", "backup"])
def test_a_missing_source_leaves_no_trace_at_all(
    program: Program, tmp_path: Path, command: str
) -> None:
    program(command, "--source", tmp_path / "junmai.db", code=10)
    program(command, "--source", tmp_path / "no" / "folder" / "junmai.db", code=10)
    assert contents(tmp_path) == {}


def test_verify_names_the_side_that_is_missing(program: Program, source: Path) -> None:
    gone = source.with_name("gone.db")
    first = program("verify", "--source", gone, "--target", source, code=10)
    second = program("verify", "--source", source, "--target", gone, code=10)
    assert "Source database not found" in first.message
    assert "Target database not found" in second.message
    assert contents(program.folder).keys() == {"data", "data/junmai.db"}


@pytest.mark.parametrize("command", ["migrate", "backup"])
def test_a_locked_source_is_reported_as_such_within_seconds(
    program: Program, source: Path, command: str
) -> None:
    with neighbour(source, "database.execute('BEGIN EXCLUSIVE')") as other:
        outcome = program(command, "--source", source, "--json", code=11)
        assert "locked" in outcome.message
        other.tell()
    assert left_behind(set(contents(source.parent)) - {"junmai.db"}) == set()
    program(command, "--source", source)


def test_text_that_is_no_utf8_is_named_where_it_differs(program: Program, source: Path) -> None:
    change(source, "UPDATE sessions SET name = CAST(x'61ff62' AS TEXT) WHERE id = 2")
    program("migrate", "--source", source)
    target = source.with_name("junmai.new.db")
    assert rows(target, "sessions") == rows(source, "sessions")
    change(target, "UPDATE sessions SET name = CAST(x'61fe62' AS TEXT) WHERE id = 2")
    outcome = program("verify", "--source", source, "--target", target, "--json", code=3)
    (finding,) = outcome.json["findings"]
    assert (finding["table"], finding["key"], finding["column"]) == ("sessions", "id = 2", "name")
    assert "ff" in finding["expected"]
    assert "fe" in finding["actual"]


def test_a_key_that_is_no_utf8_does_not_stop_a_finding(program: Program, source: Path) -> None:
    change(
        source,
        """CREATE TABLE k (t TEXT NOT NULL PRIMARY KEY, v);
        INSERT INTO k VALUES (CAST(x'ff00fe' AS TEXT), 1)""",
    )
    other = source.with_name("other.db")
    shutil.copyfile(source, other)
    change(other, "UPDATE k SET v = 2")
    outcome = program("verify", "--source", source, "--target", other, "--json", code=3)
    assert [finding["column"] for finding in outcome.json["findings"]] == ["v"]


def test_a_virtual_table_of_an_unknown_module_loses_nothing(program: Program, source: Path) -> None:
    """Its rows are in ordinary tables; where SQLite wants the module itself, it is named."""
    sql = "CREATE VIRTUAL TABLE boxes USING geo_index(a, b)"
    change(
        source,
        f"""CREATE TABLE boxes_data (x); INSERT INTO boxes_data VALUES (1);
        PRAGMA writable_schema = 1; INSERT INTO sqlite_schema VALUES
            ('table', 'boxes', 'boxes', 0, '{sql}')""",
    )
    outcome = program("migrate", "--source", source, code=None)
    target = source.with_name("junmai.new.db")
    if outcome.code == 0:
        assert rows(target, "boxes_data") == rows(source, "boxes_data")
        assert objects(target)["table boxes"] == sql
    else:
        assert outcome.code == 20
        assert "no such module: geo_index" in outcome.message


@pytest.mark.parametrize("seed", range(12))
def test_a_fuzzed_database_is_refused_or_arrives_as_sqlite_reads_it(
    program: Program, source: Path, seed: int
) -> None:
    """Flipped bytes all over the file: never a traceback, never done with other rows."""
    whole = bytearray(source.read_bytes())
    step = 7919 + 104_729 * seed
    for number in range(1 + seed * seed):
        at = (seed * 611_953 + number * step) % len(whole)
        whole[at] ^= 1 << (seed + number) % 8
    source.write_bytes(whole)
    outcome = program("migrate", "--source", source, code=None)
    assert source.read_bytes() == bytes(whole)
    target = source.with_name("junmai.new.db")
    if outcome.code:
        assert outcome.code in {2, 20, 21}
        assert outcome.message.count("Error:") == 1
        assert not target.exists()
        return
    before, after = all_rows(source), all_rows(target)
    for table in set(before) - {"photos"}:
        assert after[table] == before[table]
    assert len(after["photos"]) == len(before["photos"])


def test_a_source_that_is_readable_only_in_part_never_gets_a_target(
    program: Program, source: Path
) -> None:
    """One page of the largest table is overwritten with another table's."""
    whole = source.read_bytes()
    for page in range(2, len(whole) // 4096, 3):
        source.write_bytes(whole[: page * 4096] + whole[4096:8192] + whole[(page + 1) * 4096 :])
        outcome = program("migrate", "--source", source, code=None)
        assert outcome.code in {20, 21}, page
        assert not source.with_name("junmai.new.db").exists()
        # SQLite finds nothing wrong with a page of the right form; comparing does.
        stored = list(source.parent.glob("backups/*.db"))
        assert bool(stored) == (outcome.code == 21)
        for backup in stored:
            backup.unlink()


@pytest.mark.parametrize("make", [long_text, zeros, truncated, encrypted, newer_format])
def test_sqlite_itself_agrees_that_these_sources_are_bad(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    """Or the tests above would prove nothing."""
    path = tmp_path / "bad.db"
    make(path)
    with pytest.raises(sqlite3.DatabaseError):
        all_rows(path)
