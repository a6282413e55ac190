"""Layout "file" in any backend: each image is one object, which any SQLite tool opens.

    <name>.db      the image
    <name>.json    its manifest, put last

An image whose writer died has no manifest. A pruner marks it, *then* looks for a manifest; a writer
puts the manifest, *then* looks for marks and the image. So one sees the other, as with blocks.

In a local folder `store.FileStore` does the same without copying the image once more.
"""

import hashlib
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from uuid import uuid4

import msgspec

from junmai_svc.storage.backends.base import Backend, RetainedError, Stat
from junmai_svc.storage.errors import IntegrityError, NotFoundError
from junmai_svc.storage.files import sha256_of
from junmai_svc.storage.snapshots.base import Tick, checked, taken
from junmai_svc.storage.snapshots.blocks.places import MARKS, mark_object, marked_in
from junmai_svc.storage.snapshots.garbage import (
    STALE,
    Collected,
    Garbage,
    Locked,
    Repacked,
    let_go,
    let_trials_go,
    time_of,
)
from junmai_svc.storage.snapshots.manifest import NAME, Manifest, encode
from junmai_svc.storage.snapshots.naming import names_from

_IMAGE, _MANIFEST = ".db", ".json"
_CHUNK = 8 << 20


class WholeImages:
    """Images as objects of a backend."""

    name = "file"

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

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

        Raises:
            ChecksumError: the image is not what the manifest says; nothing is stored.
            TakenError: another has the exact name.
            JunmaiError: the store can't be written; there is then no such snapshot.
        """
        manifest = checked(manifest, sha256_of(image, tick), image)
        certain = self._backend.capabilities().conditional_put
        for name in names_from(manifest.name, certain=certain, exact=exact):
            place = f"{name}{_IMAGE}"
            ours = self._backend.put(place, image, if_absent=True, retain_until=retain_until)
            # Somebody who died over it left an image without a manifest: it may be this one.
            if ours or (exact and self._is_image(place, manifest.checksum)):
                stored = msgspec.structs.replace(
                    manifest,
                    name=name,
                    layout=self.name,
                    map="",
                    new_bytes=manifest.file_size,
                    backup_path=f"{self._backend.url}/{place}",
                )
                listed = self.manifest_object(name)
                if not self._backend.put(
                    listed, encode(stored), if_absent=not ours, retain_until=retain_until
                ):
                    continue
                if self._is_safe(place):
                    return stored
                self._backend.delete(listed)
        raise taken(manifest.name, self._backend.url)

    def _is_image(self, place: str, checksum: str) -> bool:
        """Whether an object is an image with this SHA-256."""
        digest = hashlib.sha256()
        try:
            size = self._backend.stat(place).size
            for offset in range(0, size, _CHUNK):
                length = min(_CHUNK, size - offset)
                digest.update(self._backend.get_range(place, offset, length))
        except NotFoundError:
            return False
        return digest.hexdigest() == checksum

    def again(
        self, known: Manifest, manifest: Manifest, retain_until: datetime | None
    ) -> Manifest | None:
        """Return None: each snapshot has an image of its own here."""
        del known, manifest, retain_until
        return None  # as others may return one

    def fetch(self, manifest: Manifest, path: Path, tick: Tick | None) -> str:
        """Write an image into a new local file, durably, and return its SHA-256 in hex.

        Raises:
            IntegrityError: it is gone, or larger than its manifest says.
            JunmaiError: the store can't be read.
        """
        place = f"{manifest.name}{_IMAGE}"
        try:
            return self._backend.fetch(place, path, manifest.file_size, tick)
        except NotFoundError as error:
            raise IntegrityError(
                f"Backup {place} in {self._backend.url} is gone; only its manifest is left",
                "Restore another snapshot.",
            ) from error

    def forget(self, name: str) -> None:
        """Delete the image of a snapshot whose manifest is gone.

        Raises:
            JunmaiError: it can't be deleted.
        """
        self._backend.delete(f"{name}{_IMAGE}")

    def garbage(self, dropped: Collection[str], when: datetime) -> Garbage:
        """Return the images that would have no manifest without some snapshots; only looks.

        Raises:
            JunmaiError: the store can't be listed.
        """
        found = {each.name: each for each in self._backend.list()}
        orphans = self._orphans(found, when)
        if orphans and not any(self.manifests()):
            return Garbage(problems=(self._no_manifest(len(orphans)),))
        gone = orphans | {f"{name}{_IMAGE}" for name in dropped}
        return Garbage({name: found[name].size for name in sorted(gone & found.keys())})

    def tidy(self) -> datetime:
        """Remove the marks of dead pruners whose image is gone: its name is not given again.

        And what is left of looks at the place's abilities. Returns the time in UTC by its clock.

        Raises:
            JunmaiError: the store can't be read or written.
        """
        marks = [each.name for each in self._backend.list(MARKS)]
        there = {each.name for each in self._backend.list()} if marks else set()
        for mark in marks:
            if mark.removeprefix(MARKS).partition("/")[2] not in there:
                let_go(self._backend, mark)
        let_trials_go(self._backend)
        return time_of(self._backend)

    def collect(self, *, emptied: bool = False) -> Collected:
        """Delete the images that have had no manifest for a day.

        Where no image has one nothing is deleted, unless the caller `emptied` the store itself.

        Raises:
            JunmaiError: the store can't be read or written.
        """
        now = time_of(self._backend)
        found = {each.name: each for each in self._backend.list()}
        orphans = sorted(self._orphans(found, now))
        if orphans and not emptied and not any(self.manifests()):
            return Collected(problems=(self._no_manifest(len(orphans)),))
        me = str(uuid4())
        for name in orphans:
            self._backend.put(mark_object(me, name), b"")
        listed = {name for name, _ in self.manifests()} if orphans else set()
        deleted: dict[str, int] = {}
        locked: list[Locked] = []
        for name in orphans:
            if name.removesuffix(_IMAGE) in listed:
                continue
            try:
                self._backend.delete(name)
            except RetainedError as problem:
                locked.append(Locked(name, problem.retain_until))
            else:
                deleted[name] = found[name].size
        for name in orphans:
            let_go(self._backend, mark_object(me, name))
        return Collected(deleted, tuple(locked))

    def repack(self, retain_until: datetime | None) -> Repacked:
        """Do nothing: images share nothing."""
        del retain_until
        return Repacked()

    def manifest_object(self, name: str) -> str:
        """Return the object that holds a snapshot's manifest."""
        return f"{name}{_MANIFEST}"

    def manifests(self) -> Iterator[tuple[str, Stat]]:
        """Yield the snapshots' names and the objects that hold their manifests.

        Raises:
            JunmaiError: the store can't be listed.
        """
        for found in self._backend.list():
            name = found.name.removesuffix(_MANIFEST)
            if name != found.name and "/" not in name and NAME.fullmatch(name):
                yield name, found

    def _is_safe(self, image: str) -> bool:
        """Whether an image whose manifest is listed now is there and no pruner deletes it."""
        if image in marked_in(self._backend):
            return False
        try:
            self._backend.stat(image)
        except NotFoundError:
            return False
        return True

    def _no_manifest(self, count: int) -> IntegrityError:
        return IntegrityError(
            f"{self._backend.url} has {count:,} images, but not one manifest",
            "Find out where they went. If there never was one, the next backup ends this.",
        )

    @staticmethod
    def _orphans(found: Mapping[str, Stat], when: datetime) -> set[str]:
        """The images that no manifest is there for and that are too old to get one."""
        return {
            name
            for name, each in found.items()
            if name.endswith(_IMAGE)
            and NAME.fullmatch(name.removesuffix(_IMAGE))
            and name.removesuffix(_IMAGE) + _MANIFEST not in found
            and when - each.modified > STALE
        }
