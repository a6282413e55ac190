"""Whether a map gives its image, by the footers of its packs: no block is read for it.

A pack's footer names its blocks by their SHA-256s. Along a map these are those of the image's
blocks, whose own SHA-256 the map has. Where the packs are what their footers say, that proves that
what is restored is the image.
"""

from collections.abc import Iterator, Sequence
from hashlib import sha256
from mmap import ACCESS_READ, mmap
from tempfile import TemporaryFile
from threading import Lock
from typing import Self

from junmai_svc.storage.errors import IntegrityError, NotFoundError
from junmai_svc.storage.snapshots.blocks.digesting import DIGEST_BYTES
from junmai_svc.storage.snapshots.blocks.maps import ImageMap
from junmai_svc.storage.snapshots.blocks.packs import Footer, ReadRange, read_footer
from junmai_svc.storage.snapshots.blocks.runs import Runs
from junmai_svc.storage.snapshots.blocks.sealing import Seal

TOGETHER = 8192  # blocks whose digests are hashed at once: 256 KiB, or one run


class Digests:
    """The digests of the blocks of many packs, in a file; several threads may add to it."""

    def __init__(self) -> None:
        self._file = TemporaryFile()  # noqa: SIM115  # closed by us
        self._starts: dict[str, int] = {}
        self._end = 0
        self._lock = Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __contains__(self, pack: object) -> bool:
        return pack in self._starts

    def add(self, footer: Footer) -> None:
        """Note the digests of a pack.

        Raises:
            OSError: there is no room for them.
        """
        with self._lock:
            if footer.pack.name not in self._starts:
                self._file.seek(self._end)
                self._file.write(footer.digests)
                self._starts[footer.pack.name] = self._end
                self._end += len(footer.digests)

    def along(self, image_map: ImageMap) -> str:
        """Return the SHA-256 in hex of the digests of the blocks that a map names, in its order.

        All of its packs must have been added.
        """
        starts = [self._starts[pack.name] for pack in image_map.packs]
        whole = sha256()
        if not starts:
            return whole.hexdigest()
        with self._lock:
            self._file.flush()
            # The system can take mapped memory back, and a run costs a third of what reading does.
            with mmap(self._file.fileno(), 0, access=ACCESS_READ) as file:
                for piece in _joined(file, starts, image_map.runs):
                    whole.update(piece)
        return whole.hexdigest()


def _joined(file: mmap, starts: Sequence[int], runs: Runs) -> Iterator[bytes]:
    """The digests of runs, many together: hashing them one by one takes twice as long."""
    some: list[bytes] = []
    blocks = 0
    for number, first, length in zip(runs.packs, runs.firsts, runs.lengths, strict=True):
        start = starts[number] + first * DIGEST_BYTES
        some.append(file[start : start + length * DIGEST_BYTES])
        blocks += length
        if blocks >= TOGETHER:
            yield b"".join(some)
            some, blocks = [], 0
    yield b"".join(some)


def gives_its_image(
    image_map: ImageMap, digests: Digests, read_range: ReadRange, seal: Seal
) -> bool | None:
    """Tell whether the blocks that a map names make its image; None where a footer is missing.

    The footers that `digests` lacks are read and added.

    Raises:
        JunmaiError: the store can't be read.
        OSError: there is no room for the digests.
    """
    for pack in image_map.packs:
        if pack.name not in digests:
            try:
                digests.add(read_footer(pack.name, pack.size, read_range, seal, pack.blocks))
            except (IntegrityError, NotFoundError):
                return None
    return digests.along(image_map) == image_map.digest
