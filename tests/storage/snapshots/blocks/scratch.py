"""A store of blocks in a folder, as small as can be: what the rooms need from one, and no more."""

from collections.abc import Callable
from pathlib import Path

from junmai_svc.storage.errors import NotFoundError
from junmai_svc.storage.snapshots.blocks.cipher import XChaChaSeal
from junmai_svc.storage.snapshots.blocks.index import BlockIndex
from junmai_svc.storage.snapshots.blocks.maps import ImageMap, encode_map, read_map
from junmai_svc.storage.snapshots.blocks.packs import read_footer
from junmai_svc.storage.snapshots.blocks.reading import restore_image
from junmai_svc.storage.snapshots.blocks.sealing import Seal, Unsealed
from junmai_svc.storage.snapshots.blocks.writing import Previous, StoredImage, store_image

KEY = bytes(range(32))
STORE_ID = "7a6f4b3e-2c1d-4e5f-8a9b-0c1d2e3f4a5b"
SEALS: dict[str, Callable[[], Seal]] = {
    "plain": Unsealed,
    "sealed": lambda: XChaChaSeal(KEY, STORE_ID),
}


class ScratchStore:
    """Packs and maps as files; `asked` are the ranges that were read, as (name, offset, length)."""

    def __init__(self, folder: Path, seal: Seal) -> None:
        self.folder = folder
        self.seal = seal
        self.asked: list[tuple[str, int, int]] = []
        self.previous: Previous | None = None
        for kind in ("packs", "maps"):
            (folder / kind).mkdir(parents=True, exist_ok=True)

    @property
    def packs(self) -> dict[str, int]:
        """The packs by name with their sizes."""
        return {path.name: path.stat().st_size for path in (self.folder / "packs").iterdir()}

    def put_pack(self, name: str, content: bytes) -> None:
        """Store a pack under a name that nothing has."""
        with (self.folder / "packs" / name).open("xb") as file:
            file.write(content)

    def read_range(self, name: str, offset: int, length: int) -> bytes:
        """Read a part of a pack."""
        self.asked.append((name, offset, length))
        try:
            with (self.folder / "packs" / name).open("rb") as file:
                file.seek(offset)
                return file.read(length)
        except FileNotFoundError as error:
            raise NotFoundError(f"No pack {name}") from error

    def get_map(self, name: str) -> bytes:
        """Return a map's bytes."""
        return (self.folder / "maps" / name).read_bytes()

    def index(self) -> BlockIndex:
        """The index, brought up to date with the packs that are there."""
        index = BlockIndex(self.folder / "index.db")
        index.keep_only(self.packs)
        for name in index.unknown(self.packs):
            footer = read_footer(name, self.packs[name], self.read_range, self.seal)
            index.add(footer.pack, footer.digests)
        return index

    def store(self, image: Path) -> StoredImage:
        """Store an image, and remember it as the previous one."""
        digests = self.folder / f"digests {len(list(self.folder.iterdir()))}"
        with self.index() as index:
            stored = store_image(
                image,
                digests,
                previous=self.previous,
                index=index,
                put_pack=self.put_pack,
                seal=self.seal,
            )
        last = self.previous.map if self.previous else None
        if last is None or stored.map.name != last.name:
            base = read_map(last.base, self.get_map, self.seal) if last and last.base else last
            as_stored, content = encode_map(stored.map, base, self.seal)
            (self.folder / "maps" / as_stored.name).write_bytes(content)
        self.previous = Previous(digests, stored.map)
        return stored

    def map(self, name: str) -> ImageMap:
        """Return a stored map."""
        return read_map(name, self.get_map, self.seal)

    def restore(self, name: str, target: Path) -> bytes:
        """Restore the image of a map and return its bytes."""
        restore_image(self.map(name), target, self.read_range, self.seal)
        return target.read_bytes()
