"""All checks of a pair of databases in one report."""

import sqlite3
from hashlib import sha256

import pytest
from tests.checks.two_databases import (
    TwoDatabases,
    insert,
    lose_index_entries,
    opened,
    rewrite_sql,
)

from junmai_svc.checks.finding import Report, Verdict
from junmai_svc.checks.verification import verify
from junmai_svc.storage.databases.mapping import Rule
from junmai_svc.storage.databases.schema import Schema, read_schema

SESSIONS = "CREATE TABLE sessions (id INTEGER PRIMARY KEY, name TEXT NOT NULL)"
PHOTOS = (
    "CREATE TABLE photos (id INTEGER PRIMARY KEY, session_id INTEGER REFERENCES sessions,"
    " path TEXT UNIQUE, score FLOAT CHECK (score BETWEEN 1 AND 5){})"
)
CHECKS = ["counts", "rows", "foreign_keys", "indexes", "constraints"]


def migrated(two: TwoDatabases, photos: int = 100) -> None:
    """A migration as it should be: one new column, every row as it was."""
    two.on_source(SESSIONS, PHOTOS.format(""))
    two.on_target(
        SESSIONS, PHOTOS.format(", phash VARCHAR(64)"), "CREATE INDEX s ON photos (score)"
    )
    two.rules["photos.phash"] = Rule("NULL", "new column")
    rows = [(at, at % 10, f"/{at}.CR3", 1 + at % 40 / 10) for at in range(photos)]
    for path in (two.source, two.target):
        insert(path, "sessions", ((at, f"session {at}") for at in range(10)))
    insert(two.source, "photos", rows)
    insert(two.target, "photos", ((*row, None) for row in rows))


def verified(
    two: TwoDatabases, expected: Schema | None = None, *, full: bool = False, limit: int = 20
) -> Report:
    with two.opened() as (pair, tables):
        return verify(pair, tables, expected, full=full, limit=limit)


def failed(report: Report) -> set[tuple[str, str]]:
    return {(r.check, r.table) for r in report.results if r.verdict is Verdict.FAILED}


def test_a_faithful_migration_passes_every_check(two: TwoDatabases) -> None:
    migrated(two)
    report = verified(two)
    assert report.passed
    assert not report.findings
    assert [r.check for r in report.results] == ["sqlite_file", *CHECKS, *CHECKS]
    counts = {(r.check, r.table): r.counts for r in report.results}
    assert counts["rows", "photos"] == {"rows": 100, "columns": 5, "rule:phash": 100}
    assert counts["counts", "sessions"] == {"source": 10, "target": 10}


def test_neither_side_is_written(two: TwoDatabases) -> None:
    migrated(two)
    two.on_target("DELETE FROM photos WHERE id = 5")
    before = [sha256(path.read_bytes()).digest() for path in (two.source, two.target)]
    assert not verified(two, full=True).passed
    assert [sha256(path.read_bytes()).digest() for path in (two.source, two.target)] == before
    assert sorted(path.name for path in two.folder.iterdir()) == ["source.db", "target.db"]


def test_each_table_is_told_when_it_is_done(two: TwoDatabases) -> None:
    migrated(two)
    told: list[str] = []
    with two.opened() as (pair, tables):
        verify(pair, tables, None, on_table=told.append)
    assert told == ["sessions", "photos"]


def test_one_damaged_photo_and_seven_thousand_orphans_do_not_pass(two: TwoDatabases) -> None:
    """The replaced tool compared three columns of ten photos and let orphans pass."""
    migrated(two, photos=10_000)
    two.on_target("UPDATE photos SET score = 1.25 WHERE id = 9999")
    two.on_target("DELETE FROM sessions WHERE id >= 3")
    report = verified(two)
    assert failed(report) == {
        ("rows", "photos"),
        ("foreign_keys", "photos"),
        ("rows", "sessions"),
        ("counts", "sessions"),
    }
    totals = {(r.check, r.table): r.total for r in report.results}
    assert totals["foreign_keys", "photos"] == 7000
    assert totals["rows", "photos"] == 1


def test_what_the_source_had_already_is_reported_and_passes(two: TwoDatabases) -> None:
    loose = PHOTOS.replace(" CHECK (score BETWEEN 1 AND 5)", "").format("")
    for path in (two.source, two.target):
        with opened(path) as database:
            database.execute(SESSIONS.replace(" NOT NULL", ""))
            database.execute(loose)
        insert(path, "sessions", [(1, None)])
        insert(path, "photos", [(1, 1, "/1", 3.0), (2, 77, "/2", 99.0)])
        rewrite_sql(path, "sessions", SESSIONS)
        rewrite_sql(path, "photos", PHOTOS.format(""))
    report = verified(two)
    assert report.passed
    assert {(f.check, f.table, f.key) for f in report.findings} == {
        ("constraints", "sessions", "id = 1"),
        ("constraints", "photos", "id = 2"),
        ("foreign_keys", "photos", "id = 2"),
    }
    assert all(finding.known for finding in report.findings)


