"""What is told now and what is held back: one store in trouble makes no nine messages.

After a message about a store, further ones about it wait a while and go as one. What follows from
the store being down is told within that; what doesn't, and needs somebody, never waits. Pure.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from junmai_svc.service.notify.notices import (
    RECOVERED,
    Notice,
    Standing,
    Trouble,
    about_store,
    after_trouble,
)

HOLD = timedelta(minutes=10)
# What a store's trouble held up is tried again once an hour at least: one message for all of it.
HOLD_ENDS = timedelta(minutes=75)
NAMED_MOST = 20


def is_due(
    notices: Sequence[Notice], spoken: datetime | None, now: datetime, *, more: bool
) -> bool:
    """Tell whether the notices of one store are to be told now.

    `spoken` is when anything of it was told last; with `more` the ends of other troubles of it are
    still to come.
    """
    if spoken is None or any(each.urgent for each in notices):
        return True
    only_ends = all(
        each.state == RECOVERED and each.subject != about_store(each.store or "")
        for each in notices
    )
    wait = HOLD_ENDS if more and only_ends else HOLD
    return not timedelta(0) <= now - spoken < wait  # a clock that went back silences nobody


def after_down(
    standing: Standing, store: Standing, name: str, text: str, now: datetime, remind: timedelta
) -> tuple[Standing, Standing, Notice | None]:
    """Return the standings of a subject and its store after the one failed as the other is down.

    And what to tell of the store, which the subject is told within.
    """
    store, notice = after_trouble(store, about_store(name), Trouble.DOWN, text, now, remind)
    within = standing.within or bool(store.told)
    return replace(standing, trouble=Trouble.FAILED, within=within), store, notice


def in_full(notice: Notice, held_up: Iterable[str]) -> Notice:
    """Return a notice about a store with what its trouble holds up, by now; any other as it is."""
    names = sorted(held_up)
    if notice.store is None or notice.subject != about_store(notice.store) or not names:
        return notice
    more = f" and {len(names) - NAMED_MOST} more" if len(names) > NAMED_MOST else ""
    listed = ", ".join(names[:NAMED_MOST]) + more
    said = notice.text if notice.text[-1:] in ".!?" else f"{notice.text}."
    what = "Not made good yet" if notice.state == RECOVERED else "It holds up"
    return replace(notice, text=f"{said} {what}: {listed}.")


def held_up(
    store: str, stores: Mapping[str, str | None], standings: Mapping[str, Standing]
) -> list[str]:
    """Return the subjects of a store that fail because it is down, or are overdue."""
    return [
        subject
        for subject, of in stores.items()
        if of == store
        and (standing := standings.get(subject)) is not None
        and (standing.within or standing.trouble is Trouble.OVERDUE)
    ]
