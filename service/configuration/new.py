"""Writing a new configuration, never over one that is there."""

from pathlib import Path
from uuid import uuid4

from junmai_svc.service.configuration.text import commented
from junmai_svc.storage.databases.failures import translated
from junmai_svc.storage.errors import UsageError
from junmai_svc.storage.files import make_folder, write_durably


def write_new(path: Path) -> Path:
    """Write the commented configuration; it is there, whole and durable, on return.

    Raises:
        UsageError: something of that name is there already; it is untouched.
        JunmaiError: it can't be written.
    """
    taken = UsageError(
        f"{path} is there already", "Name another PATH, or move that file away; it is as it was."
    )
    with translated("write", path):
        if path.exists() or path.is_symlink():
            raise taken
        make_folder(path.absolute().parent)
        try:
            write_durably(path.absolute(), commented().encode(), uuid4().hex, new=True)
        except FileExistsError as error:
            raise taken from error
    return path
