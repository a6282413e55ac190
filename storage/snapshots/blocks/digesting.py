"""An image as blocks of 4 KiB at fixed offsets, each named by the SHA-256 of its content.

An image is read once, in steps of 4 MiB that share their memory, so it stays flat. The last block
is filled up with zeros. Equal digests mean equal blocks wherever they lie, so that a rebuilt table
or a VACUUM, which moves everything, costs little.

The digest list of an image is a local file that spares the next backup most of its look-ups. It may
be lost; it is not believed unless it is what was written, as an old digest could hide a change. Its
format, version 1:

    0   8     magic "JMDIGE", version 01, 00
    8  32     SHA-256 of the image
    40 32     SHA-256 of the rest
    72 32 N   the SHA-256 of each block, in order
"""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from io import BufferedIOBase
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol, Self

BLOCK_BYTES = 4096
DIGEST_BYTES = 32
STEP_BLOCKS = 1024

_MAGIC = b"JMDIGE\x01\x00"
_HEAD_BYTES = len(_MAGIC) + 2 * DIGEST_BYTES
_CHUNK = 1 << 20


class Hash(Protocol):
    """A hash that is fed piece by piece."""

    def update(self, data: bytes | memoryview, /) -> None:
        """Feed it."""


@dataclass(frozen=True)
class Step:
    """Up to 1,024 blocks of an image: their bytes, their digests and which of them have changed.

    `size` is that of the image's bytes in it, without the filling. `changed` are ranges of block
    numbers within the step, ascending and apart. `blocks` are there until the next step is read.
    """

    size: int
    blocks: memoryview
    digests: bytes
    changed: tuple[range, ...]

    def __len__(self) -> int:
        return len(self.digests) // DIGEST_BYTES

    def digest(self, number: int) -> bytes:
        """Return the digest of one block of the step."""
        return self.digests[number * DIGEST_BYTES : (number + 1) * DIGEST_BYTES]

    def block(self, number: int) -> memoryview:
        """Return the 4,096 bytes of one block of the step."""
        return self.blocks[number * BLOCK_BYTES : (number + 1) * BLOCK_BYTES]


def blocks_of(size: int) -> int:
    """Return how many blocks an image of `size` bytes has."""
    return -(-size // BLOCK_BYTES)


def digests_of(blocks: memoryview) -> bytes:
    """Return the digests of whole blocks, one after the other."""
    starts = range(0, len(blocks), BLOCK_BYTES)
    return b"".join([sha256(blocks[at : at + BLOCK_BYTES]).digest() for at in starts])


def steps(image: BufferedIOBase, previous: BinaryIO | None, whole: Hash) -> Iterator[Step]:
    """Cut an image into blocks and compare them with the previous digest list, if there is one.

    `image` is read from where it stands to its end, `previous` from its first digest on; `whole` is
    fed all of the image.

    Raises:
        OSError: one of the two can't be read.
    """
    step = memoryview(bytearray(STEP_BLOCKS * BLOCK_BYTES))
    while size := image.readinto(step):
        whole.update(step[:size])
        view = step[: blocks_of(size) * BLOCK_BYTES]
        view[size:] = bytes(len(view) - size)
        digests = digests_of(view)
        before = previous.read(len(digests)) if previous else b""
        yield Step(size, view, digests, tuple(changed_runs(before, digests)))


def changed_runs(before: bytes, after: bytes) -> Iterator[range]:
    """The ranges of blocks whose digests in `after` are not those in `before`, which may be cut."""
    if before == after:
        return
    start: int | None = None
    count = len(after) // DIGEST_BYTES
    for number in range(count):
        at = slice(number * DIGEST_BYTES, (number + 1) * DIGEST_BYTES)
        if before[at] != after[at]:
            start = number if start is None else start
        elif start is not None:
            yield range(start, number)
            start = None
    if start is not None:
        yield range(start, count)


class DigestWriter:
    """Writes a digest list; the file is one only once `finish` has named its image."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self._file.write(bytes(_HEAD_BYTES))
        self._hash = sha256()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()

    def add(self, digests: bytes) -> None:
        """Append the digests of the next blocks.

        Raises:
            OSError: they can't be written.
        """
        self._hash.update(digests)
        self._file.write(digests)

    def finish(self, image: str) -> str:
        """Name the image, by its SHA-256 in hex, whose digests these are; return theirs.

        That is the SHA-256 in hex of all of them, one after the other.

        Raises:
            OSError: it can't be written.
        """
        self._file.seek(0)
        self._file.write(_MAGIC + bytes.fromhex(image) + self._hash.digest())
        return self._hash.hexdigest()


def open_digests(path: Path, image: str) -> BinaryIO | None:
    """Return the digest list of an image, to be read from its first digest on.

    None where the file is not there, is damaged or is the list of another image.

    Raises:
        OSError: it is there and can't be read.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return None
    try:
        head, content = file.read(_HEAD_BYTES), sha256()
        while chunk := file.read(_CHUNK):
            content.update(chunk)
        if head == _MAGIC + bytes.fromhex(image) + content.digest():
            file.seek(_HEAD_BYTES)
            return file
    except BaseException:
        file.close()
        raise
    file.close()
    return None
