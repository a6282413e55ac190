"""A store of blocks as whoever reads or writes in it needs it: maps and packs by their names."""

from junmai_svc.storage.backends.base import Backend
from junmai_svc.storage.errors import IntegrityError, NotFoundError
from junmai_svc.storage.snapshots.blocks.filling import fill
from junmai_svc.storage.snapshots.blocks.index import BlockIndex
from junmai_svc.storage.snapshots.blocks.map_format import LARGEST_MAP
from junmai_svc.storage.snapshots.blocks.maps import ImageMap, MapReader, read_map
from junmai_svc.storage.snapshots.blocks.places import manifest_object, map_object, pack_object
from junmai_svc.storage.snapshots.blocks.sealing import Seal
from junmai_svc.storage.snapshots.cache import StoreCache


def get_map(backend: Backend, name: str) -> bytes:
    """Return the bytes of a map from the store itself, never from a cache.

    Raises:
        IntegrityError: it is gone.
        JunmaiError: the store can't be read.
    """
    try:
        return backend.get(map_object(name), LARGEST_MAP)
    except NotFoundError as error:
        raise IntegrityError(f"Map {name} in {backend.url} is gone", "Check the store.") from error


class BlockAccess:
    """Blocks in a backend, sealed by a seal, with a cache on this machine."""

    name = "blocks"

    def __init__(self, backend: Backend, seal: Seal, cache: StoreCache) -> None:
        self.backend = backend
        self.seal = seal
        self.cache = cache

    def get_map(self, name: str) -> bytes:
        """Return the bytes of a map; see `get_map`."""
        return get_map(self.backend, name)

    def map(self, name: str, content: bytes | None = None) -> ImageMap:
        """Return a map from the store itself, never from the cache.

        With `content` it is the one of these bytes; what it builds on comes from the store.

        Raises:
            IntegrityError: it, or the one that it builds on, is damaged or gone.
            JunmaiError: the store can't be read.
        """

        def get(wanted: str) -> bytes:
            return content if content is not None and wanted == name else self.get_map(wanted)

        return read_map(name, get, self.seal)

    def maps(self) -> MapReader:
        """Return what reads many maps, as `map` does, in less time."""
        return MapReader(self.get_map, self.seal)

    def read_range(self, pack: str, offset: int, length: int) -> bytes:
        """Return bytes of a pack; see `packs.ReadRange`."""
        return self.backend.get_range(pack_object(pack), offset, length)

    def manifest_object(self, name: str) -> str:
        """Return the object that holds a snapshot's manifest."""
        return manifest_object(name)

    def fill(self, index: BlockIndex) -> None:
        """Bring an index in line with the packs that may be used now; see `filling.fill`.

        Raises:
            JunmaiError: the store can't be listed or read, or the index not be written.
        """
        fill(index, self.backend, self.read_range, self.seal)
