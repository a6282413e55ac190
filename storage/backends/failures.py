"""What the operating system raises under a backend, translated once into this project's tree."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from junmai_svc.storage.errors import (
    AccessDeniedError,
    JunmaiError,
    NoSpaceError,
    NotFoundError,
    StorageUnavailableError,
    UsageError,
)

SPACE_HINT = "Free some space there and run the same command again; what was stored is intact."

_ACCESS_HINT = "Check who owns the folder and its files, and run as a user who may use them."
_AGAIN_HINT = "Check the disk; when it answers again, run the same command again."
_IN_USE_HINT = "Close the program that has it open, and run the same command again."
_FOLDER_HINT = "Something else stands where a folder should be; look at the path."
_NAME_HINT = "Choose a shorter name, and none that is a folder of another."

_NO_SPACE = {errno.ENOSPC, errno.EFBIG} | {
    getattr(errno, name) for name in ("EDQUOT",) if hasattr(errno, name)
}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}
_MISPLACED = {errno.EEXIST, errno.EISDIR, errno.ENOTDIR, errno.ENAMETOOLONG, errno.EINVAL}
_IN_USE = {32, 33}  # Windows: ERROR_SHARING_VIOLATION, ERROR_LOCK_VIOLATION


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turn an OSError raised inside into a JunmaiError; `doing` completes "Can't ...".

    Raises:
        JunmaiError: whichever of the tree fits; the foreign error is its cause.
    """
    try:
        yield
    except OSError as error:
        raise from_os(error, doing) from error


def from_os(error: OSError, doing: str) -> JunmaiError:
    """Return the JunmaiError for an exception of the operating system."""
    what = f"Can't {doing}: {error.strerror or error}"
    if getattr(error, "winerror", None) in _IN_USE:
        return StorageUnavailableError(what, _IN_USE_HINT)
    if error.errno in _NO_SPACE:
        return NoSpaceError(what, SPACE_HINT)
    if error.errno in _DENIED:
        return AccessDeniedError(what, _ACCESS_HINT)
    if error.errno == errno.ENOENT:
        return NotFoundError(f"{what} ({error.filename})", "Check the path.")
    if error.errno in _MISPLACED:
        return UsageError(what, _FOLDER_HINT if error.errno == errno.ENOTDIR else _NAME_HINT)
    return StorageUnavailableError(what, _AGAIN_HINT)
