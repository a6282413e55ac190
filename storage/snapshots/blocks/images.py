"""Layout "blocks" in any backend: images as maps of blocks that are stored once, see `places`.

A block that a store has is not stored again, whichever image it came from. Which blocks it has is
asked of the local index, after that has been brought in line with the packs that are there now and
that no pruner has marked; save where little has changed since this machine's last snapshot, see
`remembering`.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import uuid4

import msgspec

from junmai_svc.storage.backends.base import Backend, Stat
from junmai_svc.storage.backends.failures import translated
from junmai_svc.storage.errors import (
    IntegrityError,
    JunmaiError,
    NotFoundError,
    StorageUnavailableError,
)
from junmai_svc.storage.snapshots.base import Tick, checked, taken
from junmai_svc.storage.snapshots.blocks import collecting, repacking
from junmai_svc.storage.snapshots.blocks.committing import (
    ConflictError,
    NameTakenError,
    Needed,
    needed_by,
    publish,
)
from junmai_svc.storage.snapshots.blocks.distrusting import (
    distrust,
    find_out,
    is_of,
    is_unusable,
)
from junmai_svc.storage.snapshots.blocks.filling import fill
from junmai_svc.storage.snapshots.blocks.index import BlockIndex
from junmai_svc.storage.snapshots.blocks.map_format import LARGEST_MAP
from junmai_svc.storage.snapshots.blocks.maps import ImageMap, encode_map, read_map
from junmai_svc.storage.snapshots.blocks.packs import PackRef
from junmai_svc.storage.snapshots.blocks.places import (
    MANIFEST_SUFFIX,
    PENDING,
    SNAPSHOTS,
    manifest_object,
    map_object,
    pack_object,
)
from junmai_svc.storage.snapshots.blocks.reading import restore_image
from junmai_svc.storage.snapshots.blocks.remembering import RememberedIndex
from junmai_svc.storage.snapshots.blocks.sealing import Kind, Place, Seal
from junmai_svc.storage.snapshots.blocks.writing import Previous, StoredImage, store_image
from junmai_svc.storage.snapshots.cache import StoreCache
from junmai_svc.storage.snapshots.garbage import Collected, Garbage, Repacked
from junmai_svc.storage.snapshots.locks import extend_locks
from junmai_svc.storage.snapshots.manifest import (
    LARGEST_MANIFEST,
    Manifest,
    encode,
    parse_manifest,
)
from junmai_svc.storage.snapshots.naming import names_from

ATTEMPTS = 5


@dataclass(frozen=True)
class _Wanted:
    """A snapshot that is to be stored; an `exact` one gets its manifest's name or none."""

    image: Path
    manifest: Manifest
    retain_until: datetime | None
    exact: bool


