"""Packs hold what was put into them; what is no pack is refused before it is believed."""

import struct
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.storage.snapshots.blocks.scratch import KEY, SEALS, STORE_ID

from junmai_svc.storage.errors import IntegrityError
from junmai_svc.storage.snapshots.blocks.cipher import XChaChaSeal
from junmai_svc.storage.snapshots.blocks.compression import Compressor
from junmai_svc.storage.snapshots.blocks.digesting import BLOCK_BYTES
from junmai_svc.storage.snapshots.blocks.fetching import fetch_frames
from junmai_svc.storage.snapshots.blocks.frames import FRAME_BLOCKS, LARGEST_FRAME
from junmai_svc.storage.snapshots.blocks.packs import (
    LARGEST_PACK,
    MOST_BLOCKS,
    Pack,
    PackBuilder,
    PackRef,
    parse_footer,
    read_footer,
    tail_length,
)
from junmai_svc.storage.snapshots.blocks.sealing import Kind, Place, Seal, Unsealed

PACK_ID = bytes(range(16))


def block(number: int) -> bytes:
    return struct.pack("<I", number) * (BLOCK_BYTES // 4)


def packed(blocks: list[bytes], seal: Seal, pack_id: bytes = PACK_ID) -> Pack:
    """A pack of these blocks."""
    builder, compressor = PackBuilder(seal, pack_id), Compressor(3)
    for at in range(0, len(blocks), FRAME_BLOCKS):
        frame = blocks[at : at + FRAME_BLOCKS]
        digests = b"".join(sha256(one).digest() for one in frame)
        builder.add(compressor.compress(b"".join(frame)), digests)
    return builder.finish()


def reader(content: bytes) -> Callable[[str, int, int], bytes]:
    return lambda _name, offset, length: content[offset : offset + length]


def unpacked(pack: PackRef, content: bytes, seal: Seal) -> list[bytes]:
    """The blocks of a pack, read as a restore reads them."""
    frames = range(-(-pack.blocks // FRAME_BLOCKS))
    fetched = fetch_frames(pack, frames, reader(content), seal)
    plain = b"".join(blocks for _number, blocks in fetched.open(seal))
    return [plain[at : at + BLOCK_BYTES] for at in range(0, len(plain), BLOCK_BYTES)]


@pytest.mark.parametrize("kind", SEALS)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=2 * FRAME_BLOCKS + 3))
def test_a_pack_holds_the_blocks_that_were_put_in_and_their_digests(
    kind: str, numbers: list[int]
) -> None:
    seal = SEALS[kind]()
    blocks = [block(number) for number in numbers]
    pack = packed(blocks, seal)
    assert pack.ref == PackRef(sha256(pack.content).hexdigest(), len(pack.content), len(blocks))
    footer = read_footer(pack.ref.name, pack.ref.size, reader(pack.content), seal)
    assert (footer.pack, footer.digests) == (pack.ref, pack.digests)
    assert [footer.digest(n) for n in range(len(blocks))] == [
        sha256(one).digest() for one in blocks
    ]
    assert unpacked(pack.ref, pack.content, seal) == blocks


def test_a_footer_takes_one_request_where_the_number_of_blocks_is_known(seal: Seal) -> None:
    pack = packed([block(n) for n in range(3000)], seal)
    asked: list[int] = []

    def read_range(_name: str, offset: int, length: int) -> bytes:
        asked.append(length)
        return pack.content[offset : offset + length]

    known = read_footer(pack.ref.name, pack.ref.size, read_range, seal, pack.ref.blocks)
    assert asked == [tail_length(3000, seal)]
    assert read_footer(pack.ref.name, pack.ref.size, read_range, seal) == known
    assert len(asked) == 3


def test_the_same_blocks_make_a_pack_of_another_name_each_time(seal: Seal) -> None:
    one, other = (packed([block(1)], seal, bytes([n]) * 16) for n in range(2))
    assert one.ref.name != other.ref.name


@pytest.mark.parametrize("incompressible", [True, False])
def test_a_pack_ends_before_it_is_too_large(seal: Seal, incompressible: bool) -> None:
    builder, compressor, random = PackBuilder(seal, PACK_ID), Compressor(3), Random(1)  # noqa: S311
    blocks = BLOCK_BYTES * FRAME_BLOCKS
    while builder.has_room:
        frame = random.randbytes(blocks) if incompressible else bytes(blocks)
        compressed = compressor.compress(frame)
        assert len(compressed) <= LARGEST_FRAME
        builder.add(compressed, random.randbytes(32 * FRAME_BLOCKS))
    with pytest.raises(ValueError, match="no frame may follow"):
        builder.add(b"", bytes(32))
    pack = builder.finish()
    if incompressible:
        assert LARGEST_PACK - 2 * LARGEST_FRAME < pack.ref.size <= LARGEST_PACK
    else:
        assert pack.ref.blocks == MOST_BLOCKS
    read_footer(pack.ref.name, pack.ref.size, reader(pack.content), seal)


def test_nothing_follows_a_frame_that_is_not_full(seal: Seal) -> None:
    builder = PackBuilder(seal, PACK_ID)
    builder.add(Compressor(3).compress(block(1)), bytes(32))
    with pytest.raises(ValueError, match="no frame may follow"):
        builder.add(Compressor(3).compress(block(2)), bytes(32))


# Offsets from the end, see the format.
COUNT, MARK, PACK_ID_AT = slice(-12, -8), slice(-8, None), slice(-28, -12)


def altered(content: bytes, at: slice, new: bytes) -> bytes:
    changed = bytearray(content)
    changed[at] = new
    return bytes(changed)


HOSTILE: dict[str, Callable[[bytes], bytes]] = {
    "no blocks": lambda c: altered(c, COUNT, struct.pack("<I", 0)),
    "fewer blocks": lambda c: altered(c, COUNT, struct.pack("<I", 299)),
    "more blocks": lambda c: altered(c, COUNT, struct.pack("<I", 301)),
    "too many blocks": lambda c: altered(c, COUNT, struct.pack("<I", MOST_BLOCKS + 1)),
    "blocks without end": lambda c: altered(c, COUNT, b"\xff" * 4),
    "another magic": lambda c: altered(c, MARK, b"JMPUCK\x01" + c[-1:]),
    "another version": lambda c: altered(c, MARK, b"JMPACK\x02" + c[-1:]),
    "unknown flags": lambda c: altered(c, MARK, b"JMPACK\x01\x80"),
    "the other kind": lambda c: altered(c, MARK, b"JMPACK\x01" + bytes([1 - c[-1]])),
    "cut off": lambda c: c[:-1],
    "cut off in front": lambda c: c[1:],
    "something added": lambda c: c + b"\0",
    "only a trailer": lambda c: c[-28:],
    "nothing": lambda _c: b"",
    "text": lambda _c: b"<html>" * 100,
    "too large": lambda c: bytes(LARGEST_PACK) + c,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_pack_is_refused_by_name(seal: Seal, name: str) -> None:
    pack = packed([block(n) for n in range(300)], seal)
    content = HOSTILE[name](pack.content)
    with pytest.raises(IntegrityError, match=pack.ref.name):
        read_footer(pack.ref.name, len(content), reader(content), seal)
    with pytest.raises(IntegrityError, match=pack.ref.name):
        fetch_frames(PackRef(pack.ref.name, len(content), 300), [0], reader(content), seal)


@pytest.mark.parametrize(
    "lengths", [(0, 5), (5, 0), (2**32 - 1, 1), (LARGEST_FRAME + 1, 9), (1, 1)]
)
def test_lengths_of_frames_that_can_not_be_are_refused(lengths: tuple[int, int]) -> None:
    pack = packed([block(n) for n in range(300)], Unsealed())
    hostile = altered(pack.content, slice(-36, -28), struct.pack("<II", *lengths))
    with pytest.raises(IntegrityError):
        read_footer(pack.ref.name, len(hostile), reader(hostile), Unsealed())


def test_a_pack_of_another_number_of_blocks_than_the_map_says_is_refused(seal: Seal) -> None:
    pack = packed([block(n) for n in range(300)], seal)
    for blocks in (299, 301, 1, MOST_BLOCKS):
        wrong = PackRef(pack.ref.name, pack.ref.size, blocks)
        with pytest.raises(IntegrityError, match="blocks instead of"):
            fetch_frames(wrong, [0], reader(pack.content), seal)


def test_a_size_that_no_pack_has_is_refused_before_anything_is_read(seal: Seal) -> None:
    def read_range(_name: str, _offset: int, _length: int) -> bytes:
        raise AssertionError("read")

    for size in (-1, 0, 36, LARGEST_PACK + 1, 2**60):
        with pytest.raises(IntegrityError):
            read_footer("p", size, read_range, seal)


@pytest.mark.parametrize("short", [0, 1, 100])
def test_fewer_bytes_than_asked_for_are_refused(seal: Seal, short: int) -> None:
    pack = packed([block(n) for n in range(300)], seal)
    read_range = reader(pack.content)
    with pytest.raises(IntegrityError, match="bytes came instead of"):
        read_footer(pack.ref.name, pack.ref.size, lambda *asked: read_range(*asked)[:short], seal)


@pytest.mark.parametrize("kind", SEALS)
@given(st.data())
def test_a_pack_with_any_bit_flipped_gives_its_blocks_or_an_error(
    kind: str, data: st.DataObject
) -> None:
    seal = SEALS[kind]()
    blocks = [block(n) for n in range(300)]
    pack = packed(blocks, seal)
    content = bytearray(pack.content)
    bit = data.draw(st.integers(0, 8 * len(content) - 1))
    content[bit // 8] ^= 1 << bit % 8
    with suppress(IntegrityError):
        assert unpacked(pack.ref, bytes(content), seal) == blocks


def sealed_frames(pack: Pack, seal: Seal) -> list[bytes]:
    footer = parse_footer(pack.ref.name, pack.ref.size, pack.content, seal)
    return [pack.content[footer.starts[n] : footer.starts[n + 1]] for n in range(footer.frames)]


def test_a_sealed_frame_opens_only_in_its_pack_and_its_place() -> None:
    seal = XChaChaSeal(KEY, STORE_ID)
    one = packed([block(n) for n in range(512)], seal)
    other = packed([block(n) for n in range(512)], seal, bytes(16))
    footer = parse_footer(one.ref.name, one.ref.size, one.content, seal)
    first, second = sealed_frames(one, seal)
    assert footer.open_frame(0, first, seal)[:BLOCK_BYTES] == block(0)
    for number, frame in ((0, second), (1, first), (0, sealed_frames(other, seal)[0])):
        with pytest.raises(IntegrityError, match="does not open"):
            footer.open_frame(number, frame, seal)


def test_a_sealed_pack_with_another_id_opens_nowhere() -> None:
    seal = XChaChaSeal(KEY, STORE_ID)
    pack = packed([block(1)], seal)
    hostile = altered(pack.content, PACK_ID_AT, bytes(16))
    with pytest.raises(IntegrityError):
        read_footer(pack.ref.name, len(hostile), reader(hostile), seal)


def test_a_sealed_store_takes_no_pack_that_is_not_sealed_and_the_reverse() -> None:
    plain, sealed = packed([block(1)], Unsealed()), packed([block(1)], XChaChaSeal(KEY, STORE_ID))
    with pytest.raises(IntegrityError, match="it is not sealed"):
        unpacked(plain.ref, plain.content, XChaChaSeal(KEY, STORE_ID))
    with pytest.raises(IntegrityError, match="it is sealed, and no key is given"):
        unpacked(sealed.ref, sealed.content, Unsealed())


def test_a_sealed_pack_shows_neither_rows_nor_digests() -> None:
    seal = XChaChaSeal(KEY, STORE_ID)
    row = b"CREATE TABLE photos, IMG_0000042.CR3"
    pack = packed([row.ljust(BLOCK_BYTES, b"\0")], seal)
    assert row not in pack.content
    assert pack.digests not in pack.content
    assert seal.open(sealed_frames(pack, seal)[0], Place(Kind.FRAME, PACK_ID, 0))
