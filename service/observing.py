"""What a running daemon looks at to tell how everything stands: stores, journal, its own jobs.

Stores are listed once a minute at most, whoever asks how often; one that does not answer keeps what
was seen of it before. The journal and the jobs are looked at each time.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path, PurePath

from junmai_svc.service.configuration import DatabaseSection, duration
from junmai_svc.service.configuration_file import Loaded
from junmai_svc.service.context import now
from junmai_svc.service.daemon_run import Inside
from junmai_svc.service.history import show_run
from junmai_svc.service.job_memory import Course
from junmai_svc.service.job_targets import path_of, stores_of
from junmai_svc.service.observation import (
    Job,
    JobOutcome,
    JournalFacts,
    Listing,
    Observation,
    Proof,
    ProofOutcome,
    StoredSnapshot,
    Watched,
)
from junmai_svc.service.page import page_text
from junmai_svc.service.schedule import parse
from junmai_svc.service.status import Status, fold_status
from junmai_svc.service.status_server import StatusServer
from junmai_svc.service.stores import Named, open_store, place_of
from junmai_svc.service.version import __version__
from junmai_svc.service.wiring import open_journal
from junmai_svc.storage.errors import JunmaiError, NotFoundError
from junmai_svc.storage.journal.folding import RUNS, Row, rows_named
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.journal.projection import Run
from junmai_svc.storage.journal.published import published_to

LISTED = timedelta(minutes=1)

# What each end of a run says of the snapshot that it was about.
_OUTCOMES = {
    "verification.completed": ProofOutcome.PROVEN,
    "verification.mismatch_found": ProofOutcome.FAILED,
    "restore.switched": ProofOutcome.PROVEN,
    "drill.proven": ProofOutcome.PROVEN,
    "drill.failed": ProofOutcome.FAILED,
    "drill.inconclusive": ProofOutcome.INCONCLUSIVE,
}


def page_beside(inside: Inside) -> AbstractContextManager[object]:
    """Return the server of the status page of a running daemon, as its configuration says.

    Raises:
        JunmaiError: its address can't be listened on.
    """
    observer = Observer(inside)
    listen = inside.loaded().configuration.status.listen
    return StatusServer(listen, observer.status, observer.report)


class Observer:
    """Looks for one daemon; may be asked from any thread."""

    def __init__(self, inside: Inside, clock: Callable[[], datetime] = now) -> None:
        self._inside = inside
        self._clock = clock
        self._listings: dict[str, Listing] = {}
        self._lock = threading.Lock()

    def status(self) -> Status:
        """Return how everything stands now; what can't be looked at is said in it."""
        when, loaded = self._clock(), self._inside.loaded()
        with self._lock:
            listings = tuple(self._listing(loaded, name, when) for name in _stores(loaded))
        runs, proofs, facts = self._journal(loaded)
        drill = loaded.configuration.drill.schedule
        observation = Observation(
            when,
            self._inside.memory.started,
            __version__,
            tuple(_watched(loaded, section) for section in loaded.configuration.databases),
            listings,
            proofs,
            runs,
            tuple(self._jobs()),
            facts,
            parse(drill) if drill else None,
        )
        return fold_status(observation)

    def report(self, run: str) -> str | None:
        """Return the page of a run, None where there is none."""
        try:
            with open_journal(self._inside.journal, create=False) as journal:
                found, events = show_run(journal, run)
                return page_text(journal, found, events, self._inside.loaded())
        except NotFoundError:
            return None

    def _listing(self, loaded: Loaded, name: str, when: datetime) -> Listing:
        known = self._listings.get(name, Listing(name))
        if known.looked is not None and timedelta(0) <= when - known.looked < LISTED:
            return known
        try:
            found = _listed(loaded, name, when)
        except NotFoundError:
            found = Listing(name, when)  # nothing was ever stored there
        except JunmaiError as problem:
            found = replace(known, looked=when, problem=problem.message)
        self._listings[name] = found
        return found

    def _journal(self, loaded: Loaded) -> tuple[tuple[Run, ...], tuple[Proof, ...], JournalFacts]:
        path = self._inside.journal
        try:
            with open_journal(path, create=False) as journal:
                size = path.stat().st_size
                rows = [*rows_named(journal.projection(), RUNS)]
                places = _addresses(loaded)
                facts = _facts(journal, size, places)
        except (JunmaiError, OSError) as problem:
            message = problem.message if isinstance(problem, JunmaiError) else str(problem)
            return (), (), JournalFacts(problem=message)
        rows.sort(key=lambda each: int(each[1]["position"]), reverse=True)
        proofs = tuple(_proofs((row for _, row in rows), places))
        return tuple(_run(stream, row) for stream, row in rows), proofs, facts

    def _jobs(self) -> Iterator[Job]:
        memory, planned = self._inside.memory, self._inside.planned()
        for course in memory.courses():
            succeeded = memory.succeeded(course.part.subject)
            yield _job(course, succeeded, planned.get(course.job))


