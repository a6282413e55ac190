"""The objects that a use case works with; nobody else constructs them."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from junmai_svc.service import report
from junmai_svc.service.configuration.file import Loaded
from junmai_svc.service.context import Context, StoreProblem, now
from junmai_svc.service.logs import log
from junmai_svc.service.one_history import configured_places, keep_one_history
from junmai_svc.service.progress import Progress
from junmai_svc.service.publish import publish_into
from junmai_svc.service.settings import (
    actor,
    cache_folder,
    database_beside,
    default_backup_dir,
    default_journal,
    existing_journal,
    existing_store,
)
from junmai_svc.service.signals import abandonable, unbroken
from junmai_svc.service.stores import (
    Named,
    open_store,
    place_of,
    refuse_one_address,
    refuse_twice,
)
from junmai_svc.service.version import __version__
from junmai_svc.storage import interruption
from junmai_svc.storage.errors import JunmaiError, NotFoundError, UsageError
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.journal.keyring import key_path
from junmai_svc.storage.journal.rotation import history_of
from junmai_svc.storage.snapshots.base import SnapshotStore
from junmai_svc.storage.snapshots.objects import ObjectStore
from junmai_svc.storage.snapshots.store import FileStore


@contextmanager
def context_for(
    journal: Path | None,
    database: Path,
    stores: Sequence[Named],
    loaded: Loaded | None,
    progress: Progress,
    *,
    create: bool = True,
) -> Iterator[Context]:
    """Open the journal (made if need be) and the stores for an operation on a database.

    None and no stores stand for the default places, which are beside the database. Of several
    stores, those that can't be opened are `down`. With `create` a store that is not there is made.

    Raises:
        UsageError: a store is named twice, or a key that none of several stores is sealed with.
        JunmaiError: the journal can't be opened, or none of the stores; or a store holds more of
            the journal, and it can't be had.
    """
    beside = default_backup_dir(database)
    named = stores or [Named(str(beside), is_folder=True)]
    refuse_twice(loaded, named)
    opened, down = _opened(named, lambda each: open_store(loaded, each, now, create=create))
    try:
        with open_journal(journal or default_journal(database), create=True) as held:
            forked = _settled(held, opened, loaded)
            cache = cache_folder(loaded)
            context = Context(held, opened, progress, now, down, beside, cache, forked)
            try:
                yield context
            finally:
                _publish(context)
    finally:
        for store in opened:
            store.backend.close()


def _settled(
    journal: Journal, stores: Sequence[SnapshotStore], loaded: Loaded | None
) -> tuple[StoreProblem, ...]:
    with configured_places(loaded) as others:
        return keep_one_history(journal, [store.backend for store in stores], others)


def _publish(context: Context) -> None:
    """Publish the journal into the stores that are there, unless somebody waits for us to end."""
    if interruption.received() is not None:
        return
    there = replace(context, stores=tuple(filter(_is_there, context.stores)))
    with abandonable() as publishing:
        publish_into(there.journal, there.stores)
    if publishing.signum is not None:
        log().warning("journal.unpublished", problem="interrupted")
        report.show_warning("The journal is not published: interrupted. The next command does it.")


def _is_there(store: SnapshotStore) -> bool:
    """A folder of images that nothing was put into is not made for the journal alone."""
    return not isinstance(store, FileStore) or store.folder.is_dir()


def _opened(
    named: Sequence[Named], open_one: Callable[[Named], SnapshotStore]
) -> tuple[tuple[SnapshotStore, ...], tuple[StoreProblem, ...]]:
    opened: list[SnapshotStore] = []
    down: list[StoreProblem] = []
    for each in named:
        try:
            opened.append(open_one(each))
        except JunmaiError as problem:
            if len(named) == 1:
                raise
            down.append(StoreProblem(each.address, problem))
    if not opened:
        raise down[0].problem
    if not down:
        _refuse_idle_secret(named, opened)
    return tuple(opened), tuple(down)


def _refuse_idle_secret(named: Sequence[Named], opened: Sequence[SnapshotStore]) -> None:
    """Refuse a key that opens none of the stores: the one that it is for may have been replaced."""
    is_said = any(each.among_others and (each.key_file or each.passphrase_file) for each in named)
    if is_said and not any(isinstance(s, ObjectStore) and s.seal.secret for s in opened):
        for store in opened:
            store.backend.close()
        raise UsageError(
            "A key is named, and none of the stores is sealed",
            "Somebody may have replaced a store.json. If none ever was sealed, name no key.",
        )


@contextmanager
def store_context(
    journal: Path | None, named: Sequence[Named], loaded: Loaded | None, progress: Progress
) -> Iterator[Context]:
    """Open a store that is there, and the journal beside it, for an operation on the store.

    None and no store stand for the usual places.

    Raises:
        NotFoundError: there is no such store.
        JunmaiError: the journal or the store can't be opened.
    """
    named = named or usual_store()
    _require_there(loaded, named)
    database = _database_beside(loaded, named[0])
    with context_for(journal, database, named, loaded, progress, create=False) as context:
        yield context


@contextmanager
def copying(
    journal: Path | None, source: Named, target: Named, loaded: Loaded | None, progress: Progress
) -> Iterator[tuple[Context, Context]]:
    """Open a store that is there and one to copy to, which is made if need be; and the journal.

    Each has a context, and both the same journal: the usual one is beside the first that is a local
    folder.

    Raises:
        NotFoundError: there is no such store to copy from.
        UsageError: both are the same.
        JunmaiError: the journal or a store can't be opened.
    """
    _require_there(loaded, [source])
    _refuse_same(loaded, source, target)
    folder = next(filter(None, (place_of(loaded, each).folder for each in (source, target))), None)
    beside = database_beside(folder) if folder is not None else Path("database")
    with ExitStack() as stack:
        opened = []
        for named, create in ((source, False), (target, True)):
            opened.append(open_store(loaded, named, now, create=create))
            stack.callback(opened[-1].backend.close)
        held = stack.enter_context(open_journal(journal or default_journal(beside), create=True))
        both = Context(held, tuple(opened), progress, now, forked=_settled(held, opened, loaded))
        own = (replace(both, stores=(store,), cache=cache_folder(loaded)) for store in opened)
        try:
            yield next(own), next(own)
        finally:
            _publish(both)


def _refuse_same(loaded: Loaded | None, source: Named, target: Named) -> None:
    place, other = place_of(loaded, source), place_of(loaded, target)
    if place.is_same(other):
        raise UsageError(f"Both stores are {place.backend.url}", "Name another store as --to.")
    refuse_one_address(place, other)


@contextmanager
def looking_at_two(
    source: Named, target: Named, loaded: Loaded | None
) -> Iterator[tuple[SnapshotStore, SnapshotStore | None]]:
    """Open a store that is there and another one, None where that is not made yet.

    Raises:
        NotFoundError: there is no such store to copy from.
        UsageError: both are the same.
        JunmaiError: a store can't be opened.
    """
    _require_there(loaded, [source])
    _refuse_same(loaded, source, target)
    with ExitStack() as stack:
        here = open_store(loaded, source, now)
        stack.callback(here.backend.close)
        try:
            there: SnapshotStore | None = open_store(loaded, target, now)
        except NotFoundError:
            there = None
        if there is not None:
            stack.callback(there.backend.close)
        yield here, there


@contextmanager
def reading_store(
    journal: Path | None, named: Sequence[Named], loaded: Loaded | None
) -> Iterator[tuple[SnapshotStore, Journal | None]]:
    """Open a store that is there and, where there is one, the journal beside it, to look at them.

    Raises:
        NotFoundError: there is no such store.
        JunmaiError: the journal or the store can't be opened.
    """
    with (
        reading_stores(named[:1], loaded) as (stores, _none_down),
        journal_beside(journal, named[:1], loaded) as opened,
    ):
        yield stores[0], opened


@contextmanager
def reading_stores(
    named: Sequence[Named], loaded: Loaded | None
) -> Iterator[tuple[tuple[SnapshotStore, ...], tuple[StoreProblem, ...]]]:
    """Open stores that are there to look at them; of several, those that can't be are `down`.

    None stand for the usual place.

    Raises:
        NotFoundError: there is no store.
        UsageError: as `context_for`.
        JunmaiError: none of the stores can be opened.
    """

    def open_one(each: Named) -> SnapshotStore:
        _require_there(loaded, [each])
        return open_store(loaded, each, now)

    named = named or usual_store()
    refuse_twice(loaded, named)
    opened, down = _opened(named, open_one)
    try:
        yield opened, down
    finally:
        for store in opened:
            store.backend.close()


@contextmanager
def journal_beside(
    journal: Path | None, named: Sequence[Named], loaded: Loaded | None
) -> Iterator[Journal | None]:
    """Open the named journal, or the one beside the first store that has one, to read it.

    Raises:
        JunmaiError: it can't be read.
    """
    usual = [default_journal(_database_beside(loaded, each)) for each in named or usual_store()]
    beside = next((path for path in usual if path.exists()), usual[0])
    with journal_if_there(journal, beside) as known:
        yield known


def usual_store() -> list[Named]:
    """The store to look at where none is named: the first usual folder that exists.

    Raises:
        NotFoundError: there is none; the message names the places.
    """
    return [Named(str(existing_store(None)), is_folder=True)]


def _require_there(loaded: Loaded | None, named: Sequence[Named]) -> None:
    for each in named:
        folder = place_of(loaded, each).folder
        if folder is not None:
            existing_store(folder)


def _database_beside(loaded: Loaded | None, named: Named) -> Path:
    """A database as it would stand beside a store; in the current folder for one far away."""
    folder = place_of(loaded, named).folder
    return database_beside(folder) if folder is not None else Path("database")


@contextmanager
def journal_if_there(path: Path | None, usual: Path) -> Iterator[Journal | None]:
    """Open the named journal, or the usual one if it is there; it is only read.

    Raises:
        JunmaiError: it can't be read.
    """
    if path is None and not usual.exists():
        yield None
        return
    with open_journal(path or usual, create=False) as opened:
        yield opened


def reading_journal(journal: Path | None) -> Journal:
    """Open the journal that is already there; None stands for the usual places.

    Raises:
        NotFoundError: there is none.
        JunmaiError: it can't be read.
    """
    return open_journal(existing_journal(journal), create=False)


def open_journal(
    path: Path, *, create: bool, continues: Mapping[str, object] | None = None
) -> Journal:
    """Open a journal, made if need be with `create`; a new epoch says what it `continues`.

    Raises:
        JunmaiError: it can't be opened.
    """
    is_new = create and not path.exists()
    with unbroken():
        journal = Journal.open(
            path,
            create=create,
            actor=actor(),
            clock=now,
            tool_version=__version__,
            continues=continues,
        )
    if is_new and sys.stderr.isatty():  # machines have event 0, and `audit checkpoint`
        report.show_begun(str(path), str(history_of(journal).current), str(key_path(path)))
    return journal
