"""A snapshot in a folder of images under one name and no other, as a copy has that of its origin.

It claims nothing, so that two copies may be at it: the image gets its name only where nobody has
it, and what a dead one left there is used if it is the same.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from junmai_svc.storage.files import (
    STAGED_SUFFIX,
    make_folder,
    remove,
    sha256_of,
    staged_path,
    switch_in_new,
    token_of,
    write_durably,
)
from junmai_svc.storage.snapshots.base import Staged, taken
from junmai_svc.storage.snapshots.manifest import Manifest, encode


def claim_of(folder: Path, name: str) -> Path:
    """Return the file by which a backup claims a name."""
    return folder / f".{name}.db{STAGED_SUFFIX}"


@contextmanager
def stage_exactly(
    folder: Path, name: str, announce: Callable[[Staged], None] | None
) -> Iterator[Staged]:
    """Yield a path for the image of that name; gone at the end unless it was committed.

    Raises:
        TakenError: a snapshot has the name, or a backup has claimed it.
        OSError: the folder can't be made or written.
    """
    make_folder(folder)
    final = folder / f"{name}.db"
    if claim_of(folder, name).exists() or final.with_suffix(".json").exists():
        raise taken(name, str(folder))
    staged = Staged(name, staged_path(final, uuid4().hex[:12]), final, exact=True)
    if announce is not None:
        announce(staged)
    try:
        yield staged
    finally:
        remove(staged.image)


def commit_exactly(folder: Path, staged: Staged, manifest: Manifest) -> None:
    """Make a staged image, which is what its manifest says, the snapshot of its name; durably.

    Raises:
        TakenError: another has the name, or a backup has claimed it.
        OSError: it can't be written; the snapshot then does not exist.
    """
    final = folder / f"{staged.name}.db"
    listed, ours = folder / f"{staged.name}.json", True
    try:
        switch_in_new(staged.image, final)
    except FileExistsError:
        ours = False
        # An image that somebody died over, or is just committing, may be this very one.
        if listed.exists() or sha256_of(final) != manifest.checksum:
            raise taken(staged.name, str(folder)) from None
    try:
        # After the name was taken: a backup that claims it looks for it after that.
        if claim_of(folder, staged.name).exists():
            raise taken(staged.name, str(folder))  # noqa: TRY301  # tidied up like the rest
        token = token_of(staged.run or manifest.run)
        write_durably(listed, encode(manifest), token, new=True)
    except FileExistsError:
        raise taken(staged.name, str(folder)) from None
    except BaseException:
        if ours and not listed.exists():
            remove(final)
        raise
