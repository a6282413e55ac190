"""Claims about appending to a journal and reading it back."""

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

import pytest

from junmai_svc.storage.errors import (
    IntegrityError,
    JournalConflictError,
    LockedError,
    NoSpaceError,
    UsageError,
)
from junmai_svc.storage.journal import merkle
from junmai_svc.storage.journal.entry import NewEvent
from junmai_svc.storage.journal.events import event_type, stream_name
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.journal.uuid7 import uuid7

RUN = uuid7()
STREAM = stream_name("migration", RUN)
REQUESTED = event_type("migration", "requested")
PLANNED = event_type("migration", "planned")
COPIED = event_type("migration", "table_copied")
VERIFIED = event_type("migration", "verified")


class Clock(Protocol):
    """The clock of the fixtures, which can be set."""

    now: datetime


def begin(journal: Journal, stream: str = STREAM) -> None:
    journal.append(stream, event_type(stream.partition("/")[0], "requested"), {}, correlation=RUN)


def copied(rows: int = 0, **keywords: object) -> NewEvent:
    return NewEvent(STREAM, COPIED, {"rows": rows}, RUN, **keywords)  # type: ignore[arg-type]


def test_what_append_returns_is_what_is_read(opened: Callable[..., Journal]) -> None:
    with opened() as journal:
        appended = [
            journal.append(STREAM, REQUESTED, {"command": "migrate"}, correlation=RUN),
            journal.append(STREAM, PLANNED, {}, correlation=RUN, causation=uuid7()),
        ]
    assert list(opened().read(STREAM)) == appended


def test_positions_count_from_0_and_versions_from_1_in_each_stream(journal: Journal) -> None:
    restore = stream_name("restore", uuid7())
    begin(journal)
    begin(journal, restore)
    journal.append(STREAM, PLANNED, {}, correlation=RUN)
    found = [(event.position, event.stream, event.version) for event in journal.read()]
    assert found[1:] == [(1, STREAM, 1), (2, restore, 1), (3, STREAM, 2)]


def test_order_is_position_also_when_the_clock_goes_back(journal: Journal, clock: Clock) -> None:
    begin(journal)
    clock.now -= timedelta(days=400)
    journal.append(STREAM, PLANNED, {}, correlation=RUN)
    events = list(journal.read(STREAM))
    assert [event.type for event in events] == [REQUESTED, PLANNED]
    assert events[0].time - events[1].time > timedelta(days=399)


def test_events_of_one_instant_keep_their_order_and_microseconds(
    opened: Callable[..., Journal], clock: Clock
) -> None:
    instant = clock.now
    journal = opened(clock=lambda: instant)
    begin(journal)
    journal.append_all([copied(number) for number in range(10)])
    events = list(journal.read())
    assert {event.time for event in events} == {instant}
    assert instant.microsecond
    assert [event.data["rows"] for event in events[2:]] == list(range(10))


@pytest.mark.parametrize("expected", [0, 1, 3])
def test_a_stale_expected_version_conflicts(journal: Journal, expected: int) -> None:
    begin(journal)
    journal.append(STREAM, PLANNED, {}, correlation=RUN, expected_version=1)
    with pytest.raises(JournalConflictError, match=f"is at version 2, not at {expected}"):
        journal.append(STREAM, COPIED, {}, correlation=RUN, expected_version=expected)
    assert len(list(journal.read(STREAM))) == 2


def test_an_ended_stream_takes_nothing_more(journal: Journal) -> None:
    begin(journal)
    journal.append(STREAM, VERIFIED, {}, correlation=RUN)
    for type_ in (COPIED, VERIFIED, event_type("migration", "abandoned")):
        with pytest.raises(JournalConflictError, match="ended with"):
            journal.append(STREAM, type_, {}, correlation=RUN)


def test_the_same_id_with_the_same_content_is_the_same_event(
    journal: Journal, clock: Clock
) -> None:
    begin(journal)
    event_id = uuid7()
    first = journal.append_all([copied(7, id=event_id, expected_version=1)])
    journal.append(STREAM, VERIFIED, {}, correlation=RUN)
    clock.now += timedelta(hours=1)
    assert journal.append_all([copied(7, id=event_id, expected_version=1)]) == first
    assert len(list(journal.read(STREAM))) == 3


@pytest.mark.parametrize(
    "changed",
    [
        {"data": {"rows": 8}},
        {"type": PLANNED},
        {"correlation": STREAM},
        {"causation": RUN},
        {"stream": stream_name("migration", uuid7())},
    ],
)
def test_the_same_id_with_other_content_conflicts(
    journal: Journal, changed: dict[str, object]
) -> None:
    begin(journal)
    content: dict[str, object] = {
        "stream": STREAM,
        "type": COPIED,
        "data": {"rows": 7},
        "correlation": RUN,
        "id": uuid7(),
    }
    journal.append_all([NewEvent(**content)])  # type: ignore[arg-type]
    with pytest.raises(JournalConflictError, match="with other content, at position 2"):
        journal.append_all([NewEvent(**content | changed)])  # type: ignore[arg-type]
    assert len(list(journal.read())) == 3


