"""Compressed bytes come back exactly, or not at all and without being unpacked."""

import tracemalloc
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from junmai_svc.storage.errors import IntegrityError
from junmai_svc.storage.snapshots.blocks.compression import Compressor, decompress

PLAIN = b"photo " * 1000


@given(st.binary(max_size=5000), st.integers(1, 50), st.sampled_from([3, 9]))
def test_what_was_compressed_comes_back(some: bytes, times: int, level: int) -> None:
    plain = some * times
    assert decompress(Compressor(level).compress(plain), len(plain)) == plain


def test_pieces_compressed_one_after_the_other_open_alone() -> None:
    compressor = Compressor(3)
    frames = [compressor.compress(PLAIN), compressor.compress(b""), compressor.compress(b"x")]
    sizes = [len(PLAIN), 0, 1]
    assert [decompress(*frame) for frame in zip(frames, sizes, strict=True)] == [PLAIN, b"", b"x"]


@pytest.mark.parametrize("size", [0, 1, len(PLAIN) - 1, len(PLAIN) + 1, 1 << 20])
def test_another_size_than_declared_is_refused(size: int) -> None:
    with pytest.raises(IntegrityError):
        decompress(Compressor(3).compress(PLAIN), size)


@given(st.data())
def test_a_frame_with_any_bit_flipped_is_refused_or_holds_the_same(data: st.DataObject) -> None:
    frame = bytearray(Compressor(3).compress(PLAIN))
    bit = data.draw(st.integers(0, 8 * len(frame) - 1))
    frame[bit // 8] ^= 1 << bit % 8
    with suppress(IntegrityError):
        assert decompress(bytes(frame), len(PLAIN)) == PLAIN


@pytest.mark.parametrize(
    "change",
    [
        lambda frame: frame[:-1],
        lambda frame: frame[: len(frame) // 2],
        lambda _frame: b"",
        lambda frame: frame + b"\0",
        lambda frame: frame + frame,
        lambda _frame: b"not zstd at all",
    ],
)
def test_anything_but_one_whole_frame_is_refused(change: Callable[[bytes], bytes]) -> None:
    with pytest.raises(IntegrityError):
        decompress(change(Compressor(3).compress(PLAIN)), len(PLAIN))


def test_a_bomb_is_refused_without_the_memory_it_asks_for() -> None:
    bomb = Compressor(3).compress(bytes(64 << 20))
    assert len(bomb) < 10_000
    tracemalloc.start()
    try:
        with pytest.raises(IntegrityError):
            decompress(bomb, 1 << 20)
        assert tracemalloc.get_traced_memory()[1] < 3 << 20
    finally:
        tracemalloc.stop()
