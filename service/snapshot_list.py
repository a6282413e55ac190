"""All snapshots of several stores as one list: a snapshot is one row, wherever it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePath

from junmai_svc.service.configuration.file import Loaded
from junmai_svc.service.context import StoreProblem
from junmai_svc.service.daemon.job_targets import path_of, stores_of
from junmai_svc.service.stores import Named
from junmai_svc.storage.databases.failures import translated
from junmai_svc.storage.errors import JunmaiError, NotFoundError
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.journal.soundness import Soundness, fold_soundness
from junmai_svc.storage.snapshots.base import Snapshot, SnapshotStore, Unreadable
from junmai_svc.storage.snapshots.choosing import sharing_map


@dataclass(frozen=True)
class Copy:
    """One snapshot in one store; `damaged` and `proven` are what the journal heard of it there."""

    snapshot: Snapshot
    store: str
    layout: str
    held: bool = False
    damaged: bool = False
    proven: datetime | None = None


@dataclass(frozen=True)
class Listed:
    """A snapshot with all its copies, at least one."""

    copies: tuple[Copy, ...]

    @property
    def proven(self) -> datetime | None:
        """When any of these copies was last proven, if ever."""
        return max((each.proven for each in self.copies if each.proven), default=None)

    @property
    def snapshot(self) -> Snapshot:
        """The snapshot as the first of its stores has it."""
        return self.copies[0].snapshot


@dataclass(frozen=True)
class InStore:
    """What one store holds, as it was read."""

    store: str
    layout: str
    snapshots: Sequence[Snapshot]
    held: frozenset[str] = frozenset()
    damaged: frozenset[str] = frozenset()
    proven: Mapping[str, datetime] = field(default_factory=dict)
    unreadable: Sequence[Unreadable] = ()


@dataclass(frozen=True)
class Listing:
    """The snapshots, newest first; the stores that were read and those that could not be."""

    snapshots: tuple[Listed, ...]
    stores: tuple[InStore, ...]
    failed: tuple[StoreProblem, ...] = ()


def list_snapshots(
    stores: Sequence[SnapshotStore],
    down: Sequence[StoreProblem],
    journal: Journal | None,
    database: PurePath | None = None,
) -> Listing:
    """Return all snapshots of the stores, or those of one database by its path.

    Of several stores, those that can't be read are among the failed ones.

    Raises:
        JunmaiError: the journal can't be read, or none of the stores.
    """
    read: list[InStore] = []
    failed = list(down)
    known = fold_soundness(journal.read()) if journal is not None else Soundness()
    for store in stores:
        try:
            with translated("list the snapshots in", store.url):
                good, bad = store.snapshots()
                held = store.held()
        except JunmaiError as problem:
            failed.append(StoreProblem(store.url, problem))
            continue
        own = [each for each in good if database is None or each.manifest.is_of(database)]
        proven = known.proven_in(store.url)
        damaged = sharing_map(known.damaged_in(store.url), good)
        read.append(InStore(store.url, store.layout, own, held, damaged, proven, bad))
    if not read:
        raise failed[-1].problem
    return Listing(merged(read), tuple(read), tuple(failed))


def merged(stores: Sequence[InStore]) -> tuple[Listed, ...]:
    """Return each snapshot once, newest first. The same is what has the same name and checksum.

    Pure.
    """
    copies: dict[tuple[str, str], list[Copy]] = {}
    for store in stores:
        for snapshot in store.snapshots:
            copy = Copy(
                snapshot,
                store.store,
                store.layout,
                held=snapshot.name in store.held,
                damaged=snapshot.name in store.damaged,
                proven=store.proven.get(snapshot.name),
            )
            copies.setdefault((snapshot.name, snapshot.manifest.checksum), []).append(copy)
    listed = [Listed(tuple(each)) for each in copies.values()]
    listed.sort(key=lambda each: (each.snapshot.manifest.taken, each.snapshot.name), reverse=True)
    return tuple(listed)


def stores_of_database(loaded: Loaded | None, name: str) -> tuple[list[Named], PurePath]:
    """Return the stores of a configured database, and its absolute path.

    Raises:
        NotFoundError: no database of that name is configured.
    """
    known = ""
    if loaded is not None:
        databases = {section.name: section for section in loaded.configuration.databases}
        if name in databases:
            named = [Named(store) for store in stores_of(loaded, databases[name])]
            return named, path_of(loaded, databases[name])
        known = ", ".join(databases)
    raise NotFoundError(
        f"No database {name} is configured",
        f"Configured are: {known}." if known else "Name one under [[databases]], or a --store.",
    )
