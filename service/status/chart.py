"""The snapshots of one database in one store over time, as shapes to draw. Pure.

However many snapshots there are, a chart has at most `MOST` columns. Places are in percent of the
width, heights in pixels down from the top, so that the drawing fits any width without its text and
marks being stretched.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from junmai_svc.service.status.coverage import Point
from junmai_svc.service.status.observation import ProofOutcome

MOST = 72
SHORTEST = timedelta(hours=24)

SIZE_TOP, SIZE_BASE = 6.0, 62.0
NEW_TOP, NEW_BASE = 76.0, 112.0
PROOF_LINE = 126.0
HEIGHT = 136
_LEAST = 1.5  # pixels of a column that is not nothing


@dataclass(frozen=True, slots=True)
class Column:
    """The snapshots of one stretch of time. `x`, `width` and `middle` in percent of the width.

    `size` is the largest image, `new` what the store grew by (None where nobody knows).
    """

    x: float
    width: float
    start: datetime
    end: datetime
    count: int
    size: int
    new: int | None
    proven: int
    failed: int
    size_y: float
    new_y: float | None

    @property
    def middle(self) -> float:
        """Where its marks stand."""
        return self.x + self.width / 2


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing: columns from old to new, and the largest of each kind, to label the axes with."""

    start: datetime
    end: datetime
    columns: tuple[Column, ...]
    largest: int
    largest_new: int

    @property
    def outline(self) -> str:
        """The sizes as a line of steps over 100 units of width: the data of an SVG path."""
        if not self.columns:
            return ""
        first, *others = self.columns
        last = self.columns[-1]
        steps = "".join(f"H{column.x:.2f}V{column.size_y:.1f}" for column in others)
        return f"M{first.x:.2f} {first.size_y:.1f}{steps}H{last.x + last.width:.2f}"

    @property
    def area(self) -> str:
        """The outline closed along its base."""
        if not self.columns:
            return ""
        return f"{self.outline}V{SIZE_BASE:.1f}H{self.columns[0].x:.2f}Z"


def span_of(points: Iterable[Point], now: datetime) -> tuple[datetime, datetime]:
    """Return the stretch of time to draw: from the oldest snapshot, a day at least, to now."""
    times = [point.snapshot.taken for point in points]
    end = max([now, *times])
    return min([end - SHORTEST, *times]), end


def draw(points: Sequence[Point], start: datetime, end: datetime) -> Chart:
    """Return the chart of the points, oldest first, from `start` to `end`, which holds them all."""
    whole = (end - start).total_seconds()
    binned: dict[int, list[Point]] = {}
    for point in points:
        share = (point.snapshot.taken - start).total_seconds() / whole
        binned.setdefault(min(MOST - 1, int(share * MOST)), []).append(point)
    sums = {number: _new_bytes(own) for number, own in binned.items()}
    largest = max((point.snapshot.size for point in points), default=0)
    largest_new = max((new for new in sums.values() if new is not None), default=0)
    step = (end - start) / MOST
    columns = tuple(
        _column(
            own,
            number,
            start + number * step,
            step,
            sums[number],
            (largest, largest_new),
        )
        for number, own in sorted(binned.items())
    )
    return Chart(start, end, columns, largest, largest_new)


def _column(
    own: Sequence[Point],
    number: int,
    start: datetime,
    step: timedelta,
    new: int | None,
    largest: tuple[int, int],
) -> Column:
    size = max(point.snapshot.size for point in own)
    outcomes = [point.proof.outcome for point in own if point.proof is not None]
    return Column(
        x=100 * number / MOST,
        width=100 / MOST,
        start=start,
        end=start + step,
        count=len(own),
        size=size,
        new=new,
        proven=outcomes.count(ProofOutcome.PROVEN),
        failed=outcomes.count(ProofOutcome.FAILED),
        size_y=_height(size, largest[0], SIZE_TOP, SIZE_BASE),
        new_y=None if new is None else _height(new, largest[1], NEW_TOP, NEW_BASE),
    )


def _new_bytes(own: Iterable[Point]) -> int | None:
    known = [p.snapshot.new_bytes for p in own if p.snapshot.new_bytes is not None]
    return sum(known) if known else None


def _height(value: int, largest: int, top: float, base: float) -> float:
    """How far down a value stands; what is not nothing can be seen."""
    if value <= 0 or largest <= 0:
        return base
    return min(base - _LEAST, base - (base - top) * value / largest)
