"""Putting a good image in the place of a damaged or missing one, which goes to quarantine."""

from contextlib import suppress
from datetime import datetime
from pathlib import Path
from uuid import uuid4

from junmai_svc.storage.backends.base import Backend
from junmai_svc.storage.errors import NotFoundError
from junmai_svc.storage.files import copy_hashing, make_folder, remove, staged_path, switch_in
from junmai_svc.storage.snapshots.blocks.places import QUARANTINE


def put_back_file(folder: Path, name: str, image: Path) -> None:
    """Make a file the image of a snapshot in a folder of images; durable on return.

    Raises:
        OSError: it can't be written; then the damaged one is where it was, or in quarantine.
    """
    final = folder / f"{name}.db"
    staged = staged_path(final, uuid4().hex)
    try:
        copy_hashing(image, staged)
        if final.exists():
            make_folder(folder / QUARANTINE)
            switch_in(final, folder / QUARANTINE / f"{final.name}.{uuid4().hex[:8]}")
        switch_in(staged, final)
    finally:
        remove(staged)


def put_back_object(
    backend: Backend, name: str, image: Path, retain_until: datetime | None
) -> None:
    """Make a file the image of a snapshot in a backend; durable on return.

    Raises:
        JunmaiError: it can't be written; then the damaged one is where it was, or in quarantine.
    """
    place = f"{name}.db"
    with suppress(NotFoundError):
        backend.rename(place, f"{QUARANTINE}{place}.{uuid4().hex[:8]}")
    backend.put(place, image, retain_until=retain_until)
