"""The lease that keeps two runs off one database: the newest event of its stream tells who has it.

A lease ends when it is given back, or when the run that took it is no longer alive. Two runs that
want it at once append at the same expected version, so one of them is refused and looks again.
"""

import os
import uuid
from contextlib import suppress
from pathlib import Path

from junmai_svc.storage.errors import JournalConflictError, LockedError
from junmai_svc.storage.files import without_links
from junmai_svc.storage.journal import events
from junmai_svc.storage.journal.entry import Event
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.journal.liveness import is_alive

_REGISTERED = events.event_type("database", "registered")
_TAKEN = events.event_type("database", "lease_taken")
_RELEASED = events.event_type("database", "lease_released")


def database_id(journal_id: str, path: Path) -> str:
    """Return the id of a database in one journal: the same for every way to name its file.

    It is the UUID version 5 (RFC 9562 section 5.5) of the resolved path, in the normal case of the
    system, with the journal's id as the name space. The file need not exist.
    """
    return str(uuid.uuid5(uuid.UUID(journal_id), os.path.normcase(without_links(path))))


def register_database(journal: Journal, path: Path, run_id: str) -> str:
    """Return a database's id; on return the journal knows the database.

    The first time it is seen, `database.registered` records its resolved path.

    Raises:
        JunmaiError: as `Journal.append`, without JournalConflictError.
    """
    identifier = database_id(journal.journal_id, path)
    stream = events.stream_name("database", identifier)
    if journal.last(stream) is None:
        data = {"database": str(without_links(path))}
        # A conflict means that another run was first, and said the same.
        with suppress(JournalConflictError):
            journal.append(stream, _REGISTERED, data, expected_version=0, correlation=run_id)
    return identifier


def take_lease(journal: Journal, database_id: str, run_id: str) -> Event:
    """Take a registered database for a run; on return no other run has it or can take it.

    The run must hold its `RunLock`, or its lease counts as abandoned. Taking a lease again that the
    run has already changes nothing.

    Raises:
        LockedError: a run that is alive has it; the message names that run and when it began.
        UsageError: the database is not registered, or the run's id is not a UUID.
        JunmaiError: as `Journal.append`.
    """
    stream = events.stream_name("database", database_id)
    events.require_uuid(run_id, "A run")
    while True:
        last = journal.last(stream)
        data = {"run": run_id}
        if last is not None and last.type == _TAKEN:
            holder = str(last.data.get("run"))
            if holder == run_id:
                return last
            if is_alive(journal.path, holder):
                raise _held(journal, database_id, last, holder)
            data["taken_over_from"] = holder
        try:
            return journal.append(
                stream,
                _TAKEN,
                data,
                expected_version=last.version if last else 0,
                correlation=run_id,
                causation=last.id if last else None,
            )
        except JournalConflictError:
            # Somebody else was first, so the stream has grown: look again at who has it now.
            continue


def release_lease(journal: Journal, database_id: str, run_id: str) -> Event:
    """Give a run's lease back; doing so twice changes nothing.

    Raises:
        JournalConflictError: the run doesn't have it, or it has been taken over.
        JunmaiError: as `Journal.append`.
    """
    stream = events.stream_name("database", database_id)
    last = journal.last(stream)
    if last is None or last.data.get("run") != run_id:
        raise JournalConflictError(
            f"The run {run_id} doesn't have the database {database_id}",
            "Another run may have taken it over; see the journal's history.",
        )
    if last.type == _RELEASED:
        return last
    return journal.append(
        stream,
        _RELEASED,
        {"run": run_id},
        expected_version=last.version,
        correlation=run_id,
        causation=last.id,
    )


def _held(journal: Journal, database_id: str, taken: Event, holder: str) -> LockedError:
    registered = _first(journal, taken.stream)
    name = database_id if registered is None else registered.data.get("database", database_id)
    starts = (_first(journal, events.stream_name(kind, holder)) for kind in events.OPERATIONS)
    begun = next((start for start in starts if start is not None), taken)
    command = begun.data.get("command")
    what = f"the run {holder} ({command})" if isinstance(command, str) else f"the run {holder}"
    return LockedError(
        f"The database {name} is in use by {what}, begun {begun.time:%Y-%m-%d %H:%M:%S} UTC",
        "Wait until it has finished, or see what it does with"
        f" `junmai-svc --journal {journal.path} show {holder}`.",
    )


def _first(journal: Journal, stream: str) -> Event | None:
    return next(journal.read(stream), None)
