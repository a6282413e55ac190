"""The one table from what happened to the process's exit code; documented in the README."""

from collections.abc import Iterable

from junmai_svc.storage.errors import (
    AccessDeniedError,
    IntegrityError,
    InterruptedRunError,
    JournalConflictError,
    JunmaiError,
    LockedError,
    MigrationFailedError,
    NoSpaceError,
    NotFoundError,
    StorageUnavailableError,
    UsageError,
)

DONE = 0
BUG = 1
USAGE = 2
FINDINGS = 3
STORAGE_UNAVAILABLE = 30

# The first class that fits decides.
_CODES: tuple[tuple[type[JunmaiError], int], ...] = (
    (UsageError, USAGE),
    (NotFoundError, 10),
    (LockedError, 11),
    (AccessDeniedError, 12),
    (IntegrityError, 20),
    (MigrationFailedError, 21),
    (JournalConflictError, 22),
    (StorageUnavailableError, 30),
    (NoSpaceError, 31),
)


def exit_code(error: BaseException) -> int:
    """Return the exit code for an error; 1, a bug, for what is not in the table."""
    if isinstance(error, InterruptedRunError):
        return 128 + error.signum
    return next((code for kind, code in _CODES if isinstance(error, kind)), BUG)


def stores_code(problems: Iterable[JunmaiError]) -> int:
    """Return the exit code of what was done for some of several stores, given the others' problems.

    A store that can't be used as it was named is not down.
    """
    codes = {USAGE if isinstance(each, UsageError) else STORAGE_UNAVAILABLE for each in problems}
    return min(codes, default=DONE)
