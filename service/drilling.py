"""Drills with everything: each database in each store that is named or configured."""

from collections.abc import Sequence
from pathlib import Path

from junmai_svc.service.configuration.file import Loaded
from junmai_svc.service.daemon.job_targets import path_of, stores_of
from junmai_svc.service.drill import Drill, drill, newest_of
from junmai_svc.service.progress import Progress
from junmai_svc.service.stores import Named
from junmai_svc.service.wiring import store_context, usual_store


def drill_all(
    loaded: Loaded | None,
    journal: Path | None,
    named: Sequence[Named],
    database: str | None,
    progress: Progress,
) -> list[Drill]:
    """Drill with the newest snapshot of a database, or of each, in the stores; each is recorded.

    Without a store: those of the configuration that the databases are backed up to, else the usual
    place.

    Raises:
        NotFoundError: there is no such store, or it has no snapshot of that database.
        JunmaiError: a store can't be opened, or the journal not be written.
    """
    path = _path(loaded, database)
    done: list[Drill] = []
    for store in named or _configured(loaded, database) or usual_store():
        with store_context(journal, [store], loaded, progress) as context:
            done += [drill(context, snapshot) for snapshot in newest_of(context.store, path)]
    return done


def _path(loaded: Loaded | None, database: str | None) -> Path | None:
    """The file of a database that is named as it is configured, or by its path."""
    if database is None:
        return None
    sections = loaded.configuration.databases if loaded else []
    for section in sections:
        if loaded is not None and section.name == database:
            return path_of(loaded, section)
    return Path(database)


def _configured(loaded: Loaded | None, database: str | None) -> list[Named]:
    if loaded is None:
        return []
    names = [
        store
        for section in loaded.configuration.databases
        if database in {None, section.name}
        for store in stores_of(loaded, section)
    ]
    return [Named(name) for name in dict.fromkeys(names)]
