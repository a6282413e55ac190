"""One run as a page shows it: everything in words and in shares of a bar. Pure.

What an event holds is input: what is missing or of another kind is left out of the page.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from junmai_svc.service.fields import Data, list_of, number_of, object_of, objects_of, text_of
from junmai_svc.service.page.checks import checks_shown, failed_checks
from junmai_svc.service.page.tables import rules_shown, tables_shown
from junmai_svc.service.story import CLOCK_WENT_BACK, clock_went_back, count, name_of, span, told
from junmai_svc.storage.journal.entry import Event
from junmai_svc.storage.journal.events import RUNNING
from junmai_svc.storage.journal.projection import Run

View = dict[str, Any]

GROUPED = "table_copied"
_GOOD = {"verified", "completed", "switched", "confirmed", "reproduced", "proven", "stopped"}
_OPEN = {RUNNING, "abandoned", "input_missing", "not_reproducible", "inconclusive"}
_FACTS = (
    ("Database", "database"),
    ("Target", "target"),
    ("Snapshot", "snapshot"),
    ("Store", "store"),
)

_RECIPE = (("Plan (SHA-256)", "plan"), ("Clock", "clock"), ("Seed", "seed"))


@dataclass(frozen=True)
class Proof:
    """What lets others check the page: the journal's signed checkpoint and its public key."""

    journal: str
    checkpoint: str | None = None
    public_key: str | None = None
    store: str | None = None


@dataclass(frozen=True)
class Missing:
    """What was too large for an event and can't be had from any store; `why` is a sentence."""

    position: int
    event: str
    digest: str
    why: str


def page_view(
    run: Run, events: Sequence[Event], proof: Proof, missing: Sequence[Missing] = ()
) -> View:
    """Everything that the page of a run shows; what was too large for an event is in its data."""
    data = {_name(event): event.data for event in events}
    planned, verified = data.get("planned", {}), data.get("verified", {})
    copied = [event.data for event in events if _name(event) == GROUPED]
    tables = tables_shown(copied, verified)
    start, last = events[0], events[-1]
    ended = run.ended or last.time
    return {
        "run": run.id,
        "kind": run.kind,
        "status": run.status.replace("_", " "),
        "mood": "good" if run.status in _GOOD else "open" if run.status in _OPEN else "bad",
        "title": _title(run, start.data),
        "lead": _lead(run, start.data, tables, snapshot="backup_linked" in data),
        "message": run.message if run.status not in _GOOD else None,
        "hint": text_of(last.data, "hint"),
        "when": day(run.started),
        "actor": run.actor.removeprefix("actor:"),
        "figures": [
            *_figures(tables, data.get("constraints_checked")),
            (span(ended - run.started), f"from start to end{_doubt(events)}"),
        ],
        "facts": _facts(run, events),
        "tables": [table for table in tables if table["rows"]],
        "empty": [table["name"] for table in tables if not table["rows"]],
        "timed": any(table["time"] for table in tables),
        "rules": rules_shown(planned, verified),
        "notes": [str(note) for note in list_of(planned, "notes")],
        "carried": [str(name) for name in list_of(planned, "carried")],
        "missing": [vars(each) for each in missing],
        "checked": "constraints_checked" in data,
        **checks_shown(data.get("constraints_checked", {})),
        "looked": objects_of(last.data, "looked"),
        "timeline": _timeline(events),
        "digests": [(table["name"], table["digest"]) for table in tables if table["digest"]],
        "circumstances": _circumstances(planned),
        "proof": proof,
        "positions": (start.position, last.position),
    }


def day(time: datetime) -> str:
    """A time in UTC as a page shows it: `27 November 2026, 14:00:05 UTC`."""
    return f"{time.day} {time:%B %Y, %H:%M:%S} UTC"


def _title(run: Run, start: Data) -> list[str]:
    """The page's title: one name, or two with an arrow between them."""
    names = [run.database]
    if run.kind in {"migration", "verification"}:
        names = [run.source or run.database, run.target]
    elif run.kind == "restore":
        names = [text_of(start, "snapshot"), run.target]
    return [_file(name) for name in names if name]


def _lead(run: Run, start: Data, tables: Sequence[View], *, snapshot: bool) -> str:
    """What was done, in a sentence; "" where the rest of the page says it."""
    done = run.status in _GOOD
    if run.kind == "replay":
        how = "run again from its snapshot"
        how = how if text_of(start, "mode") == "execute" else "looked at again"
        text = f"The {text_of(start, 'of_kind')} {text_of(start, 'of')} was {how}"
        return f"{text}: {run.message}." if done and run.message else f"{text}."
    if run.kind != "migration" or not done:
        return ""
    rows = count(sum(table["rows"] for table in tables), "row")
    against = "snapshot taken before" if snapshot else "source"
    return (
        f"{rows} in {count(len(tables), 'table')} were moved to the current schema, and every"
        f" value was compared with the {against}."
    )


def _figures(tables: Sequence[View], checked: Data | None) -> Iterator[tuple[str, str]]:
    if tables:
        yield f"{sum(table['rows'] for table in tables):,}", "rows"
        yield f"{len(tables):,}", "tables"
    if checked is not None:
        yield f"{number_of(checked, 'checks'):,}", "checks"
        if (failed := failed_checks(checked)) is not None:
            yield f"{failed:,}", "failed"


def _facts(run: Run, events: Sequence[Event]) -> list[tuple[str, str]]:
    told_first = events[0].data
    facts = [
        (label, value)
        for label, name in _FACTS
        if (value := getattr(run, name, None) or text_of(told_first, name))
    ]
    checksum = next((c for event in events if (c := text_of(event.data, "checksum"))), "")
    return facts + ([("SHA-256", checksum)] if checksum else [])


def _circumstances(planned: Data) -> list[tuple[str, str]]:
    """What decides about a second execution beside the snapshot."""
    versions = object_of(planned, "versions")
    told_of = [(label, text_of(planned, name)) for label, name in _RECIPE]
    told_of += [(f"{name} version", str(version)) for name, version in versions.items()]
    return [(label, value) for label, value in told_of if value]


def _timeline(events: Sequence[Event]) -> list[View]:
    """The steps in order, each with its distance to the start; tables that were copied as one."""
    steps = []
    for is_copied, some in groupby(events, lambda event: _name(event) == GROUPED):
        group = list(some)
        if is_copied and len(group) > 1:
            steps.append(_tables_copied(group, events[0].time))
        else:
            steps += [_step(event, events[0].time) for event in group]
    return steps


def _doubt(events: Sequence[Event]) -> str:
    return f"; {CLOCK_WENT_BACK}" if clock_went_back(events) else ""


def _step(event: Event, start: datetime) -> View:
    return {
        "at": span(event.time - start) if event.time < start else f"+ {span(event.time - start)}",
        "events": f"event {event.position}",
        "name": name_of(event).capitalize(),
        "text": told(event),
        "mood": "bad" if _name(event) == "failed" else "",
    }


def _tables_copied(group: Sequence[Event], start: datetime) -> View:
    rows = sum(number_of(event.data, "rows") for event in group)
    return _step(group[-1], start) | {
        "events": f"events {group[0].position} to {group[-1].position}",
        "name": "Tables copied",
        "text": f"{count(len(group), 'table')} with {count(rows, 'row')}",
    }


def _name(event: Event) -> str:
    return event.type.split(".")[2]


def _file(path: str) -> str:
    """The last part of a path of any system, or the name as it is."""
    return path.replace("\\", "/").rstrip("/").rpartition("/")[2] or path
