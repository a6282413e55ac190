"""Claims about odd but valid tables: each arrives exactly, in one migration of all of them."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.harness.databases import (
    change,
    make_oldest,
    objects,
    opened,
    rows,
    value,
)
from tests.harness.odd import ODD, make_odd
from tests.harness.program import Program


@dataclass(frozen=True)
class Migrated:
    """One migration: what went in, what came out, what was said."""

    source: Path
    target: Path
    said: dict[str, Any]
    tables: dict[str, list[str]]


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Migrated]:
    folder = tmp_path_factory.mktemp("odd")
    source, target = folder / "odd.db", folder / "new.db"
    tables = make_odd(source)
    program = Program(folder)
    outcome = program("migrate", "--source", source, "--target", target, "--json")
    yield Migrated(source, target, outcome.json, tables)
    shutil.rmtree(folder)


@pytest.mark.parametrize("name", ODD)
def test_each_arrives_with_every_value_and_its_definition(odd: Migrated, name: str) -> None:
    before, after = objects(odd.source), objects(odd.target)
    assert odd.tables[name]
    for table in odd.tables[name]:
        assert rows(odd.target, table) == rows(odd.source, table), table
        assert rows(odd.source, table) or table in {"no_rows", "emptied", "sqlite_sequence"}
        assert after[f"table {table}"] == before[f"table {table}"]


@pytest.mark.parametrize("name", ODD)
def test_each_is_reported_as_carried_over_and_compared(odd: Migrated, name: str) -> None:
    found = {table["table"]: table for table in odd.said["tables"]}
    for table in odd.tables[name]:
        if table != "sqlite_sequence":
            assert found[table]["carried"] is True
            assert found[table]["verdict"] == "ok"
            assert found[table]["rows"] == len(rows(odd.source, table))


def test_all_their_indexes_arrive(odd: Migrated) -> None:
    before, after = objects(odd.source), objects(odd.target)
    own = [name for name in before if name.startswith("index ") and "idx_" not in name]
    assert {name: after.get(name) for name in own} == {name: before[name] for name in own}
    assert "index indexed_expression" in own


def test_rowids_arrive_also_where_no_column_holds_them(odd: Migrated) -> None:
    for table in ("notes", "keyless", "null_keys", 'say "hi"', "down"):
        assert rows(odd.target, table, "rowid, *") == rows(odd.source, table, "rowid, *")
    assert rows(odd.target, "half_shadowed", "oid") == ["[('int', 9)]"]


def test_an_autoincrement_goes_on_where_it_was(odd: Migrated, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    shutil.copyfile(odd.target, copy)
    change(copy, "INSERT INTO counted (x) VALUES ('new'); INSERT INTO emptied (x) VALUES ('new')")
    assert value(copy, "SELECT max(id) FROM counted") == 1001
    assert value(copy, "SELECT max(id) FROM emptied") == 42


def test_the_whole_target_is_sound(odd: Migrated) -> None:
    assert value(odd.target, "PRAGMA integrity_check") == "ok"
    assert odd.said["findings"] == []


def test_all_of_them_compare_as_equal_and_one_changed_value_in_each_does_not(
    odd: Migrated, tmp_path: Path
) -> None:
    """`verify` sees what is wrong in any odd table, and nothing where nothing is."""
    program = Program(tmp_path)
    compared = ("verify", "--source", odd.source, "--target")
    assert program(*compared, odd.target, "--json").json["status"] == "passed"
    copy = tmp_path / "copy.db"
    shutil.copyfile(odd.target, copy)
    damage = {
        "places": "UPDATE places SET note = '' WHERE note = x''",
        "strict_ones": "UPDATE strict_ones SET a = 5 WHERE a = 5.0 AND typeof(a) = 'real'",
        "keyless": "UPDATE keyless SET a = 1 WHERE typeof(a) = 'real'",
        "null_keys": "DELETE FROM null_keys WHERE rowid = 5",
        "numbers": "UPDATE numbers SET v = 0.0 WHERE rowid = 4",
        "loose": "UPDATE loose SET t = 'ends with space' WHERE t LIKE 'ends%'",
        "bytes_as_text": "UPDATE bytes_as_text SET t = CAST(x'fe' AS TEXT) WHERE id = 1",
        "nuls": "UPDATE nuls SET u = u || 'x' WHERE u = char(0)",
        "large": "UPDATE large SET b = CAST(zeroblob(2999999) || x'01' AS BLOB) WHERE id = 1",
        "collated": "UPDATE collated SET a = 'a' WHERE a = 'A'",
        "shadowed": "INSERT INTO shadowed VALUES ('a', 'b', 'c', 1)",
        'say "hi"': 'UPDATE "say ""hi""" SET "it\'s" = \'X\'',
        "": 'UPDATE "" SET "" = \'b\'',
        "wide": "UPDATE wide SET c1999 = '1999' WHERE typeof(c1999) = 'integer'",
        "notes": "UPDATE notes SET rowid = 8 WHERE rowid = 7",
    }
    change(copy, ";".join(damage.values()))
    said = program(*compared, copy, "--json", code=3).json
    failed = {table["table"] for table in said["tables"] if table["verdict"] == "failed"}
    assert failed == set(damage) - {"notes"}
    named = {finding["table"] for finding in said["findings"]}
    assert named == failed


@pytest.mark.parametrize(
    "settings",
    [
        "PRAGMA page_size = 512",
        "PRAGMA page_size = 65536; PRAGMA auto_vacuum = FULL; PRAGMA user_version = 7",
        "PRAGMA encoding = 'UTF-16le'; PRAGMA page_size = 1024; PRAGMA auto_vacuum = INCREMENTAL",
        "PRAGMA encoding = 'UTF-16be'; PRAGMA user_version = -2147483648",
        "PRAGMA application_id = 1247891789; PRAGMA page_size = 32768",
    ],
)
def test_the_header_carries_over(program: Program, tmp_path: Path, settings: str) -> None:
    source = make_oldest(tmp_path / "junmai.db", settings=settings)
    change(source, ODD["names of every kind"] + ODD["NULs inside text"] + ODD["collations"])
    target = tmp_path / "new.db"
    program("migrate", "--source", source, "--target", target)
    for name in ("page_size", "encoding", "auto_vacuum", "user_version", "application_id"):
        assert value(target, f"PRAGMA {name}") == value(source, f"PRAGMA {name}")
    for table in ("sessions", "jobs", "nuls", "collated", "📷 写真"):
        assert rows(target, table) == rows(source, table)


def test_three_thousand_tables_arrive(program: Program, tmp_path: Path) -> None:
    source = make_oldest(tmp_path / "junmai.db")
    with opened(source) as database:
        database.execute("BEGIN")
        for number in range(3_000):
            database.execute(f"CREATE TABLE t{number} (id INTEGER PRIMARY KEY, x UNIQUE)")
            database.execute(f"INSERT INTO t{number} VALUES (1, {number}), (2, NULL)")
        database.execute("COMMIT")
    target = tmp_path / "new.db"
    outcome = program("migrate", "--source", source, "--target", target, "--json")
    found = {table["table"]: table["rows"] for table in outcome.json["tables"]}
    assert all(found[f"t{number}"] == 2 for number in range(3_000))
    assert rows(target, "t2999") == rows(source, "t2999")
    story = program("--journal", tmp_path / "journal.db", "show", outcome.json["run"], "--json")
    assert story.json["status"] == "verified"
