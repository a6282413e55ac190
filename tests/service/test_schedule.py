"""Schedules: the next time is later and fits, nothing between does; the impossible is refused."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from junmai_svc.service.schedule import Cron, Every, due_between, parse, upcoming
from junmai_svc.storage.errors import UsageError

MINUTE = timedelta(minutes=1)
NAMES = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
moments = st.datetimes(
    datetime(1971, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)  # noqa: DTZ001
)  # fmt: skip


def fields(lowest: int, highest: int) -> st.SearchStrategy[str]:
    """Texts of one field: stars, numbers, ranges, steps and lists of them."""
    numbers = st.integers(lowest, highest)
    pairs = st.tuples(numbers, numbers).map(sorted)
    spans = pairs.map(lambda pair: f"{pair[0]}-{pair[1]}")
    steps = st.integers(2, 5)
    part = st.one_of(
        numbers.map(str),
        spans,
        steps.map(lambda step: f"*/{step}"),
        st.tuples(pairs, steps)
        .filter(lambda each: each[0][1] - each[0][0] >= each[1])
        .map(lambda each: f"{each[0][0]}-{each[0][1]}/{each[1]}"),
    )
    return st.one_of(st.just("*"), st.lists(part, min_size=1, max_size=3).map(",".join))


crons = st.tuples(fields(0, 59), fields(0, 23), fields(1, 31), fields(1, 12), fields(0, 6))


def expected(word: str, lowest: int, highest: int) -> set[int]:
    """What a field means, worked out in another way than the program does."""
    found: set[int] = set()
    for part in word.split(","):
        span, _, step = part.partition("/")
        first, _, last = (f"{lowest}-{highest}" if span == "*" else span).partition("-")
        found |= {
            number
            for number in range(lowest, highest + 1)
            if int(first) <= number <= int(last or first)
            and (number - int(first)) % int(step or 1) == 0
        }
    return found


def fits(words: tuple[str, ...], when: datetime) -> bool:
    """Whether a minute is due, straight from crontab(5)."""
    minute, hour, day, month, weekday = (
        expected(word, *bounds)
        for word, bounds in zip(words, ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6)), strict=True)
    )
    day_fits, weekday_fits = when.day in day, (when.weekday() + 1) % 7 in weekday
    either = not words[2].startswith("*") and not words[4].startswith("*")
    return (
        when.minute in minute
        and when.hour in hour
        and when.month in month
        and ((day_fits or weekday_fits) if either else (day_fits and weekday_fits))
    )


def parsed(words: tuple[str, ...]) -> Cron | Every | None:
    try:
        return parse(" ".join(words))
    except UsageError:
        return None


@given(crons, moments)
@example(("0", "0", "29", "2", "*"), datetime(2096, 3, 1, tzinfo=UTC))
def test_the_next_time_is_later_and_fits(words: tuple[str, ...], when: datetime) -> None:
    schedule = parsed(words)
    assume(schedule is not None)
    assert schedule is not None
    due = schedule.next_after(when)
    assert due > when
    assert due.tzinfo is UTC
    assert (due.second, due.microsecond) == (0, 0)
    assert fits(words, due)


@given(crons, moments)
def test_nothing_that_fits_lies_between_now_and_the_next_time(
    words: tuple[str, ...], when: datetime
) -> None:
    """By brute force over every minute, for as long as that is quick."""
    schedule = parsed(words)
    assume(schedule is not None)
    assert schedule is not None
    due = min(schedule.next_after(when), when + timedelta(days=2))
    minute = when.replace(second=0, microsecond=0) + MINUTE
    while minute < due:
        assert not fits(words, minute)
        minute += MINUTE


@given(crons)
def test_what_is_refused_is_due_at_no_minute_of_many_years(words: tuple[str, ...]) -> None:
    if parsed(words) is not None:
        return
    day = date(2000, 1, 1)
    while day.year < 2009:  # with leap days in it
        hour, minute = (
            min(expected(words[1], 0, 23)),
            min(expected(words[0], 0, 59)),
        )
        assert not fits(words, datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC))
        day += timedelta(days=1)


@given(st.integers(1, 9_999_999), st.sampled_from("smhd"), moments)
def test_every_is_evenly_apart_whenever_it_is_asked(number: int, unit: str, when: datetime) -> None:
    seconds = number * {"s": 1, "m": 60, "h": 3600, "d": 86400}[unit]
    assume(seconds < 10**9)
    due = parse(f"every {number}{unit}").next_after(when)
    assert timedelta() < due - when <= timedelta(seconds=seconds)
    assert (due - datetime(1970, 1, 1, tzinfo=UTC)) % timedelta(seconds=seconds) == timedelta()


def first(text: str) -> str:
    thursday = datetime(2026, 1, 1, 0, 0, 30, tzinfo=UTC)
    return parse(text).next_after(thursday).strftime("%Y-%m-%d %H:%M")


@pytest.mark.parametrize(
    ("text", "due"),
    [
        ("0 * * * *", "2026-01-01 01:00"),
        ("30 3 * * *", "2026-01-01 03:30"),
        ("0 4 * * sun", "2026-01-04 04:00"),
        ("0 4 * * 0", "2026-01-04 04:00"),
        ("0 4 * * 7", "2026-01-04 04:00"),
        ("0 4 * * MON", "2026-01-05 04:00"),
        ("0 4 * * 1", "2026-01-05 04:00"),
        ("0 4 * * fri-sun", "2026-01-02 04:00"),
        ("0 4 * * sat-7", "2026-01-03 04:00"),
        ("0 4 * feb-mar *", "2026-02-01 04:00"),
        ("*/15 8-18/2 * * mon-fri", "2026-01-01 08:00"),
        ("5,10 0 * * *", "2026-01-01 00:05"),
        ("0 0 13 * fri", "2026-01-02 00:00"),
        ("0 0 29 feb *", "2028-02-29 00:00"),
        ("0 0 31 2 mon", "2026-02-02 00:00"),
        ("every 15m", "2026-01-01 00:15"),
        ("every 1d", "2026-01-02 00:00"),
        ("every  90s", "2026-01-01 00:01"),
    ],
)
def test_a_schedule_means_what_cron_means_by_it(text: str, due: str) -> None:
    assert first(text) == due


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no schedule"),
        ("@daily", "no schedule"),
        ("0 * * *", "no schedule"),
        ("0 0 * * * *", "no schedule"),
        ("60 * * * *", "minute"),
        ("0 24 * * *", "hour"),
        ("0 0 0 * *", "day of the month"),
        ("0 0 * 13 *", "month"),
        ("0 0 * * 8", "weekday"),
        ("0 0 * * monday", "weekday"),
        ("sun * * * *", "minute"),
        ("-1 * * * *", "minute"),
        ("5-1 * * * *", "ends before it begins"),
        ("0 0 * * sat-mon", "ends before it begins"),
        ("*/0 * * * *", "step"),
        ("*/90 * * * *", "step"),
        ("5/10 * * * *", "5-59/10"),
        ("1,,2 * * * *", "minute"),
        ("\u0661 * * * *", "minute"),
        ("0 0 31 feb *", "never due"),
        ("0 0 30,31 2 *", "never due"),
        ("0 0 31 2 */2", "never due"),
        ("0 0 31 4,6,9,11 *", "never due"),
        ("every 0m", "no schedule"),
        ("every 15", "no schedule"),
        ("every 1w", "no schedule"),
        ("every minute", "no schedule"),
    ],
)
def test_what_is_no_schedule_or_never_due_is_refused_with_the_part(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        parse(text)
    assert "every 15m" in caught.value.hint


def test_times_of_other_zones_are_understood_and_those_of_none_refused() -> None:
    tokyo = timezone(timedelta(hours=9))
    due = parse("0 4 * * *").next_after(datetime(2026, 1, 1, 9, 0, tzinfo=tokyo))
    assert due == datetime(2026, 1, 1, 4, 0, tzinfo=UTC)
    for text in ("0 4 * * *", "every 5m"):
        with pytest.raises(ValueError, match="zone"):
            parse(text).next_after(datetime(2026, 1, 1))  # noqa: DTZ001


def test_the_next_times_and_those_that_were_missed_are_listed() -> None:
    hourly, begin = parse("0 * * * *"), datetime(2026, 1, 1, tzinfo=UTC)
    assert [due.hour for due in upcoming(hourly, begin, 3)] == [1, 2, 3]
    until = begin + timedelta(hours=2)
    assert [due.hour for due in due_between(hourly, begin, until, 9)] == [1, 2]
    assert len(due_between(hourly, begin, begin + timedelta(days=9), 5)) == 5
    assert due_between(hourly, until, begin, 5) == []


def test_every_weekday_has_the_name_that_cron_gives_it() -> None:
    for number, name in enumerate(NAMES):
        named, numbered = parse(f"0 0 * * {name}"), parse(f"0 0 * * {number}")
        assert isinstance(named, Cron)
        assert isinstance(numbered, Cron)
        assert named.weekdays == numbered.weekdays == frozenset({number})
