"""What the journal knows, as of any position or time, and finding runs in it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from pathlib import Path

from junmai_svc.service.configuration.form import duration
from junmai_svc.service.times import parse_time
from junmai_svc.storage.errors import NotFoundError, UsageError
from junmai_svc.storage.journal.addresses import address_from, is_same_place
from junmai_svc.storage.journal.entry import Event
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.journal.projection import Run, fold_runs


@dataclass(frozen=True)
class Wanted:
    """Which runs to list; what is None does not matter. Times are UTC, `limit` counts runs."""

    database: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    actor: str | None = None
    status: str | None = None
    kind: str | None = None
    limit: int | None = None

    def has(self, run: Run) -> bool:
        """Tell whether a run is wanted."""
        return (
            (self.database is None or _is_of(run, self.database))
            and (self.since is None or run.started >= self.since)
            and (self.until is None or run.started <= self.until)
            and (self.actor is None or run.actor.removeprefix("actor:").startswith(self.actor))
            and (self.status is None or run.status == self.status)
            and (self.kind is None or run.kind == self.kind)
        )


@dataclass(frozen=True)
class AsOf:
    """A point of the journal: the events up to a position, or up to a time."""

    position: int | None = None
    time: datetime | None = None

    def position_in(self, events: Iterable[Event]) -> int | None:
        """Return the last position up to this point, -1 for none, None where it is the end.

        Only positions are an order. Up to a time means up to the last event that was recorded when
        the clock showed no more than it, and all before that one.
        """
        if self.time is None:
            return self.position
        time = self.time
        return max((e.position for e in events if e.time <= time), default=-1)


END = AsOf()


def moment(text: str, now: datetime) -> datetime:
    """Return the time that a text means: a date or time (UTC where it names no zone), or an age.

    Raises:
        UsageError: it is none.
    """
    try:
        return now - duration(text)
    except ValueError:
        return parse_time(text)


def end_of(text: str, now: datetime) -> datetime:
    """Return the last instant of what a text means: of the whole day, where it is a date alone.

    Raises:
        UsageError: it is no time.
    """
    time = moment(text, now)
    date_alone = len(text) == len("2026-11-22") and text.count("-") == 2  # noqa: PLR2004
    return time.replace(hour=23, minute=59, second=59, microsecond=999_999) if date_alone else time


def as_of(text: str | None, now: datetime) -> AsOf:
    """Return the point that a text means: a position, or a time.

    Raises:
        UsageError: it is neither.
    """
    if text is None:
        return AsOf()
    return AsOf(position=int(text)) if text.isdecimal() else AsOf(time=end_of(text, now))


def list_runs(journal: Journal, wanted: Wanted, at: AsOf) -> tuple[list[Run], int | None]:
    """Return the wanted runs as they were at a point, newest first, and the point's position.

    Raises:
        JunmaiError: the journal can't be read.
    """
    position = at.position_in(journal.read())
    runs = [run for run in fold_runs(_until(journal, position)) if wanted.has(run)]
    return runs[: wanted.limit], position


def find_run(runs: list[Run], reference: str, path: Path) -> Run:
    """Return the run that a person means by its id, or a beginning or end of it.

    Raises:
        NotFoundError: no run has that id.
        UsageError: several runs fit.
    """
    part = reference.lower()
    found = [run for run in runs if run.id.startswith(part) or run.id.endswith(part)]
    if not found or not reference:
        raise NotFoundError(
            f"No run {reference} in {path}", "List the runs with `junmai-svc history`."
        )
    if len(found) > 1:
        raise UsageError(
            f"{len(found)} runs fit {reference}",
            "Type more of the id: its last twelve digits, as `history` shows them, are enough.",
        )
    return found[0]


def snapshot_before(journal: Journal, reference: str) -> str:
    """Return the name of the snapshot that a run took before it changed anything.

    Raises:
        NotFoundError: there is no such run, or it took none.
        UsageError: several runs fit.
        JunmaiError: the journal can't be read.
    """
    run, events = show_run(journal, reference)
    kept = next((event.data["kept"] for event in events if event.data.get("kept")), None)
    name = run.snapshot or kept
    if name is None:
        raise NotFoundError(
            f"The run {run.id} took no snapshot", "List the snapshots with `junmai-svc snapshots`."
        )
    return str(name)


def show_run(journal: Journal, reference: str, at: AsOf = END) -> tuple[Run, list[Event]]:
    """Return a run as it was at a point, and its events until then.

    Raises:
        NotFoundError: no run has that id, or it had not begun by then.
        UsageError: several runs fit.
        JunmaiError: the journal can't be read.
    """
    run = find_run(fold_runs(journal.read()), reference, journal.path)
    position = at.position_in(journal.read())
    events = list(_until(journal, position, f"{run.kind}/{run.id}"))
    if not events:
        raise NotFoundError(
            f"The run {run.id} had not begun by then",
            f"It began at {run.started.isoformat(timespec='seconds')}.",
        )
    return fold_runs(events)[0], events


def _until(journal: Journal, position: int | None, stream: str | None = None) -> Iterator[Event]:
    events = journal.read(stream)
    return takewhile(lambda event: position is None or event.position <= position, events)


def _is_of(run: Run, database: str) -> bool:
    """Whether a run was on a database: by its file's name, as the list shows it, or by its path.

    A path counts from the current folder, a recorded one from the folder in which its run was.
    """
    known = [path for path in (run.database, run.source, run.target) if path is not None]
    if database in known or database in {Path(path).name for path in known}:
        return True
    meant = str(Path(database).absolute())
    places = (address_from(run.folder, path) for path in known)
    return any(place is not None and is_same_place(place, meant) for place in places)
