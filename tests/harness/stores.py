"""Stores of snapshots over any backend, with images that are bytes and need no SQLite."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from tests.contracts.memory import MemoryBackend

from junmai_svc.storage.backends.base import Backend
from junmai_svc.storage.snapshots.base import Snapshot, SnapshotStore
from junmai_svc.storage.snapshots.blocks.cipher import XChaChaSeal
from junmai_svc.storage.snapshots.blocks.images import BlockImages
from junmai_svc.storage.snapshots.blocks.sealing import Seal, Unsealed
from junmai_svc.storage.snapshots.cache import StoreCache
from junmai_svc.storage.snapshots.manifest import STAMP, Manifest, Reason
from junmai_svc.storage.snapshots.objects import ObjectStore
from junmai_svc.storage.snapshots.whole import WholeImages

NOON = datetime(2025, 1, 8, 12, 0, 0, tzinfo=UTC)
STORE_ID = "7a6f4b3e-2c1d-4e5f-8a9b-0c1d2e3f4a5b"
KEY = bytes(range(32))
BLOCK = 4096


def sealed(key: bytes = KEY, store_id: str = STORE_ID) -> XChaChaSeal:
    """The seal of a sealed store."""
    return XChaChaSeal(key, store_id)


def image_of(*blocks: int, tail: bytes = b"tail") -> bytes:
    """An image: blocks whose content their numbers say, then a last one that is not full."""
    return b"".join(b"%4096d" % number for number in blocks) + tail


def manifest_for(
    content: bytes,
    name: str,
    when: datetime = NOON,
    database: str = "data/junmai.db",
    reason: Reason = Reason.MANUAL,
) -> Manifest:
    """The manifest of an image that is to be stored."""
    return Manifest(
        original_path=database,
        backup_path="nobody follows this",
        timestamp=when.strftime(STAMP),
        checksum=hashlib.sha256(content).hexdigest(),
        file_size=len(content),
        format=1,
        name=name,
        created_at=when.isoformat(timespec="microseconds"),
        reason=reason,
        run=str(uuid4()),
    )


def object_store(
    backend: Backend | None,
    cache: Path,
    layout: str = "blocks",
    seal: Seal | None = None,
    retain_until: Callable[[], datetime | None] = lambda: None,
) -> ObjectStore:
    """A store in a backend, in memory if None, with its cache in a folder."""
    backend = MemoryBackend() if backend is None else backend
    seal = Unsealed() if seal is None else seal
    kept = StoreCache(cache, STORE_ID)
    images = BlockImages(backend, seal, kept) if layout == "blocks" else WholeImages(backend)
    return ObjectStore(backend, images, seal, kept, retain_until)


def stored(
    store: SnapshotStore,
    content: bytes,
    when: datetime = NOON,
    database: str = "data/junmai.db",
    reason: Reason = Reason.MANUAL,
) -> Snapshot:
    """Store an image as a backup does."""
    with store.stage(Path(database).stem, when) as staged:
        staged.image.write_bytes(content)
        manifest = manifest_for(content, staged.name, when, database, reason)
        return store.commit(staged, manifest)


def stored_as(store: SnapshotStore, content: bytes, name: str) -> Snapshot:
    """Store an image as a copy does, under a name and no other."""
    with store.stage_as(name) as staged:
        staged.image.write_bytes(content)
        return store.commit(staged, manifest_for(content, name))


def fetched(store: SnapshotStore, snapshot: Snapshot | str, folder: Path) -> bytes:
    """The image of a snapshot, as the store gives it out."""
    found = store.find(snapshot) if isinstance(snapshot, str) else snapshot
    path = folder / f"fetched {uuid4().hex}"
    store.fetch(found, path)
    content = path.read_bytes()
    path.unlink()
    return content


def names(store: SnapshotStore) -> list[str]:
    """The names of a store's snapshots, newest first."""
    return [snapshot.name for snapshot in store.snapshots()[0]]