def test_a_backup_that_changed_is_the_first_finding(two: TwoDatabases) -> None:
    migrated(two)
    backup = two.folder / "backup.db"
    backup.write_bytes(b"backup")
    with two.opened() as (pair, tables):
        good = verify(pair, tables, None, backup=(backup, sha256(b"backup").hexdigest()))
        bad = verify(pair, tables, None, backup=(backup, sha256(b"other").hexdigest()))
    assert good.passed
    assert good.results[0].check == "backup_checksum"
    assert bad.findings[0].message == "Backup checksum mismatch"


def test_a_schema_other_than_the_planned_one_fails(two: TwoDatabases) -> None:
    migrated(two)
    with opened(two.target) as database:
        planned = read_schema(database)
    assert verified(two, planned).passed
    two.on_target("DROP INDEX s")
    assert failed(verified(two, planned)) == {("schema", "")}


@pytest.mark.parametrize("full", [True, False])
def test_an_index_that_lost_a_row_fails_quick_or_full(two: TwoDatabases, full: bool) -> None:
    migrated(two)
    lose_index_entries(two.target, "s", "score")
    assert ("indexes", "photos") in failed(verified(two, full=full))


@pytest.mark.parametrize("full", [True, False])
def test_a_damaged_target_makes_a_report_wherever_the_damage_is(
    two: TwoDatabases, full: bool
) -> None:
    migrated(two, photos=2000)
    sound = two.target.read_bytes()
    for at in range(4096, len(sound), 4096):
        two.target.write_bytes(sound[:at] + bytes(500) + sound[at + 500 :])
        assert not verified(two, full=full).passed


def test_a_damaged_source_is_an_error_not_a_finding(two: TwoDatabases) -> None:
    migrated(two, photos=2000)
    content = bytearray(two.source.read_bytes())
    for page in range(3, len(content) // 4096):
        content[page * 4096 : page * 4096 + 500] = bytes(500)
    two.source.write_bytes(content)
    with pytest.raises(sqlite3.DatabaseError, match="malformed"):
        verified(two)


def test_findings_are_bounded_in_each_check(two: TwoDatabases) -> None:
    migrated(two)
    damage = "UPDATE photos SET score = 9, session_id = 99"
    two.on_target("PRAGMA ignore_check_constraints = 1", damage)
    report = verified(two, limit=3)
    shown = {(r.check, r.table): (r.total, len(r.findings)) for r in report.results if r.total}
    assert shown == {
        ("rows", "photos"): (200, 3),
        ("foreign_keys", "photos"): (100, 3),
        ("constraints", "photos"): (100, 3),
    }


@pytest.mark.parametrize("broke", [None, {}, {"CHECK constraint failed in photos": 1}])
def test_what_is_known_of_the_source_never_hides_a_row_that_breaks_a_check(
    two: TwoDatabases, broke: dict[str, int] | None
) -> None:
    """Be it a row that differs, a CHECK that only the target has, or one broken in both."""
    loose = PHOTOS.replace(" CHECK (score BETWEEN 1 AND 5)", "").format("")
    two.on_source(SESSIONS, loose)
    two.on_target(SESSIONS, PHOTOS.format(""))
    for path in (two.source, two.target):
        insert(path, "photos", [(1, None, "/1.CR3", 3.0)])
    two.on_source("UPDATE photos SET score = 9")
    two.on_target("PRAGMA ignore_check_constraints = 1", "UPDATE photos SET score = 9")
    with two.opened() as (pair, tables):
        report = verify(pair, tables, None, source_broke=broke)
    assert failed(report) == {("constraints", "photos")}


def test_a_row_that_was_changed_to_break_the_sources_check_fails(two: TwoDatabases) -> None:
    migrated(two)
    two.on_target("PRAGMA ignore_check_constraints = 1", "UPDATE photos SET score = 9 WHERE id = 5")
    with two.opened() as (pair, tables):
        report = verify(pair, tables, None, source_broke={})
    assert not report.passed
    assert ("rows", "photos") in failed(report)


def test_a_row_that_broke_the_check_in_the_source_is_known(two: TwoDatabases) -> None:
    migrated(two)
    broken = ("PRAGMA ignore_check_constraints = 1", "UPDATE photos SET score = 9 WHERE id = 5")
    two.both(*broken)
    line = "CHECK constraint failed in photos"
    with two.opened() as (pair, tables):
        report = verify(pair, tables, None, source_broke={line: 1})
    assert report.passed
    assert [finding.known for finding in report.findings] == [True]
