"""What dead runs left behind: looked at, cleaned of staged files, and closed in the journal.

A run is dead when its OS lock is free and its stream has not ended. Before its switch a run records
the identity of the staged file, which a rename keeps; so what is found under the final name is
known to be the run's or not. The new thing is absent, partial (and removed) or complete.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from junmai_svc.service.logs import log
from junmai_svc.storage.databases.failures import translated
from junmai_svc.storage.databases.online_backup import remove_database
from junmai_svc.storage.errors import JournalConflictError
from junmai_svc.storage.files import STAGED_SUFFIX, identity_of
from junmai_svc.storage.journal.events import event_type, split_stream
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.journal.liveness import forget_dead, is_alive

Said = Mapping[str, Any]


def close_abandoned(journal: Journal) -> list[str]:
    """End the streams of dead runs as abandoned, their staged files removed; return the streams.

    Raises:
        JunmaiError: the journal can't be read or written, or a staged file not be removed.
    """
    closed = []
    for stream in journal.streams_open():
        kind, run = split_stream(stream)
        if is_alive(journal.path, run):
            continue
        events = list(journal.read(stream))
        said = {key: value for event in events for key, value in event.data.items()}
        with translated("clean up after a dead run at", journal.path):
            found = _look_and_clean(said)
        try:
            journal.append(
                stream,
                event_type(kind, "abandoned"),
                {"found": found, "after": events[-1].type},
                expected_version=events[-1].version,
                correlation=events[0].correlation,
                causation=events[-1].id,
            )
        except JournalConflictError:
            continue  # it was alive after all and has just ended, or another run closed it
        log().warning(f"{kind}.abandoned", dead_run=run, found=found)
        closed.append(stream)
    forget_dead(journal.path)
    return closed


def _look_and_clean(said: Said) -> str:
    final = _final(said)
    staged = [path for path in _staged(said) if path.exists()]
    for path in _staged(said):
        remove_database(path)
    if final is not None and final.exists() and identity_of(final) == said.get("file"):
        # An image without its manifest is no snapshot, and nobody would ever remove it.
        if "target" in said or final.with_suffix(".json").exists():
            return "complete"
        final.unlink()
        return "partial"
    return "partial" if staged else "absent"


def _final(said: Said) -> Path | None:
    named = said.get("target") or said.get("image")
    return _where_it_ran(said) / named if isinstance(named, str) else None


def _staged(said: Said) -> list[Path]:
    """The staged files that the run named; only names of our own making are ever touched."""
    named = [said.get("staged"), said.get("scratch")]
    paths = [_where_it_ran(said) / name for name in named if isinstance(name, str)]
    return [p for p in paths if p.name.startswith(".") and p.name.endswith(STAGED_SUFFIX)]


def _where_it_ran(said: Said) -> Path:
    """The folder from which relative paths count; ours need not be that of the dead run."""
    process = said.get("process")
    folder = process.get("folder") if isinstance(process, dict) else None
    return Path(folder) if isinstance(folder, str) else Path()
