"""The objects that a use case works with; nobody else constructs them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from junmai_svc.service.context import Context, now
from junmai_svc.service.progress import Progress
from junmai_svc.service.settings import (
    actor,
    database_beside,
    default_backup_dir,
    default_journal,
    existing_journal,
)
from junmai_svc.service.signals import unbroken
from junmai_svc.service.version import __version__
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.snapshots.store import FileStore


@contextmanager
def context_for(
    journal: Path | None, database: Path, backup_dir: Path | None, progress: Progress
) -> Iterator[Context]:
    """Open the journal (made if need be) and the store for an operation on a database.

    None stands for the default place of either, which is beside the database.

    Raises:
        JunmaiError: the journal can't be opened.
    """
    store = FileStore(backup_dir or default_backup_dir(database))
    with _open(journal or default_journal(database), create=True) as opened:
        yield Context(opened, store, progress, now)


@contextmanager
def journal_beside(journal: Path | None, store: Path) -> Iterator[Journal | None]:
    """Open the named journal, or the one beside a store if there is one; it is only read.

    Raises:
        JunmaiError: it can't be read.
    """
    path = journal or default_journal(database_beside(store))
    if journal is None and not path.exists():
        yield None
        return
    with _open(path, create=False) as opened:
        yield opened


def reading_journal(journal: Path | None) -> Journal:
    """Open the journal that is already there; None stands for the usual places.

    Raises:
        NotFoundError: there is none.
        JunmaiError: it can't be read.
    """
    return _open(existing_journal(journal), create=False)


def _open(path: Path, *, create: bool) -> Journal:
    with unbroken():
        return Journal.open(path, create=create, actor=actor(), clock=now, tool_version=__version__)
