"""The rows that events amount to: pure, kept with the events, and built anew to the same digest."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.harness.published import Scene

from junmai_svc.storage.journal.entry import NewEvent
from junmai_svc.storage.journal.events import CATALOGUE, Role, event_type, stream_name
from junmai_svc.storage.journal.folding import (
    DATABASES,
    PROVEN,
    RUNS,
    SNAPSHOTS,
    TELLING,
    changes,
    digest_of,
    encoded,
    folded,
    rows_named,
    snapshot_key,
)
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.journal.journal_file import looking_at
from junmai_svc.storage.journal.projected import is_current
from junmai_svc.storage.journal.projection import fold_runs
from junmai_svc.storage.journal.soundness import fold_soundness
from junmai_svc.storage.journal.uuid7 import uuid7

DATA: dict[str, Any] = {
    "database": "/d/a.db",
    "source": "/d/a.db",
    "target": "/d/b.db",
    "command": "backup",
    "snapshot": "a_backup_20261122_140000",
    "store": "backups",
    "checksum": "0" * 64,
    "manifest": "2" * 64,
    "manifests": {"a_backup_20261122_140000": "3" * 64},
    "size": 4096,
    "snapshots": ["a_backup_20261122_140000"],
    "process": {"pid": 1, "folder": "/d"},
    "run": "0190163d-8694-739b-aea5-966c26f8ad91",
    "message": "m",
    "found": "complete",
}
KINDS = [kind for kind in CATALOGUE.values() if kind.category != "journal"]


@st.composite
def stories(draw: st.DrawFn) -> list[NewEvent]:
    """Streams with a start, steps and perhaps an end, mixed, with data of any kind in a field."""
    events: list[list[NewEvent]] = []
    for category in draw(
        st.lists(st.sampled_from(sorted({k.category for k in KINDS})), max_size=5)
    ):
        kinds = [kind for kind in KINDS if kind.category == category]
        steps = [kind for kind in kinds if kind.role is Role.STEP]
        ends = [kind for kind in kinds if kind.role is Role.TERMINAL]
        chosen = [kind for kind in kinds if kind.role is Role.START]
        chosen += draw(st.lists(st.sampled_from(steps), max_size=4)) if steps else []
        chosen += draw(st.lists(st.sampled_from(ends), max_size=1)) if ends else []
        run = uuid7()
        told = st.dictionaries(
            st.sampled_from(sorted(DATA)), st.sampled_from([None, 3, ["x"], {"a": 1}, "text"])
        )
        events.append(
            [
                NewEvent(stream_name(category, run), kind.type, DATA | draw(told), run)
                for kind in chosen
            ]
        )
    order = draw(st.permutations([n for n, each in enumerate(events) for _ in each]))
    waiting = [iter(each) for each in events]
    return [next(waiting[number]) for number in order]


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(stories(), st.integers(1, 5))
def test_what_is_kept_is_what_the_events_amount_to(
    tmp_path: Path, story: list[NewEvent], step: int
) -> None:
    scene = Scene(tmp_path / uuid7())
    scene.folder.mkdir()
    with scene.journal() as journal:
        for at in range(0, len(story), step):
            journal.append_all(story[at : at + step])
        kept, events = journal.projection(), list(journal.read())
        assert kept == folded(events)
        before, after = journal.rebuild()
        assert before == after == digest_of({place: encoded(row) for place, row in kept.items()})
        runs = {key.partition("/")[2]: row for key, row in rows_named(kept, RUNS)}
        assert {r.id: (r.status, r.snapshot) for r in fold_runs(events)} == {
            key: (row["status"], row["snapshot"]) for key, row in runs.items()
        }
        assert {
            snapshot_key(store, name)
            for store, proven in fold_soundness(events).proven.items()
            for name in proven
        } == {key for key, _ in rows_named(kept, PROVEN)}


def test_only_telling_events_change_a_row(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.run()
    with scene.journal() as journal:
        for event in journal.read():
            if event.type not in TELLING:
                assert changes(event, lambda *_: {"store": None}) == []


def stored(journal: Journal, name: str, store: str) -> str:
    run = uuid7()
    stream = stream_name("backup", run)
    for event, data in (
        ("started", {"store": store, "database": "/d/a.db", "process": {"folder": "/d"}}),
        ("snapshot_taken", {"snapshot": name}),
        ("stored", {"snapshot": name, "store": store, "checksum": "1" * 64, "size": 10}),
        ("verified", {}),
    ):
        journal.append(stream, event_type("backup", event), data, correlation=run)
    return run


def test_a_snapshot_is_stored_proven_and_deleted(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    with scene.journal() as journal:
        run = stored(journal, "a", "backups")
        stored(journal, "a", "s3://bucket/x")
        rows = journal.projection()
        here = rows[SNAPSHOTS, snapshot_key("/d/backups", "a")]
        assert (here["run"], here["checksum"]) == (f"backup/{run}", "1" * 64)
        assert here["deleted"] is None
        pruning = uuid7()
        stream = stream_name("prune", pruning)
        data = {"store": "/d/backups"}
        journal.append(stream, event_type("prune", "planned"), data, correlation=pruning)
        deleted = journal.append(
            stream,
            event_type("prune", "snapshot_deleted"),
            {"snapshots": ["a", "unknown"]},
            correlation=pruning,
        )
        rows = journal.projection()
        assert rows[SNAPSHOTS, snapshot_key("/d/backups", "a")]["deleted"] == deleted.position
        assert rows[SNAPSHOTS, snapshot_key("s3://bucket/x", "a")]["deleted"] is None


def test_a_journal_of_an_earlier_version_gets_its_rows_with_its_next_event(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.run()
    with closing(sqlite3.connect(scene.path)) as other:
        other.executescript("DROP TABLE projection; DROP TABLE published;")
    with scene.journal() as journal:
        assert len(dict(rows_named(journal.projection(), RUNS))) == 1
        assert journal.rebuild()[0] is None
    with closing(sqlite3.connect(scene.path)) as other:
        other.executescript("DROP TABLE projection;")
    scene.run()
    with scene.journal() as journal:
        assert journal.projection() == folded(journal.read())
        before, after = journal.rebuild()
        assert before == after


def test_rows_that_lag_behind_are_built_anew(tmp_path: Path) -> None:
    """An earlier version of the program appended and knew nothing of them."""
    scene = Scene(tmp_path)
    scene.run()
    with closing(sqlite3.connect(scene.path)) as other:
        other.executescript(
            "UPDATE projection SET value = '2' WHERE name = 'head';"
            "DELETE FROM projection WHERE name = 'run'"
        )
    with scene.journal() as journal:
        assert len(dict(rows_named(journal.projection(), RUNS))) == 1
    scene.run()
    with scene.journal() as journal:
        assert len(dict(rows_named(journal.projection(), RUNS))) == 2


def test_an_event_that_changes_no_row_writes_none(tmp_path: Path) -> None:
    def kept() -> set[tuple[str, ...]]:
        with closing(sqlite3.connect(scene.path)) as other:
            return {*other.execute("SELECT name, key, value FROM projection")}

    scene, run = Scene(tmp_path), uuid7()
    with scene.journal() as journal:
        stream = stream_name("backup", run)
        journal.append(stream, event_type("backup", "started"), {}, correlation=run)
        before = kept()
        journal.append(stream, event_type("backup", "staged"), {"staged": "a"}, correlation=run)
        assert kept() == before
        size = journal.head().size
        with looking_at(scene.path) as file:
            assert file.projection(size) is not None
        journal.append(stream, event_type("backup", "failed"), {}, correlation=run)
        assert kept() != before
        assert journal.projection() == folded(journal.read())


@pytest.mark.parametrize(
    ("head", "type_", "current"),
    [
        ("1", event_type("backup", "staged"), True),
        ("1", event_type("backup", "started"), False),
        ("1", "junmai.from.elsewhere.v1", False),
        ("2", "junmai.from.elsewhere.v1", True),
        ("3", event_type("backup", "staged"), False),
        ("9" * 5_000, event_type("backup", "staged"), False),
        ("-1", event_type("backup", "staged"), False),
        (None, event_type("backup", "staged"), False),
    ],
)
def test_rows_are_current_where_nothing_came_that_may_change_one(
    head: str | None, type_: str, current: bool
) -> None:
    with closing(sqlite3.connect(":memory:")) as journal:
        journal.execute("CREATE TABLE event (position INTEGER PRIMARY KEY, type TEXT)")
        started = event_type("backup", "started")
        journal.executemany("INSERT INTO event VALUES (?, ?)", [(0, started), (1, type_)])
        assert is_current(journal, head, 2) is current


def test_a_row_that_somebody_changed_is_found_and_put_right(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.run()
    with closing(sqlite3.connect(scene.path)) as other:
        other.execute(
            "UPDATE projection SET value = replace(value, 'verified', 'failed') WHERE name = 'run'"
        )
        other.commit()
    with scene.journal() as journal:
        before, after = journal.rebuild()
        assert before != after
        assert journal.projection() == folded(journal.read())


def test_leases_are_told_of_each_database(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    with scene.journal() as journal:
        database, run = uuid7(), uuid7()
        stream = stream_name("database", database)
        for name, data in (
            ("registered", {"database": "/d/a.db"}),
            ("lease_taken", {"run": run}),
        ):
            journal.append(stream, event_type("database", name), data, correlation=run)
        row = journal.projection()[DATABASES, database]
        assert (row["path"], row["lease"]["run"]) == ("/d/a.db", run)
        released = event_type("database", "lease_released")
        journal.append(stream, released, {"run": run}, correlation=run)
        assert journal.projection()[DATABASES, database]["lease"] is None
