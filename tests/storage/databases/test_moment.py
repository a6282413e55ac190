"""Claims about a clock that stands still: what asks for the time is told the recorded one."""

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from junmai_svc.storage.databases.moment import Moment, depends, freeze, is_random

CLOCK = datetime(2026, 11, 22, 14, 0, 0, 123_456, tzinfo=UTC)
SEED = "5a" * 32
MODIFIERS = [
    "+1 day",
    "start of month",
    "weekday 0",
    "-18 months",
    "unixepoch",
    "auto",
    "julianday",
]
ZONES = ["localtime", "utc", "LocalTime"]
needs_subsec = pytest.mark.skipif(sqlite3.sqlite_version_info < (3, 42), reason="no subsec yet")
needs_timediff = pytest.mark.skipif(sqlite3.sqlite_version_info < (3, 43), reason="no timediff yet")


def frozen(seed: str = SEED, clock: datetime = CLOCK) -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("PRAGMA trusted_schema = 0")
    freeze(connection, Moment(clock, seed))
    return connection


@pytest.fixture
def database() -> Iterator[sqlite3.Connection]:
    with closing(frozen()) as connection:
        yield connection


def value(database: sqlite3.Connection, sql: str, *parameters: object) -> object:
    (found,) = database.execute(f"SELECT {sql}", parameters).fetchone()
    return found


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("CURRENT_TIMESTAMP", "2026-11-22 14:00:00"),
        ("current_date", "2026-11-22"),
        ("CURRENT_TIME", "14:00:00"),
        ("datetime()", "2026-11-22 14:00:00"),
        ("datetime('now')", "2026-11-22 14:00:00"),
        ("DATETIME('NOW', 'localtime')", "2026-11-22 14:00:00"),
        ("datetime('now', 'utc', '+1 hour')", "2026-11-22 15:00:00"),
        ("date('now', 'start of month')", "2026-11-01"),
        ("time('now')", "14:00:00"),
        ("strftime('%Y-%m-%d %H:%M:%f')", "2026-11-22 14:00:00.123"),
        ("strftime('%s', 'now')", "1795356000"),
        ("unixepoch()", 1_795_356_000),
        ("unixepoch('now')", 1_795_356_000),
        pytest.param("strftime('%f', 'now', 'subsec')", "00.123", marks=needs_subsec),
        pytest.param("datetime('subsec')", "2026-11-22 14:00:00.123", marks=needs_subsec),
        pytest.param(
            "timediff('now', '2026-11-21')", "+0000-00-01 14:00:00.123", marks=needs_timediff
        ),
        pytest.param(
            "timediff('2026-11-21', 'now')", "-0000-00-01 14:00:00.123", marks=needs_timediff
        ),
    ],
)
def test_the_recorded_clock_answers_whatever_asks_for_the_time(
    database: sqlite3.Connection, asked: str, told: object
) -> None:
    assert value(database, asked) == told


def test_the_julian_day_is_that_of_the_recorded_clock(database: sqlite3.Connection) -> None:
    with closing(sqlite3.connect(":memory:")) as usual:
        expected = value(usual, "julianday('2026-11-22 14:00:00.123')")
    assert value(database, "julianday()") == value(database, "julianday('now')") == expected


def test_a_clock_of_another_zone_is_told_in_utc() -> None:
    tokyo = CLOCK.astimezone(timezone(timedelta(hours=9)))
    with closing(frozen(clock=tokyo)) as database:
        assert value(database, "datetime('now', 'localtime')") == "2026-11-22 14:00:00"


