"""Finding one run in the journal by as much of its id as a person cares to type."""

from junmai_svc.storage.errors import NotFoundError, UsageError
from junmai_svc.storage.journal.entry import Event
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.journal.projection import Run, fold_runs


def snapshot_before(journal: Journal, reference: str) -> str:
    """Return the name of the snapshot that a run took before it changed anything.

    Raises:
        NotFoundError: there is no such run, or it took none.
        UsageError: several runs fit.
        JunmaiError: the journal can't be read.
    """
    run, events = show_run(journal, reference)
    kept = next((event.data["kept"] for event in events if event.data.get("kept")), None)
    name = run.snapshot or kept
    if name is None:
        raise NotFoundError(
            f"The run {run.id} took no snapshot", "List the snapshots with `junmai-svc snapshots`."
        )
    return str(name)


def show_run(journal: Journal, reference: str) -> tuple[Run, list[Event]]:
    """Return a run and its events; `reference` is its id, or a beginning or end of it.

    Raises:
        NotFoundError: no run has that id.
        UsageError: several runs fit.
        JunmaiError: the journal can't be read.
    """
    runs = fold_runs(journal.read())
    found = [run for run in runs if run.id.startswith(reference) or run.id.endswith(reference)]
    if not found or not reference:
        raise NotFoundError(
            f"No run {reference} in {journal.path}", "List the runs with `junmai-svc history`."
        )
    if len(found) > 1:
        raise UsageError(
            f"{len(found)} runs fit {reference}", "Type more of the id out of `history`."
        )
    run = found[0]
    return run, list(journal.read(f"{run.kind}/{run.id}"))
