"""Running the daemon: one for each journal, from its first event to its last.

The order at the start: lock, signals, journal (closing what dead runs left open), jobs. At the end:
no more work, what runs ends at a safe point, the last event, the lock.
"""

import os
import platform
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from msgspec import structs

from junmai_svc.service.configuration.file import Loaded
from junmai_svc.service.context import now
from junmai_svc.service.daemon.heap import give_back
from junmai_svc.service.daemon.job_memory import Memory
from junmai_svc.service.daemon.job_policy import problem_of
from junmai_svc.service.daemon.jobs import Job
from junmai_svc.service.daemon.known_stores import is_down
from junmai_svc.service.daemon.last_backups import LastBackups, Place
from junmai_svc.service.daemon.lock import Note, only_one, read_note, write_note
from junmai_svc.service.daemon.scheduler import Daemon, background_scheduler
from junmai_svc.service.daemon.standing_notes import (
    held_in,
    held_noted,
    noted,
    standings_in,
    times_in,
)
from junmai_svc.service.daemon.stopping import Stop, Stoppable, listening
from junmai_svc.service.logs import log
from junmai_svc.service.notify.crier import Crier
from junmai_svc.service.notify.messenger import Messenger, Undelivered
from junmai_svc.service.notify.notices import Trouble
from junmai_svc.service.notify.sending import Addresses
from junmai_svc.service.one_history import configured_places, keep_one_history
from junmai_svc.service.operation import Operation, operation
from junmai_svc.service.wiring import open_journal
from junmai_svc.storage.errors import JunmaiError, LockedError
from junmai_svc.storage.journal.journal import Journal

LOOK_SECONDS = 10.0
POLL_SECONDS = 0.25
# Between two tries at a journal that is locked; each waits a while itself.
LOCKED_SECONDS = 5.0
# How long what runs may take to come to a safe point; after that it is left to the next start.
STOP_SECONDS = 30.0
CONFIGURATION = "configuration"
# An event holds at most 65,535 bytes; a name of the configuration has up to 64.
NAMES_PER_EVENT = 200
UNSENT_IN_NOTE = 20


@dataclass(frozen=True)
class Inside:
    """What a running daemon shows of itself; may be asked from any thread.

    `memory` knows how it goes with each job, `planned` when each runs next, `loaded` is the
    configuration that counts now, `undelivered` says since when messages can't be sent.
    """

    loaded: Callable[[], Loaded]
    memory: Memory
    planned: Callable[[], Mapping[str, datetime | None]]
    journal: Path
    undelivered: Callable[[], Undelivered | None] = lambda: None


class Beside(Protocol):
    """What runs beside the jobs, and has something to do now and then."""

    def look_round(self) -> None:
        """Do what is to be done by now, without waiting for anything."""


def nothing_beside(_inside: Inside) -> AbstractContextManager[Beside | None]:
    """Return what does nothing as long as the daemon runs."""
    return nullcontext()


@dataclass(frozen=True)
class Setup:
    """What the configuration says: read, checked, and made anew on SIGHUP.

    `places` says where each backup is looked for in the journal, by subject. `beside` is what runs
    beside the jobs as long as the daemon does, such as its page.
    """

    loaded: Loaded
    jobs: tuple[Job, ...]
    addresses: Addresses
    remind: timedelta
    places: Mapping[str, Place]
    beside: Callable[[Inside], AbstractContextManager[Beside | None]] = nothing_beside


@dataclass
class _Running:
    """All that belongs to one running daemon."""

    loaded: Loaded
    stop: Stop
    daemon: Daemon
    crier: Crier
    messenger: Messenger
    memory: Memory
    journal: Path
    note: Note
    places: Mapping[str, Place]
    backups: LastBackups
    begun_with: Loaded
    written: Note | None = None


