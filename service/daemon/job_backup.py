"""The daemon's backup of one database: one image for all its stores, of which some may fail."""

from collections.abc import Iterator, Mapping, Sequence

from junmai_svc.service.backup import backup
from junmai_svc.service.configuration.form import DatabaseSection, duration
from junmai_svc.service.daemon.job_targets import Surroundings, path_of, stores_of, subject_of
from junmai_svc.service.daemon.jobs import Facts, Job, Part
from junmai_svc.service.daemon.known_stores import require_known_store
from junmai_svc.service.schedule import parse
from junmai_svc.service.stores import Named
from junmai_svc.service.wiring import context_for, open_journal
from junmai_svc.storage.errors import JunmaiError
from junmai_svc.storage.snapshots.manifest import Reason


def backup_job(around: Surroundings, section: DatabaseSection) -> Job:
    """Return the job that backs a database up on its schedule.

    Raises:
        UsageError: the schedule can't be read.
    """
    source = path_of(around.loaded, section)
    parts = tuple(
        Part(subject_of("backup", section.name, store), None, section.name, store)
        for store in stores_of(around.loaded, section)
    )

    def together(wanted: Sequence[Part]) -> Mapping[str, Facts | JunmaiError]:
        found = dict(_gone(around, wanted))
        wanted = [part for part in wanted if part.subject not in found]
        if not wanted:
            return found
        named = [Named(part.store or "") for part in wanted]
        with context_for(around.journal, source, named, around.loaded, around.progress) as context:
            failed = {each.store: each.problem for each in context.down}
            opened = [part for part in wanted if part.store not in failed]
            done = backup(context, source, Reason.SCHEDULED)
            problems = {each.store: each.problem for each in done.failed}
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


def _gone(
    around: Surroundings, wanted: Sequence[Part]
) -> Iterator[tuple[str, Facts | JunmaiError]]:
    """Give the parts whose stores can't be used, or were there before and are gone, and why."""
    if not around.journal.exists():
        return
    with open_journal(around.journal, create=False) as journal:
        for part in wanted:
            try:
                require_known_store(journal, around.loaded, part.store or "")
            except JunmaiError as problem:
                yield part.subject, problem
