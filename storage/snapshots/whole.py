"""Layout "file" in any backend: each image is one object, which any SQLite tool opens.

    <name>.db      the image
    <name>.json    its manifest, put last

In a local folder `store.FileStore` does the same without copying the image once more.
"""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import msgspec

from junmai_svc.storage.backends.base import Backend, Stat
from junmai_svc.storage.errors import IntegrityError, NotFoundError
from junmai_svc.storage.files import sha256_of
from junmai_svc.storage.snapshots.base import Tick, checked
from junmai_svc.storage.snapshots.manifest import NAME, Manifest, encode
from junmai_svc.storage.snapshots.naming import names_from

_IMAGE, _MANIFEST = ".db", ".json"


class WholeImages:
    """Images as objects of a backend."""

    name = "file"

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def store(
        self, image: Path, manifest: Manifest, retain_until: datetime | None, tick: Tick | None
    ) -> Manifest:
        """Store an image and then its manifest, which is returned as it is stored.

        Raises:
            ChecksumError: the image is not what the manifest says; nothing is stored.
            JunmaiError: the store can't be written; there is then no such snapshot.
        """
        manifest = checked(manifest, sha256_of(image, tick), image)
        certain = self._backend.capabilities().conditional_put
        for name in names_from(manifest.name, certain=certain):
            place = f"{name}{_IMAGE}"
            if self._backend.put(place, image, if_absent=True, retain_until=retain_until):
                stored = msgspec.structs.replace(
                    manifest,
                    name=name,
                    layout=self.name,
                    map="",
                    new_bytes=manifest.file_size,
                    backup_path=f"{self._backend.url}/{place}",
                )
                listed = self.manifest_object(name)
                self._backend.put(listed, encode(stored), retain_until=retain_until)
                return stored
        raise AssertionError("names never end")

    def again(
        self, known: Manifest, manifest: Manifest, retain_until: datetime | None
    ) -> Manifest | None:
        """Return None: each snapshot has an image of its own here."""
        del known, manifest, retain_until
        return None  # noqa: RET501  # as others may return one

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
