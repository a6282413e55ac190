"""A look at a store of whole images: every manifest has its image; some or all are read."""

import hashlib
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from junmai_svc.checks.store_report import Hit, StoreFinding, manifest_hint, unknown_part
from junmai_svc.storage.backends.base import Backend
from junmai_svc.storage.errors import IntegrityError, NotFoundError
from junmai_svc.storage.files import sha256_of
from junmai_svc.storage.snapshots.base import Snapshot, Unreadable
from junmai_svc.storage.snapshots.manifest import NAME, read_manifest

STEP = 8 << 20
COPY_HINT = (
    "Restore another snapshot; `junmai-svc check STORE --repair --from OTHER` puts this one back"
    " from another store that has it."
)

Tick = Callable[[int], None]


def check_images(
    backend: Backend, snapshots: Sequence[Snapshot], chosen: Collection[str], tick: Tick | None
) -> list[StoreFinding]:
    """Look for the image of every snapshot, and read the chosen ones; return what is wrong.

    Raises:
        JunmaiError: the store can't be read.
        OSError: a local folder can't be read.
    """
    found = []
    for snapshot in snapshots:
        problem = _problem(backend, snapshot, tick, read=snapshot.name in chosen)
        if problem is not None and _is_listed(backend, snapshot):
            manifest = snapshot.manifest
            hit = Hit(snapshot.name, manifest.original_path, (range(manifest.file_size),))
            found.append(StoreFinding("image", _image(snapshot), problem, (hit,), COPY_HINT))
    return found


def unusable(found: Unreadable, *, local: bool) -> StoreFinding:
    """The finding for what can't be used: a bad manifest or, in a `local` folder, a missing image.

    Raises:
        OSError: the folder can't be read.
    """
    problem = found.problem
    snapshot = without_image(found) if local else None
    if snapshot is None:
        hits = unknown_part(found.snapshot)
        return StoreFinding(
            "manifest", found.manifest, problem.message, hits, manifest_hint(problem)
        )
    manifest = snapshot.manifest
    hit = Hit(snapshot.name, manifest.original_path, (range(manifest.file_size),))
    return StoreFinding("image", _image(snapshot), problem.message, (hit,), COPY_HINT)


def unlisted(folder: Path) -> list[str]:
    """The images in a local folder that have no manifest; somebody may have put them there.

    Raises:
        OSError: the folder can't be read.
    """
    images = (path for path in folder.glob("*_backup_*.db") if NAME.fullmatch(path.stem))
    return sorted(path.name for path in images if not path.with_suffix(".json").exists())


def without_image(found: Unreadable) -> Snapshot | None:
    """The snapshot in a local folder whose manifest is good and whose image is gone, if it is one.

    Raises:
        OSError: the folder can't be read.
    """
    path = Path(found.manifest)
    try:
        return Snapshot(read_manifest(path), path.with_suffix(".db"), str(path.parent))
    except IntegrityError:
        return None


def _problem(backend: Backend, snapshot: Snapshot, tick: Tick | None, *, read: bool) -> str | None:
    expected = snapshot.manifest.file_size
    place = f"Image {_image(snapshot)}"
    try:
        size = snapshot.image.stat().st_size if snapshot.image else _size(backend, snapshot)
        if size != expected:
            return f"{place} has {size:,} bytes instead of {expected:,}"
        if not read:
            return None
        actual = (
            sha256_of(snapshot.image, tick) if snapshot.image else _hash(backend, snapshot, tick)
        )
    except (NotFoundError, FileNotFoundError):
        return f"{place} is gone"
    except IntegrityError as error:
        return error.message
    return None if actual == snapshot.manifest.checksum else f"{place} has another SHA-256"


def _is_listed(backend: Backend, snapshot: Snapshot) -> bool:
    """Whether the snapshot has not been deleted meanwhile."""
    if snapshot.image:
        return snapshot.image.with_suffix(".json").exists()
    try:
        backend.stat(f"{snapshot.name}.json")
    except NotFoundError:
        return False
    return True


def _size(backend: Backend, snapshot: Snapshot) -> int:
    return backend.stat(_image(snapshot)).size


def _hash(backend: Backend, snapshot: Snapshot, tick: Tick | None) -> str:
    whole = hashlib.sha256()
    size = snapshot.manifest.file_size
    for offset in range(0, size, STEP):
        piece = backend.get_range(_image(snapshot), offset, min(STEP, size - offset))
        whole.update(piece)
        if tick is not None:
            tick(len(piece))
    return whole.hexdigest()


def _image(snapshot: Snapshot) -> str:
    return f"{snapshot.name}.db"
