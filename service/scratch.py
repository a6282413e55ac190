"""A folder for images that are looked at: ours alone, gone at the end.

What is in it is a database as plain as it can be, also where its store is sealed. So its name is
chosen before it is made and stands in the first event of the run: whoever comes after a crash
removes it (`service.recovery`).
"""

import os
import re
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from junmai_svc.service.logs import log
from junmai_svc.storage.databases.failures import translated
from junmai_svc.storage.errors import NoSpaceError
from junmai_svc.storage.files import remove_folder

PREFIX = "junmai-svc-"
_RANDOM_BYTES = 16
_NAME = re.compile(rf"{PREFIX}[0-9a-f]{{{2 * _RANDOM_BYTES}}}")
FULL_HINT = "Free some space there, or name another folder for temporary files in TMPDIR."


def scratch_name() -> Path:
    """Return the name of a scratch folder that is not there yet; nobody can guess it."""
    return Path(tempfile.gettempdir()).absolute() / f"{PREFIX}{secrets.token_hex(_RANDOM_BYTES)}"


@contextmanager
def scratch(folder: Path | None = None) -> Iterator[Path]:
    """Yield a new folder for images, for this user only, which is gone at the end.

    Raises:
        JunmaiError: it can't be made, or what the block raised.
    """
    folder = folder or scratch_name()
    with translated("make room for the images in", folder.parent):
        folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        with suppress(OSError):
            remove_folder(folder)
        if folder.exists():
            shutil.rmtree(folder, ignore_errors=True)  # all but what is in use
            log().warning("scratch.left", folder=str(folder))


@contextmanager
def room_for(image: Path) -> Iterator[None]:
    """Say of an image that is fetched into a scratch folder which disk is full: that folder's.

    Raises:
        NoSpaceError: there is no room for it.
    """
    try:
        yield
    except NoSpaceError as full:
        raise NoSpaceError(
            f"There is no room for an image in {image.parent}, where temporary files go", FULL_HINT
        ) from full


def remove_left(folder: Path) -> bool:
    """Remove the scratch folder of a dead run and tell whether it was there.

    Only what can be such a folder is touched: by its name, no link, and this user's own.

    Raises:
        OSError: it can't be removed.
    """
    if not _NAME.fullmatch(folder.name):
        return False
    try:
        found = folder.lstat()
    except FileNotFoundError:
        return False
    if not stat.S_ISDIR(found.st_mode) or (hasattr(os, "getuid") and found.st_uid != os.getuid()):
        return False
    remove_folder(folder)
    return True
