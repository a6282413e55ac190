"""What dead runs left behind: looked at, cleaned of staged files, and closed in the journal.

A run is dead when its OS lock is free and its stream has not ended. What its start and its steps
said it was writing is compared with what is on disk: the new thing is absent, partial (only the
staged file is there, and is removed) or complete (the rename had happened).
"""

from pathlib import Path

from junmai_svc.service.logs import log
from junmai_svc.storage.databases.online_backup import remove_database
from junmai_svc.storage.errors import JournalConflictError
from junmai_svc.storage.files import STAGED_SUFFIX
from junmai_svc.storage.journal.events import event_type, split_stream
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.journal.liveness import is_alive


def close_abandoned(journal: Journal) -> list[str]:
    """End the streams of dead runs as abandoned and return them.

    Raises:
        JunmaiError: the journal can't be read or written.
    """
    closed = []
    for stream in journal.streams_open():
        kind, run = split_stream(stream)
        if is_alive(journal.path, run):
            continue
        events = list(journal.read(stream))
        said = {key: value for event in events for key, value in event.data.items()}
        found = _found(said)
        for staged in _staged(said):
            remove_database(staged)
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
    return closed


def _found(said: dict[str, object]) -> str:
    final = said.get("target") or said.get("image")
    if any(staged.exists() for staged in _staged(said)):
        return "partial"
    began = "staged" in said
    return "complete" if began and isinstance(final, str) and Path(final).exists() else "absent"


def _staged(said: dict[str, object]) -> list[Path]:
    """The staged files that the run named; only names of our own making are ever touched."""
    named = [said.get("staged"), said.get("scratch")]
    paths = [Path(name) for name in named if isinstance(name, str)]
    return [p for p in paths if p.name.startswith(".") and p.name.endswith(STAGED_SUFFIX)]
