"""Every default lives here: where targets, backups and journals are when nobody says."""

import getpass
import os
import platform
import sys
from collections.abc import Mapping
from pathlib import Path, PurePath

import msgspec

from junmai_svc.service.configuration.file import Loaded
from junmai_svc.service.configuration.form import RetentionSection, duration
from junmai_svc.service.retention import Policies, Policy
from junmai_svc.storage.errors import NotFoundError, UsageError
from junmai_svc.storage.files import without_links

JOURNAL_NAME = "journal.db"
BACKUP_FOLDER = "backups"
ONLY_FOLDERS = "Name a folder: stores on other machines are not built yet."


def configured_journal(loaded: Loaded | None) -> Path | None:
    """The journal that the configuration names; None where nothing is configured.

    Raises:
        UsageError: it is not of a kind that this program has.
    """
    url = loaded.configuration.journal.url if loaded else None
    return _local(loaded, url, "sqlite:///", "the journal") if loaded and url else None


def _local(loaded: Loaded, url: str, scheme: str, what: str) -> Path:
    """A path out of a configuration; a relative one counts from the file's folder."""
    path = url.removeprefix(scheme)
    if "://" in path:
        raise UsageError(f"{what} can't be {url}", ONLY_FOLDERS)
    return counted_from(loaded.folder, Path(path))


def counted_from(folder: Path, path: Path) -> Path:
    """A path that counts from a folder, such as the one of the file that names it."""
    return Path(os.path.normpath(folder / path))


def cache_folder(loaded: Loaded | None) -> Path:
    """Where this machine keeps what makes stores quick, and images on their way to them.

    The configured one, else the system's usual place for caches of a user.
    """
    configured = loaded.configuration.cache.folder if loaded else None
    if loaded and configured:
        return counted_from(loaded.folder, Path(configured).expanduser())
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "junmai-svc"


def retention(
    loaded: Loaded | None,
    older_than: str | None = None,
    keep: Mapping[str, int | None] | None = None,
    store: str | None = None,
) -> Policies:
    """The retention policies: what was said in the call over what is configured.

    For each database that is its own section if it has one, else the one of the store of this name,
    else [retention].

    Raises:
        UsageError: a duration is none.
    """
    said = {name: number for name, number in (keep or {}).items() if number is not None}
    if loaded is None:
        return Policies(_policy(RetentionSection(), older_than, said))
    configuration = loaded.configuration
    named = configuration.stores.get(store) if store else None
    section = (named.retention if named else None) or configuration.retention
    own: dict[PurePath, Policy] = {
        without_links(counted_from(loaded.folder, Path(each.path))): _policy(
            each.retention, older_than, said
        )
        for each in configuration.databases
        if each.retention
    }
    return Policies(_policy(section, older_than, said), own)


def _policy(section: RetentionSection, older_than: str | None, said: Mapping[str, int]) -> Policy:
    values = msgspec.structs.asdict(section)
    within = older_than or values.pop("keep_within")
    values.pop("keep_within", None)
    try:
        return Policy(duration(within) if within else None, **(values | dict(said)))
    except ValueError as error:
        raise UsageError(str(error), "Say 30d, 12h, 90m or 45s.") from error


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
    found = [place for place in places if place.is_dir()]
    return _first(found, "store", places, "Name the folder of the snapshots.")


def existing_journal(named: Path | None) -> Path:
    """The journal to read where no database is named: the named one, else the first usual one.

    Raises:
        NotFoundError: there is none; the message names the places.
    """
    places = _journals(named)
    found = [place for place in places if place.exists()]
    return _first(found, "journal", places, "Name it with --journal, before the command.")


def usual_journal(named: Path | None) -> Path:
    """Where the journal is, or was: also one that is gone, if its key is still beside it.

    Raises:
        NotFoundError: there is neither; the message names the places.
    """
    places = _journals(named)
    keys = [place.with_name(place.name + ".key") for place in places]
    found = [
        place for place, key in zip(places, keys, strict=True) if place.exists() or key.exists()
    ]
    if named is not None:
        return named
    return _first(found, "journal", places, "Name it with --journal, before the command.")


def _journals(named: Path | None) -> list[Path]:
    return [named] if named else [Path(JOURNAL_NAME), Path("data", JOURNAL_NAME)]


def _first(found: list[Path], what: str, places: list[Path], hint: str) -> Path:
    if not found:
        looked_at = ", ".join(str(place) for place in places)
        raise NotFoundError(f"No {what} found; looked at {looked_at}", hint)
    return found[0]


def actor() -> str:
    """Who is running this, as user@host; only a pseudonym of it is ever stored."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError, ImportError):
        user = "unknown"
    return f"{user}@{platform.node()}"
