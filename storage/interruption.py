"""Stopping long statements: a signal or a deadline ends them from SQLite's progress handler.

Python runs a signal's handler only between bytecodes, and a single INSERT..SELECT may stay in C
for seconds; the progress handler brings it back often enough. What the handler raises there is
swallowed by sqlite3, so the signal is also remembered here and reported by `failures`.
"""

import sqlite3
import time
from collections.abc import Callable

from junmai_svc.storage.errors import InterruptedRunError

# Virtual machine instructions between two looks: about a millisecond.
INSTRUCTIONS = 20_000

# What a statement that a signal ends is said to have ended with: in the progress handler, in a
# function of ours, or in an authorizer.
_ENDED = {"SQLITE_INTERRUPT", "SQLITE_ERROR", "SQLITE_AUTH"}

_received: int | None = None


def remember(signum: int | None) -> None:
    """Remember that a signal arrived (None forgets it); called by the signal handler."""
    global _received  # noqa: PLW0603  # a signal belongs to the process, so does this
    _received = signum


def received() -> int | None:
    """Return the signal that arrived, or None."""
    return _received


def interrupted(error: Exception) -> InterruptedRunError | None:
    """Return what an exception of the sqlite3 module stands for where a signal ended the statement.

    None where none arrived, or where the statement ended with something else.
    """
    if _received is None or getattr(error, "sqlite_errorname", None) not in _ENDED:
        return None
    return InterruptedRunError(_received)


def watch(
    connection: sqlite3.Connection,
    *,
    seconds: float | None = None,
    tick: Callable[[int], None] | None = None,
) -> None:
    """Make the connection's statements end on a signal or after `seconds`; call `tick` meanwhile.

    `tick` receives the instructions run since the last call. A statement that is ended raises
    sqlite3.OperationalError (SQLITE_INTERRUPT).
    """
    deadline = None if seconds is None else time.monotonic() + seconds

    def look() -> int:
        if tick is not None:
            tick(INSTRUCTIONS)
        late = deadline is not None and time.monotonic() > deadline
        return 1 if late or _received is not None else 0

    connection.set_progress_handler(look, INSTRUCTIONS)
