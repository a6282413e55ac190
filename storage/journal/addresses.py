"""Where a store or a file is that an event names: the address, or the path, as its run meant it."""

import os
from collections.abc import Mapping
from typing import Any


def folder_of(start: Mapping[str, Any]) -> str | None:
    """Return the folder in which a run was, given the data of its first event."""
    process = start.get("process")
    folder = process.get("folder") if isinstance(process, dict) else None
    return folder if isinstance(folder, str) else None


def address_of(start: Mapping[str, Any], named: object) -> str | None:
    """Return an address that a run recorded, given the data of its first event; None for none."""
    return address_from(folder_of(start), named)


def address_from(folder: str | None, named: object) -> str | None:
    """Return a URL as it is, and a path from the folder that it counts from; None for no text.

    A path is recorded as a person gave it.
    """
    if not isinstance(named, str):
        return None
    if "://" in named:
        return named.rstrip("/")
    return os.path.normpath(os.path.join(folder or "", named))  # noqa: PTH118  # a text, no file


def is_same_place(one: str, other: str) -> bool:
    """Tell whether two addresses name one place, whatever links lead there on this machine."""
    if "://" in one or "://" in other:
        return one.rstrip("/") == other.rstrip("/")
    return one == other or os.path.realpath(one) == os.path.realpath(other)