def run_daemon(
    journal: Path, set_up: Callable[[Stoppable], Setup], *, end: Callable[[int], None] = os._exit
) -> str:
    """Run the jobs until a signal asks to stop, and return the run's id, "" where none began.

    `set_up` reads the configuration, at the start and on SIGHUP. Where a job does not come to a
    safe point in time, the process ends at once all the same, with exit code 0. A journal in which
    somebody else is writing is waited for.

    Raises:
        LockedError: the installation has a daemon already.
        JunmaiError: the configuration or the journal can't be used.
    """
    stop = Stop()
    with ExitStack() as stack:
        stack.enter_context(listening(stop))
        setup = set_up(Stoppable(stop))
        stack.enter_context(only_one(journal))
        this = _begun(stack, journal, setup, stop)
        if this is None:
            return ""
        running = _begin(journal, stop, this, setup)
        inside = Inside(
            lambda: running.loaded,
            running.memory,
            running.daemon.planned,
            journal,
            running.messenger.undelivered,
        )
        all_ended = False
        try:
            with setup.beside(inside) as beside:
                _serve(running, this, set_up, beside)
        finally:
            all_ended = running.daemon.close(STOP_SECONDS, time.sleep)
            running.crier.flush(now(), everything=True)  # who knows when the next one starts
            running.messenger.close(5.0)
            _write_note(running)
        left = running.daemon.running()
        asked = signal.Signals(stop.signum).name if stop.signum is not None else ""
        this.conclude("stopped", signal=asked, left=left)
        if not all_ended:
            log().warning("daemon.left_running", jobs=left)
            stack.close()
            end(0)
        return this.id


def _begun(stack: ExitStack, journal: Path, setup: Setup, stop: Stop) -> Operation | None:
    """Open the journal and begin the run; None where a signal came while the journal was locked."""
    start = {"configuration": _path(setup), "jobs": _ids(setup.jobs)}
    while stop.signum is None:
        with ExitStack() as attempt:
            try:
                opened = attempt.enter_context(open_journal(journal, create=True))
                with configured_places(setup.loaded) as places:  # before anything is recorded
                    keep_one_history(opened, places())
                this = attempt.enter_context(operation(opened, "daemon", journal, start=start))
            except LockedError as problem:
                # To end here with 11 would say that a daemon is there already, and none would be.
                log().warning("journal.locked", problem=problem_of(problem))
            else:
                stack.enter_context(attempt.pop_all())
                return this
        waited = time.monotonic()
        while stop.signum is None and time.monotonic() - waited < LOCKED_SECONDS:
            time.sleep(POLL_SECONDS)
    return None


def _learn(running: _Running, journal: Journal) -> None:
    """Hear from the journal when backups were taken, by whomever: the daemon, or by hand."""
    try:
        running.backups.feed(journal.read(after=running.backups.position))
    except JunmaiError as problem:
        log().error("journal.unreadable", problem=problem.message)
        return
    for subject, place in running.places.items():
        when = running.backups.newest.get(place)
        heard = now()
        if when is not None and running.memory.learn(subject, when, heard):
            running.crier.went_well(subject, heard)


def _path(setup: Setup) -> str:
    return str(setup.loaded.path.absolute()) if setup.loaded.path else ""


def _ids(jobs: tuple[Job, ...]) -> list[str]:
    """The names of the jobs, as many as an event may hold."""
    return [job.id for job in jobs][:NAMES_PER_EVENT]


def _subjects(jobs: tuple[Job, ...]) -> dict[str, str | None]:
    """What people may be told of, and the store that it is about."""
    return {CONFIGURATION: None, **{part.subject: part.store for job in jobs for part in job.parts}}


def _begin(journal: Path, stop: Stop, this: Operation, setup: Setup) -> _Running:
    started = now()
    before = read_note(journal)
    memory = Memory(started, times_in(before.waiting))
    for subject, when in times_in(before.succeeded).items():
        memory.learn(subject, when)
    messenger = Messenger(setup.addresses, before.unsent)
    crier = Crier(
        messenger.tell,
        messenger.ping,
        setup.remind,
        standings_in(before.standings),
        times_in(before.spoken),
        held_in(before.held),
    )
    crier.configured(_subjects(setup.jobs))
    crier.went_well(CONFIGURATION, started)

    def record(name: str, data: Mapping[str, Any]) -> None:
        try:
            this.record(name, **data)
        except JunmaiError as problem:  # it is in the log, at least
            log().error("journal.unwritable", last=name, problem=problem.message, **data)

    def store_is_down(store: str) -> bool:
        return is_down(running.loaded, store)

    scheduler = background_scheduler()
    daemon = Daemon(scheduler, stop, record, crier, now, memory, store_is_down=store_is_down)
    note = Note(
        pid=os.getpid(),
        host=platform.node(),
        since=started.isoformat(),
        run=this.id,
        configuration=_path(setup),
    )
    running = _Running(
        setup.loaded,
        stop,
        daemon,
        crier,
        messenger,
        memory,
        journal,
        note,
        setup.places,
        LastBackups(),
        setup.loaded,
    )
    _learn(running, this.journal)
    _write_note(running)
    daemon.start(setup.jobs)
    log().info("daemon.ready", jobs=_ids(setup.jobs))
    return running


