"""The file that holds a journal's signing key: made once, readable by its owner only.

The key is staged under a name of its own with mode 0600, made durable, and only then given its
name, which fails if somebody has it: there is never half a key, and never a second one in place of
a first. On Windows the mode means nothing and the folder's permissions decide.
"""

import glob
import os
import secrets
import stat
import sys
from contextlib import suppress
from pathlib import Path

from junmai_svc.storage import files
from junmai_svc.storage.errors import AccessDeniedError, IntegrityError, NotFoundError
from junmai_svc.storage.journal.failures import from_os
from junmai_svc.storage.journal.keys import SigningKey

_MODE = 0o600
_OTHERS = 0o077
_MAX_BYTES = 4096
_BINARY: int = getattr(os, "O_BINARY", 0)
# A named pipe in the file's place would otherwise keep the reader waiting for ever.
_NONBLOCK: int = getattr(os, "O_NONBLOCK", 0)


def open_key_file(path: Path, name: str, *, create: bool) -> SigningKey:
    """Return the key called `name` from its file, which is made, durably, if `create` says so.

    Of two processes that make the file at once one does, and both return its key. `create` is for
    the first use only: a lost key has to be missed, not replaced.

    Raises:
        NotFoundError: there is no such file and `create` is False, or no folder for it.
        AccessDeniedError: it can't be read or made, or others than its owner may read or write it.
        IntegrityError: it is no key file, or that of another key.
        NoSpaceError, StorageUnavailableError: it can't be made or read.
        ValueError: no key has such a name.
    """
    try:
        if create and not os.path.lexists(path):
            with suppress(FileExistsError):
                _make(path, SigningKey.generate(name))
        content = _read(path)
        _forget_staged(path)
    except FileNotFoundError as error:
        raise NotFoundError(
            f"There is no signing key in {path}",
            "Put the file back from a copy; without it no checkpoint can be signed.",
        ) from error
    except OSError as error:
        raise from_os(error, "open the signing key", path) from error
    # A byte that is no ASCII becomes a character that no key has.
    key = SigningKey.parse(content.decode("ascii", "replace"), str(path))
    if key.verifier.name != name:
        raise IntegrityError(
            f"The signing key in {path} is that of {key.verifier.name}, not of {name}",
            "Check the path: every journal has a key of its own.",
        )
    return key


def _make(path: Path, key: SigningKey) -> None:
    staged = files.staged_path(path, secrets.token_hex(8))
    handle = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, _MODE)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(key.secret_text().encode() + b"\n")
            file.flush()
            files.sync(file.fileno())
        with suppress(FileNotFoundError):  # somebody has made one, and tidied up
            files.switch_in_new(staged, path)
    except BaseException:
        files.remove(staged)
        raise


def _forget_staged(path: Path) -> None:
    """Remove the keys that runs which died were making: nobody needs them, now there is one."""
    for staged in path.parent.glob(f"{glob.escape(f'.{path.name}.')}*{files.STAGED_SUFFIX}"):
        with suppress(OSError):
            staged.unlink()


def _read(path: Path) -> bytes:
    handle = os.open(path, os.O_RDONLY | _BINARY | _NONBLOCK)
    try:
        mode = os.fstat(handle).st_mode
        if not stat.S_ISREG(mode):
            raise IntegrityError(f"{path} is no signing key: it is no file", "Check the path.")
        if sys.platform != "win32" and mode & _OTHERS:
            raise AccessDeniedError(
                f"The signing key in {path} is open to others: its mode is {mode & 0o777:04o}",
                "Run chmod 600 on it; if others may have read it, give the journal a new key.",
            )
        content = os.read(handle, _MAX_BYTES + 1)
    finally:
        os.close(handle)
    if len(content) > _MAX_BYTES:
        raise IntegrityError(f"{path} is no signing key: it is too long", "Check the path.")
    return content
