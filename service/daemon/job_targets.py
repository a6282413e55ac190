"""What the jobs of the daemon work on: databases and stores as the configuration names them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from junmai_svc.service.configuration.file import Loaded
from junmai_svc.service.configuration.form import DatabaseSection
from junmai_svc.service.daemon.jobs import JobKind
from junmai_svc.service.daemon.last_backups import Place, absolute
from junmai_svc.service.progress import Progress
from junmai_svc.service.settings import counted_from
from junmai_svc.service.stores import Named, place_of
from junmai_svc.storage.files import without_links


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


def stores_of(loaded: Loaded, section: DatabaseSection) -> list[str]:
    """Return the names of the stores that a database is backed up to."""
    return list(section.stores or loaded.configuration.stores)


def path_of(loaded: Loaded, section: DatabaseSection) -> Path:
    """Return the file of a configured database, as manifests name it."""
    return without_links(counted_from(loaded.folder.absolute(), Path(section.path)))


def changes_in(loaded: Loaded, store: str) -> Iterator[str]:
    """Give the subjects that change what a store holds."""
    yield subject_of("prune", None, store)
    for section in loaded.configuration.databases:
        if store in stores_of(loaded, section):
            yield subject_of("backup", section.name, store)


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


def stores_in_use(loaded: Loaded) -> Iterator[str]:
    """Give the stores that anything is backed up to, in the order of the configuration."""
    used = {
        store for section in loaded.configuration.databases for store in stores_of(loaded, section)
    }
    yield from (store for store in loaded.configuration.stores if store in used)
