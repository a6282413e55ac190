"""Packs: frames one after the other and a footer that says what is in them, in one object.

A pack is named by the SHA-256 of its bytes in hex, has at most 16 MiB and 65,536 blocks, and never
changes. Format, version 1, all numbers little-endian, N blocks in F = ceil(N / 256) frames:

    from the start
       0   8     magic "JMPACK", version 01, flags (01: sealed)
       8         F frames, each a zstd frame of 256 blocks, the last one of the rest; see `sealing`
    then         the footer, sealed as one where the pack is:
                     32 N  the SHA-256 of each block, in order
                      4 F  the stored length of each frame
    from the end
     -28  16     the pack's id: 16 random bytes, also in a pack that is not sealed
     -12   4     N
      -8   8     the same magic, version and flags as at the start

Frames have lengths and no offsets, so they can't overlap or leave gaps; the lengths must fill the
pack exactly. N alone gives the footer's length, so that who knows N, as every map does, reads the
footer in one request. The random id makes every pack's name new, even for the same blocks: what one
writer had to give up can't come back under a name that a pruner is about to delete.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from itertools import accumulate

from junmai_svc.storage.errors import IntegrityError
from junmai_svc.storage.snapshots.blocks.digesting import DIGEST_BYTES
from junmai_svc.storage.snapshots.blocks.frames import (
    FRAME_BLOCKS,
    LARGEST_FRAME,
    frame_blocks,
    frames_of,
    open_frame,
)
from junmai_svc.storage.snapshots.blocks.sealing import Kind, Place, Seal

LARGEST_PACK = 16 << 20
MOST_BLOCKS = 1 << 16
PACK_ID_BYTES = 16

# (name, offset, length) -> exactly `length` bytes of an object; called from several threads.
ReadRange = Callable[[str, int, int], bytes]
# (name, content): stores an object under a name that nothing else has, durably.
PutPack = Callable[[str, bytes], None]

_MAGIC = b"JMPACK\x01"
_MARK_BYTES = len(_MAGIC) + 1
_TRAILER_BYTES = PACK_ID_BYTES + 4 + _MARK_BYTES
_LENGTH_BYTES = 4
# Enough for the footers of packs of up to 1,900 blocks, whose number is not known yet.
_GUESS = 64 << 10


@dataclass(frozen=True, slots=True)
class PackRef:
    """A pack from outside: its name, its size in bytes and how many blocks it has."""

    name: str
    size: int
    blocks: int


@dataclass(frozen=True)
class Pack:
    """A finished pack, its bytes and the digests of its blocks one after the other."""

    ref: PackRef
    content: bytes
    digests: bytes


@dataclass(frozen=True)
class Footer:
    """What a pack holds: the digests of its blocks, and where each frame starts.

    `starts` are offsets in the pack; the last one is where the last frame ends.
    """

    pack: PackRef
    pack_id: bytes
    digests: bytes
    starts: tuple[int, ...]

    @property
    def frames(self) -> int:
        """How many frames the pack has."""
        return len(self.starts) - 1

    def digest(self, block: int) -> bytes:
        """Return the SHA-256 of one block of the pack."""
        return self.digests[block * DIGEST_BYTES : (block + 1) * DIGEST_BYTES]

    def open_frame(self, number: int, stored: bytes | memoryview, seal: Seal) -> bytes:
        """Return the blocks of one frame from its stored bytes.

        Raises:
            IntegrityError: the frame is damaged, not of this pack, or not at this place.
        """
        try:
            compressed = seal.open(stored, Place(Kind.FRAME, self.pack_id, number))
            return open_frame(compressed, frame_blocks(self.pack.blocks, number))
        except IntegrityError as error:
            raise IntegrityError(
                f"Pack {self.pack.name} is damaged in frame {number}: {error.message}", error.hint
            ) from error


class PackBuilder:
    """A pack in the making; `pack_id` are 16 random bytes drawn for it alone."""

    def __init__(self, seal: Seal, pack_id: bytes) -> None:
        self._seal = seal
        self._id = pack_id
        # A BytesIO gives its bytes away without a copy. Its room is taken at once: while it grew
        # it would be moved, and leave holes as large as itself.
        self._content = BytesIO(bytes(LARGEST_PACK))
        self._content.write(_mark(seal))
        self._lengths: list[int] = []
        self._digests = bytearray()

    @property
    def blocks(self) -> int:
        """How many blocks have been added."""
        return len(self._digests) // DIGEST_BYTES

    @property
    def has_room(self) -> bool:
        """True where any frame still fits."""
        blocks = self.blocks + FRAME_BLOCKS
        frame = LARGEST_FRAME + self._seal.overhead
        size = self._content.tell() + frame + tail_length(blocks, self._seal)
        return blocks <= MOST_BLOCKS and size <= LARGEST_PACK

    def add(self, compressed: bytes, digests: bytes) -> None:
        """Append a frame of the blocks with these digests; only the last may have under 256."""
        if self.blocks % FRAME_BLOCKS or not self.has_room:
            raise ValueError("no frame may follow")
        stored = self._seal.close(compressed, Place(Kind.FRAME, self._id, len(self._lengths)))
        self._content.write(stored)
        self._lengths.append(len(stored))
        self._digests += digests

    def finish(self) -> Pack:
        """Return the pack with its name; nothing can be added any more."""
        lengths = struct.pack(f"<{len(self._lengths)}I", *self._lengths)
        digests = bytes(self._digests)
        footer = self._seal.close(digests + lengths, _footer_place(self._id, self.blocks))
        self._content.write(footer)
        self._content.write(self._id + struct.pack("<I", self.blocks) + _mark(self._seal))
        self._content.truncate()
        content = self._content.getvalue()
        name = sha256(content).hexdigest()
        return Pack(PackRef(name, len(content), self.blocks), content, digests)


def tail_length(blocks: int, seal: Seal) -> int:
    """Return how many bytes follow the frames in a pack of so many blocks."""
    footer = blocks * DIGEST_BYTES + frames_of(blocks) * _LENGTH_BYTES
    return footer + seal.overhead + _TRAILER_BYTES


def read_footer(
    name: str, size: int, read_range: ReadRange, seal: Seal, blocks: int | None = None
) -> Footer:
    """Return the footer of a pack of `size` bytes, read from its end.

    One request where `blocks` is given or small, else two.

    Raises:
        IntegrityError: it is no pack, or not one of so many blocks, or damaged.
        JunmaiError: whatever `read_range` raises.
    """
    _check_size(name, size)
    wanted = _GUESS if blocks is None else tail_length(blocks, seal)
    length = min(wanted, size)
    tail = read_exactly(name, read_range, size - length, length)
    missing = tail_length(_blocks_in(name, size, tail, seal), seal) - len(tail)
    if missing > 0:
        tail = read_exactly(name, read_range, size - length - missing, missing) + tail
    return parse_footer(name, size, tail, seal, blocks)


def parse_footer(
    name: str, size: int, tail: bytes | memoryview, seal: Seal, blocks: int | None = None
) -> Footer:
    """Return the footer of a pack of `size` bytes from its last bytes, or from all of it.

    Raises:
        IntegrityError: it is no pack, or not one of so many blocks, or damaged.
    """
    _check_size(name, size)
    count = _blocks_in(name, size, tail, seal)
    if blocks is not None and count != blocks:
        raise _refused(name, f"it has {count} blocks instead of {blocks}")
    tail = tail[-tail_length(count, seal) :]
    pack_id = bytes(tail[-_TRAILER_BYTES:][:PACK_ID_BYTES])
    try:
        footer = seal.open(tail[:-_TRAILER_BYTES], _footer_place(pack_id, count))
    except IntegrityError as error:
        raise _refused(name, error.message) from error
    digests = bytes(footer[: count * DIGEST_BYTES])
    lengths = struct.unpack(f"<{frames_of(count)}I", footer[len(digests) :])
    largest = LARGEST_FRAME + seal.overhead
    if not all(seal.overhead < length <= largest for length in lengths):
        raise _refused(name, "a frame has an impossible length")
    starts = tuple(accumulate(lengths, initial=_MARK_BYTES))
    if starts[-1] != size - tail_length(count, seal):
        raise _refused(name, "its frames do not fill it")
    return Footer(PackRef(name, size, count), pack_id, digests, starts)


def begins_as_pack(content: bytes | memoryview, seal: Seal) -> bool:
    """True where the first bytes are those of a pack of this store."""
    return bytes(content[:_MARK_BYTES]) == _mark(seal)


def read_exactly(name: str, read_range: ReadRange, offset: int, length: int) -> bytes:
    """Return so many bytes of a pack.

    Raises:
        IntegrityError: fewer or more came.
        JunmaiError: whatever `read_range` raises.
    """
    content = read_range(name, offset, length)
    if len(content) != length:
        raise _refused(name, f"{len(content)} bytes came instead of {length}")
    return content


def _check_size(name: str, size: int) -> None:
    if not _MARK_BYTES + _TRAILER_BYTES < size <= LARGEST_PACK:
        raise _refused(name, f"a pack can't have {size} bytes")


def _blocks_in(name: str, size: int, tail: bytes | memoryview, seal: Seal) -> int:
    """The number of blocks that a pack's trailer declares, possible for a pack of that size."""
    mark = bytes(tail[-_MARK_BYTES:])
    if mark != _mark(seal):
        raise _refused(name, _unlike(mark, seal))
    (count,) = struct.unpack("<I", tail[-_MARK_BYTES - 4 : -_MARK_BYTES])
    if not 1 <= count <= MOST_BLOCKS or tail_length(count, seal) > size - _MARK_BYTES:
        raise _refused(name, f"it can't have {count} blocks")
    return int(count)


def _unlike(mark: bytes, seal: Seal) -> str:
    if mark[:-1] == _MAGIC and mark[-1] in {0, 1}:
        return "it is not sealed" if seal.secret else "it is sealed, and no key is given"
    if mark[:-2] == _MAGIC[:-1]:
        return f"it has format {mark[-2]}, which this program does not read"
    return "its end is not one of a pack"


def _mark(seal: Seal) -> bytes:
    return _MAGIC + bytes([seal.secret])


def _footer_place(pack_id: bytes, blocks: int) -> Place:
    return Place(Kind.FOOTER, pack_id, blocks)


def _refused(name: str, why: str) -> IntegrityError:
    return IntegrityError(
        f"Pack {name} is damaged or not ours: {why}", "Check the store and repair it."
    )
