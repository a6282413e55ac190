"""Mend manifests that can't be used: from another store that has the snapshot, or out of the way.

A manifest says what its image is, so another's is taken only with its image. This must be the one
that was recorded, where one was, and is stored as a copy would be: what the store has of it already
is not stored again. Where nobody has it the damaged one goes to `quarantine/`: while it lies where
it does its name is taken, and nothing that it might lead to can be freed. Where the place keeps
versions, an older one may come up, and is whole.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import msgspec

from junmai_svc.checks.block_store import blocks_of, require_map_of
from junmai_svc.service.context import Context
from junmai_svc.service.logs import log
from junmai_svc.service.recorded import require_recorded
from junmai_svc.service.scratch import scratch
from junmai_svc.storage.databases.failures import translated
from junmai_svc.storage.errors import IntegrityError, JunmaiError, NotFoundError
from junmai_svc.storage.files import copy_hashing, make_folder, sha256_of, switch_in
from junmai_svc.storage.snapshots.base import Snapshot, SnapshotStore, TakenError
from junmai_svc.storage.snapshots.blocks.places import QUARANTINE
from junmai_svc.storage.snapshots.manifest import NewerManifestError
from junmai_svc.storage.snapshots.objects import ObjectStore
from junmai_svc.storage.snapshots.store import FileStore


@dataclass(frozen=True)
class Manifests:
    """What became of bad manifests: snapshots that are whole again, and those that were put aside.

    `aside` says under which name in `quarantine/`; whoever is in neither is where it was. `digests`
    are those of the manifests that came from another store.
    """

    put_back: tuple[str, ...]
    aside: Mapping[str, str]
    digests: Mapping[str, str]


def mend_manifests(
    context: Context, bad: Mapping[str, JunmaiError], other: SnapshotStore | None
) -> Manifests:
    """Mend the manifests of the context's store that can't be used, given by their snapshots.

    One of a newer format is not damaged, and stays.

    Raises:
        JunmaiError: the store can't be read or written.
    """
    store = context.store
    put_back: list[str] = []
    aside: dict[str, str] = {}
    digests: dict[str, str] = {}
    for name, problem in sorted(bad.items()):
        if isinstance(problem, NewerManifestError):
            continue
        with scratch() as folder:
            good = _fetched(context, name, other, folder / "image.db") if other else None
            try:
                place = _put_aside(store, name, good)
                while (under := _beneath(store, name)) is False:
                    place = _put_aside(store, name, good)
            except JunmaiError as refusal:
                log().warning("repair.manifest_stays", snapshot=name, problem=refusal.message)
                continue
            if under:
                put_back.append(name)
            elif good is not None and _stored(store, good, folder / "image.db"):
                put_back.append(name)
                digests[name] = good.manifest.digest
            else:
                aside[name] = place
    return Manifests(tuple(put_back), aside, digests)


def _fetched(context: Context, name: str, other: SnapshotStore, image: Path) -> Snapshot | None:
    """The snapshot of that name in another store, with its image in a new file; None without."""
    try:
        with translated("read the snapshots in", other.url):
            found = other.find(name)
        # Two stores may have one name for two images, of one second on two machines.
        require_recorded(context.journal, context.store, found)
        size = found.manifest.file_size
        with (
            translated("read", found.place),
            context.progress.step(f"Reading {name}", size, "bytes") as tick,
        ):
            other.fetch(found, image, tick)
    except JunmaiError as problem:
        log().warning("repair.source_failed", snapshot=name, problem=problem.message)
        return None
    return found


def _stored(store: SnapshotStore, good: Snapshot, image: Path) -> bool:
    """Store an image as the snapshot of its name; False where somebody has just taken that."""
    manifest = msgspec.structs.replace(
        good.manifest, layout="file", map="", new_bytes=None, backup_path=""
    )
    try:
        with (
            translated("write into", store.url),
            store.stage_as(good.name) as staged,
        ):
            copy_hashing(image, staged.image)
            store.commit(staged, manifest)
    except TakenError:
        return False
    return True


def _put_aside(store: SnapshotStore, name: str, good: Snapshot | None) -> str:
    """Put a manifest into quarantine and return its name there.

    In layout "file" the image goes with it, unless it is the good one: without a manifest it would
    be in the way, or be taken for what a dead writer left.

    Raises:
        JunmaiError: it can't be moved.
    """
    ours = uuid4().hex[:8]
    with translated("put a manifest aside in", store.url):
        if isinstance(store, FileStore):
            image, listed = store.folder / f"{name}.db", store.folder / f"{name}.json"
            make_folder(store.folder / QUARANTINE)
            place = f"{listed.name}.{ours}"
            switch_in(listed, store.folder / QUARANTINE / place)
            if image.is_file() and not (good and sha256_of(image) == good.manifest.checksum):
                switch_in(image, store.folder / QUARANTINE / f"{image.name}.{ours}")
            return place
        assert isinstance(store, ObjectStore), store.layout  # noqa: S101
        listed_as = store.images.manifest_object(name)
        place = f"{listed_as}.{ours}"
        store.backend.rename(listed_as, f"{QUARANTINE}{place}")
        store.cache.forget_manifest(name)
        if store.layout == "file" and not (good and _is_image(store, good)):
            with suppress(NotFoundError):
                store.backend.rename(f"{name}.db", f"{QUARANTINE}{name}.db.{ours}")
        return place


def _beneath(store: SnapshotStore, name: str) -> bool | None:
    """Whether the manifest is whole that was under one that was put aside; None without.

    Where a place keeps versions, what somebody put over a manifest leaves that one underneath.

    Raises:
        JunmaiError: the store can't be read.
    """
    if not isinstance(store, ObjectStore) or not store.backend.capabilities().versioning:
        return None
    try:
        found = store.find(name).manifest
        images = blocks_of(store)
        if images is not None:
            require_map_of(found, images.map(found.map))
    except NotFoundError:
        return None
    except NewerManifestError:
        return True
    except IntegrityError:
        return False
    return True


def _is_image(store: ObjectStore, good: Snapshot) -> bool:
    """Whether the image that lies under a snapshot's name is the one that its manifest says."""
    with scratch() as folder, suppress(IntegrityError):
        store.fetch(good, folder / "image.db")
        return True
    return False