def _serve(
    running: _Running,
    this: Operation,
    set_up: Callable[[Stoppable], Setup],
    beside: Beside | None,
) -> None:
    looked = -LOOK_SECONDS
    while running.stop.signum is None:
        # Short sleeps, as a handler can't wake a lock that is waited for, on some systems at all.
        time.sleep(POLL_SECONDS)
        if running.stop.hung_up:
            running.stop.hung_up = False
            _reload(running, this, set_up)
            looked = -LOOK_SECONDS  # at once
        if time.monotonic() - looked >= LOOK_SECONDS:
            looked = time.monotonic()
            _learn(running, this.journal)
            running.daemon.look_round()
            running.crier.flush(now())
            _write_note(running)
            if beside is not None:
                beside.look_round()


def _reload(running: _Running, this: Operation, set_up: Callable[[Stoppable], Setup]) -> None:
    """Read the configuration again; a bad one changes nothing, and is said to."""
    when = now()
    try:
        setup = set_up(Stoppable(running.stop))
    except JunmaiError as problem:
        log().error("configuration.refused", kept="the old one", problem=problem_of(problem))
        _record(this, "configuration_refused", message=problem.message, hint=problem.hint)
        text = f"The old one is kept. {problem_of(problem)}"
        running.crier.went_wrong(CONFIGURATION, Trouble.FAILED, text, when)
        return
    running.messenger.replace(setup.addresses)
    running.crier.remind = setup.remind
    left = needs_restart(running.begun_with, setup.loaded)
    if left:
        log().warning("configuration.needs_restart", keys=left)
        text = f"The new one is taken, but a restart is needed for: {', '.join(left)}."
        running.crier.went_wrong(CONFIGURATION, Trouble.FAILED, text, when)
    else:
        running.crier.went_well(CONFIGURATION, when)
    running.crier.configured(_subjects(setup.jobs))
    running.loaded, running.places = setup.loaded, setup.places
    _learn(running, this.journal)
    running.daemon.replace(setup.jobs)
    log().info("configuration.reloaded", jobs=_ids(setup.jobs))
    _record(this, "configuration_reloaded", jobs=_ids(setup.jobs), needs_restart=left)


def needs_restart(before: Loaded, after: Loaded) -> list[str]:
    """Return the keys that differ and count from the next start of the daemon on. Pure."""
    one, other = before.configuration, after.configuration
    return [
        f"{section}.{key}"
        for section in ("journal", "status", "log")
        for key, value in structs.asdict(getattr(one, section)).items()
        if value != getattr(getattr(other, section), key)
    ]


def _record(this: Operation, name: str, **data: Any) -> None:
    try:
        this.record(name, **data)
    except JunmaiError as problem:
        log().error("journal.unwritable", last=name, problem=problem.message)


def _write_note(running: _Running) -> None:
    note = running.memory.noted_in(running.note, running.daemon.planned())
    note = structs.replace(
        note,
        standings=noted(running.crier.standings()),
        spoken={store: when.isoformat() for store, when in running.crier.spoken().items()},
        held=held_noted(running.crier.held()),
        unsent=running.messenger.unsent()[-UNSENT_IN_NOTE:],
    )
    if note != running.written:
        try:
            write_note(running.journal, note)
        except OSError as error:
            log().warning("note.unwritable", problem=str(error))
        else:
            running.written = note
            give_back()
