"""From the configuration to the jobs of the daemon; the same use cases as the command line's.

Nothing is opened here: a store that does not answer now may do so when its job runs.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from junmai_svc.service.backup import backup
from junmai_svc.service.configuration import DatabaseSection, duration
from junmai_svc.service.configuration_file import Loaded
from junmai_svc.service.context import Context
from junmai_svc.service.drill import Result, drill, newest_of
from junmai_svc.service.jobs import Facts, Job, JobKind, Part
from junmai_svc.service.last_backups import Place, absolute
from junmai_svc.service.progress import Progress
from junmai_svc.service.prune import prune
from junmai_svc.service.schedule import parse
from junmai_svc.service.settings import counted_from, retention
from junmai_svc.service.stores import Named, place_of
from junmai_svc.service.wiring import context_for, store_context
from junmai_svc.storage.errors import IntegrityError, JunmaiError, StorageUnavailableError
from junmai_svc.storage.snapshots.manifest import Reason


@dataclass(frozen=True)
class Surroundings:
    """What every job works with: the configuration, the journal's file, and where to stop."""

    loaded: Loaded
    journal: Path
    progress: Progress


def subject_of(kind: JobKind, database: str | None, store: str | None) -> str:
    """Return how people know a part of a job."""
    where = f" in {store}" if store else ""
    return f"{kind} of {database}{where}" if database else f"{kind}{where}"


def build_jobs(around: Surroundings) -> list[Job]:
    """Return all jobs that are configured to run at any time.

    Raises:
        UsageError: a schedule can't be read.
    """
    configuration = around.loaded.configuration
    jobs = [_backup(around, section) for section in configuration.databases if section.schedule]
    regular: list[tuple[JobKind, str, list[Part]]] = [
        ("prune", configuration.prune.schedule, list(_prunes(around))),
        ("drill", configuration.drill.schedule, list(_drills(around))),
    ]
    jobs += [
        Job(kind, kind, parse(schedule), tuple(parts))
        for kind, schedule, parts in regular
        if schedule and parts
    ]
    return jobs


def stores_of(loaded: Loaded, section: DatabaseSection) -> list[str]:
    """Return the names of the stores that a database is backed up to."""
    return list(section.stores or loaded.configuration.stores)


def path_of(loaded: Loaded, section: DatabaseSection) -> Path:
    """Return the file of a configured database."""
    return counted_from(loaded.folder.absolute(), Path(section.path))


def places_of(loaded: Loaded) -> dict[str, Place]:
    """Return where the journal tells of each backup, by subject.

    Raises:
        UsageError: the address of a store can't be used.
    """
    found = {}
    for section in loaded.configuration.databases:
        for store in stores_of(loaded, section):
            place = place_of(loaded, Named(store))
            url = str(place.folder) if place.folder is not None else place.backend.url
            place.backend.close()
            names = str(path_of(loaded, section)), url
            found[subject_of("backup", section.name, store)] = (
                absolute(names[0], Path.cwd()),
                absolute(names[1], Path.cwd()),
            )
    return found


def _backup(around: Surroundings, section: DatabaseSection) -> Job:
    source = path_of(around.loaded, section)
    parts = tuple(
        Part(subject_of("backup", section.name, store), None, section.name, store)
        for store in stores_of(around.loaded, section)
    )

    def together(wanted: Sequence[Part]) -> Mapping[str, Facts | JunmaiError]:
        named = [Named(part.store or "") for part in wanted]
        with context_for(around.journal, source, named, around.loaded, around.progress) as context:
            failed = {each.store: each.problem for each in context.down}
            opened = [part for part in wanted if part.store not in failed]
            done = backup(context, source, Reason.SCHEDULED)
            problems = {each.store: each.problem for each in done.failed}
            found: dict[str, Facts | JunmaiError] = {}
            for part in wanted:
                if part.store in failed:
                    found[part.subject] = failed[part.store]
            for part, store in zip(opened, context.stores, strict=True):
                facts = {"run": done.run, "snapshot": done.snapshot.name}
                found[part.subject] = problems.get(store.url, facts)
            return found

    late = duration(section.overdue_after) if section.overdue_after else None
    schedule = parse(section.schedule)
    return Job(f"backup {section.name}", "backup", schedule, parts, late, together)


def _stores(around: Surroundings) -> Iterator[str]:
    """The stores that anything is backed up to, in the order of the configuration."""
    used = {
        store
        for section in around.loaded.configuration.databases
        for store in stores_of(around.loaded, section)
    }
    yield from (store for store in around.loaded.configuration.stores if store in used)


def _prunes(around: Surroundings) -> Iterator[Part]:
    for store in _stores(around):

        def act(store: str = store) -> Facts:
            policy = retention(around.loaded, store=store)
            with _of_store(around, store) as context:
                done = prune(context, policy)
                return {"run": done.run, "deleted": len(done.deleted)}

        yield Part(subject_of("prune", None, store), act, None, store)


def _drills(around: Surroundings) -> Iterator[Part]:
    for section in around.loaded.configuration.databases:
        for store in stores_of(around.loaded, section):
            source = path_of(around.loaded, section)

            def act(store: str = store, source: Path = source) -> Facts:
                with _of_store(around, store) as context:
                    return _drilled(context, source)

            yield Part(subject_of("drill", section.name, store), act, section.name, store)


def _drilled(context: Context, source: Path) -> Facts:
    """Drill with the newest snapshot of a database; what is not proven is a failure of the job.

    Raises:
        IntegrityError: the snapshot is not what it should be.
        JunmaiError: nothing could be said of it.
    """
    [snapshot] = newest_of(context.store, source)
    done = drill(context, snapshot)
    if done.problem is not None and done.result is Result.INCONCLUSIVE:
        raise StorageUnavailableError(done.problem.message, done.problem.hint) from done.problem
    if done.problem is not None:
        raise IntegrityError(done.problem.message, done.problem.hint) from done.problem
    return {"run": done.run, "snapshot": snapshot.name, "result": done.result.value}


def _of_store(around: Surroundings, store: str) -> AbstractContextManager[Context]:
    return store_context(around.journal, [Named(store)], around.loaded, around.progress)
