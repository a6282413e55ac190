"""Entry bundles: read as they were written, or refused."""

import gzip
import tracemalloc
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from junmai_svc.storage.errors import IntegrityError
from junmai_svc.storage.journal.bundles import decode_bundle, encode_bundle
from junmai_svc.storage.journal.layout import Bundle

ENTRIES = st.lists(st.binary(max_size=300), min_size=1, max_size=20)
TWO = b"\x00\x02ab\x00\x00"


def packed(content: bytes) -> bytes:
    """Return bytes compressed as a bundle is."""
    return gzip.compress(content, mtime=0)


@settings(deadline=None)
@given(ENTRIES)
def test_entries_are_read_as_they_were_written(entries: list[bytes]) -> None:
    assert decode_bundle(encode_bundle(entries), Bundle(0, len(entries))) == entries


def test_inside_are_the_entries_after_their_lengths() -> None:
    assert gzip.decompress(encode_bundle([b"ab", b"", b"c" * 258])) == (
        TWO + b"\x01\x02" + b"c" * 258
    )


def test_a_full_bundle_of_the_largest_entries_is_read() -> None:
    entries = [bytes([number]) * 65_535 for number in range(256)]
    assert decode_bundle(encode_bundle(entries), Bundle(7)) == entries


def test_a_larger_entry_does_not_fit() -> None:
    with pytest.raises(ValueError, match="65,536 bytes does not fit"):
        encode_bundle([bytes(65_536)])


@settings(deadline=None)
@given(ENTRIES, st.integers(1, 256))
def test_another_number_of_entries_is_refused(entries: list[bytes], width: int) -> None:
    if width == len(entries):
        return
    with pytest.raises(IntegrityError, match=r"The entries in tile/entries/x001/234(\.p/\d+)? are"):
        decode_bundle(encode_bundle(entries), Bundle(1234, width))


@pytest.mark.parametrize(
    "stored",
    [
        b"",
        TWO,
        packed(b""),
        packed(TWO[:-1]),
        packed(TWO[:3]),
        packed(TWO[:1]),
        packed(TWO + b"\x00"),
        packed(TWO + b"\x00\x00"),
        packed(b"\xff\xff" + TWO),
        packed(TWO)[:-1],
        packed(TWO)[:-9],
        packed(TWO) + b"\x00",
        packed(TWO) + packed(b""),
        packed(TWO)[:-6] + b"\x00\x00" + packed(TWO)[-4:],
        zlib.compress(TWO),
        bytes(100),
    ],
)
def test_what_is_not_two_whole_entries_is_refused(stored: bytes) -> None:
    assert decode_bundle(packed(TWO), Bundle(0, 2)) == [b"ab", b""]
    with pytest.raises(IntegrityError, match=r"The entries in tile/entries/000\.p/2 are damaged"):
        decode_bundle(stored, Bundle(0, 2))


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_whatever_the_bytes_there_is_no_other_error(content: bytes) -> None:
    for stored in (content, packed(content)):
        try:
            entries = decode_bundle(stored, Bundle(0, 3))
        except IntegrityError:
            continue
        assert gzip.decompress(encode_bundle(entries)) == gzip.decompress(stored)


def test_a_bomb_is_not_unpacked() -> None:
    """What 128 MiB of zeros are packed into is refused after its first 65,538 bytes."""
    bomb = packed(bytes(1 << 27))
    tracemalloc.start()
    try:
        with pytest.raises(IntegrityError, match="too long"):
            decode_bundle(bomb, Bundle(0, 1))
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
