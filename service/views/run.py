"""Runs of the journal and replays of them as plain data. Pure."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from junmai_svc.service.replay.replay import Replayed
from junmai_svc.service.story import name_of, told
from junmai_svc.service.views import run_view
from junmai_svc.storage.journal.entry import Event
from junmai_svc.storage.journal.projection import Run

View = dict[str, Any]


def history_view(runs: Sequence[Run], position: int | None) -> View:
    """The runs of a journal, newest first; `position` is that of the point they are shown as of."""
    listed = [run_view(run) for run in runs]
    return {"run": None, "status": "listed", "position": position, "runs": listed}


def story_view(run: Run, events: Sequence[Event]) -> View:
    """One run and its events in order, each with its words and its distance to the one before."""
    view = run_view(run)
    spent = (run.ended or events[-1].time) - run.started
    before = [events[0], *events]
    view["ms"] = milliseconds(spent)
    view["events"] = [event_view(event, last) for event, last in zip(events, before, strict=False)]
    return view


def event_view(event: Event, last: Event) -> View:
    """One event of a stream; `last` is the one before it."""
    return {
        "position": event.position,
        "version": event.version,
        "type": event.type,
        "name": name_of(event),
        "time": event.time.isoformat(),
        "after_ms": milliseconds(event.time - last.time),
        "text": told(event),
        "data": dict(event.data),
    }


def replayed_view(replayed: Replayed) -> View:
    """A replay: its verdict and all that was looked at."""
    return {
        "run": replayed.run,
        "status": replayed.verdict.value,
        "of": replayed.of.run,
        "of_kind": replayed.of.kind,
        "mode": replayed.mode,
        "reason": replayed.reason,
        "tables": replayed.tables,
        "looked": [
            {
                "subject": each.subject,
                "found": each.found.value,
                "text": each.text,
                "key": each.key,
            }
            for each in replayed.looked
        ],
    }


def milliseconds(span: timedelta) -> int:
    """A length of time in whole milliseconds; less than 0 where a clock was set back meanwhile."""
    return round(span.total_seconds() * 1000)
