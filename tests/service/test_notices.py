"""Claims about what people are told: the first trouble, its end, and never a flood."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from junmai_svc.service.notify.notices import (
    QUIET,
    REMIND,
    Notice,
    Standing,
    Trouble,
    after_success,
    after_trouble,
    as_message,
)

START = datetime(2026, 11, 23, tzinfo=UTC)
HOUR = timedelta(hours=1)

Step = tuple[Trouble | None, timedelta]


def told(steps: list[Step]) -> list[tuple[datetime, str]]:
    """Go through troubles and successes (None), each a while after the one before."""
    standing, now, heard = Standing(), START, []
    for trouble, wait in steps:
        now += wait
        if trouble is None:
            standing, notice = after_success(standing, "x", "well", now)
        else:
            standing, notice = after_trouble(standing, "x", trouble, "why", now)
        if notice is not None:
            heard.append((now, notice.state))
    return heard


def states(steps: list[Step]) -> list[str]:
    return [state for _, state in told(steps)]


FAILED, OVERDUE = Trouble.FAILED, Trouble.OVERDUE


def test_a_trouble_is_told_at_once_and_its_end_once() -> None:
    assert states([(FAILED, HOUR), (None, HOUR), (None, HOUR)]) == ["failed", "recovered"]


def test_what_goes_well_is_no_news() -> None:
    assert states([(None, HOUR)] * 5) == []


def test_what_goes_on_is_told_again_after_a_day_only() -> None:
    assert states([(FAILED, HOUR)] * 24) == ["failed"]
    assert states([(FAILED, HOUR)] * 25) == ["failed", "failed"]


def test_that_a_failing_backup_is_now_overdue_is_news_and_then_neither_is() -> None:
    steps: list[Step] = [(FAILED, HOUR), (OVERDUE, HOUR), (FAILED, HOUR), (OVERDUE, HOUR)]
    assert states(steps) == ["failed", "overdue"]


def test_what_comes_and_goes_is_told_once_an_hour_at_most() -> None:
    flapping: list[Step] = [(FAILED, timedelta(minutes=1)), (None, timedelta(minutes=1))] * 60
    assert len(told(flapping)) <= 2 * 2 + 2


def test_a_trouble_that_begins_in_the_quiet_time_and_stays_is_told_after_it() -> None:
    steps: list[Step] = [(FAILED, HOUR), (None, HOUR), *[(FAILED, HOUR / 4)] * 5]
    assert states(steps) == ["failed", "recovered", "failed"]


def test_a_clock_that_goes_back_silences_nobody() -> None:
    steps: list[Step] = [(FAILED, HOUR), (None, HOUR), (FAILED, -48 * HOUR)]
    assert states(steps) == ["failed", "recovered", "failed"]


any_steps = st.lists(
    st.tuples(
        st.sampled_from([None, FAILED, OVERDUE]), st.timedeltas(timedelta(0), timedelta(hours=3))
    ),
    max_size=60,
)


@given(any_steps)
def test_never_a_flood(steps: list[Step]) -> None:
    """In any hour: one round of failed, overdue and recovered, and the end of the one before."""
    heard = told(steps)
    for when, _ in heard:
        within = [state for other, state in heard if when <= other < when + QUIET]
        assert len(within) <= 4
        assert within.count("failed") <= 2
        assert within.count("overdue") <= 2


@given(any_steps)
def test_whoever_hears_of_a_trouble_hears_of_its_end(steps: list[Step]) -> None:
    heard = states([*steps, (None, HOUR)])
    assert heard == [] or heard[-1] == "recovered"


@given(any_steps)
def test_no_trouble_stays_unheard_for_longer_than_a_reminder(steps: list[Step]) -> None:
    steps = [*steps, (FAILED, HOUR), (FAILED, REMIND)]
    assert told(steps)[-1][0] >= START + sum((w for _, w in steps), timedelta()) - REMIND


def test_many_notices_make_one_message() -> None:
    one = Notice("backup of a in b", "failed", "The disk is full.")
    assert as_message([one]) == ("junmai-svc: backup of a in b failed", "The disk is full.")
    title, text = as_message([one, one, Notice("prune", "recovered", "All is well again.")])
    assert title == "junmai-svc: 2 failed, 1 recovered"
    assert len(text.splitlines()) == 3
