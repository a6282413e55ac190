"""The stores that an audit asks: those named, else the configured ones, else the one beside."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from junmai_svc.service.configuration.file import Loaded
from junmai_svc.service.context import StoreProblem, now
from junmai_svc.service.settings import default_backup_dir
from junmai_svc.service.stores import Named, open_store
from junmai_svc.storage.errors import JunmaiError
from junmai_svc.storage.snapshots.base import SnapshotStore


def named_for(journal: Path, stores: Sequence[Named], loaded: Loaded | None) -> list[Named]:
    """Return the stores of a journal: `stores`, the configured ones, or the folder beside it."""
    if stores:
        return [*stores]
    if loaded and loaded.configuration.stores:
        return [Named(name) for name in loaded.configuration.stores]
    beside = default_backup_dir(journal)
    return [Named(str(beside), is_folder=True)] if beside.is_dir() else []


@contextmanager
def opened(
    named: Sequence[Named], loaded: Loaded | None
) -> Iterator[tuple[list[SnapshotStore], list[StoreProblem]]]:
    """Open stores; those that can't be are told of beside them."""
    stores: list[SnapshotStore] = []
    down: list[StoreProblem] = []
    for each in named:
        try:
            stores.append(open_store(loaded, each, now))
        except JunmaiError as problem:
            down.append(StoreProblem(each.address, problem))
    try:
        yield stores, down
    finally:
        for store in stores:
            store.backend.close()