@given(
    name=st.sampled_from(["date", "time", "datetime", "julianday", "unixepoch"]),
    time=st.one_of(
        st.none(),
        st.integers(-(10**12), 10**12),
        st.floats(allow_nan=False),
        st.binary(max_size=5),
        st.datetimes().map(str),
        st.sampled_from(["2026-11-22", "12:00", "nonsense", "", "now then", "nów"]),
    ),
    modifiers=st.lists(st.sampled_from([*MODIFIERS, "nonsense", ""]), max_size=3),
)
def test_any_other_call_is_sqlites_own(name: str, time: object, modifiers: list[str]) -> None:
    marks = ", ".join("?" * (1 + len(modifiers)))
    with closing(frozen()) as database, closing(sqlite3.connect(":memory:")) as usual:
        call = f"{name}({marks})"
        found = value(database, call, time, *modifiers)
        expected = value(usual, call, time, *modifiers)
        assert (type(found), found) == (type(expected), expected)
        formatted = f"strftime('%Y %j %s', {marks})"
        assert value(database, formatted, time, *modifiers) == value(
            usual, formatted, time, *modifiers
        )


@pytest.mark.parametrize("zone", ZONES)
def test_every_zone_is_utc_wherever_it_stands(database: sqlite3.Connection, zone: str) -> None:
    assert value(database, "datetime(0, 'unixepoch', ?)", zone) == "1970-01-01 00:00:00"
    assert value(database, "datetime(0, ?, 'unixepoch')", zone) is None
    assert value(database, "datetime('2026-01-01 10:00', ?, '+1 hour')", zone) == (
        "2026-01-01 11:00:00"
    )


def test_chance_is_the_documented_stream_of_the_seed() -> None:
    blocks = b"".join(
        hashlib.sha256(bytes.fromhex(SEED) + number.to_bytes(8)).digest() for number in range(4)
    )
    with closing(frozen()) as database:
        assert value(database, "random()") == int.from_bytes(blocks[:8], signed=True)
        assert value(database, "randomblob(40)") == blocks[8:48]
        assert value(database, "randomblob(-1)") == blocks[48:49]
        assert value(database, "random()") == int.from_bytes(blocks[49:57], signed=True)


def test_each_row_has_a_chance_of_its_own_and_a_seed_gives_the_same_again() -> None:
    tables = []
    for seed in (SEED, SEED, "00" * 32):
        with closing(frozen(seed)) as database:
            database.execute("CREATE TABLE t (a, r DEFAULT (random()), b DEFAULT (randomblob(4)))")
            database.execute("INSERT INTO t (a) SELECT value FROM json_each('[1, 2, 3]')")
            tables.append(database.execute("SELECT * FROM t").fetchall())
    assert tables[0] == tables[1] != tables[2]
    assert len({row[1] for row in tables[0]}) == 3


def test_defaults_triggers_checks_indexes_and_generated_columns_use_it(
    database: sqlite3.Connection,
) -> None:
    """The schema is not trusted by default, and SQLite wants indexes and columns deterministic."""
    database.executescript(
        """
        CREATE TABLE t (
            at TEXT DEFAULT CURRENT_TIMESTAMP,
            day TEXT DEFAULT (date('now')),
            seen TEXT,
            month TEXT AS (strftime('%Y-%m', at)) STORED,
            CHECK (at <= datetime('now'))
        );
        CREATE INDEX i ON t (date(at));
        CREATE TRIGGER late AFTER INSERT ON t WHEN NEW.seen IS NULL BEGIN
            UPDATE t SET seen = time('now') WHERE rowid = NEW.rowid;
        END;
        INSERT INTO t DEFAULT VALUES;
        """
    )
    (row,) = database.execute("SELECT * FROM t").fetchall()
    assert row == ("2026-11-22 14:00:00", "2026-11-22", "14:00:00", "2026-11")
    with pytest.raises(sqlite3.IntegrityError):
        database.execute("INSERT INTO t (at) VALUES ('2026-11-22 14:00:01')")


@pytest.mark.parametrize(
    ("sql", "time", "chance"),
    [
        ("0", False, False),
        ("'now'", False, False),
        ("CURRENT_TIMESTAMP", True, False),
        ("(datetime ('now'))", True, False),
        ("hex(RandomBlob(8))", True, True),
        ("abs(random())", True, True),
        ("'random()'", False, False),
    ],
)
def test_what_depends_on_the_moment_is_known_by_its_names(
    sql: str, time: bool, chance: bool
) -> None:
    assert (depends(sql), is_random(sql)) == (time, chance)