class BlockImages:
    """Images as blocks in a backend, sealed by a seal, with a cache on this machine."""

    name = "blocks"

    def __init__(self, backend: Backend, seal: Seal, cache: StoreCache) -> None:
        self.backend = backend
        self.seal = seal
        self.cache = cache

    def store(
        self,
        image: Path,
        manifest: Manifest,
        retain_until: datetime | None,
        tick: Tick | None,
        *,
        exact: bool = False,
    ) -> Manifest:
        """Store the blocks of an image that the store lacks, its map and its manifest.

        The manifest is returned as it is stored. A pruner that gets in the way means that blocks
        are stored anew.

        Raises:
            ChecksumError: the image is not what the manifest says; there is no such snapshot.
            TakenError: another has the exact name.
            JunmaiError: the store or the cache can't be used; there is then no such snapshot, or
                it is whole.
        """
        previous = self.cache.previous(manifest.path, self.seal)
        wanted = _Wanted(image, manifest, retain_until, exact)
        for attempt in range(ATTEMPTS):
            try:
                return self._attempt(wanted, previous, tick if not attempt else None)
            except ConflictError:
                # The last image's map may be what is marked or gone: there has to be a new one.
                previous = None
        raise StorageUnavailableError(
            f"Can't store {manifest.name} in {self.backend.url}: it is being pruned all the time",
            "Run the same command again when the prune has ended.",
        )

    def again(
        self, known: Manifest, manifest: Manifest, retain_until: datetime | None
    ) -> Manifest | None:
        """Store one more manifest of an image that is there, and return it as it is stored.

        Raises:
            NotFoundError: some of what it needs is gone, about to go, or known to be damaged; or it
                is of another image than its map.
            JunmaiError: the store can't be used.
        """
        try:
            image_map = self.map(known.map)
            if not is_of(image_map, known):
                raise ConflictError  # noqa: TRY301  # what is false is not told again
            self._require_undoubted(image_map)
            same = msgspec.structs.replace(
                manifest,
                layout=self.name,
                map=image_map.name,
                checksum=known.checksum,
                file_size=known.file_size,
                new_bytes=0,
            )
            needed = needed_by(image_map)
            extend_locks(self.backend, self.cache, needed, retain_until)
            return self._publish(same, needed, retain_until)
        except (ConflictError, IntegrityError) as error:
            raise NotFoundError(f"The image of {known.name} is not all there any more") from error

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

    def map(self, name: str, content: bytes | None = None) -> ImageMap:
        """Return a map from the store itself, never from the cache.

        With `content` it is the one of these bytes; what it builds on comes from the store.

        Raises:
            IntegrityError: it, or the one that it builds on, is damaged or gone.
            JunmaiError: the store can't be read.
        """

        def get(wanted: str) -> bytes:
            if content is not None and wanted == name:
                return content
            try:
                return self.backend.get(map_object(wanted), LARGEST_MAP)
            except NotFoundError as error:
                raise IntegrityError(
                    f"Map {wanted} in {self.backend.url} is gone", "Check the store."
                ) from error

        return read_map(name, get, self.seal)

    def read_range(self, pack: str, offset: int, length: int) -> bytes:
        """Return bytes of a pack; see `packs.ReadRange`."""
        return self.backend.get_range(pack_object(pack), offset, length)

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

    def manifest_object(self, name: str) -> str:
        """Return the object that holds a snapshot's manifest."""
        return manifest_object(name)

    def manifests(self) -> Iterator[tuple[str, Stat]]:
        """Yield the snapshots' names and the objects that hold their manifests.

        Raises:
            JunmaiError: the store can't be listed.
        """
        for found in self.backend.list(SNAPSHOTS):
            if found.name.endswith(MANIFEST_SUFFIX):
                yield found.name.removeprefix(SNAPSHOTS).removesuffix(MANIFEST_SUFFIX), found

    def fill(self, index: BlockIndex) -> None:
        """Bring an index in line with the packs that may be used now; see `filling.fill`.

        Raises:
            JunmaiError: the store can't be listed or read, or the index not be written.
        """
        fill(index, self.backend, self.read_range, self.seal)

    def _attempt(self, wanted: _Wanted, previous: Previous | None, tick: Tick | None) -> Manifest:
        image, manifest, retain_until = wanted.image, wanted.manifest, wanted.retain_until
        fresh: set[str] = set()

        def put_pack(name: str, content: bytes) -> None:
            self.backend.put(pack_object(name), content, retain_until=retain_until)
            fresh.add(pack_object(name))

        with (
            self.cache.digests() as digests,
            RememberedIndex(self.cache.index, self.fill) as index,
        ):
            if previous is None:
                index.ask()
            else:
                index.rely_on(previous.map.packs)
            with translated(f"read {image}"):
                stored = store_image(
                    image,
                    digests,
                    previous=previous,
                    index=index,
                    put_pack=put_pack,
                    seal=self.seal,
                    tick=tick,
                )
            manifest = checked(manifest, stored.map.image, image)
            image_map, new = self._put_map(stored, previous, retain_until)
            manifest = msgspec.structs.replace(
                manifest, layout=self.name, map=image_map.name, new_bytes=stored.new_bytes + new
            )
            if not previous or image_map.name != previous.map.name:
                fresh.add(map_object(image_map.name))
            needed = {**needed_by(image_map), **self._kept_sizes(image_map)}
            extend_locks(self.backend, self.cache, needed, retain_until, fresh)
            published = self._publish(manifest, needed, retain_until, exact=wanted.exact)
            if published.map == image_map.name:
                self.cache.remember(manifest.path, digests, image_map)
        return published

    def _put_map(
        self, stored: StoredImage, previous: Previous | None, retain_until: datetime | None
    ) -> tuple[ImageMap, int]:
        """Store the map, unless it is the previous one; return it and how many bytes are new."""
        if previous and stored.map.name == previous.map.name:
            return previous.map, 0
        base = previous.map if previous else None
        if base and base.base:
            base = self._base(base.base)
        image_map, content = encode_map(stored.map, base, self.seal)
        self.backend.put(map_object(image_map.name), content, retain_until=retain_until)
        self.cache.keep_map(image_map.name, content)
        return image_map, len(content)

    def _kept_sizes(self, image_map: ImageMap) -> dict[str, int]:
        """How large a map, and the one that it builds on, were when they were stored."""
        kept = {name: self.cache.kept_map(name) for name in (image_map.name, image_map.base)}
        return {map_object(name): len(content) for name, content in kept.items() if content}

    def _base(self, name: str) -> ImageMap | None:
        """A whole map to build on; None where it is gone, which makes the next one whole."""
        try:
            content = self.backend.get(map_object(name), LARGEST_MAP)
            found = self.map(name, content)
        except (IntegrityError, NotFoundError):
            return None
        self.cache.keep_map(name, content)  # it may have been replaced since
        return found

    def _publish(
        self,
        manifest: Manifest,
        needed: Needed,
        retain_until: datetime | None,
        *,
        exact: bool = False,
    ) -> Manifest:
        certain = self.backend.capabilities().conditional_put
        for name in names_from(manifest.name, certain=certain, exact=exact):
            named = msgspec.structs.replace(
                manifest, name=name, backup_path=f"{self.backend.url}/{manifest_object(name)}"
            )
            content = self.seal.close(encode(named), Place(Kind.MANIFEST, name.encode()))
            try:
                publish(self.backend, name, content, needed, retain_until)
            except NameTakenError:
                continue
            return named
        return self._adopted(manifest, retain_until)

    def _adopted(self, manifest: Manifest, retain_until: datetime | None) -> Manifest:
        """Publish what somebody who died had made ready under the name, where it is this image.

        It goes the whole way of a commit with a pending of its own: theirs protects nothing once it
        is taken back, and another one may stand in its place. It stays for a prune to expire;
        whoever is alive after all finds the snapshot published.
        """
        refusal = taken(manifest.name, self.backend.url)
        try:
            content = self.backend.get(f"{PENDING}{manifest.name}", LARGEST_MANIFEST)
            opened = bytes(self.seal.open(content, Place(Kind.MANIFEST, manifest.name.encode())))
            found = parse_manifest(opened, manifest.name, "a pending manifest", self.name)
            if found.checksum != manifest.checksum:
                raise refusal
            needed = needed_by(self.map(found.map))
            extend_locks(self.backend, self.cache, needed, retain_until)
            publish(self.backend, found.name, content, needed, retain_until, beside=str(uuid4()))
        except (NotFoundError, IntegrityError, ConflictError, NameTakenError):
            raise refusal from None
        return found

    def _require_undoubted(self, image_map: ImageMap) -> None:
        """Look whether this machine knows of damage, also where the store could not be told.

        Raises:
            ConflictError: it does.
        """
        with BlockIndex(self.cache.index) as index:
            if any(index.doubts(pack.name) for pack in image_map.packs):
                raise ConflictError

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
