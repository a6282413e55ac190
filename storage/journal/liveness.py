"""Which runs are alive: a run is, exactly as long as it holds the lock on its own file.

The lock is the operating system's, on `<journal>.runs/<run id>.lock`; the kernel lets go of it when
the process ends, however that happens. A process id could have been given to somebody else.
"""

from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from filelock import FileLock, Timeout

from junmai_svc.storage.errors import LockedError, StorageUnavailableError, UsageError
from junmai_svc.storage.files import without_links
from junmai_svc.storage.journal.events import require_uuid
from junmai_svc.storage.journal.failures import translated

_WAIT_SECONDS = 10.0
_PROBE = "probe.lock"


class RunLock:
    """The sign of life of one run: taken before its first event, given back after its last.

    As a context manager it holds the lock from `with` to the end of the block, in which the file is
    deleted. Any thread may end it.

    Raises:
        UsageError: the run's id is not a UUID.
        LockedError: a run of this id is alive already.
        AccessDeniedError, NoSpaceError, StorageUnavailableError: the lock can't be had; nothing has
            been recorded.
    """

    def __init__(self, journal_path: Path, run_id: str) -> None:
        self._path = _lock_path(journal_path, run_id)
        self._run_id = run_id
        self._lock = _file_lock(self._path)

    def __enter__(self) -> Self:
        with translated("lock", self._path):
            self._path.parent.mkdir(exist_ok=True)
            try:
                self._lock.acquire(timeout=_WAIT_SECONDS)
            except Timeout as error:
                raise LockedError(
                    f"The run {self._run_id} is going on already", "Begin a run with a new id."
                ) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Deleted before it is let go, or somebody's look at it would be deleted from under them.
        # Windows refuses that; there the lock deletes the file itself as it lets go.
        with suppress(OSError):
            self._path.unlink()
        with translated("unlock", self._path):
            self._lock.release()


def is_alive(journal_path: Path, run_id: str) -> bool:
    """Tell whether a run holds its lock, in this process or in any other of this machine.

    What a dead run has left of its lock is deleted.

    Raises:
        UsageError: the run's id is not a UUID.
        AccessDeniedError, StorageUnavailableError: its lock can't be looked at.
    """
    path = _lock_path(journal_path, run_id)
    with translated("look at", path):
        if not path.exists():
            return False
        # To look is to try the lock. Only one may look at a time, or two would take each other for
        # the run.
        looking = _file_lock(path.with_name(_PROBE))
        lock = _file_lock(path)
        try:
            looking.acquire(timeout=_WAIT_SECONDS)
        except Timeout as error:
            raise StorageUnavailableError(
                f"Can't tell whether the run {run_id} is alive: {looking.lock_file} stays locked",
                "Another process looks at it; run the same command again.",
            ) from error
        try:
            lock.acquire(blocking=False)
        except Timeout:
            return True
        else:
            with suppress(OSError):
                path.unlink()
            lock.release()
            return False
        finally:
            looking.release()


def forget_dead(journal_path: Path) -> None:
    """Delete what dead runs have left of their locks, those among them that recorded nothing.

    Raises:
        AccessDeniedError, StorageUnavailableError: a lock can't be looked at.
    """
    folder = _lock_folder(journal_path)
    with translated("look at", folder):
        locks = [path for path in folder.glob("*.lock") if path.name != _PROBE]
    for lock in locks:
        with suppress(UsageError):  # not a name of ours
            is_alive(journal_path, lock.stem)


def _lock_path(journal_path: Path, run_id: str) -> Path:
    return _lock_folder(journal_path) / f"{require_uuid(run_id, 'A run')}.lock"


def _lock_folder(journal_path: Path) -> Path:
    """Return the folder of the locks, the same whichever way the journal was named."""
    resolved = without_links(journal_path)
    return resolved.with_name(resolved.name + ".runs")


def _file_lock(path: Path) -> FileLock:
    # A lock that is only a file would outlive its process, so it is no substitute.
    return FileLock(path, thread_local=False, fallback_to_soft=False)
