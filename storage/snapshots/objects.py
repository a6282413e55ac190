"""A store of snapshots in any backend, in either layout: manifests, holds and details as objects.

store.json                  what the store is (see `description`)
state/description.json      its copy
holds/<name>                a snapshot that is held
details/<sha256>.json       what events of the journal name by its digest
"""

import hashlib
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePath
from typing import Protocol
from uuid import uuid4

from junmai_svc.storage.backends.base import Backend, Stat
from junmai_svc.storage.backends.failures import translated
from junmai_svc.storage.errors import ChecksumError, IntegrityError, NotFoundError
from junmai_svc.storage.files import STAGED_SUFFIX
from junmai_svc.storage.snapshots.base import (
    DETAILS,
    HOLDS,
    LATEST,
    Announce,
    Released,
    Snapshot,
    Staged,
    Tick,
    Unreadable,
    require_checksum,
    taken,
)
from junmai_svc.storage.snapshots.blocks.sealing import Kind, Place, Seal
from junmai_svc.storage.snapshots.cache import StoreCache, make_private
from junmai_svc.storage.snapshots.choosing import missing, name_of, newest
from junmai_svc.storage.snapshots.description import NAME as DESCRIPTION
from junmai_svc.storage.snapshots.dropping import (
    dropping,
    forget_dropping,
    refuse_dropping,
    to_release,
)
from junmai_svc.storage.snapshots.garbage import Collected, Garbage, Repacked
from junmai_svc.storage.snapshots.locks import extend_locks
from junmai_svc.storage.snapshots.manifest import LARGEST_MANIFEST, NAME, STAMP, Manifest
from junmai_svc.storage.snapshots.newest_first import newest_first
from junmai_svc.storage.snapshots.opening import open_manifest

LARGEST_DETAILS = 64 << 20
READERS = 8


class Layout(Protocol):
    """How images lie in a store; see `whole` and `blocks.images`."""

    @property
    def name(self) -> str:
        """`file` or `blocks`."""
        ...

    def store(
        self,
        image: Path,
        manifest: Manifest,
        retain_until: datetime | None,
        tick: Tick | None,
        *,
        exact: bool = False,
    ) -> Manifest:
        """Store an image and then its manifest, which is returned as it is stored.

        With `exact` it gets the name in the manifest, else that one or the next.
        """
        ...

    def again(
        self, known: Manifest, manifest: Manifest, retain_until: datetime | None
    ) -> Manifest | None:
        """Store one more manifest of an image that is there; None where images are kept whole."""
        ...

    def fetch(self, manifest: Manifest, path: Path, tick: Tick | None) -> str:
        """Write an image into a new local file, durably, and return its SHA-256 in hex."""
        ...

    def forget(self, name: str) -> None:
        """Delete what belongs only to a snapshot whose manifest is gone."""
        ...

    def garbage(self, dropped: Collection[str], when: datetime) -> Garbage:
        """Return what nothing would lead to without some snapshots; only looks."""
        ...

    def tidy(self) -> datetime | None:
        """Remove what was only for passing use and has had its time."""
        ...

    def collect(self, *, emptied: bool = False) -> Collected:
        """Delete what nothing leads to; return what became of it.

        Nothing is where all manifests are gone, unless the caller `emptied` the store itself.
        """
        ...

    def repack(self, retain_until: datetime | None) -> Repacked:
        """Rewrite what is mostly dead, so that the next collection frees it."""
        ...

    def manifest_object(self, name: str) -> str:
        """Return the object that holds a snapshot's manifest."""
        ...

    def manifests(self) -> Iterator[tuple[str, Stat]]:
        """Yield the snapshots' names and the objects that hold their manifests."""
        ...


