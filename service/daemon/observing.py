"""What the running daemon looks at for its page and its metrics: values for `service.status.fold`.

Nobody who asks waits for a store: listings are those of the last look. The daemon's own round looks
again at a store that a job has changed since, or that was not looked at for a while, whether or not
anybody asks, and so does each question; in a thread of its own, so a store that does not answer
keeps nobody waiting.
"""

import threading
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from junmai_svc.service.configuration.file import Loaded
from junmai_svc.service.configuration.form import DatabaseSection, duration
from junmai_svc.service.context import now
from junmai_svc.service.daemon.job_memory import Course
from junmai_svc.service.daemon.job_policy import problem_of
from junmai_svc.service.daemon.job_targets import (
    changes_in,
    path_of,
    stores_in_use,
    stores_of,
    subject_of,
)
from junmai_svc.service.daemon.known_stores import require_known_by
from junmai_svc.service.daemon.last_backups import absolute, folder_of
from junmai_svc.service.daemon.run import Inside
from junmai_svc.service.logs import log
from junmai_svc.service.notify.messenger import Undelivered
from junmai_svc.service.schedule import parse
from junmai_svc.service.status.observation import (
    Job,
    JobOutcome,
    JournalFacts,
    Listing,
    Observation,
    Proof,
    ProofOutcome,
    StoredSnapshot,
    Unsent,
    Watched,
)
from junmai_svc.service.stores import Named, open_store, place_of
from junmai_svc.service.version import __version__
from junmai_svc.service.wiring import open_journal
from junmai_svc.storage.databases.failures import translated
from junmai_svc.storage.errors import JunmaiError, NotFoundError
from junmai_svc.storage.journal.entry import Event
from junmai_svc.storage.journal.events import Role, kind_of
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.journal.projection import Run, fold_runs
from junmai_svc.storage.journal.published import published_to
from junmai_svc.storage.snapshots.base import Snapshot

AGAIN = timedelta(minutes=15)
AGAIN_AFTER_FAILURE = timedelta(minutes=1)
RECENT_EVENTS = 1_500
MIGRATION_EVENTS = 300
PROOFS = 2_000


class Observer:
    """Gathers what is known; `observe` may be called from any thread."""

    def __init__(self, inside: Inside) -> None:
        self._inside = inside
        self._listings: dict[str, Listing] = {}
        self._looking: set[str] = set()
        self._story = _Story()
        self._lock = threading.Lock()

    def look_round(self) -> None:
        """Look again at the stores where it is time, without waiting for any."""
        moment, loaded = now(), self._inside.loaded()
        for store in stores_in_use(loaded):
            self._look_again(store, loaded, moment)

    def observe(self) -> Observation:
        """Return all that is known by now, and see to it that more is known soon."""
        self.look_round()
        moment, loaded = now(), self._inside.loaded()
        configuration, stores = loaded.configuration, list(stores_in_use(loaded))
        urls = {_url(loaded, store): store for store in stores}
        facts = self._read_on(urls)
        with self._lock:
            listings = tuple(self._listings.get(store, Listing(store)) for store in stores)
            runs, proofs = self._story.runs(), tuple(self._story.proofs(urls))
        planned = self._inside.planned()
        memory = self._inside.memory
        return Observation(
            moment,
            memory.started,
            __version__,
            tuple(_watched(loaded, section) for section in configuration.databases),
            listings,
            proofs,
            tuple(runs),
            tuple(
                _job(each, planned.get(each.job), memory.succeeded(each.part.subject))
                for each in memory.courses()
            ),
            facts,
            parse(configuration.drill.schedule) if configuration.drill.schedule else None,
            _unsent(self._inside.undelivered()),
        )

    def _read_on(self, urls: Mapping[str, str]) -> JournalFacts:
        path = self._inside.journal
        try:
            with self._lock, open_journal(path, create=False) as journal:
                self._story.read_on(journal)
                size = journal.head().size
                trees = [published_to(journal, url) for url in urls]
            stored = sum(p.stat().st_size for p in (path, Path(f"{path}-wal")) if p.exists())
        except (JunmaiError, OSError) as problem:
            return JournalFacts(problem=str(problem))
        least = min((tree.size if tree else 0 for tree in trees), default=None)
        subjects = [subject_of("publish", None, store) for store in urls.values()]
        times = [self._inside.memory.succeeded(subject) for subject in subjects]
        known = [when for when in times if when is not None]
        published = min(known) if len(known) == len(times) and known else None
        return JournalFacts(stored, size, None if least is None else size - least, published)

    def _look_again(self, store: str, loaded: Loaded, moment: datetime) -> None:
        with self._lock:
            heard = [self._inside.memory.heard(subject) for subject in changes_in(loaded, store)]
            changed = max((when for when in heard if when is not None), default=None)
            listing = self._listings.setdefault(store, Listing(store))
            if store in self._looking or not is_stale(listing, changed, moment):
                return
            self._looking.add(store)
        look = partial(self._look, store, loaded)
        threading.Thread(target=look, name="look", daemon=True).start()

    def _look(self, store: str, loaded: Loaded) -> None:
        moment = now()
        try:
            found = self._listing_of(store, loaded, moment)
        except Exception as problem:  # noqa: BLE001  # a bug must not end all looks
            message = problem_of(problem)
            if isinstance(problem, JunmaiError):
                message = problem.message
            else:
                log().error("look.bug", store=store, exc_info=problem)
            with self._lock:
                found = replace(self._listings[store], looked=moment, problem=message)
        with self._lock:
            self._listings[store] = found
            self._looking.discard(store)

    def _listing_of(self, store: str, loaded: Loaded, moment: datetime) -> Listing:
        """List a store; one where nothing is must be new, or its disk is not there."""
        try:
            found = _listed(store, loaded, moment)
        except NotFoundError:
            require_known_by(self._inside.journal, loaded, store)
            raise
        if not found.snapshots and not found.unreadable:
            require_known_by(self._inside.journal, loaded, store)
        return found


