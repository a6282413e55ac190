"""Claims about what is printed: every name as it is, nothing cut, on any width and encoding."""

import io
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.cells import cell_len

from junmai_svc.service import report
from junmai_svc.service.report import check as report_check
from junmai_svc.service.report import prune as report_prune
from junmai_svc.service.report import run as report_run
from junmai_svc.service.report import snapshots as report_snapshots
from junmai_svc.storage.errors import ChecksumError, JunmaiError

View = dict[str, Any]
NAMES = [
    "photos",
    "[red]",
    "[/red]",
    "[bold]x[/bold]",
    "[link=https://example.org]x[/link]",
    "\\[red]",
    ":smile:",
    "写真 🍶",
    "%s {name}",
    "a" * 300,
]
LONG_AGO = (datetime.now(UTC) - timedelta(days=400)).isoformat()


def finding(name: str) -> View:
    fields = ("message", "table", "key", "column", "expected", "actual", "hint")
    return {"check": "rows", "known": False} | {field: f"{field} {name}" for field in fields}


def plan(name: str) -> View:
    row = {"table": f"table {name}", "from": f"from {name}", "carried": False, "columns": 7}
    row["new_columns"] = {f"column {name}": f"'{name}'"}
    notes = [{"subject": f"subject {name}", "text": f"text {name}"}]
    return {"tables": [row], "carried": [f"view {name}"], "notes": notes}


def migration(name: str) -> View:
    row = {"table": f"table {name}", "rows": 1234567, "seconds": 1.5, "verdict": "known"}
    return {
        "run": f"run {name}",
        "source": f"source {name}",
        "target": f"target {name}",
        "snapshot": "told by its path",
        "backup_path": f"backup {name}",
        "stores": [{"place": f"backup {name}", "new_bytes": 654_321}],
        "failed_stores": [
            {"store": f"away {name}", "problem": f"no {name}", "hint": f"hint {name}"}
        ],
        "tables": [row],
        "rules": {f"rule {name}": {"value": f"value {name}", "rows": 3}},
        "carried": [f"view {name}"],
        "notes": [{"subject": f"subject {name}", "text": f"text {name}"}],
        "checks": [{"check": "rows", "total": 1}],
        "findings": [finding(name)],
        "replaced": f"replaced {name}",
        "log": f"log {name}",
        "journal": f"journal {name}",
    }


def backup(name: str) -> View:
    return {
        "run": f"run {name}",
        "backup_path": f"backup {name}",
        "stores": [{"place": f"backup {name}", "new_bytes": 654_321}],
        "failed_stores": [
            {"store": f"away {name}", "problem": f"no {name}", "hint": f"hint {name}"}
        ],
        "checksum": "ab" * 32,
        "file_size": 1048576,
        "check": "quick_check",
        "violations": {f"foreign key {name}": 2},
    }


def restored(name: str) -> View:
    return {
        "run": f"run {name}",
        "snapshot": f"snapshot {name}",
        "target": f"target {name}",
        "checksum": "ab" * 32,
        "pre_restore_snapshot": f"before {name}",
        "set_aside": [f"aside {name}"],
        "store": f"store {name}",
        "damaged_copies": [{"store": f"other {name}", "problem": f"flipped {name}", "hint": ""}],
        "violations": {f"CHECK {name}": 2},
    }


def verification(name: str) -> View:
    row = {"table": f"table {name}", "source_rows": 2, "target_rows": 1, "verdict": "failed"}
    return {
        "run": f"run {name}",
        "status": "findings",
        "subject": f"subject {name}",
        "tables": [row],
        "checks": [{"check": f"check {name}", "total": 1}],
        "findings": [finding(name)],
    }


