"""What the daemon does for the stores: prune, drill, check, publish; a part for each store."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from junmai_svc.service.check import check
from junmai_svc.service.context import Context
from junmai_svc.service.daemon.job_targets import (
    Surroundings,
    path_of,
    stores_in_use,
    stores_of,
    subject_of,
)
from junmai_svc.service.daemon.jobs import Facts, Part
from junmai_svc.service.daemon.known_stores import require_known_by
from junmai_svc.service.drill import Result, drill, newest_of
from junmai_svc.service.prune import prune
from junmai_svc.service.publish import publish_to
from junmai_svc.service.settings import retention
from junmai_svc.service.stores import Named
from junmai_svc.service.wiring import store_context
from junmai_svc.storage.errors import IntegrityError, StorageUnavailableError


def prune_parts(around: Surroundings) -> Iterator[Part]:
    """Give the parts that drop what no policy keeps, one for each store."""
    for store in stores_in_use(around.loaded):

        def act(store: str = store) -> Facts:
            policies = retention(around.loaded, store=store)
            with _of_store(around, store) as context:
                done = prune(context, policies)
                return {"run": done.run, "deleted": len(done.deleted)}

        yield Part(subject_of("prune", None, store), act, None, store)


def drill_parts(around: Surroundings) -> Iterator[Part]:
    """Give the parts that prove the newest snapshots, for each database in each store."""
    for section in around.loaded.configuration.databases:
        for store in stores_of(around.loaded, section):
            source = path_of(around.loaded, section)

            def act(store: str = store, source: Path = source) -> Facts:
                with _of_store(around, store) as context:
                    return _drilled(context, source)

            yield Part(subject_of("drill", section.name, store), act, section.name, store)


def check_parts(around: Surroundings) -> Iterator[Part]:
    """Give the parts that check the stores themselves, one for each."""
    share = int(around.loaded.configuration.check.sample.removesuffix("%")) / 100
    for store in stores_in_use(around.loaded):

        def act(store: str = store) -> Facts:
            with _of_store(around, store) as context:
                return _checked(context, share)

        yield Part(subject_of("check", None, store), act, None, store)


def publish_parts(around: Surroundings) -> Iterator[Part]:
    """Give the parts that copy the journal, signed, one for each store."""
    for store in stores_in_use(around.loaded):

        def act(store: str = store) -> Facts:
            with _of_store(around, store) as context:
                return {"size": publish_to(context.journal, context.store).size}

        yield Part(subject_of("publish", None, store), act, None, store)


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


def _checked(context: Context, share: float) -> Facts:
    """Check a store; what is found is a failure of the job.

    Raises:
        IntegrityError: something in it is damaged or missing.
    """
    done = check(context, share)
    found = done.report.findings
    if found:
        more = f", and {len(found) - 1} more" if len(found) > 1 else ""
        raise IntegrityError(
            f"The store {done.store} is damaged: {found[0].name}: {found[0].problem}{more}",
            f"See `junmai-svc show {done.run}`, then take a new backup into it.",
        )
    return {"run": done.run, "snapshots": len(done.report.snapshots), "bytes": done.report.read}


@contextmanager
def _of_store(around: Surroundings, store: str) -> Iterator[Context]:
    require_known_by(around.journal, around.loaded, store)
    with store_context(around.journal, [Named(store)], around.loaded, around.progress) as context:
        yield context