def is_stale(listing: Listing, changed: datetime | None, moment: datetime) -> bool:
    """Tell whether a store is to be looked at again that was `changed` at a time. Pure."""
    if listing.looked is None or (changed is not None and changed >= listing.looked):
        return True
    again = AGAIN if listing.problem is None else AGAIN_AFTER_FAILURE
    # A clock that went back must not stop the looking.
    return not timedelta() <= moment - listing.looked < again


class _Story:
    """What the journal told lately: the newest events, those of migrations, and all proofs."""

    def __init__(self) -> None:
        self._position = -1
        self._recent: deque[Event] = deque(maxlen=RECENT_EVENTS)
        self._migrations: deque[Event] = deque(maxlen=MIGRATION_EVENTS)
        self._begun: dict[str, Event] = {}
        self._proofs: deque[Proof] = deque(maxlen=PROOFS)

    def read_on(self, journal: Journal) -> None:
        for event in journal.read(after=self._position):
            self._position = event.position
            kind = kind_of(event.type)
            category = kind.category if kind else ""
            (self._migrations if category == "migration" else self._recent).append(event)
            if category in {"drill", "verification"} and kind is not None:
                self._hear(event, kind.name, kind.role)

    def runs(self) -> list[Run]:
        both = [*self._migrations, *self._recent]
        return fold_runs(sorted(both, key=lambda event: event.position))

    def _hear(self, event: Event, name: str, role: Role) -> None:
        if role is Role.START:
            self._begun[event.stream] = event
        elif role is Role.TERMINAL and event.stream in self._begun:
            start = self._begun.pop(event.stream)
            outcome = _OUTCOMES.get(name, ProofOutcome.INCONCLUSIVE)
            snapshot = start.data.get("snapshot")
            if isinstance(snapshot, str):
                said = str(event.data.get("message") or "")
                folder = folder_of(start.data)
                place = absolute(str(start.data.get("store")), folder)
                self._proofs.append(Proof(snapshot, event.time, outcome, place, said))

    def proofs(self, urls: Mapping[str, str]) -> Iterator[Proof]:
        """Give the proofs, their stores by name; what is of no store in use is left out."""
        names = {absolute(url, Path()): store for url, store in urls.items()}
        for proof in self._proofs:
            store = names.get(proof.store or "")
            if store is not None:
                yield replace(proof, store=store)


_OUTCOMES = {
    "proven": ProofOutcome.PROVEN,
    "completed": ProofOutcome.PROVEN,
    "failed": ProofOutcome.FAILED,
    "mismatch_found": ProofOutcome.FAILED,
}


def _listed(store: str, loaded: Loaded, moment: datetime) -> Listing:
    opened = open_store(loaded, Named(store), now)
    try:
        with translated("list the snapshots in", opened.url):
            good, bad = opened.snapshots()
    finally:
        opened.backend.close()
    names = {section.name: path_of(loaded, section) for section in loaded.configuration.databases}
    stored = tuple(_stored(snapshot, names) for snapshot in good)
    return Listing(store, moment, stored, tuple(each.manifest for each in bad))


def _url(loaded: Loaded, store: str) -> str:
    backend = place_of(loaded, Named(store)).backend
    backend.close()
    return backend.url


def _watched(loaded: Loaded, section: DatabaseSection) -> Watched:
    late = duration(section.overdue_after) if section.overdue_after else None
    schedule = parse(section.schedule) if section.schedule else None
    stores = tuple(stores_of(loaded, section))
    path = str(path_of(loaded, section))
    return Watched(section.name, path, stores, schedule, late, frozenset({section.path}))


def _stored(snapshot: Snapshot, names: Mapping[str, Path]) -> StoredSnapshot:
    """A snapshot with the name of its database; what may be of several is of none."""
    manifest = snapshot.manifest
    fitting = [name for name, path in names.items() if manifest.is_of(path)]
    database = fitting[0] if len(fitting) == 1 else ""
    return StoredSnapshot(
        snapshot.name,
        database,
        manifest.taken,
        manifest.file_size,
        manifest.new_bytes,
        manifest.reason,
    )


def _unsent(undelivered: Undelivered | None) -> Unsent | None:
    return Unsent(undelivered.since, undelivered.problem) if undelivered else None


def _job(course: Course, planned: datetime | None, succeeded: datetime | None) -> Job:
    return Job(
        course.kind,
        course.part.database,
        course.part.store,
        JobOutcome(course.outcome.value) if course.outcome else None,
        course.finished,
        course.seconds,
        course.message,
        course.failures,
        succeeded,
        planned,
        {JobOutcome(each.value): number for each, number in course.counts.items()},
    )