def _stores(loaded: Loaded) -> list[str]:
    named = [s for d in loaded.configuration.databases for s in stores_of(loaded, d)]
    return [*dict.fromkeys((*named, *loaded.configuration.stores))]


def _watched(loaded: Loaded, section: DatabaseSection) -> Watched:
    path = path_of(loaded, section)
    return Watched(
        section.name,
        str(path),
        tuple(stores_of(loaded, section)),
        parse(section.schedule) if section.schedule else None,
        duration(section.overdue_after) if section.overdue_after else None,
        frozenset({section.path}),
    )


def _listed(loaded: Loaded, name: str, when: datetime) -> Listing:
    store = open_store(loaded, Named(name), now)
    try:
        good, bad = store.snapshots()
    except OSError as error:
        return Listing(name, when, problem=str(error))
    finally:
        store.backend.close()
    paths = {path_of(loaded, each): each.name for each in loaded.configuration.databases}
    return Listing(
        name,
        when,
        tuple(
            StoredSnapshot(
                each.name,
                _database_of(each.manifest.original_path, paths),
                each.manifest.taken,
                each.manifest.file_size,
                each.manifest.new_bytes,
                each.manifest.reason,
            )
            for each in good
        ),
        tuple(each.manifest for each in bad),
    )


def _database_of(original: str, paths: dict[Path, str]) -> str:
    """The configured name of a database by the path in a manifest, which may be a relative one."""
    path = PurePath(original)
    for known, name in paths.items():
        if path == known or (
            not path.is_absolute() and known.parts[-len(path.parts) :] == path.parts
        ):
            return name
    return original


def _addresses(loaded: Loaded) -> dict[str, str]:
    """The configured names of the stores by their addresses, as the journal has them."""
    found = {}
    for name in loaded.configuration.stores:
        place = place_of(loaded, Named(name))
        found[str(place.folder.absolute()) if place.folder else place.backend.url] = name
        place.backend.close()
    return found


def _facts(journal: Journal, size: int, places: dict[str, str]) -> JournalFacts:
    events = journal.head().size
    sizes = []
    for address in places:
        tree = published_to(journal, address)
        sizes.append(tree.size if tree else 0)
    return JournalFacts(size, events, events - max(sizes) if sizes else None)


def _proofs(rows: Iterable[Row], places: dict[str, str]) -> Iterator[Proof]:
    for row in rows:
        outcome = _OUTCOMES.get(f"{row['kind']}.{row['status']}")
        if outcome is not None and row["subject"] and row["ended"]:
            yield Proof(
                row["subject"],
                datetime.fromisoformat(row["ended"]),
                outcome,
                places.get(row["store"] or ""),
                row["message"] or "",
            )


def _run(stream: str, row: Row) -> Run:
    kind, _, identifier = stream.partition("/")
    return Run(
        id=identifier,
        kind=kind,
        status=row["status"],
        started=datetime.fromisoformat(row["started"]),
        ended=datetime.fromisoformat(row["ended"]) if row["ended"] else None,
        actor=row["actor"],
        database=row["database"],
        source=row["source"],
        target=row["target"],
        command=row["command"],
        snapshot=row["snapshot"],
        message=row["message"],
    )


def _job(course: Course, succeeded: datetime | None, following: datetime | None) -> Job:
    outcome = JobOutcome(course.outcome.value) if course.outcome else None
    return Job(
        course.kind,
        course.part.database,
        course.part.store,
        outcome,
        course.finished,
        course.seconds,
        course.message,
        course.failures,
        succeeded,
        following,
        {JobOutcome(each.value): number for each, number in course.counts.items()},
    )
