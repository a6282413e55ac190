"""One publisher of a journal at a time: a slower one would take `checkpoint` back."""

from collections.abc import Iterator
from contextlib import contextmanager

from filelock import FileLock, Timeout

from junmai_svc.storage.errors import StorageUnavailableError
from junmai_svc.storage.files import without_links
from junmai_svc.storage.journal.failures import translated
from junmai_svc.storage.journal.journal import Journal

_WAIT_SECONDS = 30.0


@contextmanager
def alone(journal: Journal) -> Iterator[None]:
    """Be the only process of this machine that publishes a journal, while the block runs.

    Raises:
        StorageUnavailableError: another one has been at it for long.
        AccessDeniedError, NoSpaceError: the lock can't be had.
    """
    resolved = without_links(journal.path)
    path = resolved.with_name(resolved.name + ".runs") / "publish.lock"
    with translated("lock", path):
        path.parent.mkdir(exist_ok=True)
        lock = FileLock(path, thread_local=False, fallback_to_soft=False)
        try:
            lock.acquire(timeout=_WAIT_SECONDS)
        except Timeout as error:
            raise StorageUnavailableError(
                f"Another process has been publishing {journal.path} for {_WAIT_SECONDS:.0f} s",
                "The next command publishes what is missing.",
            ) from error
    try:
        yield
    finally:
        lock.release()