def test_the_events_of_one_step_are_recorded_together_or_not_at_all(journal: Journal) -> None:
    begin(journal)
    with pytest.raises(UsageError, match="float"):
        journal.append_all([copied(1), NewEvent(STREAM, COPIED, {"seconds": 0.5}, RUN)])
    with pytest.raises(JournalConflictError):
        journal.append_all([copied(1), copied(2), copied(3, expected_version=1)])
    assert len(list(journal.read())) == 2
    same = uuid7()
    steps = journal.append_all([copied(1), copied(2, id=same), copied(2, id=same)])
    assert [event.position for event in steps] == [2, 3, 3]
    assert journal.append_all([]) == []


def append_and_take_back(journal: Journal) -> None:
    with journal.within("append to", writing=True):
        assert journal.append_all([copied(1)])[0].position == 2
        raise ZeroDivisionError


def test_what_was_taken_back_is_not_taken_for_the_newest_event(
    opened: Callable[..., Journal],
) -> None:
    """Also where somebody else's event stands in its place, so that the journal has its length."""
    one, other = opened(), opened()
    begin(one)
    with pytest.raises(ZeroDivisionError):
        append_and_take_back(one)
    other_stream = stream_name("migration", uuid7())
    begin(other, other_stream)
    event = one.append_all([copied(1)])[0]
    assert (event.position, event.version) == (3, 2)
    assert [each.version for each in one.read(STREAM)] == [1, 2]


def test_two_that_append_in_turn_to_one_stream_keep_its_order(
    opened: Callable[..., Journal],
) -> None:
    one, other = opened(), opened()
    begin(one)
    versions = [journal.append_all([copied()])[0].version for journal in (other, one, one, other)]
    assert versions == [2, 3, 4, 5]
    other.append(STREAM, VERIFIED, {}, correlation=RUN)
    with pytest.raises(JournalConflictError, match="ended"):
        one.append_all([copied()])


@pytest.mark.parametrize("event_id", ["", "1", "0190163D-8694-739B-AEA5-966C26F8AD91"])
def test_an_id_is_a_uuid_in_its_usual_form(journal: Journal, event_id: str) -> None:
    begin(journal)
    with pytest.raises(UsageError, match="named by a UUID"):
        journal.append_all([copied(id=event_id)])


def test_too_large_an_event_is_refused_and_nothing_written(journal: Journal) -> None:
    begin(journal)
    with pytest.raises(UsageError, match="65,535 is the most"):
        journal.append(STREAM, COPIED, {"plan": "x" * 65_535}, correlation=RUN)
    assert len(list(journal.read())) == 2


def test_reading_after_a_position_gives_the_later_events(journal: Journal) -> None:
    begin(journal)
    journal.append_all([copied(number) for number in range(5)])
    assert [event.position for event in journal.read(after=3)] == [4, 5, 6]
    assert [event.position for event in journal.read(STREAM, after=3)] == [4, 5, 6]
    assert [event.position for event in journal.read(after=0)] == [1, 2, 3, 4, 5, 6]
    assert list(journal.read(after=6)) == []
    assert list(journal.read(stream_name("migration", uuid7()))) == []


def test_long_journals_are_read_whole_and_may_grow_meanwhile(journal: Journal) -> None:
    begin(journal)
    journal.append_all([copied(number) for number in range(1_200)])
    positions = []
    for event in journal.read(STREAM):
        positions.append(event.position)
        if event.position == 600:
            journal.append_all([copied()])
    assert positions[:1_201] == list(range(1, 1_202))
    assert [event.position for event in journal.read()] == list(range(1_203))


def test_the_newest_event_of_a_stream(journal: Journal) -> None:
    begin(journal)
    planned = journal.append(STREAM, PLANNED, {}, correlation=RUN)
    assert journal.last(STREAM) == planned
    assert journal.last(stream_name("migration", uuid7())) is None


def test_streams_without_a_terminal_event_are_open_the_oldest_first(journal: Journal) -> None:
    streams = [stream_name("restore", uuid7()) for _ in range(4)]
    for stream in (streams[2], streams[0], streams[3], streams[1]):
        begin(journal, stream)
    database = stream_name("database", uuid7())
    journal.append(database, event_type("database", "registered"), {}, correlation=RUN)
    journal.append(streams[2], event_type("restore", "staged"), {}, correlation=RUN)
    journal.append(streams[3], event_type("restore", "abandoned"), {}, correlation=RUN)
    assert journal.streams_open() == [streams[2], streams[0], streams[1]]


