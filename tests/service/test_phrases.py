"""Times and sizes read as people say them."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from junmai_svc.service.status import phrases

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-5, "0 seconds"),
        (1, "1 second"),
        (119, "119 seconds"),
        (120, "2 minutes"),
        (7199, "119 minutes"),
        (7200, "2 hours"),
        (172_799, "47 hours"),
        (172_800, "2 days"),
        (86_400_000, "1,000 days"),
    ],
)
def test_a_span_is_told_in_the_largest_unit_that_fits_twice(seconds: int, said: str) -> None:
    assert phrases.duration(timedelta(seconds=seconds)) == said


def test_what_is_to_come_is_not_ago() -> None:
    assert phrases.ago(NOW - timedelta(hours=3), NOW) == "3 hours ago"
    assert phrases.ago(NOW + timedelta(hours=3), NOW) == "in 3 hours"
    assert phrases.ago(NOW, NOW) == "just now"


@pytest.mark.parametrize(
    ("seconds", "said"), [(-1, "0 s"), (59, "59 s"), (60, "1 min"), (7200, "2 h"), (172_800, "2 d")]
)
def test_a_span_has_a_short_form(seconds: int, said: str) -> None:
    assert phrases.short(timedelta(seconds=seconds)) == said


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (4_640_000, "4.6 MB"),
        (9_960_000, "10 MB"),
        (999_600, "1.0 MB"),
        (68_000_000, "68 MB"),
        (10**22, "10,000 EB"),
    ],
)
def test_a_size_has_two_digits_that_matter(count: int, said: str) -> None:
    assert phrases.size(count) == said


@given(st.integers(0, 10**21), st.integers(0, 10**21))
def test_sizes_of_one_unit_keep_their_order(one: int, other: int) -> None:
    small, large = sorted([phrases.size(one), phrases.size(other)], key=_number)
    if one != other and small.split()[1] == large.split()[1]:
        assert _number(phrases.size(min(one, other))) <= _number(phrases.size(max(one, other)))


def _number(said: str) -> float:
    return float(said.split(maxsplit=1)[0].replace(",", ""))


def test_names_are_listed_and_the_rest_counted() -> None:
    assert phrases.listed(()) == ""
    assert phrases.listed(("a",)) == "a"
    assert phrases.listed(("a", "b")) == "a and b"
    assert phrases.listed(("a", "b", "c", "d", "e")) == "a, b, c and 2 more"
