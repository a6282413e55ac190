"""Zstandard, and the only door to it: whole frames with a checksum, opened within a known size.

Source of the format: RFC 8878.
"""

import sys

from junmai_svc.storage.errors import IntegrityError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

# RFC 8878, section 3.1.1.1.2: a window has at least 1 KiB.
_SMALLEST_WINDOW_LOG = 10
_DAMAGED_HINT = "The bytes are damaged or not ours; check the store."


class Compressor:
    """Compresses one piece after the other at one level, which saves setting zstd up for each."""

    def __init__(self, level: int) -> None:
        self._zstd = zstd.ZstdCompressor(
            options={
                zstd.CompressionParameter.compression_level: level,
                zstd.CompressionParameter.checksum_flag: 1,
            }
        )

    def compress(self, plain: bytes | bytearray) -> bytes:
        """Return one zstd frame that holds its own size and a checksum of `plain`."""
        return self._zstd.compress(plain, zstd.ZstdCompressor.FLUSH_FRAME)


def decompress(compressed: bytes | memoryview, size: int) -> bytes:
    """Return the `size` bytes that one zstd frame holds.

    Never more than `size` bytes of output, and a window of that size, are allocated.

    Raises:
        IntegrityError: it is no single whole frame, its checksum is wrong, or it holds another
            number of bytes.
    """
    window = max((size - 1).bit_length() if size else 0, _SMALLEST_WINDOW_LOG)
    frame = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: window})
    try:
        # At least 1, as 0 would leave an empty frame's end unread.
        plain = frame.decompress(compressed, max_length=max(size, 1))
    except zstd.ZstdError as error:
        raise IntegrityError(f"Compressed data is damaged: {error}", _DAMAGED_HINT) from error
    if len(plain) != size or not frame.eof or frame.unused_data:
        raise IntegrityError(
            f"Compressed data does not hold the {size} bytes that it should", _DAMAGED_HINT
        )
    return plain
