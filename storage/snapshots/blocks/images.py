"""Layout "blocks" in any backend: images as maps of blocks that are stored once, see `places`.

A block that a store has is not stored again, whichever image it came from. Which blocks it has is
asked of the local index, after that has been brought in line with the packs that are there now and
that no pruner has marked; save where little has changed since this machine's last snapshot, see
`remembering`.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from uuid import uuid4

from junmai_svc.storage.backends.base import Stat
from junmai_svc.storage.backends.failures import translated
from junmai_svc.storage.errors import (
    IntegrityError,
    JunmaiError,
    NotFoundError,
)
from junmai_svc.storage.snapshots.base import Tick
from junmai_svc.storage.snapshots.blocks import collecting, repacking, storing
from junmai_svc.storage.snapshots.blocks.access import BlockAccess
from junmai_svc.storage.snapshots.blocks.distrusting import (
    distrust,
    find_out,
    is_of,
    is_unusable,
)
from junmai_svc.storage.snapshots.blocks.maps import ImageMap
from junmai_svc.storage.snapshots.blocks.packs import PackRef
from junmai_svc.storage.snapshots.blocks.places import (
    MANIFEST_SUFFIX,
    SNAPSHOTS,
)
from junmai_svc.storage.snapshots.blocks.reading import restore_image
from junmai_svc.storage.snapshots.garbage import Collected, Garbage, Repacked
from junmai_svc.storage.snapshots.manifest import (
    Manifest,
)

ATTEMPTS = 5


class BlockImages(BlockAccess):
    """Images as blocks in a backend, sealed by a seal, with a cache on this machine."""

    def store(
        self,
        image: Path,
        manifest: Manifest,
        retain_until: datetime | None,
        tick: Tick | None,
        *,
        exact: bool = False,
    ) -> Manifest:
        """Store an image that is not there; see `storing.store`."""
        return storing.store(self, image, manifest, retain_until, tick, exact=exact)

    def again(
        self, known: Manifest, manifest: Manifest, retain_until: datetime | None
    ) -> Manifest | None:
        """Store one more manifest of an image that is there; see `storing.again`."""
        return storing.again(self, known, manifest, retain_until)

    def fetch(self, manifest: Manifest, path: Path, tick: Tick | None) -> str:
        """Write an image into a new local file, durably, and return its SHA-256 in hex.

        What is found damaged is not built on any more, see `distrusting`.

        Raises:
            IntegrityError: the map or a pack is damaged or gone; nothing was written where it
                shows before the first block.
            JunmaiError: the store can't be read.
        """
        tried: ImageMap | None = None
        while True:
            image_map = self._map_of(manifest)
            try:
                return self._restore(image_map, path, tick if tried is None else None)
            except NotFoundError as error:
                path.unlink(missing_ok=True)
                # Packs may have been rewritten since the map was read: it then says so by now.
                if tried is not None and image_map.has_places_of(tried):
                    raise IntegrityError(
                        f"{manifest.name} in {self.backend.url} can't be restored: {error.message}",
                        "Restore it from another store; `junmai-svc check STORE --repair` can mend"
                        " it.",
                    ) from error
                tried = image_map

    def _map_of(self, manifest: Manifest) -> ImageMap:
        """The map of a snapshot; one that can't be used is not built on any more."""
        try:
            image_map = self.map(manifest.map)
            if is_of(image_map, manifest):
                return image_map
            raise IntegrityError(  # noqa: TRY301  # told like one that can't be read
                f"Map {manifest.map} in {self.backend.url} is not of the image of {manifest.name}",
                "Restore another snapshot, and check the store.",
            )
        except IntegrityError:
            with suppress(JunmaiError):
                if is_unusable(manifest, self.map):
                    distrust(self.backend, self.cache, (), [manifest.map])
            raise

    def forget(self, name: str) -> None:
        """Do nothing: blocks that nothing leads to any more are collected all at once."""

    def garbage(self, dropped: Collection[str], when: datetime) -> Garbage:
        """Return what nothing would lead to without some snapshots; see `collecting.garbage`."""
        return collecting.garbage(self.backend, self.seal, dropped, when)

    def tidy(self) -> datetime:
        """Remove what was only for passing use; see `collecting.tidy`."""
        return collecting.tidy(self.backend)

    def collect(self, *, emptied: bool = False) -> Collected:
        """Delete what nothing leads to; see `collecting.collect`."""
        return collecting.collect(self.backend, self.seal, emptied=emptied)

    def repack(self, retain_until: datetime | None) -> Repacked:
        """Rewrite packs that are mostly dead; see `repacking.repack`."""
        return repacking.repack(self.backend, self.seal, str(uuid4()), retain_until)

    def manifests(self) -> Iterator[tuple[str, Stat]]:
        """Yield the snapshots' names and the objects that hold their manifests.

        Raises:
            JunmaiError: the store can't be listed.
        """
        for found in self.backend.list(SNAPSHOTS):
            if found.name.endswith(MANIFEST_SUFFIX):
                yield found.name.removeprefix(SNAPSHOTS).removesuffix(MANIFEST_SUFFIX), found

    def _restore(self, image_map: ImageMap, path: Path, tick: Callable[[int], None] | None) -> str:
        suspects: list[PackRef] = []
        try:
            with translated(f"write {path}"):
                return restore_image(
                    image_map, path, self.read_range, self.seal, tick, suspects.append
                )
        except IntegrityError:
            with suppress(JunmaiError):
                self._find_out(image_map, suspects)
            raise

    def _find_out(self, image_map: ImageMap, suspects: Collection[PackRef]) -> None:
        """Look what is damaged of an image that could not be restored: nobody is to build on it."""
        with translated("find out what is damaged"):
            damages, maps = find_out(image_map, suspects, self.read_range, self.seal)
        distrust(self.backend, self.cache, damages, maps)
