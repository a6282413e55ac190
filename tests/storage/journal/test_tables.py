"""What SQLite refuses to do to a journal, asked by other programs and by our own connection."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest

from junmai_svc.storage.errors import AccessDeniedError
from junmai_svc.storage.journal.events import event_type, stream_name
from junmai_svc.storage.journal.failures import translated
from junmai_svc.storage.journal.journal import Journal

RUN = "0190163d-8694-739b-aea5-966c26f8ad91"  # fixed: it is part of the tests' ids
STREAM = stream_name("backup", RUN)
COLUMNS = "position, id, stream, version, type, time, entry, leaf_hash"


@pytest.fixture
def other(journal: Journal) -> Iterator[sqlite3.Connection]:
    """Another program at a journal of three events, two of them in one stream."""
    journal.append(STREAM, event_type("backup", "started"), {}, correlation=RUN)
    journal.append(STREAM, event_type("backup", "stored"), {}, correlation=RUN)
    with closing(sqlite3.connect(journal.path, isolation_level=None)) as connection:
        yield connection


def rows(connection: sqlite3.Connection) -> list[tuple[object, ...]]:
    return connection.execute(f"SELECT {COLUMNS} FROM event ORDER BY position").fetchall()


@pytest.mark.parametrize("verb", ["INSERT", "INSERT OR REPLACE", "INSERT OR IGNORE", "REPLACE"])
@pytest.mark.parametrize(
    ("position", "event_id", "stream", "version", "why"),
    [
        (1, "new", STREAM, 3, "next position"),
        (0, "new", STREAM, 3, "next position"),
        (4, "new", STREAM, 3, "next position"),
        (-1, "new", STREAM, 3, "next position"),
        (None, "new", STREAM, 3, "next position"),
        (3, "new", STREAM, 2, "next version"),
        (3, "new", STREAM, 4, "next version"),
        (3, "new", STREAM, None, "next version"),
        (3, "new", "backup/other", 0, "next version"),
        (3, "new", "backup/other", 2, "next version"),
        (3, "taken", STREAM, 3, "id of its own"),
    ],
)
def test_an_insert_anywhere_but_at_the_end_is_refused(
    other: sqlite3.Connection,
    verb: str,
    position: int | None,
    event_id: str,
    stream: str,
    version: int | None,
    why: str,
) -> None:
    before = rows(other)
    if event_id == "taken":
        event_id = str(before[1][1])
    row = (position, event_id, stream, version, "t", "t", b"e", b"h" * 32)
    with pytest.raises(sqlite3.IntegrityError, match=why):
        other.execute(f"{verb} INTO event ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
    assert rows(other) == before


def test_the_names_of_the_rowid_are_no_way_around_the_position(other: sqlite3.Connection) -> None:
    before = rows(other)
    columns = COLUMNS.replace("position", "rowid")
    row = (1, "new", STREAM, 3, "t", "t", b"e", b"h" * 32)
    with pytest.raises(sqlite3.IntegrityError, match="next position"):
        other.execute(f"REPLACE INTO event ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
    assert rows(other) == before


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE event SET type = 'x' WHERE position = 1",
        "UPDATE OR REPLACE event SET position = 0 WHERE position = 1",
        "DELETE FROM event",
        "DELETE FROM event WHERE position = 2",
        "DELETE FROM journal_head",
        "INSERT INTO journal_head VALUES ('x', 0, x'', 0, NULL)",
        "REPLACE INTO journal_head SELECT * FROM journal_head",
        "UPDATE journal_head SET journal_id = 'x'",
        "UPDATE journal_head SET size = 2",
        "UPDATE journal_head SET size = 4",
        "INSERT INTO event VALUES (3, 'i', 'backup/other', 1, 't', 't', x'', zeroblob(32))",
        """INSERT INTO event VALUES
            (3, 'i', 'backup/other', 1, 't', 't', zeroblob(65536), zeroblob(32))""",
        "INSERT INTO event VALUES (3, 'i', 'backup/other', 1, 't', 't', x'00', x'00')",
        "INSERT INTO event VALUES (3, 'i', 'backup/other', 1, 't', 't', 'text', zeroblob(32))",
    ],
)
def test_other_programs_can_not_change_what_is_recorded(
    other: sqlite3.Connection, statement: str
) -> None:
    before = rows(other), other.execute("SELECT * FROM journal_head").fetchall()
    with pytest.raises(sqlite3.IntegrityError):
        other.execute(statement)
    assert (rows(other), other.execute("SELECT * FROM journal_head").fetchall()) == before


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE event",
        "DROP TABLE journal_head",
        "DROP TRIGGER event_next",
        "DROP TRIGGER event_no_update",
        "ALTER TABLE event RENAME TO past",
        "ALTER TABLE event DROP COLUMN time",
        "PRAGMA writable_schema = 1",
        "PRAGMA main.Writable_Schema = ON",
        "PRAGMA synchronous = NORMAL",
        "PRAGMA journal_mode = DELETE",
        "PRAGMA application_id = 1",
    ],
)
def test_our_own_connection_can_not_take_the_protection_away(
    journal: Journal, statement: str
) -> None:
    connection = journal._database.connection()  # type: ignore[no-untyped-call]
    with (
        pytest.raises(AccessDeniedError, match="not authorized"),
        translated("alter", journal.path),
    ):
        connection.execute(statement)


def test_our_own_connection_is_durable(journal: Journal) -> None:
    connection = journal._database.connection()  # type: ignore[no-untyped-call]
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA busy_timeout").fetchone() == (30_000,)


def test_two_journals_of_one_process_keep_to_their_own_files(
    opened: Callable[..., Journal], tmp_path: Path, clock: Callable[[], datetime]
) -> None:
    here = opened()
    with Journal.open(
        tmp_path / "there.db",
        create=True,
        actor="ann@desk",
        clock=clock,
        tool_version="0.1.0",
    ) as there:
        here.append(STREAM, event_type("backup", "started"), {}, correlation=RUN)
        assert len(list(here.read())) == 2
        assert len(list(there.read())) == 1
        assert here.journal_id != there.journal_id