def test_the_head_holds_the_tree_over_the_stored_entries(journal: Journal, path: Path) -> None:
    begin(journal)
    journal.append_all([copied(number) for number in range(10)])
    journal.append(STREAM, VERIFIED, {}, correlation=RUN)
    frontier: tuple[bytes, ...] = ()
    with closing(sqlite3.connect(path)) as other:
        rows = other.execute("SELECT position, entry, leaf_hash FROM event ORDER BY position")
        for position, entry, leaf_hash in rows:
            assert leaf_hash == merkle.leaf_hash(entry)
            frontier = merkle.frontier_append(frontier, position, leaf_hash)
        head = other.execute("SELECT * FROM journal_head").fetchall()
    assert head == [(journal.journal_id, 13, merkle.frontier_bytes(frontier), 0, None)]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("UPDATE event SET type = 'x' WHERE position = 2", "position 2: its columns differ"),
        ("UPDATE event SET time = '' WHERE position = 2", "position 2: its columns differ"),
        ("UPDATE event SET id = 'x' WHERE position = 2", "position 2: its columns differ"),
        ("UPDATE event SET leaf_hash = zeroblob(32) WHERE position = 2", "position 2: its hash"),
        (
            """UPDATE event SET entry = CAST(replace(entry, '"rows":0', '"rows":9') AS BLOB)
            WHERE position = 2""",
            "position 2: its hash",
        ),
        ("UPDATE event SET entry = x'7b' WHERE position = 2", "position 2: "),
        ("UPDATE event SET position = 9 WHERE position = 2", "position 2: the event is missing"),
        ("DELETE FROM event WHERE position = 2", "position 2: the event is missing"),
        ("DELETE FROM event WHERE position = 4", "position 4: the event is missing, of 5"),
        ("UPDATE journal_head SET size = 4", "head of the journal .* is damaged"),
    ],
)
def test_what_was_changed_afterwards_is_named_on_reading(
    journal: Journal, tamper: Callable[..., None], damage: str, message: str
) -> None:
    begin(journal)
    journal.append_all([copied(number) for number in range(3)])
    tamper(damage)
    with pytest.raises(IntegrityError, match=message) as found:
        list(journal.read())
    assert str(journal.path) in found.value.message
    assert found.value.hint


def test_an_event_missing_within_a_stream_is_named(
    journal: Journal, tamper: Callable[..., None]
) -> None:
    begin(journal)
    journal.append_all([copied(number) for number in range(3)])
    tamper("DELETE FROM event WHERE position = 3")
    with pytest.raises(IntegrityError, match=r"position 4: version 3 of migration/.* is missing"):
        list(journal.read(STREAM))


def test_a_head_that_disagrees_with_the_events_stops_appending(
    journal: Journal, tamper: Callable[..., None]
) -> None:
    begin(journal)
    tamper("DELETE FROM event WHERE position = 1")
    for new in (copied(), NewEvent(stream_name("migration", uuid7()), REQUESTED, {}, RUN)):
        with pytest.raises(IntegrityError, match="next position"):
            journal.append_all([new])


def test_threads_may_share_one_journal(journal: Journal) -> None:
    streams = [stream_name("restore", uuid7()) for _ in range(4)]

    def run(stream: str) -> None:
        begin(journal, stream)
        for _ in range(20):
            journal.append(stream, event_type("restore", "staged"), {}, correlation=RUN)

    threads = [threading.Thread(target=run, args=(stream,)) for stream in streams]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [event.position for event in journal.read()] == list(range(1 + 4 * 21))
    assert all(len(list(journal.read(stream))) == 21 for stream in streams)


def test_a_writer_that_does_not_let_go_is_reported(opened: Callable[..., Journal]) -> None:
    journal = opened(busy_seconds=0.05)
    with closing(sqlite3.connect(journal.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LockedError, match="is locked"):
            begin(journal)
        assert len(list(journal.read())) == 1
    begin(journal)
    assert len(list(journal.read())) == 2


def test_a_full_disk_is_reported_and_what_was_recorded_stays(journal: Journal) -> None:
    """SQLite is told that the file can't grow, which it reports as a full disk."""
    begin(journal)
    connection = journal._database.connection()  # type: ignore[no-untyped-call]
    connection.execute("PRAGMA max_page_count = 1")
    with pytest.raises(NoSpaceError, match="append to the journal") as full:
        journal.append_all([copied(number) for number in range(100)])
    assert full.value.hint
    assert len(list(journal.read())) == 2
    connection.execute("PRAGMA max_page_count = 1000000")
    assert journal.append(STREAM, PLANNED, {}, correlation=RUN).position == 2


def test_closing_twice_is_once_and_leaves_the_journal_and_its_key(
    journal: Journal, path: Path
) -> None:
    begin(journal)
    journal.close()
    journal.close()
    assert {file.name for file in path.parent.iterdir()} == {path.name, path.name + ".key"}
