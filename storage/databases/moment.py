"""A clock that stands still and dice that fall alike: SQL that says the same each time it is run.

SQLite's own date, time and random functions are replaced on one connection, so that a statement,
a DEFAULT, a trigger or a CHECK gives the values of a recorded moment and seed:

- Where a time function is asked for the current time (`'now'`, `'subsec'`, no argument at all,
  CURRENT_TIMESTAMP and its two likes), the recorded clock answers, to the millisecond. Any other
  call goes through to SQLite unchanged. `'localtime'` and `'utc'` mean UTC.
- The n-th random block of 32 bytes is SHA-256 of the seed's bytes and n in 8 bytes, big-endian,
  n from 0. `random()` takes 8 bytes off that stream as a signed big-endian integer,
  `randomblob(n)` n bytes (one where n is less).

The time functions are registered as deterministic, as indexes and generated columns ask for that.
"""

import hashlib
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from junmai_svc.storage.databases.digest import SqlValue
from junmai_svc.storage.databases.sqltext import names_in

# By name, the number of arguments that come before the time.
_TIMES = {
    "date": 0,
    "time": 0,
    "datetime": 0,
    "julianday": 0,
    "unixepoch": 0,
    "strftime": 1,
}
_KEYWORDS = {"current_date": "date", "current_time": "time", "current_timestamp": "datetime"}
_DICE = frozenset({"random", "randomblob"})
_NAMES = _DICE | _TIMES.keys() | _KEYWORDS.keys() | {"timediff"}
_ZONES = {"localtime", "utc"}
_SUBSECONDS = {"subsec", "subsecond"}
_NO_CHANGE = "+0 seconds"
_RANDOM_BYTES = 8


@dataclass(frozen=True)
class Moment:
    """A time in UTC, and a seed in hexadecimal digits."""

    clock: datetime
    seed: str

    @property
    def text(self) -> str:
        """The time as SQLite reads it, to the millisecond."""
        return self.clock.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def depends(sql: str) -> bool:
    """Tell whether an SQL text may give another value at another moment."""
    return not names_in(sql).isdisjoint(_NAMES)


def is_random(sql: str) -> bool:
    """Tell whether an SQL text may give another value each time it is evaluated."""
    return not names_in(sql).isdisjoint(_DICE)


def sqlite_version() -> str:
    """The version of the SQLite that does all the work."""
    return sqlite3.sqlite_version


def freeze(connection: sqlite3.Connection, moment: Moment) -> None:
    """Let a connection's time and random functions answer as of a moment, for as long as it lives.

    The schema may use them too: to SQLite they are an application's functions, which it calls from
    a schema only where that is trusted.

    Raises:
        sqlite3.Error: SQLite refuses to replace a function.
    """
    asked = _SystemSqlite(moment)
    connection.execute("PRAGMA trusted_schema = 1")
    for name, at in _TIMES.items():
        connection.create_function(name, -1, asked.time_function(name, at), deterministic=True)
    for name, function in _KEYWORDS.items():
        connection.create_function(name, 0, asked.time_function(function, 0), deterministic=True)
    if sqlite3.sqlite_version_info >= (3, 43):
        connection.create_function("timediff", 2, asked.timediff, deterministic=True)
    dice = _Dice(moment.seed)
    connection.create_function("random", 0, dice.random)
    connection.create_function("randomblob", 1, dice.randomblob)


class _SystemSqlite:
    """SQLite's own functions, on a connection of their own, asked for a recorded time."""

    def __init__(self, moment: Moment) -> None:
        self._now = moment.text
        self._connection = sqlite3.connect(":memory:", check_same_thread=False)

    def time_function(self, name: str, at: int) -> Callable[..., SqlValue]:
        """Return a function whose time stands behind `at` other arguments."""

        def run(*values: SqlValue) -> SqlValue:
            before, time, modifiers = values[:at], values[at : at + 1], values[at + 1 :]
            if len(before) == at:
                time, modifiers = self._fixed(time, modifiers)
            return self._call(name, (*before, *time, *modifiers))

        return run

    def timediff(self, one: SqlValue, other: SqlValue) -> SqlValue:
        """SQLite's timediff, each side of which may be the current time."""
        (first,), _ = self._fixed((one,), ())
        (second,), _ = self._fixed((other,), ())
        return self._call("timediff", (first, second))

    def _fixed(
        self, time: tuple[SqlValue, ...], modifiers: tuple[SqlValue, ...]
    ) -> tuple[tuple[SqlValue, ...], tuple[SqlValue, ...]]:
        """The arguments with the recorded time for the current one, and UTC for every zone."""
        asked = _folded(time[0]) if time else "now"
        if asked in _SUBSECONDS:
            time, modifiers = (self._now,), ("subsec", *modifiers)
        elif asked == "now":
            time = (self._now,)
        return time, tuple(_NO_CHANGE if _folded(each) in _ZONES else each for each in modifiers)

    def _call(self, name: str, values: tuple[SqlValue, ...]) -> SqlValue:
        marks = ", ".join("?" * len(values))
        (value,) = self._connection.execute(f"SELECT {name}({marks})", values).fetchone()
        result: SqlValue = value
        return result


class _Dice:
    """A stream of bytes that a seed determines."""

    def __init__(self, seed: str) -> None:
        self._seed = bytes.fromhex(seed)
        self._block = 0
        self._left = b""

    def random(self) -> int:
        """The next value of SQLite's function of this name."""
        return int.from_bytes(self._take(_RANDOM_BYTES), signed=True)

    def randomblob(self, size: SqlValue) -> bytes:
        """The next value of SQLite's function of this name."""
        return self._take(max(1, int(size) if isinstance(size, int | float) else 1))

    def _take(self, size: int) -> bytes:
        parts = [self._left]
        have = len(self._left)
        while have < size:
            parts.append(hashlib.sha256(self._seed + self._block.to_bytes(8)).digest())
            self._block += 1
            have += len(parts[-1])
        stream = b"".join(parts)
        self._left = stream[size:]
        return stream[:size]


def _folded(value: SqlValue) -> str | None:
    return value.lower() if isinstance(value, str) else None
