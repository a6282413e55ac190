"""The page for people: one HTML file without anything from elsewhere. Pure.

Its style and its script are the packaged ones, named by their hashes in `POLICY`; whatever else
came into the page by a name in a database or a store would neither run nor load.
"""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from typing import Any

import jinja2
from markupsafe import Markup

from junmai_svc.service.printable import printable
from junmai_svc.service.status import chart as status_chart
from junmai_svc.service.status import phrases
from junmai_svc.service.status.chart import Chart, Column
from junmai_svc.service.status.coverage import Coverage, Point, State
from junmai_svc.service.status.fold import DatabaseStatus, Status
from junmai_svc.service.status.observation import Job, JobOutcome
from junmai_svc.storage.journal.events import RUNNING
from junmai_svc.storage.journal.projection import Run

LATEST = 10  # snapshots in a table
MOST = 8  # sentences before the rest is folded away

_GOOD = frozenset({"verified", "switched", "completed", "reproduced", "stored"})
_LOOK = frozenset({"mismatch_found", "diverged", "rolled_back", "reverted", "abandoned"})


def _packaged(name: str) -> str:
    folder = resources.files("junmai_svc.service.status").joinpath("pages")
    return folder.joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"


_CSS, _SCRIPT = _packaged("status.css"), _packaged("status.js")
POLICY = (
    f"default-src 'none'; style-src {_hash(_CSS)}; script-src {_hash(_SCRIPT)};"
    " connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'"
)
_ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">'
    '<circle cx="8" cy="8" r="7.5" fill="{fill}"/>'
    '<path d="{path}" fill="none" stroke="#fff" stroke-width="2" stroke-linecap="round"/></svg>'
)
_ICONS = {
    True: _ICON.format(fill="#1f6b3a", path="M4.7 8.3l2.3 2.3 4.4-4.9"),
    False: _ICON.format(fill="#9c1f1c", path="M8 4v4.6M8 11.6v.1"),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One store of a database as the page shows it; `words` are the drawing's for who can't see."""

    coverage: Coverage
    chart: Chart
    words: str
    latest: tuple[Point, ...]

    @property
    def knows_new(self) -> bool:
        """True where the growth of the store is known of any snapshot."""
        return any(column.new is not None for column in self.chart.columns)


def render_page(status: Status) -> bytes:
    """Return the page of a status as UTF-8; it may be shown only under `POLICY`."""
    charts = [_rows(database, status.now) for database in status.databases]
    tone = _tone(status)
    page = _TEMPLATE.render(
        status=status,
        now=status.now,
        charts=charts,
        places=sum(len(database.stores) for database in status.databases),
        stores=dict.fromkeys(c.store for each in status.databases for c in each.stores),
        drawn=any(row.chart.columns for rows in charts for row in rows),
        most=MOST,
        headline=headline(status),
        summary=summary(status),
        tone=tone,
        tone_icon=tone,
        heights={
            "all": status_chart.HEIGHT,
            "size": status_chart.SIZE_BASE,
            "new": status_chart.NEW_BASE,
            "proof": status_chart.PROOF_LINE,
        },
        css=Markup(_CSS),  # noqa: S704
        script=Markup(_SCRIPT),  # noqa: S704
        icon=_ICONS[status.healthy],
    )
    # A file's name may be no valid text; that is no reason to show nothing.
    return page.encode(errors="replace")


def headline(status: Status) -> str:
    """Return the one line that says how it stands."""
    wrong, notices = len(status.wrong), len(status.attention) - len(status.wrong)
    if wrong:
        return "One thing is wrong" if wrong == 1 else f"{wrong} things are wrong"
    if not status.databases:
        return "Nothing is watched yet"
    if notices:
        return f"Backups are fine; {notices} notice{'s' if notices > 1 else ''}"
    return "All is well"


def summary(status: Status) -> str:
    """Return the sentence below the headline: what is watched, and what there is of it."""
    databases = len(status.databases)
    stores = len(status.listings)
    snapshots = sum(len(c.history) for d in status.databases for c in d.stores)
    if not databases:
        return "The daemon runs, and has no database to back up."
    proven = sum(c.last_proven is not None for d in status.databases for c in d.stores)
    places = sum(len(d.stores) for d in status.databases)
    where = "every place" if proven == places else f"{proven} of {places} places"
    return (
        f"{_count(databases, 'database')} in {_count(stores, 'store')},"
        f" {_count(snapshots, 'snapshot')}. A proven snapshot in {where}."
    )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _tone(status: Status) -> str:
    if not status.healthy:
        return State.FAILING.value
    return "notice" if status.attention or not status.databases else State.OK.value


def _rows(database: DatabaseStatus, now: datetime) -> list[Row]:
    """The stores of a database, drawn over the same time so that they can be compared."""
    points = [point for coverage in database.stores for point in coverage.history]
    start, end = status_chart.span_of(points, now)
    return [
        Row(
            coverage,
            status_chart.draw(coverage.history, start, end),
            _words(coverage.history, database.name, coverage.store),
            tuple(reversed(coverage.history[-LATEST:])),
        )
        for coverage in database.stores
    ]


def _words(history: Sequence[Point], database: str, store: str) -> str:
    if not history:
        return f"No snapshots of {database} in {store}."
    first, last = history[0].snapshot, history[-1].snapshot
    proven = sum(point.proven for point in history)
    return (
        f"{_count(len(history), 'snapshot')} of {database} in {store} from"
        f" {phrases.moment(first.taken)} to {phrases.moment(last.taken)};"
        f" size from {phrases.size(first.size)} to {phrases.size(last.size)}; {proven} proven."
    )


def _spoken(column: Column) -> str:
    """What a column shows, for the pointer that rests on it."""
    parts = [
        f"{phrases.moment(column.start)}: {_count(column.count, 'snapshot')}",
        phrases.size(column.size),
    ]
    if column.new is not None:
        parts.append(f"{phrases.size(column.new)} new")
    parts += [f"{column.proven} proven"] if column.proven else []
    parts += [f"{column.failed} failed their proof"] if column.failed else []
    return ", ".join(parts)


def _coded(text: str) -> Markup:
    """The text with what stands between backquotes as code."""
    parts = text.split("`")
    return Markup().join(
        Markup("<code>{}</code>").format(part) if number % 2 and number < len(parts) - 1 else part
        for number, part in enumerate(parts)
    )


def _run_tone(run: Run) -> str:
    if run.status == RUNNING:
        return State.DUE.value
    if run.status in _GOOD:
        return State.OK.value
    return State.OVERDUE.value if run.status in _LOOK else State.FAILING.value


def _job_tone(job: Job) -> str:
    if job.outcome is None:
        return "quiet"
    tones = {JobOutcome.SUCCEEDED: State.OK, JobOutcome.FAILED: State.FAILING}
    return tones.get(job.outcome, State.OVERDUE).value


def _finalized(value: Any) -> Any:
    """Spell out control characters in all but our own markup."""
    return value if isinstance(value, Markup) else printable(value)


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, finalize=_finalized
    )
    environment.filters |= {
        "ago": phrases.ago,
        "coded": _coded,
        "duration": phrases.duration,
        "short": phrases.short,
        "size": phrases.size,
        "moment": phrases.moment,
        "day": lambda when: f"{when:%Y-%m-%d}",
        "spoken": _spoken,
        "tone": _run_tone,
        "job_tone": _job_tone,
    }
    return environment.from_string(_packaged("status.html"))


_TEMPLATE = _template()
