"""The bytes of a map.

Format, version 1, all numbers little-endian:

     0   8     magic "JMMAPS", version 01, flags (01: sealed)
     8         the rest, sealed as one where the store is; see `sealing`:
         4     length of the body
               the body as one zstd frame:
                 32   SHA-256 of the image
                 32   SHA-256 of the SHA-256s of its blocks, in order
                  8   size of the image in bytes
                 16   name of the map that this one builds on, or zeros
                  4   number of packs; for each
                        32   its name
                         4   its size in bytes
                         4   how many blocks it has
                  4   number of runs; then three columns with a number for each run
                             the pack's number in the list from 1; 0: as in the map built on
                             the run's first block in its pack, less the end of the last run in
                             that pack, modulo 2**32; 0 for pack 0
                             how many blocks it has

A column of n numbers is stored as four planes of n bytes: the lowest byte of each number, then the
next ones. Planes of zeros compress to nothing, so it is no larger than numbers of variable length,
and it is read without looking at every byte.
"""

import struct
import sys
from array import array
from dataclasses import dataclass

from junmai_svc.storage.errors import IntegrityError, UsageError
from junmai_svc.storage.snapshots.blocks.compression import Compressor, decompress
from junmai_svc.storage.snapshots.blocks.digesting import blocks_of
from junmai_svc.storage.snapshots.blocks.packs import LARGEST_PACK, MOST_BLOCKS, PackRef
from junmai_svc.storage.snapshots.blocks.runs import Runs
from junmai_svc.storage.snapshots.blocks.sealing import Kind, Place, Seal

NAME_BYTES = 16
LARGEST_IMAGE = 1 << 44  # bytes; block numbers have 32 bits
LARGEST_BODY = 64 << 20  # bytes; 5 million runs, more than an image of 10 GB can have
MOST_PACKS = 1 << 18
LARGEST_MAP = LARGEST_BODY + (1 << 20)  # bytes as stored, had nothing become smaller

_MAGIC = b"JMMAPS\x01"
_MARK_BYTES = len(_MAGIC) + 1
_HEAD = struct.Struct(f"<32s32sQ{NAME_BYTES}s")
_PACK = struct.Struct("<32sII")
_COUNT = struct.Struct("<I")
_COLUMNS = 3
_PLANES = 4
_MODULO = 1 << 32
# Higher levels save a tenth and take three times as long.
_LEVEL = 12


@dataclass(frozen=True)
class StoredMap:
    """A map as it is stored; `image` and `digest` in hex, `size` in bytes.

    Pack 0 of its runs means the map named `base`, at the same place of the image, which is then
    also the run's first block; pack 1 is the first in `packs`. `base` is empty in a whole map.
    """

    image: str
    digest: str
    size: int
    base: str
    packs: tuple[PackRef, ...]
    runs: Runs


def encode(stored: StoredMap, name: str, seal: Seal) -> bytes:
    """Return the bytes of a map for its name.

    Raises:
        UsageError: the image is larger or lies in more pieces than a map can say.
    """
    runs = stored.runs
    body = b"".join(
        (
            _HEAD.pack(
                bytes.fromhex(stored.image),
                bytes.fromhex(stored.digest),
                stored.size,
                bytes.fromhex(stored.base),
            ),
            _COUNT.pack(len(stored.packs)),
            *(
                _PACK.pack(bytes.fromhex(pack.name), pack.size, pack.blocks)
                for pack in stored.packs
            ),
            _COUNT.pack(len(runs)),
            *(_planes(column) for column in (runs.packs, _gaps(stored), runs.lengths)),
        )
    )
    sizes = (stored.size < LARGEST_IMAGE, len(stored.packs) <= MOST_PACKS)
    if not all(sizes) or len(body) > LARGEST_BODY:
        raise UsageError(
            f"An image of {stored.size} bytes in {len(runs)} pieces is more than a map can hold",
            "Store it in a new store, or in one of layout file.",
        )
    content = _COUNT.pack(len(body)) + Compressor(_LEVEL).compress(body)
    return _mark(seal) + seal.close(content, _place(name))


def decode(content: bytes, name: str, seal: Seal) -> StoredMap:
    """Return the map that was stored under a name.

    Raises:
        IntegrityError: it is no map of that name, is damaged, or contradicts itself.
    """
    try:
        _demand(content[:_MARK_BYTES] == _mark(seal), "it does not begin as a map of this store")
        opened = memoryview(seal.open(memoryview(content)[_MARK_BYTES:], _place(name)))
        (length,) = _COUNT.unpack_from(opened)
        _demand(length <= LARGEST_BODY, f"it can't have {length} bytes")
        return _parsed(decompress(opened[_COUNT.size :], length))
    except struct.error as error:
        raise refused(name, "it is cut off") from error
    except IntegrityError as error:
        raise refused(name, error.message) from error


