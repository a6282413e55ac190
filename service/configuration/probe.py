"""Trying what is configured: is each thing there, and can it be used? Nothing is left behind."""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from junmai_svc.service.configuration.file import Loaded
from junmai_svc.service.notify.sending import require_apprise
from junmai_svc.service.settings import counted_from, default_journal
from junmai_svc.service.stores import Named, Place, place_of, refuse_twice, seal_of
from junmai_svc.service.wiring import open_journal
from junmai_svc.storage.backends.base import Backend
from junmai_svc.storage.backends.probe import FOLDER as PROBE_FOLDER
from junmai_svc.storage.backends.probe import probe
from junmai_svc.storage.databases.connection import reading, require_database
from junmai_svc.storage.databases.failures import translated
from junmai_svc.storage.errors import AccessDeniedError, JunmaiError, NotFoundError, UsageError
from junmai_svc.storage.snapshots.description import read_description

_PATH_HINT = "Check the path in the configuration."
_KEY_HINT = (
    "Put it back from its copy, or check the path in the configuration; for a new store,"
    " `junmai-svc store init NAME --key-file FILE --new-key` makes it."
)


@dataclass(frozen=True)
class Looked:
    """What was found of one thing; where `problem` is None it can be used."""

    kind: str
    name: str
    where: str
    notes: tuple[str, ...] = ()
    problem: JunmaiError | None = None


@dataclass
class _Found:
    """What is found out before something goes wrong, if it does."""

    where: str = ""
    notes: list[str] = field(default_factory=list)


def look_at_all(loaded: Loaded, journal: Path | None) -> Iterator[Looked]:
    """Try the journal, each store, each database and each file that is named, in this order.

    `journal` is the configured one; None stands for the one beside the first database.
    """
    configuration = loaded.configuration
    yield _looked("journal", "journal", partial(_journal, loaded, journal))
    for name in configuration.stores:
        yield _looked("store", name, partial(_store, loaded, name))
    for number, section in enumerate(configuration.databases):
        yield _looked("database", section.name, partial(_database, loaded, number))
    for name in ("urls_file", "ping_url_file"):
        text = getattr(configuration.notify, name)
        if text is not None:
            path = counted_from(loaded.folder, Path(text))
            yield _looked("file", f"notify.{name}", partial(_addresses, path, name))


def _looked(kind: str, name: str, look: Callable[[_Found], None]) -> Looked:
    found = _Found()
    try:
        look(found)
    except JunmaiError as problem:
        return Looked(kind, name, found.where, tuple(found.notes), problem)
    return Looked(kind, name, found.where, tuple(found.notes))


def _journal(loaded: Loaded, path: Path | None, found: _Found) -> None:
    if path is None:
        first = next(iter(loaded.configuration.databases), None)
        if first is None:
            found.where = "beside the database concerned"
            return
        path = default_journal(counted_from(loaded.folder, Path(first.path)))
    found.where = str(path)
    if not path.exists():
        _require_makeable(path.parent)
        found.notes.append("not there yet; the first run makes it")
        return
    with translated("read", path), open_journal(path, create=False) as journal:
        found.notes.append(f"{sum(1 for _ in journal.read())} events")


def _store(loaded: Loaded, name: str, found: _Found) -> None:
    place = place_of(loaded, Named(name))
    try:
        found.where = place.backend.url
        _require_other_place(loaded, name)
        _reach(place, found)
        section = place.section
        for text in (section.encryption_key_file, section.encryption_passphrase_file):
            if text is not None:
                _secrets(counted_from(loaded.folder, Path(text)), found, _KEY_HINT)
    finally:
        place.backend.close()


def _reach(place: Place, found: _Found) -> None:
    if place.folder is not None and not place.folder.exists():
        _require_makeable(place.folder.parent)
        found.notes.append("not there yet; the first backup makes it")
        return
    description = read_description(place.backend)
    seen = _probed(place.backend, place.folder)
    if description is not None:
        found.notes.append(f"layout {description.layout}")
        if description.key is not None:
            seal_of(place, description)
            found.notes.append("sealed, opened with the key")
    elif place.folder is None:
        found.notes.append("nothing stored yet")
    kept = [name.replace("_", " ") for name in vars(seen) if getattr(seen, name)]
    found.notes.append(f"honours {', '.join(kept)}" if kept else "honours no conditions or locks")


def _probed(backend: Backend, folder: Path | None) -> object:
    """What a place honours; the folders that finding out made are gone again, if they are empty."""
    before = _probe_folders(folder)
    try:
        return probe(backend)
    finally:
        for made in [each for each in _probe_folders(folder) if each not in before]:
            with suppress(OSError):
                made.rmdir()


def _probe_folders(folder: Path | None) -> list[Path]:
    """The folders of probes that are there, the inner one first."""
    if folder is None:
        return []
    inner = folder / PROBE_FOLDER
    return [
        each
        for each in (inner, *inner.parents)
        if each != folder and each.is_dir() and folder in each.parents
    ]


def _require_other_place(loaded: Loaded, name: str) -> None:
    """Make sure that no store before this one is the same: else no backup could use either."""
    for other in loaded.configuration.stores:
        if other == name:
            return
        refuse_twice(loaded, [Named(other), Named(name)])


def _require_other_file(loaded: Loaded, number: int, path: Path) -> None:
    """Make sure that no database before this one is the same file in a store that both go to."""
    sections = loaded.configuration.databases
    own = set(sections[number].stores or loaded.configuration.stores)
    for other in sections[:number]:
        shared = own & set(other.stores or loaded.configuration.stores)
        if shared and counted_from(loaded.folder, Path(other.path)).resolve() == path.resolve():
            raise UsageError(
                f"{other.name} and {sections[number].name} are the same file, and both go to"
                f" {min(shared)}",
                "Leave one of them out, or give them different stores.",
            )


def _database(loaded: Loaded, number: int, found: _Found) -> None:
    path = counted_from(loaded.folder, Path(loaded.configuration.databases[number].path))
    found.where = str(path)
    require_database(path, "Database")
    _require_other_file(loaded, number, path)
    with reading(path) as connection:
        (tables,) = connection.execute(
            "SELECT count(*) FROM sqlite_schema WHERE type = 'table'"
        ).fetchone()
    found.notes.append(f"{tables} tables")


def _addresses(path: Path, name: str, found: _Found) -> None:
    _secrets(path, found)
    if name == "urls_file":
        require_apprise()


def _secrets(path: Path, found: _Found, hint: str = _PATH_HINT) -> None:
    """A file that holds secrets: it can be read, and best by its owner only."""
    found.where = found.where or str(path)
    if not path.is_file():
        raise NotFoundError(f"File not found: {path}", hint)
    with translated("read", path), path.open("rb") as file:
        file.read(1)
        mode = os.fstat(file.fileno()).st_mode
    if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        found.notes.append(f"others may read {path.name}: chmod 600")


def _require_makeable(folder: Path) -> None:
    """Make sure that a folder is there and can be written to, or can be made."""
    there = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    if not there.is_dir():
        raise NotFoundError(f"{there} is no folder", _PATH_HINT)
    if not os.access(there, os.W_OK | os.X_OK):
        raise AccessDeniedError(
            f"Nothing can be made in {there}", "Check who owns it, and run as who may use it."
        )
