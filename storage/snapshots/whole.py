"""Layout "file" in any backend: each image is one object, which any SQLite tool opens.

    <name>.db      the image
    <name>.json    its manifest, put last

In a local folder `store.FileStore` does the same without copying the image once more.
"""

import hashlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import msgspec

from junmai_svc.storage.backends.base import Backend, Stat
from junmai_svc.storage.errors import IntegrityError, NotFoundError
from junmai_svc.storage.files import sha256_of
from junmai_svc.storage.snapshots.base import Tick, checked, taken
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
            if ours or (exact and self._sha256(place) == manifest.checksum):
                stored = msgspec.structs.replace(
                    manifest,
                    name=name,
                    layout=self.name,
                    map="",
                    new_bytes=manifest.file_size,
                    backup_path=f"{self._backend.url}/{place}",
                )
                listed = self.manifest_object(name)
                content = encode(stored)
                if self._backend.put(
                    listed, content, if_absent=not ours, retain_until=retain_until
                ):
                    return stored
        raise taken(manifest.name, self._backend.url)

    def _sha256(self, place: str) -> str:
        digest = hashlib.sha256()
        size = self._backend.stat(place).size
        for offset in range(0, size, _CHUNK):
            length = min(_CHUNK, size - offset)
            digest.update(self._backend.get_range(place, offset, length))
        return digest.hexdigest()

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
