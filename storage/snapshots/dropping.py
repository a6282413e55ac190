"""Deleting a snapshot while somebody may be about to hold it, without locks.

    who deletes:  say so by a mark -> list the holds -> delete the manifest -> take the mark back
    who holds:    put the hold -> list the marks -> look whether the manifest is there

Of the two, one sees the other: a hold that the list of holds does not show was put after the mark.
So whoever holds and finds a mark can't know how it ends, and says so; who finds none and the
manifest there may be sure of it. Without the marks, the look at the holds and the deletion could
lie on either side of all that the other one does.

The mark of one who died goes with a prune a month later.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from uuid import uuid4

from junmai_svc.storage.backends.base import Backend, RetainedError
from junmai_svc.storage.errors import IntegrityError, NotFoundError, StorageUnavailableError
from junmai_svc.storage.snapshots.base import HOLDS, Released, SnapshotStore
from junmai_svc.storage.snapshots.choosing import name_of
from junmai_svc.storage.snapshots.garbage import let_go

DROPPING = "state/dropping/"

# Who has paused for longer between two requests is not coming back.
GONE = timedelta(days=30)


@contextmanager
def dropping(backend: Backend, name: str) -> Iterator[bool]:
    """Mark a snapshot as being deleted, and yield whether it may be: False where it is held.

    The mark is taken back at the end, but not after an error: the deletion may be under way then.

    Raises:
        JunmaiError: the store can't be listed or written.
    """
    mark = f"{DROPPING}{name}/{uuid4()}"
    backend.put(mark, b"")
    try:
        yield not is_held(backend, name)
    except RetainedError:  # nothing was deleted
        let_go(backend, mark)
        raise
    let_go(backend, mark)


def is_held(backend: Backend, name: str) -> bool:
    """Tell whether a snapshot is held.

    Raises:
        JunmaiError: the store can't be listed.
    """
    held = f"{HOLDS}/{name}"
    return any(found.name == held for found in backend.list(held))


def refuse_dropping(backend: Backend, name: str) -> None:
    """Refuse to say that a snapshot is held, while somebody is deleting it; after the hold is put.

    Raises:
        StorageUnavailableError: somebody is deleting it.
        JunmaiError: the store can't be listed.
    """
    if any(True for _ in backend.list(f"{DROPPING}{name}/")):
        raise StorageUnavailableError(
            f"{name} in {backend.url} is just being deleted by a prune",
            "Run the same command again: it says whether the snapshot is still there.",
        )


def to_release(store: SnapshotStore, reference: str) -> Released:
    """Return what a reference means to who lifts a hold: also one that has outlived its snapshot.

    Raises:
        NotFoundError: there is neither such a snapshot nor a hold of its name.
        IntegrityError: it has no manifest that can be used, and no hold.
        JunmaiError: the store can't be read.
    """
    try:
        return Released(store.find(reference).name)
    except (NotFoundError, IntegrityError) as problem:
        name = name_of(reference)
        if name not in store.held():
            raise
        return Released(name, is_gone=isinstance(problem, NotFoundError))


def forget_dropping(backend: Backend, now: datetime) -> None:
    """Remove the marks of those who died long ago; `now` (UTC) is told by the place's clock.

    Raises:
        JunmaiError: the store can't be listed or written.
    """
    for found in backend.list(DROPPING):
        if now - found.modified > GONE:
            let_go(backend, found.name)
