"""Runs as the events tell them: a pure fold, which can be built anew at any time.

What the data of an event holds is input: a field that is missing or of another kind reads as None.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from junmai_svc.storage.journal.addresses import folder_of
from junmai_svc.storage.journal.entry import Event
from junmai_svc.storage.journal.events import OPERATIONS, RUNNING, Role, kind_of

# The steps that name the snapshot which a run made.
SNAPSHOT_NAMED = {"backup_linked", "snapshot_taken", "stored"}


@dataclass(frozen=True, slots=True)
class Run:
    """One operation. `id` is what `show` takes, `kind` the category of its stream.

    `status` is the name of the terminal event, such as `verified`, or "running" where there is none
    yet: also that of a run which died and has not been recorded as abandoned. `database`, `source`
    and `target` are as the start recorded them, relative ones counting from `folder`; `snapshot` is
    the one it made.
    """

    id: str
    kind: str
    status: str
    started: datetime
    ended: datetime | None
    actor: str
    database: str | None
    source: str | None
    target: str | None
    command: str | None
    snapshot: str | None
    message: str | None
    folder: str | None = None


def fold_runs(events: Iterable[Event]) -> list[Run]:
    """Return the runs that events tell of, the newest first by position.

    Events of a stream whose start is not among them are passed over.
    """
    runs: dict[str, Run] = {}
    snapshots: dict[str, str | None] = {}
    for event in events:
        kind = kind_of(event.type)
        if kind is None or kind.category not in OPERATIONS:
            continue
        if kind.role is Role.START:
            runs[event.stream] = _started(event)
        elif kind.name in SNAPSHOT_NAMED:
            snapshots[event.stream] = _text(event, "snapshot")
        elif kind.role is Role.TERMINAL and event.stream in runs:
            snapshot = snapshots.pop(event.stream, None)
            runs[event.stream] = _ended(runs[event.stream], event, kind.name, snapshot)
    for stream in runs.keys() & snapshots.keys():
        runs[stream] = replace(runs[stream], snapshot=snapshots[stream])
    return list(reversed(runs.values()))


def _started(event: Event) -> Run:
    kind, _, run_id = event.stream.partition("/")
    return Run(
        id=run_id,
        kind=kind,
        status=RUNNING,
        started=event.time,
        ended=None,
        actor=event.actor,
        database=_text(event, "database"),
        source=_text(event, "source"),
        target=_text(event, "target"),
        command=_text(event, "command"),
        snapshot=None,
        message=None,
        folder=folder_of(event.data),
    )


def _ended(run: Run, event: Event, status: str, snapshot: str | None) -> Run:
    message = _text(event, "message") or _text(event, "error")
    return replace(run, status=status, ended=event.time, message=message, snapshot=snapshot)


def _text(event: Event, field: str) -> str | None:
    value = event.data.get(field)
    return value if isinstance(value, str) else None
