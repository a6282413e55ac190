"""Files that a person names for a result: what lies there already is replaced only by its like.

A result goes over an earlier one of its kind, or where nothing is. Anything else that has the name,
such as a database, a journal or its key, is somebody's.
"""

from collections.abc import Callable
from pathlib import Path

from junmai_svc.storage.databases.failures import translated
from junmai_svc.storage.errors import NotFoundError, UsageError
from junmai_svc.storage.files import without_links

# Of what is there already; enough to know a result by.
_LOOKED_AT = 1 << 17


def output_file(path: Path, what: str, is_one: Callable[[bytes], bool]) -> Path:
    """Return the file to write a result to: the one that is named, or that a link there leads to.

    `what` is the result with its article, `is_one` tells by its first bytes whether a file is an
    earlier one. Nothing is written.

    Raises:
        UsageError: a folder, a device, a pipe or a file of another kind is there.
        NotFoundError: there is no folder for it.
        AccessDeniedError: what is there can't be looked at.
    """
    with translated(f"write {what} to", path):
        file = without_links(path)
        if file.is_dir():
            raise UsageError(f"Can't write {what} to {path}: it is a folder", "Name a file.")
        if not file.parent.is_dir():
            raise NotFoundError(
                f"Can't write {what} to {path}: there is no folder {file.parent}",
                "Make the folder, or name another.",
            )
        if not file.exists():
            return file
        if not file.is_file():
            raise UsageError(
                f"Can't write {what} to {path}: it is a device or a pipe, and no file",
                "Name a file.",
            )
        with file.open("rb") as there:
            begins = there.read(_LOOKED_AT)
        if begins and not is_one(begins):
            raise UsageError(
                f"Can't write {what} to {path}: another file, which is not {what}, is there",
                "Name another file, or remove that one yourself.",
            )
        return file


def is_page(begins: bytes) -> bool:
    """Tell whether a file is a page of HTML."""
    return begins[:15].lower() == b"<!doctype html>"


def is_proof(begins: bytes) -> bool:
    """Tell whether a file is the proof of an event."""
    return begins.startswith(b"c2sp.org/tlog-proof@")


def is_export(begins: bytes) -> bool:
    """Tell whether a file is an export of events, in either form."""
    first = begins.partition(b"\n")[0]
    is_table = first.startswith(b"position,time,type,stream,")
    return is_table or (first.startswith(b"{") and b'"specversion":"1.0"' in first)