def snapshots(name: str) -> View:
    copies = [
        {"store": f"{store} {name}", "new_bytes": 7, "damaged": False} for store in ("one", "two")
    ]
    row = {
        "snapshot": f"snapshot {name}",
        "taken": LONG_AGO,
        "file_size": 5,
        "reason": f"reason {name}",
        "held": True,
        "proven": None,
        "database": f"database {name}",
        "path": f"database {name}",
        "stores": copies,
    }
    stores = [
        {"store": each["store"], "layout": f"layout {name}", "snapshots": 1} for each in copies
    ]
    return {
        "snapshots": [row],
        "stores": stores,
        "unreadable": [{"store": f"one {name}", "problem": f"problem {name}"}],
        "failed_stores": [
            {"store": f"away {name}", "problem": f"down {name}", "hint": f"hint {name}"}
        ],
    }


def diff(name: str) -> View:
    side = {"snapshot": f"snapshot {name}", "store": f"store {name}"}
    column = {"change": "changed", "kind": "column", "name": f"column {name}"}
    column |= {"table": f"table {name}", "before": f"was {name}", "after": f"is {name}"}
    cell = {"column": f"cell {name}", "before": f"old {name}", "after": f"new {name}"}
    table: View = {"table": f"other {name}", "status": "different", "compared": "key"}
    table |= {"rows_before": 1, "rows_after": 1_234_567, "added": 2, "removed": 3, "changed": 4}
    table |= {"columns": {f"counted {name}": 1}}
    table |= {"examples": [{"change": "changed", "key": f"key {name}", "cells": [cell]}]}
    return {
        "status": "different",
        "before": side,
        "after": side,
        "same_image": False,
        "schema": [column],
        "tables": [table],
        "totals": {"tables": 1},
    }


def prune(name: str) -> View:
    row = {"snapshot": f"snapshot {name}", "taken": LONG_AGO, "file_size": 5, "keep": True}
    row |= {"reasons": [f"reason {name}"], "damaged": True}
    return {
        "status": "planned",
        "snapshots": [row],
        "deleted": [],
        "bytes": 0,
        "locked_snapshots": [],
        "locked_objects": [{"name": f"object {name}", "until": "2025-02-08T12:00:00+00:00"}],
        "repacked": {"packs": 1, "maps": 2},
        "not_repacked": [],
        "problems": [{"problem": f"damage {name}", "hint": f"hint {name}"}],
        "unreadable": [{"problem": f"problem {name}"}],
    }


def check(name: str) -> View:
    hit = {"snapshot": f"snapshot {name}", "ranges": [[0, 4096]], "bytes": 4096}
    hit["database"] = f"database {name}"
    finding = {"key": f"object {name}", "message": f"damage {name}", "hint": f"hint {name}"}
    return {
        "run": f"run {name}",
        "store": f"store {name}",
        "snapshots": 2,
        "objects": 3,
        "bytes_read": 5,
        "whole": False,
        "damaged": [f"snapshot {name}"],
        "findings": [finding | {"snapshots": [hit]}],
        "notes": [f"note {name}"],
    }


def repair(name: str) -> View:
    return check(name) | {
        "found": [{}],
        "saved_blocks": 1,
        "found_blocks": 2,
        "lost_blocks": 3,
        "quarantined": [f"pack {name}"],
        "put_back": [f"image {name}"],
    }


def hold(name: str) -> View:
    return {"status": "held", "gone": False, "snapshot": f"snapshot {name}"}


def history(name: str) -> View:
    row = {"started": "2025-01-08T12:00:00.123456+00:00", "database": f"database {name}"}
    row |= {field: f"{field} {name}" for field in ("kind", "status", "actor", "run")}
    return {"position": None, "runs": [row]}


def run(name: str) -> View:
    event = {"position": 7, "version": 2, "time": "2025-01-08T12:00:00.123456+00:00"}
    event |= {"name": f"name {name}", "text": f"text {name}", "after_ms": 340}
    fields = ("run", "kind", "status", "database", "target", "snapshot", "message")
    began = {"started": "2025-01-08T12:00:00.123456+00:00"}
    return {"events": [event], "ms": 2_500} | began | {field: f"{field} {name}" for field in fields}


def replayed(name: str) -> View:
    fields = ("run", "status", "of", "of_kind", "reason")
    looked = {field: f"{field} {name}" for field in ("subject", "found", "text", "key")}
    shown = {"looked": [looked]} | {field: f"{field} {name}" for field in fields}
    return shown | {"status": "input_missing"}


