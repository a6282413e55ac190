"""What dead runs left behind: looked at, cleaned of staged files, and closed in the journal.

A run is dead when its OS lock is free and its stream has not ended. Before its switch a run records
the identity of the staged file, which a rename keeps; so what is found under the final name is
known to be the run's or not. The new thing is absent, partial (and removed) or complete.
"""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

from junmai_svc.service.logs import log
from junmai_svc.service.scratch import remove_left
from junmai_svc.storage.databases.failures import translated
from junmai_svc.storage.databases.online_backup import remove_database
from junmai_svc.storage.errors import JournalConflictError, JunmaiError
from junmai_svc.storage.files import STAGED_SUFFIX, identity_of, remove, token_of
from junmai_svc.storage.journal.entry import Event
from junmai_svc.storage.journal.events import event_type, split_stream
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.journal.liveness import forget_dead, is_alive

Said = Mapping[str, Any]

# What a copy that died has told of the snapshot which it had stored by then.
_COPIED = ("snapshot", "checksum", "size")


def close_abandoned(journal: Journal) -> list[str]:
    """End the streams of dead runs as abandoned, their staged files removed; return the streams.

    Raises:
        JunmaiError: the journal can't be read or written.
    """
    closed: list[str] = []
    opened = journal.streams_open()
    dead = [s for s in opened if not is_alive(journal.path, split_stream(s)[1])]
    # What lives, such as a daemon for years, need not be read where nobody died.
    streams = {stream: list(journal.read(stream)) for stream in opened} if dead else {}
    # A name may have been announced by a run that died before it saw that another one has it.
    taken = {path for s in streams if s not in dead for path in _staged(_said(streams[s]))}
    for stream in dead:
        kind, run = split_stream(stream)
        events = streams[stream]
        said = _said(events)
        found = _found(said, run, taken)
        what = _COPIED if kind == "copy" and found == "complete" else ()
        try:
            journal.append(
                stream,
                event_type(kind, "abandoned"),
                {"found": found, "after": events[-1].type}
                | {n: said[n] for n in what if n in said},
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


def _found(said: Said, run: str, taken: AbstractSet[Path]) -> str:
    """What is left of a run; that it can't be removed must not stop those who come after."""
    try:
        with translated("clean up after a dead run at", _where_it_ran(said)):
            return _look_and_clean(said, run, taken)
    except JunmaiError as problem:
        log().warning("recovery.left", dead_run=run, problem=problem.message)
        return "partial"


def _said(events: Iterable[Event]) -> Said:
    """All that a run has told, the last word on each thing."""
    return {key: value for event in events for key, value in event.data.items()}


def _look_and_clean(said: Said, run: str, taken: AbstractSet[Path]) -> str:
    final = _final(said)
    named = [path for path in _staged(said) if path not in taken]
    staged = [path for path in named if path.exists()]
    for path in named:
        remove_database(path)
    room = said.get("room")
    was_there = isinstance(room, str) and remove_left(Path(room))
    for path in _small_files(said, run):
        remove(path)
    if final is None and "snapshot" in said and "image" not in said:
        return "unknown"  # its store, which may be far away, says whether the snapshot is there
    if final is not None and final.exists() and identity_of(final) == said.get("file"):
        # An image without its manifest is no snapshot, and nobody would ever remove it.
        if "target" in said or final.with_suffix(".json").exists():
            return "complete"
        remove(final)
        return "partial"
    return "partial" if staged or was_there else "absent"


def _final(said: Said) -> Path | None:
    named = said.get("target") or said.get("image")
    return _where_it_ran(said) / named if isinstance(named, str) else None


def _staged(said: Said) -> list[Path]:
    """The staged files that the run named; only names of our own making are ever touched."""
    named = [said.get(name) for name in ("staged", "scratch", "again", "borrowed")]
    paths = [_where_it_ran(said) / name for name in named if isinstance(name, str)]
    return [p for p in paths if p.name.startswith(".") and p.name.endswith(STAGED_SUFFIX)]


def _small_files(said: Said, run: str) -> list[Path]:
    """The manifest or log that it was writing into its store."""
    store = said.get("folder") or said.get("store")
    if not isinstance(store, str):
        return []
    return list((_where_it_ran(said) / store).glob(f".*.{token_of(run)}{STAGED_SUFFIX}"))


def _where_it_ran(said: Said) -> Path:
    """The folder from which relative paths count; ours need not be that of the dead run."""
    process = said.get("process")
    folder = process.get("folder") if isinstance(process, dict) else None
    return Path(folder) if isinstance(folder, str) else Path()
