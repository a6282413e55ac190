"""When something is due: `30 3 * * mon-fri`, as in cron, or `every 15m`. Pure, and always in UTC.

The five fields are minute, hour, day of the month, month and weekday; each is `*`, a number, a
range, any of these with a step (`*/15`, `8-18/2`), or a list of them. Months and weekdays may be
named; 0 and 7 are Sunday. As in cron (crontab(5)), where neither the day of the month nor the
weekday begins with `*`, either of them is enough; otherwise both must fit.

`every` counts from 1970-01-01, not from a start: so `every 15m` is at :00, :15, :30 and :45.
"""

import re
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice, takewhile

from junmai_svc.storage.errors import UsageError

HINT = (
    'A schedule is five fields as in cron, such as "30 3 * * mon" for Mondays at 03:30 UTC, or'
    ' "every 15m" (s, m, h, d).'
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_SUNDAY, _SUNDAY_TOO = 0, 7
_LEAP_YEAR = 2000


@dataclass(frozen=True)
class _Field:
    name: str
    lowest: int
    highest: int
    names: dict[str, int]


_FIELDS = (
    _Field("minute", 0, 59, {}),
    _Field("hour", 0, 23, {}),
    _Field("day of the month", 1, 31, {}),
    _Field("month", 1, 12, {name: number for number, name in enumerate(_MONTHS, 1)}),
    _Field("weekday", 0, 7, {name: number for number, name in enumerate(_WEEKDAYS)}),
)


@dataclass(frozen=True)
class Every:
    """A fixed time apart, counted from 1970-01-01."""

    text: str
    interval: timedelta

    def next_after(self, when: datetime) -> datetime:
        """Return the first due time after `when`, in UTC.

        Raises:
            ValueError: `when` has no time zone.
        """
        return _EPOCH + ((_utc(when) - _EPOCH) // self.interval + 1) * self.interval


@dataclass(frozen=True)
class Cron:
    """The minutes whose parts are all among these; weekdays are as in cron, 0 is Sunday."""

    text: str
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either_day: bool  # one of day and weekday is enough

    def falls_on(self, day: date) -> bool:
        """True where anything at all is due on this day."""
        if day.month not in self.months:
            return False
        fitting = (day.day in self.days, day.isoweekday() % 7 in self.weekdays)
        return any(fitting) if self.either_day else all(fitting)

    def next_after(self, when: datetime) -> datetime:
        """Return the first due time after `when`, in UTC.

        Raises:
            ValueError: `when` has no time zone.
            OverflowError: there is none before the year 10000.
        """
        first = _utc(when).replace(second=0, microsecond=0) + timedelta(minutes=1)
        day, since = first.date(), first.time()
        while True:
            if self.falls_on(day):
                for due in self._times():
                    if due >= since:
                        return datetime.combine(day, due, UTC)
            day, since = self._following(day), time()

    def _times(self) -> Iterator[time]:
        return (
            time(hour, minute) for hour in sorted(self.hours) for minute in sorted(self.minutes)
        )

    def _following(self, day: date) -> date:
        """The next day that can be looked at; months that never fit are passed over at once."""
        if day.month in self.months:
            return day + timedelta(days=1)
        return day.replace(day=monthrange(day.year, day.month)[1]) + timedelta(days=1)


Schedule = Cron | Every


def parse(text: str) -> Schedule:
    """Return the schedule that a text says.

    Raises:
        UsageError: it says none, or one that is never due; the message names the part.
    """
    every = re.fullmatch(r"every +([1-9][0-9]{0,6})([smhd])", text.strip(), re.ASCII)
    if every:
        return Every(text, timedelta(seconds=int(every[1]) * _UNITS[every[2]]))
    words = text.lower().split()
    if len(words) != len(_FIELDS):
        raise UsageError(f"{text[:100]!r} is no schedule", HINT)
    minutes, hours, days, months, weekdays = (
        _numbers(field, word) for field, word in zip(_FIELDS, words, strict=True)
    )
    either = not words[2].startswith("*") and not words[4].startswith("*")
    if not either and min(days) > max(monthrange(_LEAP_YEAR, month)[1] for month in months):
        raise UsageError(f"{text!r} is never due: no such month has a day {min(days)}", HINT)
    weekdays = frozenset(number % _SUNDAY_TOO for number in weekdays)
    return Cron(text, minutes, hours, days, months, weekdays, either)


def upcoming(schedule: Schedule, when: datetime, count: int) -> list[datetime]:
    """Return the next so many due times after `when`.

    Raises:
        ValueError: `when` has no time zone.
    """
    return list(islice(_all_after(schedule, when), count))


def due_between(schedule: Schedule, after: datetime, until: datetime, most: int) -> list[datetime]:
    """Return the due times later than `after`, up to and with `until`, `most` of them at most.

    Raises:
        ValueError: a time has no time zone.
    """
    last = _utc(until)
    return list(islice(takewhile(lambda due: due <= last, _all_after(schedule, after)), most))


def _all_after(schedule: Schedule, when: datetime) -> Iterator[datetime]:
    while True:
        when = schedule.next_after(when)
        yield when


def _utc(when: datetime) -> datetime:
    if when.tzinfo is None:
        raise ValueError("A time without its zone can't be compared with a schedule")
    return when.astimezone(UTC)


def _numbers(field: _Field, word: str) -> frozenset[int]:
    return frozenset(number for part in word.split(",") for number in _part(field, part))


def _part(field: _Field, part: str) -> range:
    """The numbers of one of a field's parts: `*`, `a`, `a-b`, each but `a` perhaps with a step."""
    span, slash, step_text = part.partition("/")
    if span == "*":
        # 7 is another name for 0, so a step must not count it.
        first, last = field.lowest, 6 if field.names.get("sun") == _SUNDAY else field.highest
    else:
        start, dash, end = span.partition("-")
        first = last = _number(field, start)
        if dash:
            last = _number(field, end)
            if end in ("sun", "0") and field.names.get("sun") == _SUNDAY and first > last:
                last = _SUNDAY_TOO
        elif slash:
            raise _wrong(field, part, f"say {start}-{field.highest}/{step_text}")
    if first > last:
        raise _wrong(field, part, "it ends before it begins")
    if not slash:
        return range(first, last + 1)
    if not re.fullmatch(r"[1-9][0-9]?", step_text, re.ASCII) or int(step_text) > last - first:
        raise _wrong(field, part, f"a step here is a number from 1 to {last - first}")
    return range(first, last + 1, int(step_text))


def _number(field: _Field, word: str) -> int:
    if word in field.names:
        return field.names[word]
    if re.fullmatch(r"[0-9]{1,2}", word, re.ASCII) and field.lowest <= int(word) <= field.highest:
        return int(word)
    names = f", or {next(iter(field.names))} and so on" if field.names else ""
    raise _wrong(field, word, f"it is a number from {field.lowest} to {field.highest}{names}")


def _wrong(field: _Field, part: str, why: str) -> UsageError:
    return UsageError(f"{part[:100]!r} can't be the {field.name} of a schedule: {why}", HINT)
