"""A store that was there before and is gone: its disk may not be mounted, and nobody can be asked.

A backup by hand makes a store where there is none. The daemon makes a new one only; else it would
begin anew, and fill the disk that the mount point is on. Nor does it take the empty folder that is
left there for a store in which all is well.
"""

from pathlib import Path

from junmai_svc.service.configuration.file import Loaded
from junmai_svc.service.stores import Named, Place, place_of
from junmai_svc.service.wiring import open_journal
from junmai_svc.storage.errors import (
    AccessDeniedError,
    JunmaiError,
    NotFoundError,
    StorageUnavailableError,
)
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.journal.published import published_to
from junmai_svc.storage.snapshots.description import NAME, read_description

JOURNAL = "journal"


def require_known_store(journal: Journal, loaded: Loaded, store: str) -> None:
    """Do nothing where a store is there, or never was.

    Raises:
        StorageUnavailableError: the journal was published to it, and nothing is there now.
        JunmaiError: it can't be looked at.
    """
    place = place_of(loaded, Named(store))
    try:
        url = place.backend.url
        if published_to(journal, url) is None or _is_there(place):
            return
    finally:
        place.backend.close()
    where = "its disk may not be mounted" if place.folder is not None else f"{NAME} is gone"
    raise StorageUnavailableError(
        f"The store {url} is not there any more: {where}",
        "If it is gone for good, begin it anew by `junmai-svc store init` or a backup by hand.",
    )


def require_known_by(path: Path, loaded: Loaded, store: str) -> None:
    """Do as `require_known_store` with the journal at a path; nothing where there is none yet.

    Raises:
        JunmaiError: as there, or the journal can't be read.
    """
    if path.exists():
        with open_journal(path, create=False) as journal:
            require_known_store(journal, loaded, store)


def is_down(loaded: Loaded, store: str) -> bool:
    """Tell whether a store can't be used by anybody: it is not there, or does not answer."""
    try:
        place = place_of(loaded, Named(store))
        try:
            return not _is_there(place)
        finally:
            place.backend.close()
    except (StorageUnavailableError, NotFoundError, AccessDeniedError):
        return True
    except JunmaiError:
        return False  # it answered, if not as it should


def _is_there(place: Place) -> bool:
    if read_description(place.backend) is not None:
        return True
    folder = place.folder
    # A folder of images has no description. An empty one is where a disk may be mounted.
    return folder is not None and (
        (folder / JOURNAL).is_dir() or any(folder.glob("*_backup_*.json"))
    )
