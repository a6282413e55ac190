"""The stores that an audit asks: those named, else the usual and all that were published to."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from junmai_svc.service.configuration.file import Loaded
from junmai_svc.service.context import StoreProblem, now
from junmai_svc.service.settings import default_backup_dir
from junmai_svc.service.stores import Named, named_at, open_store, place_of, refuse_twice
from junmai_svc.storage.backends.base import Backend
from junmai_svc.storage.errors import JunmaiError, StorageUnavailableError
from junmai_svc.storage.journal.addresses import is_same_place
from junmai_svc.storage.journal.journal_file import looking_at
from junmai_svc.storage.snapshots.base import SnapshotStore


@dataclass(frozen=True)
class Opened:
    """Stores that are open, and why the others are not.

    `places` has the backend of each store of `down` whose address can be used: what a journal
    published there may still be read.
    """

    stores: list[SnapshotStore] = field(default_factory=list)
    down: list[StoreProblem] = field(default_factory=list)
    places: dict[str, Backend] = field(default_factory=dict)

    @property
    def readable(self) -> list[Backend]:
        """The backends of stores that answer and can't be opened: they may be sealed."""
        silent = {p.store for p in self.down if isinstance(p.problem, StorageUnavailableError)}
        return [place for address, place in self.places.items() if address not in silent]


def named_for(
    journal: Path, stores: Sequence[Named], loaded: Loaded | None, published: Iterable[str] = ()
) -> list[Named]:
    """Return the stores of a journal: `stores`, or all that it may be published in.

    These are the configured ones or the folder beside it, and each address in `published`, whether
    anything is there any more or not.

    Raises:
        UsageError: the address of a configured store can't be used.
    """
    if stores:
        return [*stores]
    if loaded and loaded.configuration.stores:
        named = [Named(name) for name in loaded.configuration.stores]
    else:
        beside = default_backup_dir(journal)
        named = [Named(str(beside), is_folder=True)] if beside.is_dir() else []
    known = [place_of(loaded, each).backend.url for each in named]
    for address in sorted(published):
        if not any(is_same_place(address, other) for other in known):
            named.append(named_at(loaded, address))
    return named


def published_places(journal: Path) -> dict[str, int]:
    """Return to which addresses a journal was published, and how much; none where it is gone.

    Raises:
        JunmaiError: it can't be read.
    """
    if not journal.exists():
        return {}
    with looking_at(journal) as file:
        return file.published()


@contextmanager
def opened(named: Sequence[Named], loaded: Loaded | None) -> Iterator[Opened]:
    """Open stores; those that can't be are told of beside them.

    Raises:
        UsageError: a store is named twice.
    """
    refuse_twice(loaded, named)
    found = Opened()
    for each in named:
        address = each.address
        try:
            backend = place_of(loaded, each).backend
            address = backend.url
            found.places[address] = backend
            found.stores.append(open_store(loaded, each, now))
        except JunmaiError as problem:
            found.down.append(StoreProblem(address, problem))
        else:
            found.places.pop(address)
    try:
        yield found
    finally:
        for store in found.stores:
            store.backend.close()
        for place in found.places.values():
            place.close()
