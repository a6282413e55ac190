"""Claims about stopping long statements."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from junmai_svc.storage import interruption

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT sum(i) FROM n"
MILLION = f"{ENDLESS.removesuffix(' FROM n')} FROM (SELECT i FROM n LIMIT 1000000)"


@pytest.fixture
def database() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as connection:
        yield connection
    interruption.remember(None)


def test_a_statement_ends_at_its_deadline(database: sqlite3.Connection) -> None:
    interruption.watch(database, seconds=0.1)
    begun = time.monotonic()
    with pytest.raises(sqlite3.OperationalError) as caught:
        database.execute(ENDLESS).fetchone()
    assert caught.value.sqlite_errorname == "SQLITE_INTERRUPT"
    assert 0.1 <= time.monotonic() - begun < 5


def test_a_signal_ends_every_watched_statement_until_it_is_forgotten(
    database: sqlite3.Connection,
) -> None:
    interruption.watch(database)
    interruption.remember(15)
    assert interruption.received() == 15
    for _ in range(2):
        with pytest.raises(sqlite3.OperationalError, match="interrupted"):
            database.execute(ENDLESS).fetchone()
    interruption.remember(None)
    assert interruption.received() is None
    assert database.execute(MILLION).fetchone() == (500_000_500_000,)


def test_a_statement_within_its_deadline_is_not_disturbed(database: sqlite3.Connection) -> None:
    interruption.watch(database, seconds=60)
    assert database.execute(MILLION).fetchone() == (500_000_500_000,)


def test_ticks_tell_the_instructions_that_were_run(database: sqlite3.Connection) -> None:
    ticks: list[int] = []
    interruption.watch(database, tick=ticks.append)
    database.execute(MILLION).fetchone()
    assert set(ticks) == {interruption.INSTRUCTIONS}
    # Each row of that statement takes several instructions, and no row a hundred.
    assert 1_000_000 < sum(ticks) < 100_000_000


def test_watching_anew_replaces_the_tick_and_the_deadline(database: sqlite3.Connection) -> None:
    ticks: list[int] = []
    interruption.watch(database, seconds=0, tick=ticks.append)
    interruption.watch(database)
    assert database.execute(MILLION).fetchone() == (500_000_500_000,)
    assert ticks == []
