"""Claiming a free name for a snapshot in a folder of images.

A name is claimed by creating its staged file exclusively and looking for the final one afterwards;
as only the claimant can create the final one, two backups in one second can't take the same name,
without any lock.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from junmai_svc.storage.files import make_folder, remove, sync_folder
from junmai_svc.storage.snapshots.base import Announce, Staged
from junmai_svc.storage.snapshots.exactly import claim_of


@contextmanager
def claimed(
    folder: Path, base: str, wanted: str, announce: Announce | None = None
) -> Iterator[Staged]:
    """Claim the wanted name, or the next free one of `base`; whatever is still staged goes.

    `announce` hears of a name before anything is made under it, so that it can be found after a
    crash; of several, the last one is the claim.

    Raises:
        OSError: the folder can't be made or written.
    """
    make_folder(folder)
    staged = _claim(folder, base, wanted, announce)
    try:
        yield staged
    finally:
        # Once committed, the staged name may be claimed anew, and is the claimant's to remove.
        if not (folder / f"{staged.name}.db").exists():
            remove(staged.image)
        for suffix in ("-wal", "-shm", "-journal"):
            remove(Path(f"{staged.image}{suffix}"))


def _claim(folder: Path, base: str, wanted: str, announce: Announce | None) -> Staged:
    again = 1
    name = wanted
    while True:
        final = folder / f"{name}.db"
        claim = Staged(name, claim_of(folder, name), final)
        again += 1
        name = f"{base}_{again}"
        if claim.image.exists() or not _is_free(final):
            continue
        if announce is not None:
            announce(claim)
        try:
            claim.image.open("xb").close()
        except FileExistsError:
            continue
        try:
            if _is_free(final):
                sync_folder(folder)
                return claim
        except BaseException:
            remove(claim.image)
            raise
        remove(claim.image)


def _is_free(final: Path) -> bool:
    return not (final.exists() or final.with_suffix(".json").exists())
