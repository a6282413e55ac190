"""Every default lives here: where targets, backups and journals are when nobody says."""

import getpass
import platform
from pathlib import Path

from junmai_svc.storage.errors import NotFoundError

JOURNAL_NAME = "journal.db"
BACKUP_FOLDER = "backups"


def default_target(source: Path) -> Path:
    """The target when none is named: the source's name with the suffix .new.db."""
    return source.with_suffix(".new.db")


def default_backup_dir(database: Path) -> Path:
    """The folder of backups when none is named: `backups` beside the database."""
    return database.parent / BACKUP_FOLDER


def database_beside(store: Path) -> Path:
    """A database as it would stand beside its store: for operations that name only the store."""
    return store.absolute().parent / "database"


def default_journal(database: Path) -> Path:
    """The journal in which an operation on a database is recorded: `journal.db` beside it."""
    return database.parent / JOURNAL_NAME


def folder_of(snapshot: str) -> Path | None:
    """The folder of a snapshot that is named by its file; None where it is named otherwise."""
    return Path(snapshot).parent if Path(snapshot).is_file() else None


def existing_store(named: Path | None) -> Path:
    """The folder of snapshots to look at: the named one, else the first usual one that exists.

    Raises:
        NotFoundError: there is none; the message names the places.
    """
    places = [named] if named else [Path(BACKUP_FOLDER), Path("data", BACKUP_FOLDER)]
    found = next((place for place in places if place.is_dir()), None)
    if found is None:
        raise NotFoundError(
            f"No store found; looked at {', '.join(str(place) for place in places)}",
            "Name the folder of the snapshots.",
        )
    return found


def existing_journal(named: Path | None) -> Path:
    """The journal to read where no database is named: the named one, else the first usual one.

    Raises:
        NotFoundError: there is none; the message names the places.
    """
    places = [named] if named else [Path(JOURNAL_NAME), Path("data", JOURNAL_NAME)]
    found = next((place for place in places if place.exists()), None)
    if found is None:
        raise NotFoundError(
            f"No journal found; looked at {', '.join(str(place) for place in places)}",
            "Name it with --journal, before the command.",
        )
    return found


def actor() -> str:
    """Who is running this, as user@host; only a pseudonym of it is ever stored."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError, ImportError):
        user = "unknown"
    return f"{user}@{platform.node()}"
