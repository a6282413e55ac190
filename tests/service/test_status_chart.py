"""The drawing holds every snapshot once, inside its frame, whatever their number and times."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from tests.harness.statuses import DAY, HOUR, NOW

from junmai_svc.service.status import chart as status_chart
from junmai_svc.service.status.chart import draw, span_of
from junmai_svc.service.status.coverage import Point
from junmai_svc.service.status.observation import Proof, ProofOutcome, StoredSnapshot


def point(
    age: timedelta, size: int = 4096, new: int | None = 10, outcome: ProofOutcome | None = None
) -> Point:
    snapshot = StoredSnapshot("s", "wine", NOW - age, size, new)
    return Point(snapshot, Proof("s", NOW, outcome) if outcome else None)


points = st.lists(
    st.builds(
        point,
        st.integers(-100, 10**6).map(lambda minutes: timedelta(minutes=minutes)),
        st.integers(0, 2**50),
        st.none() | st.integers(0, 2**40),
        st.none() | st.sampled_from(list(ProofOutcome)),
    ),
    max_size=40,
).map(lambda found: sorted(found, key=lambda each: each.snapshot.taken))


@given(points)
def test_every_snapshot_is_in_one_column_inside_the_frame(found: list[Point]) -> None:
    chart = draw(found, *span_of(found, NOW))
    assert sum(column.count for column in chart.columns) == len(found)
    assert len(chart.columns) <= status_chart.MOST
    places = [column.x for column in chart.columns]
    assert places == sorted(set(places))
    for column in chart.columns:
        assert column.x >= 0
        assert column.x + column.width <= 100 + 1e-9
        assert status_chart.SIZE_TOP <= column.size_y <= status_chart.SIZE_BASE
        if column.new_y is not None:
            assert status_chart.NEW_TOP <= column.new_y <= status_chart.NEW_BASE
    known = [each.snapshot.new_bytes for each in found if each.snapshot.new_bytes is not None]
    assert sum(column.new or 0 for column in chart.columns) == sum(known)
    outcomes = [each.proof.outcome for each in found if each.proof]
    proven = sum(column.proven for column in chart.columns)
    assert proven == outcomes.count(ProofOutcome.PROVEN)


@given(points)
def test_the_span_holds_all_and_is_a_day_at_least(found: list[Point]) -> None:
    start, end = span_of(found, NOW)
    assert end - start >= DAY
    assert all(start <= each.snapshot.taken <= end for each in found)
    assert start <= NOW <= end


def test_without_snapshots_nothing_is_drawn() -> None:
    chart = draw([], *span_of([], NOW))
    assert (chart.columns, chart.area, chart.outline) == ((), "", "")


def test_what_is_not_nothing_can_be_seen_and_nothing_is_nothing() -> None:
    found = [point(20 * HOUR, 10**12, 10**9), point(10 * HOUR, 1, 1), point(HOUR, 0, 0)]
    large, small, none = draw(found, *span_of(found, NOW)).columns
    assert large.size_y == status_chart.SIZE_TOP
    assert small.size_y < status_chart.SIZE_BASE
    assert none.size_y == status_chart.SIZE_BASE
    assert small.new_y is not None
    assert small.new_y < status_chart.NEW_BASE
    assert none.new_y == status_chart.NEW_BASE


def test_growth_that_nobody_knows_is_not_drawn_as_nothing() -> None:
    (column,) = draw([point(HOUR, new=None)], *span_of([], NOW)).columns
    assert column.new is None
    assert column.new_y is None


def test_the_outline_is_steps_and_the_area_is_closed_on_its_base() -> None:
    found = [point(20 * HOUR, 50), point(HOUR, 100)]
    chart = draw(found, *span_of(found, NOW))
    assert chart.outline.count("V") == 1
    assert chart.area.startswith(chart.outline)
    assert chart.area.endswith("Z")
