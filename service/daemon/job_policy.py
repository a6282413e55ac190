"""When jobs run, as pure decisions: the first time, again after a failure, and what is overdue.

All times are in UTC.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

from junmai_svc.storage.errors import (
    AccessDeniedError,
    JournalConflictError,
    JunmaiError,
    LockedError,
    NoSpaceError,
    NotFoundError,
    StorageUnavailableError,
)

FIRST_RETRY = timedelta(seconds=30)
LONGEST_RETRY = timedelta(minutes=15)
# After so many tries people are told, and after so many it is tried once an hour only.
TOLD_AFTER = 7
HOURLY_AFTER = 15
HOURLY = timedelta(hours=1)
OVERDUE_GRACE = timedelta(hours=1)
LONGEST_PROBLEM = 2_000  # characters
# What may be gone by itself a little later; everything else waits for the next regular time.
_PASSING = (StorageUnavailableError, LockedError, NoSpaceError, JournalConflictError)

# What a store says, or is said of it, that can't be used by anybody.
_DOWN = (StorageUnavailableError, NotFoundError, AccessDeniedError)


class Recurring(Protocol):
    """A schedule: when something is due."""

    def next_after(self, when: datetime, /) -> datetime:
        """Return the first due time that is later than `when`."""
        ...


def first_run(schedule: Recurring, last: datetime | None, now: datetime) -> datetime:
    """Return when a job runs first after a start, a sleep or a change of the clock.

    At once where a due time has passed since the `last` time it was done, or where it never was;
    else at the next due time. A `last` that lies in the future says nothing.
    """
    if last is None:
        return now
    if last > now:
        return schedule.next_after(now)
    due = schedule.next_after(last)
    return max(now, due)


def is_passing(error: BaseException) -> bool:
    """Tell whether the same call may work later without anybody doing anything."""
    return isinstance(error, _PASSING)


def may_be_down(error: BaseException) -> bool:
    """Tell whether a store's being down would explain an error; a look at it says whether it is."""
    return isinstance(error, _DOWN)


def retry_after(failures: int, due: timedelta, jitter: Callable[[], float]) -> timedelta | None:
    """Return how long to wait after so many failures in a row, None to wait for the regular time.

    Doubled each time from half a minute up to a quarter of an hour, an hour in the end, and
    shortened by up to half by `jitter` (0 to 1), so that several that failed together do not come
    back together. `due` is how far the regular time is: nothing is tried again that would run into
    it.
    """
    whole = HOURLY
    if failures < HOURLY_AFTER:
        whole = min(FIRST_RETRY * 2 ** (failures - 1), LONGEST_RETRY)
    wait = whole * (1 - 0.5 * jitter())
    return wait if wait < due else None


def missed_between(schedule: Recurring, after: datetime, until: datetime, most: int = 1_000) -> int:
    """Return how many due times lie after one time and not after another, counted up to `most`."""
    count = 0
    while count < most and (after := schedule.next_after(after)) <= until:
        count += 1
    return count


def overdue_at(
    schedule: Recurring, last: datetime | None, started: datetime, after: timedelta | None
) -> datetime:
    """Return when a backup counts as overdue whose last good one was taken at `last`.

    `after` is the longest that was asked for. Without it, half a period, but an hour at least,
    after it was due. Where there is none yet, one is due since the daemon `started`.
    """
    if last is None:
        return started + (after or OVERDUE_GRACE)
    if after is not None:
        return last + after
    due = schedule.next_after(last)
    return due + max(OVERDUE_GRACE, (schedule.next_after(due) - due) / 2)


def problem_of(error: BaseException) -> str:
    """Return an error as people are told it: with its hint; a bug by its name only."""
    if isinstance(error, JunmaiError):
        text = f"{error.message}. {error.hint}" if error.hint else error.message
        return text if len(text) <= LONGEST_PROBLEM else f"{text[:LONGEST_PROBLEM]}…"
    return f"A bug: {type(error).__name__}. The log has the details."
