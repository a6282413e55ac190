"""What people are told, and when, as a pure decision: on failure, on overdue, on recovery.

Each subject has its own standing. The first trouble is told at once, what goes on is told again
only after a long while, and the end of what was told is told once. However often a subject comes
and goes, it makes no more than one round of messages an hour. A store that is down is a subject of
its own, within which all is told that fails because of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

REMIND = timedelta(hours=24)
QUIET = timedelta(hours=1)


class Trouble(StrEnum):
    """What may be wrong with a subject."""

    FAILED = "failed"
    OVERDUE = "overdue"
    DOWN = "down"  # of a store


class Cause(StrEnum):
    """Why something failed: its store is down, or what may pass, or what needs somebody."""

    DOWN = "down"
    PASSING = "passing"
    OTHER = "other"


RECOVERED = "recovered"


@dataclass(frozen=True)
class Notice:
    """One thing to tell: about what, how it is, and what is known of it.

    `store` is the one that it is about, if any; what is `urgent` is not held back for others. The
    end of something `ends` what people were told of the subject itself.
    """

    subject: str
    state: str
    text: str
    store: str | None = None
    urgent: bool = False
    ends: frozenset[Trouble] = frozenset()


@dataclass(frozen=True)
class Standing:
    """How a subject stands: whether something is wrong, and what people know of it.

    `told` are the troubles that they were told and have not heard the end of; `told_at` is when
    anything was told. What is told `within` its store's trouble is not told by itself.
    """

    trouble: Trouble | None = None
    told: frozenset[Trouble] = frozenset()
    told_at: datetime | None = None
    within: bool = False


def about_store(store: str) -> str:
    """Return how people know a store itself."""
    return f"store {store}"


def after_trouble(
    standing: Standing,
    subject: str,
    trouble: Trouble,
    text: str,
    now: datetime,
    remind: timedelta = REMIND,
) -> tuple[Standing, Notice | None]:
    """Return the standing after something went wrong, and what to tell of it."""
    after = replace(
        standing, trouble=trouble, within=standing.within and trouble is not Trouble.FAILED
    )
    if trouble in standing.told:
        wait = remind
    elif standing.told or standing.told_at is None:
        wait = timedelta(0)  # another trouble beside the one they know, or the very first
    else:
        wait = QUIET  # it was told to be over a little while ago
    # A clock that went back must not silence anybody.
    if standing.told_at is not None and timedelta(0) <= now - standing.told_at < wait:
        return after, None
    told = standing.told | {trouble}
    return replace(after, told=told, told_at=now), Notice(subject, trouble.value, text)


def after_success(
    standing: Standing, subject: str, text: str, now: datetime
) -> tuple[Standing, Notice | None]:
    """Return the standing after all went well, and the end of a trouble if people know of it."""
    after = replace(standing, trouble=None, told=frozenset(), within=False)
    if not standing.told and not standing.within:
        return after, None
    return replace(after, told_at=now), Notice(subject, RECOVERED, text, ends=standing.told)


def before_end(standing: Standing, end: Notice) -> Standing:
    """Return the standing as it was before an end of which nobody heard, as it was none."""
    return replace(standing, told=end.ends, within=not end.ends)


def as_message(notices: Sequence[Notice]) -> tuple[str, str]:
    """Return title and text of one message that tells all of the notices."""
    if len(notices) == 1:
        return f"junmai-svc: {notices[0].subject} {notices[0].state}", notices[0].text
    states: dict[str, int] = {}
    for notice in notices:
        states[notice.state] = states.get(notice.state, 0) + 1
    title = ", ".join(f"{number} {state}" for state, number in states.items())
    lines = [f"{each.subject} {each.state}: {each.text}" for each in notices]
    return f"junmai-svc: {title}", "\n".join(lines)