SHOWN: list[tuple[Callable[[View], None], Callable[[str], View]]] = [
    (report.show_plan, plan),
    (report.show_migration, migration),
    (report.show_backup, backup),
    (report.show_restored, restored),
    (report.show_verification, verification),
    (report_snapshots.show_snapshots, snapshots),
    (report_snapshots.show_diff, diff),
    (report_prune.show_prune, prune),
    (report_check.show_check, check),
    (report_check.show_repair, repair),
    (report.show_hold, hold),
    (report_run.show_history, history),
    (report_run.show_run, run),
    (report_run.show_replay, replayed),
]
each_view = pytest.mark.parametrize(
    ("show", "view"), SHOWN, ids=[view.__name__ for _, view in SHOWN]
)


def texts(value: object) -> list[str]:
    """All that a view says in words of its own."""
    if isinstance(value, dict):
        return [text for item in (*value, *value.values()) for text in texts(item)]
    if isinstance(value, list):
        return [text for item in value for text in texts(item)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize("name", NAMES, ids=ascii)
@each_view
def test_in_a_pipe_every_name_stands_as_it_is_on_one_line(
    show: Callable[[View], None],
    view: Callable[[str], View],
    name: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shown = view(name)
    show(shown)
    out, err = capsys.readouterr()
    missing = [text for text in texts(shown) if text.endswith(f" {name}") and text not in out]
    assert missing == []
    assert err == ""
    assert "\x1b" not in out


class Terminal(io.StringIO):
    """What a program sees of a terminal."""

    def isatty(self) -> bool:
        """It is one."""
        return True


def on_terminal(
    columns: int, show: Callable[[View], None], view: View, patch: pytest.MonkeyPatch
) -> list[str]:
    """What a terminal of a width shows of a view, line by line."""
    stream = Terminal()
    patch.setattr(sys, "stdout", stream)
    for name, value in (("TERM", "dumb"), ("COLUMNS", str(columns)), ("LINES", "25")):
        patch.setenv(name, value)
    patch.delenv("FORCE_COLOR", raising=False)
    show(view)
    return stream.getvalue().splitlines()


@pytest.mark.parametrize("letter", ["ж", "写", "🍶"])
@pytest.mark.parametrize("columns", [40, 80, 200])
@each_view
def test_on_a_terminal_nothing_is_wider_than_it_and_nothing_is_cut(
    show: Callable[[View], None],
    view: Callable[[str], View],
    columns: int,
    letter: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Told by a letter that appears nowhere else, narrow or wide."""
    shown = view(letter * 90)
    for row in shown.get("runs", ()):  # what a list of runs leaves out where there is no room
        row |= {"run": "id", "actor": "actor"}
    narrow = on_terminal(columns, show, shown, monkeypatch)
    wide = on_terminal(100_000, show, shown, monkeypatch)
    assert max(cell_len(line) for line in narrow) <= columns
    assert "".join(narrow).count(letter) == "".join(wide).count(letter) >= 90


def told_history(database: str) -> View:
    row = {
        "run": "0190163d-8694-739b-aea5-966c26f8ad91",
        "kind": "verification",
        "status": "mismatch_found",
        "database": database,
        "started": "2026-11-27T05:16:50.000000+00:00",
        "actor": "actor:80566e356b67",
    }
    return {"position": None, "runs": [row]}


@pytest.mark.parametrize("columns", [80, 100, 120, 160])
@pytest.mark.parametrize("database", ["data/junmai.db", "/a/rather/long/path/of/a/" * 5])
def test_an_id_in_the_list_of_runs_can_be_copied(
    columns: int, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = on_terminal(columns, report_run.show_history, told_history(database), monkeypatch)
    first = next(line for line in lines if "2026-11-27" in line)
    words = first.split()
    assert words[0:4] == ["2026-11-27", "05:16:50", "verification", "mismatch_found"]
    whole = columns >= 126 and len(database) < 20
    id_ = "0190163d-8694-739b-aea5-966c26f8ad91"
    assert words[-1] == (id_ if whole else id_[-12:])
    assert ("80566e356b67" in first) == whole


@pytest.mark.parametrize("columns", [80, 120])
def test_a_timeline_has_room_for_words(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    words = "said in twenty-nine characters"
    event = {"position": 12_345, "version": 2, "after_ms": 61_000, "name": "constraints checked"}
    event |= {"time": "2026-11-27T05:16:50+00:00", "text": words}
    view = {"run": "r", "kind": "k", "status": "verified", "ms": 61_000, "events": [event]}
    view |= {"started": "2026-11-27T05:16:50+00:00"}
    lines = on_terminal(columns, report_run.show_run, view, monkeypatch)
    assert any(words in line and "constraints checked" in line for line in lines)
    assert any(line.startswith("Began    2026-11-27 05:16:50") for line in lines)


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_an_error_goes_to_stderr_with_its_hint_as_it_is(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    report.show_error(ChecksumError(f"Backup checksum mismatch: {name}", f"Look at {name}"))
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        f"Error: Backup checksum mismatch: {name}",
        f"Hint:  Look at {name}",
    ]


def test_an_error_without_a_hint_has_no_line_for_it(capsys: pytest.CaptureFixture[str]) -> None:
    report.show_error(JunmaiError("vague"))
    assert capsys.readouterr().err == "Error: vague\n"


def test_a_bug_is_told_without_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    report.show_bug(KeyError("a secret [red]"), "see the log")
    err = capsys.readouterr().err
    assert err == "Error: a bug in junmai-svc (KeyError); see the log\n"


VALUES = ["写真 🍶 é", "\udcff", "\x00\x1b[31m\u2028", "[red]", "a" * 100_000]


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "cp932", "ascii", "utf-16"])
def test_json_is_one_object_on_stdout_whatever_its_encoding(
    encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, errors="backslashreplace")
    monkeypatch.setattr(sys, "stdout", stream)
    view = {"run": None, "values": VALUES, "count": 2**53}
    report.show_json(view)
    text = raw.getvalue().decode(encoding)
    assert json.loads(text) == view
    assert text.endswith("}\n")


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (298_200_000, "298.2 MB"),
        (5 * 10**12, "5.0 TB"),
        (2**53, "9007.2 TB"),
    ],
)
def test_sizes_are_told_in_units_of_a_thousand(count: int, shown: str) -> None:
    assert report.sized(count) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(-5, "0 s"), (59, "59 s"), (61, "1 min"), (7_300, "2 h"), (86_500, "1 d"), (4e7, "462 d")],
)
def test_ages_are_told_in_the_largest_unit_and_the_future_is_now(
    seconds: float, shown: str
) -> None:
    assert report.aged(datetime.now(UTC) - timedelta(seconds=seconds)) == shown


def test_empty_lists_are_told_as_such(capsys: pytest.CaptureFixture[str]) -> None:
    none: View = {"snapshots": [], "stores": [], "unreadable": [], "failed_stores": []}
    report_snapshots.show_snapshots(none)
    report_run.show_history({"position": None, "runs": []})
    report.show_verification(verification("x") | {"tables": [], "findings": [], "status": "passed"})
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("No snapshots yet. Take one with: junmai-svc backup")
    assert lines[1] == "No runs."
    assert "Verified: no difference found." in lines


@pytest.mark.parametrize(
    ("show", "view"), [(report.show_backup, backup), (report.show_migration, migration)]
)
def test_each_store_of_a_snapshot_is_told_and_each_that_failed(
    show: Callable[[View], None],
    view: Callable[[str], View],
    capsys: pytest.CaptureFixture[str],
) -> None:
    stores = [{"place": "near/it", "new_bytes": None}, {"place": "far/it", "new_bytes": 654_321}]
    show(view("x") | {"stores": stores})
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if "near/it" in line or "far/it" in line][1].endswith(
        "654.3 kB new"
    )
    assert lines[lines.index("Down     away x: no x") + 1] == "Hint     hint x"


def test_findings_are_shown_to_a_bound_and_counted_exactly(
    capsys: pytest.CaptureFixture[str],
) -> None:
    shown = verification("x") | {
        "findings": [finding(f"<{number}>") for number in range(50)],
        "checks": [{"check": "rows", "total": 1_234_567}],
    }
    shown["findings"][3]["known"] = True
    report.show_verification(shown)
    out = capsys.readouterr().out
    assert out.count("hint <") == report.SHOWN_FINDINGS
    assert "message <3> (already in the source)" in out
    assert "1,234,567 findings in all, 20 shown." in out


def test_names_that_are_carried_over_are_told_to_a_bound(
    capsys: pytest.CaptureFixture[str],
) -> None:
    report.show_plan(plan("x") | {"carried": [f"table t{number}" for number in range(3000)]})
    out = capsys.readouterr().out
    assert "table t29 and 2,970 more" in out
    assert "table t30" not in out


@pytest.mark.parametrize(("carried", "origin"), [(True, "carried over"), (False, "(new, empty)")])
def test_where_a_tables_rows_come_from_is_told(
    carried: bool, origin: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = plan("x")
    shown["tables"][0] |= {"carried": carried, "from": None}
    report.show_plan(shown)
    out = capsys.readouterr().out
    assert origin in out
    assert "Nothing was written (--dry-run)." in out


def test_a_migration_tells_the_next_steps_and_the_way_back(
    capsys: pytest.CaptureFixture[str],
) -> None:
    report.show_migration(migration("x"))
    out = capsys.readouterr().out
    assert "1,234,567" in out
    assert "ok, as in the source" in out
    assert "junmai-svc --journal journal x show run x" in out
    assert "junmai-svc restore backup x --to source x" in out


def test_a_migration_without_a_backup_promises_no_way_back(
    capsys: pytest.CaptureFixture[str],
) -> None:
    report.show_migration(migration("x") | {"snapshot": None, "backup_path": None, "stores": []})
    out = capsys.readouterr().out
    assert "none (--no-backup)" in out
    assert "To go back" not in out


def test_a_timeline_tells_how_long_each_step_took_but_not_the_first(
    capsys: pytest.CaptureFixture[str],
) -> None:
    shown = run("x")
    shown["events"] = [shown["events"][0] | {"version": 1, "after_ms": 0}, *shown["events"]]
    report_run.show_run(shown)
    out = capsys.readouterr().out
    assert out.count("340 ms") == 1
    assert "Took     2.5 s" in out


def test_a_replay_tells_its_verdict_in_capitals_and_bounds_what_it_shows(
    capsys: pytest.CaptureFixture[str],
) -> None:
    shown = replayed("x")
    shown["looked"] *= 50
    report_run.show_replay(shown)
    out = capsys.readouterr().out
    assert "INPUT MISSING: reason x" in out
    assert out.count("subject x") == 40
    assert "50 things in all, 40 shown." in out


def test_a_replay_breaks_no_name_and_no_path_at_80_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    name, place = "junmai_backup_20261127_080014", "/somewhere/on/this/machine/data/backups"
    shown = replayed("x")
    shown["looked"] = [
        {"subject": f"snapshot {name} in {place}", "found": "as recorded", "text": "y", "key": ""}
    ]
    report_run.show_replay(shown)
    out = capsys.readouterr().out
    assert name in out
    assert place in out
    assert "first key" not in out


def test_a_narrow_list_names_a_database_by_its_file(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    shown = history("x")
    shown["runs"][0]["database"] = "/somewhere/on/this/machine/data/junmai.db"
    report_run.show_history(shown)
    out = capsys.readouterr().out
    assert " junmai.db " in out
    assert "somewhere" not in out


def test_a_list_as_of_a_point_says_which(capsys: pytest.CaptureFixture[str]) -> None:
    report_run.show_history(history("x") | {"position": 7})
    assert capsys.readouterr().out.startswith("As of event 7")


def test_a_list_of_snapshots_in_several_stores_fits_80_columns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is the same for all is said once, so that each snapshot is one line."""
    shown = snapshots("x")
    names = [f"junmai_backup_202611{day}_210000" for day in (23, 22, 21)]
    row = shown["snapshots"][0] | {"reason": "scheduled", "held": False, "file_size": 298_000_000}
    row["stores"] = [each | {"new_bytes": 654_321} for each in row["stores"]]
    shown["snapshots"] = [row | {"snapshot": name} for name in names]
    lines = on_terminal(80, report_snapshots.show_snapshots, shown, monkeypatch)
    assert max(cell_len(line) for line in lines) <= 80
    table = [line.split() for line in lines if "_backup_" in line]
    assert [cells[0] for cells in table] == names
    assert {" ".join(cells[3:]) for cells in table} == {"298.0 MB 654.3 kB scheduled never 1 2"}


def test_what_is_the_same_for_all_snapshots_has_no_column(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown = snapshots("x")
    row = shown["snapshots"][0] | {"held": False}
    row["stores"] = [row["stores"][0] | {"new_bytes": None}]
    shown |= {"snapshots": [row], "stores": shown["stores"][:1]}
    lines = on_terminal(80, report_snapshots.show_snapshots, shown, monkeypatch)
    assert lines[0] == "Snapshots of database x"
    assert lines[1].split() == ["snapshot", "age", "size", "reason", "proven"]


def test_snapshots_of_one_database_are_in_one_table_whatever_it_was_called(
    capsys: pytest.CaptureFixture[str],
) -> None:
    shown = snapshots("x")
    row = shown["snapshots"][0] | {"database": "app.db", "path": "/srv/app.db"}
    linked = row | {"database": "link.db", "snapshot": "linked"}
    shown["snapshots"] = [row, linked]
    report_snapshots.show_snapshots(shown)
    told = capsys.readouterr().out
    assert told.count("Snapshots of") == 1
    assert "Snapshots of app.db" in told
    shown["snapshots"] = [row, row | {"path": "/old/app.db"}]
    report_snapshots.show_snapshots(shown)
    told = capsys.readouterr().out
    assert "Snapshots of /srv/app.db" in told
    assert "Snapshots of /old/app.db" in told


def test_a_damaged_copy_is_marked(capsys: pytest.CaptureFixture[str]) -> None:
    shown = snapshots("x")
    shown["snapshots"][0]["stores"][1]["damaged"] = True
    report_snapshots.show_snapshots(shown)
    assert "DAMAGED" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("view", "said"),
    [
        ({"same_image": True}, "both are the same image, byte for byte"),
        ({"status": "equal", "totals": {"tables": 7}}, "all rows of 7 tables are equal"),
    ],
)
def test_no_difference_is_said_with_what_was_compared(
    view: View, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    report_snapshots.show_diff(diff("x") | view)
    assert said in capsys.readouterr().out


def test_many_changes_are_told_to_a_bound(capsys: pytest.CaptureFixture[str]) -> None:
    shown = diff("x")
    shown["schema"] = [shown["schema"][0] | {"name": f"<{number}>"} for number in range(50)]
    shown["tables"][0]["columns"] = {f"c{number}": number for number in range(100)}
    report_snapshots.show_diff(shown)
    out = capsys.readouterr().out
    assert "30 more changes" in out
    assert "c99 99, c98 98" in out
    assert "and 94 more columns" in out


@pytest.mark.parametrize("compared", ["whole rows", "only before", "only after"])
def test_how_a_table_was_compared_is_told(
    compared: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = diff("x")
    shown["tables"][0]["compared"] = compared
    report_snapshots.show_diff(shown)
    assert f"({compared})" in capsys.readouterr().out


def test_where_all_is_kept_for_a_doubt_people_are_told_what_to_do(
    capsys: pytest.CaptureFixture[str],
) -> None:
    view = prune("old")
    for row in view["snapshots"]:
        row |= {"keep": True, "reasons": ["newest", "no recent snapshot"]}
    report_prune.show_prune(view)
    said = capsys.readouterr().out
    assert "take a backup, then prune again" in said
    assert "the clock" not in said