def refused(name: str, why: str) -> IntegrityError:
    """Return the error for a map that can't be used."""
    return IntegrityError(
        f"Map {name} is damaged or not ours: {why}",
        "Restore another snapshot, and check the store.",
    )


def _parsed(body: bytes) -> StoredMap:
    """The map in a body, with everything checked that needs no other map.

    Raises struct.error where the body ends too early.
    """
    image, digest, size, base = _HEAD.unpack_from(body)
    _demand(size < LARGEST_IMAGE, f"an image can't have {size} bytes")
    (count,) = _COUNT.unpack_from(body, _HEAD.size)
    _demand(count <= MOST_PACKS, f"it can't need {count} packs")
    start = _HEAD.size + _COUNT.size
    end = start + count * _PACK.size
    (length,) = _COUNT.unpack_from(body, end)
    columns = body[end + _COUNT.size :]
    _demand(len(columns) == _COLUMNS * _PLANES * length, "its columns have the wrong length")
    packs = tuple(
        PackRef(pack.hex(), *numbers) for pack, *numbers in _PACK.iter_unpack(body[start:end])
    )
    _demand(len({pack.name for pack in packs}) == count, "a pack is listed twice")
    for pack in packs:
        possible = pack.size <= LARGEST_PACK and 1 <= pack.blocks <= MOST_BLOCKS
        _demand(possible, f"pack {pack.name} can't be so large")
    runs = _runs(columns, packs, blocks_of(size))
    _demand(any(base) or 0 not in runs.packs, "it builds on no other map")
    _demand(set(runs.packs) >= set(range(1, count + 1)), "it lists a pack without need")
    builds_on = base.hex() if any(base) else ""
    return StoredMap(image.hex(), digest.hex(), size, builds_on, packs, runs)


def _runs(columns: bytes, packs: tuple[PackRef, ...], blocks: int) -> Runs:
    """The runs in the columns, each within its pack, together exactly so many blocks."""
    width = len(columns) // _COLUMNS
    numbers, gaps, lengths = (_column(columns[k * width :][:width]) for k in range(_COLUMNS))
    firsts = array("I")
    ends = [0] * (len(packs) + 1)
    at = 0
    for number, gap, length in zip(numbers, gaps, lengths, strict=True):
        _demand(number <= len(packs), "it names a pack that it does not list")
        first = (ends[number] + gap) % _MODULO if number else at
        end = ends[number] = first + length
        at += length
        inside = end <= packs[number - 1].blocks if number else gap == 0
        _demand(inside and length > 0, "a run lies outside its pack")
        _demand(at <= blocks, "it has more blocks than the image")
        firsts.append(first)
    _demand(at == blocks, "it has fewer blocks than the image")
    return Runs(numbers, firsts, lengths)


def _gaps(stored: StoredMap) -> "array[int]":
    """How far behind the end of the last run in its pack each run starts."""
    gaps = array("I")
    ends = [0] * (len(stored.packs) + 1)
    for number, first, length in stored.runs:
        gaps.append((first - ends[number]) % _MODULO if number else 0)
        ends[number] = first + length
    return gaps


def _planes(column: "array[int]") -> bytes:
    content = _little_endian(column).tobytes()
    return b"".join(content[k::_PLANES] for k in range(_PLANES))


def _column(planes: bytes) -> "array[int]":
    length = len(planes) // _PLANES
    content = bytearray(len(planes))
    for k in range(_PLANES):
        content[k::_PLANES] = planes[k * length : (k + 1) * length]
    column = array("I")
    column.frombytes(content)
    return _little_endian(column)


def _little_endian(column: "array[int]") -> "array[int]":
    """The column with its bytes in the stored order, or a stored one in this machine's."""
    if sys.byteorder == "big":
        column = column[:]
        column.byteswap()
    return column


def _mark(seal: Seal) -> bytes:
    return _MAGIC + bytes([seal.secret])


def _place(name: str) -> Place:
    return Place(Kind.MAP, name.encode())


def _demand(holds: bool, otherwise: str) -> None:
    if not holds:
        raise IntegrityError(otherwise)