@dataclass(frozen=True)
class ObjectStore:
    """Snapshots in a backend. `retain_until` says how long what is put now is to be locked."""

    backend: Backend
    images: Layout
    seal: Seal
    cache: StoreCache
    retain_until: Callable[[], datetime | None]

    @property
    def url(self) -> str:
        """The backend's address."""
        return self.backend.url

    @property
    def layout(self) -> str:
        """`file` or `blocks`."""
        return self.images.name

    @contextmanager
    def stage(
        self, stem: str, when: datetime, announce: Announce | None = None
    ) -> Iterator[Staged]:
        """Yield a name and a place for the image on this machine, in the cache's folder.

        Raises:
            JunmaiError: that folder can't be used.
        """
        with self._staging(f"{stem}_backup_{when.strftime(STAMP)}", announce) as staged:
            yield staged

    @contextmanager
    def stage_as(self, name: str, announce: Announce | None = None) -> Iterator[Staged]:
        """Yield a place for the image of that name; see `SnapshotStore.stage_as`."""
        try:
            self.backend.stat(self.images.manifest_object(name))
        except NotFoundError:
            with self._staging(name, announce, exact=True) as staged:
                yield staged
        else:
            raise taken(name, self.url)

    @contextmanager
    def _staging(
        self, name: str, announce: Announce | None, *, exact: bool = False
    ) -> Iterator[Staged]:
        path = self.cache.scratch / f".{name}.{uuid4().hex[:12]}{STAGED_SUFFIX}"
        staged = Staged(name, path, exact=exact)
        if announce is not None:
            announce(staged)
        with translated(f"make room for the image in {self.cache.scratch}"):
            make_private(self.cache.scratch)
        try:
            yield staged
        finally:
            for suffix in ("", "-wal", "-shm", "-journal"):
                Path(f"{path}{suffix}").unlink(missing_ok=True)

    def commit(self, staged: Staged, manifest: Manifest, tick: Tick | None = None) -> Snapshot:
        """Store a staged image; see `SnapshotStore.commit`."""
        return self._put(staged.image, manifest, tick, exact=staged.exact)

    def put(
        self,
        image: Path,
        manifest: Manifest,
        tick: Tick | None = None,
        announce: Announce | None = None,
    ) -> Snapshot:
        """Store an image; see `SnapshotStore.put`. Nothing is staged on this machine."""
        del announce
        return self._put(image, manifest, tick, exact=False)

    def _put(self, image: Path, manifest: Manifest, tick: Tick | None, *, exact: bool) -> Snapshot:
        until = self.retain_until()
        extend_locks(self.backend, self.cache, [DESCRIPTION], until)
        with translated(f"read {image}"):
            stored = self.images.store(image, manifest, until, tick, exact=exact)
        return Snapshot(stored, None, self.url)

    def again(self, snapshot: Snapshot, manifest: Manifest) -> Snapshot | None:
        """Store one more snapshot of the same image; see `SnapshotStore.again`."""
        until = self.retain_until()
        extend_locks(self.backend, self.cache, [DESCRIPTION], until)
        stored = self.images.again(snapshot.manifest, manifest, until)
        return Snapshot(stored, None, self.url) if stored else None

    def fetch(self, snapshot: Snapshot, path: Path, tick: Tick | None = None) -> None:
        """Write an image into a new local file; see `SnapshotStore.fetch`."""
        require_checksum(self.images.fetch(snapshot.manifest, path, tick), snapshot)

    def snapshots(self) -> tuple[list[Snapshot], list[Unreadable]]:
        """Return all snapshots, newest first, and the manifests that can't be used.

        Manifests that this machine has seen before come from its cache.

        Raises:
            JunmaiError: the store can't be listed or read.
        """
        good: list[Snapshot] = []
        bad: list[Unreadable] = []
        found = dict(self.images.manifests())

        def read(name: str) -> Snapshot | Unreadable | None:
            try:
                return Snapshot(self._listed(name, found[name].size), None, self.url)
            except NotFoundError:
                return None  # pruned meanwhile
            except IntegrityError as problem:
                return Unreadable(self.images.manifest_object(name), problem)

        with ThreadPoolExecutor(READERS) as pool:
            for each in pool.map(read, found):
                if isinstance(each, Snapshot):
                    good.append(each)
                elif each is not None:
                    bad.append(each)
        self.cache.keep_manifests(frozenset(found))
        good.sort(key=lambda snapshot: (snapshot.manifest.taken, snapshot.name), reverse=True)
        return good, bad

    def find(
        self, reference: str, database: PurePath | None = None, at: datetime | None = None
    ) -> Snapshot:
        """Return a snapshot by its name, or the newest one; see `SnapshotStore.find`.

        For the newest one only as many manifests are read as decide; which database they are of may
        come from the cache, the one that is returned does not.
        """
        if reference == LATEST:
            read: set[str] = set()
            found = newest(self._newest_first(at, read), database, self.url, at)
            if found.name in read:
                return found
            reference = found.name
        name = name_of(reference)
        if not NAME.fullmatch(name) or "/" in name:
            raise missing(reference, self.url)
        try:
            content = self._read(name)
        except NotFoundError:
            raise missing(reference, self.url) from None
        return Snapshot(self._manifest(name, content), None, self.url)

    def _newest_first(self, at: datetime | None, read: set[str]) -> Iterator[Snapshot]:
        """The snapshots that can be read, newest first; notes which come from the store itself."""
        found = dict(self.images.manifests())

        def snapshot(name: str) -> Snapshot | None:
            try:
                return Snapshot(self._listed(name, found[name].size, read), None, self.url)
            except (NotFoundError, IntegrityError):
                return None

        return newest_first(found, snapshot, at)

    def hold(self, name: str) -> None:
        """Keep a snapshot whatever a policy says; see `SnapshotStore.hold`."""
        found = self.find(name).name
        self.backend.put(f"{HOLDS}/{found}", b"")
        refuse_dropping(self.backend, found)
        try:
            self._read(found)
        except NotFoundError:
            self.backend.delete(f"{HOLDS}/{found}")
            raise missing(found, self.url) from None

    def release(self, reference: str) -> Released:
        """Let a policy decide again; see `SnapshotStore.release`."""
        released = to_release(self, reference)
        self.backend.delete(f"{HOLDS}/{released.snapshot}")
        return released

    def held(self) -> frozenset[str]:
        """Return the names of the snapshots that are held."""
        return frozenset(
            found.name.removeprefix(f"{HOLDS}/") for found in self.backend.list(f"{HOLDS}/")
        )

    def delete_unless_held(self, name: str) -> bool:
        """Delete a snapshot, manifest first; see `SnapshotStore.delete_unless_held`."""
        with dropping(self.backend, name) as free:
            if free:
                self.backend.delete(self.images.manifest_object(name))
        if free:
            self.images.forget(name)
        return free

    def garbage(self, dropped: Collection[str], when: datetime) -> Garbage:
        """Return what nothing would lead to; see `SnapshotStore.garbage`."""
        return self.images.garbage(dropped, when)

    def tidy(self) -> datetime | None:
        """Remove what has had its time; see `SnapshotStore.tidy`."""
        now = self.images.tidy()
        if now is not None:
            forget_dropping(self.backend, now)
        return now

    def collect(self, *, emptied: bool = False) -> Collected:
        """Delete what nothing leads to; see `SnapshotStore.collect`."""
        return self.images.collect(emptied=emptied)

    def repack(self) -> Repacked:
        """Rewrite what is mostly dead; see `SnapshotStore.repack`."""
        return self.images.repack(self.retain_until())

    def put_details(self, content: bytes) -> str:
        """Store what is too large for an event; see `SnapshotStore.put_details`."""
        digest = hashlib.sha256(content).hexdigest()
        sealed = self.seal.close(content, Place(Kind.DETAILS, bytes.fromhex(digest)))
        name, until = _details(digest), self.retain_until()
        new = self.backend.put(name, sealed, if_absent=True, retain_until=until)
        extend_locks(self.backend, self.cache, [name], until, [name] if new else [])
        return digest

    def get_details(self, digest: str) -> bytes:
        """Return what `put_details` stored; see `SnapshotStore.get_details`."""
        stored = self.backend.get(_details(digest), LARGEST_DETAILS)
        content = bytes(self.seal.open(stored, Place(Kind.DETAILS, bytes.fromhex(digest))))
        if hashlib.sha256(content).hexdigest() != digest:
            raise ChecksumError(
                f"Details {digest} in {self.url} are not what they were", "Look into other stores."
            )
        return content

    def _listed(self, name: str, size: int, fresh: set[str] | None = None) -> Manifest:
        """A manifest for a listing: the one in the cache, if that is good, else a fresh one."""

        def read() -> bytes:
            content = self._read(name)
            if fresh is not None:
                fresh.add(name)
            return content

        try:
            return self._manifest(name, self.cache.manifest(name, size, read))
        except IntegrityError:
            self.cache.forget_manifest(name)  # it may be the cache that is damaged
            return self._manifest(name, self.cache.manifest(name, size, read))

    def _read(self, name: str) -> bytes:
        return self.backend.get(self.images.manifest_object(name), LARGEST_MANIFEST)

    def _manifest(self, name: str, content: bytes) -> Manifest:
        where = f"{self.images.manifest_object(name)} in {self.url}"
        return open_manifest(content, name, where, self.seal, self.layout)


def _details(digest: str) -> str:
    return f"{DETAILS}/{digest}.json"
