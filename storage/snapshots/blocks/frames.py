"""Frames: up to 256 blocks (1 MiB) compressed as one, the unit that is read and opened.

A first image is compressed at zstd's level 3, increments at 11, which costs little for little data.
Exactly 256 KiB would fall into zstd's class for smaller inputs; blocks one by one need a dictionary
and come out no smaller.
"""

from junmai_svc.storage.snapshots.blocks.compression import decompress
from junmai_svc.storage.snapshots.blocks.digesting import BLOCK_BYTES

FRAME_BLOCKS = 256
FRAME_BYTES = FRAME_BLOCKS * BLOCK_BYTES
# What incompressible blocks become at most: zstd adds 3 bytes for each 128 KiB, a header of up to
# 18 and a checksum of 4. With room to spare.
LARGEST_FRAME = FRAME_BYTES + 1024

FIRST_LEVEL = 3
INCREMENT_LEVEL = 11


def frames_of(blocks: int) -> int:
    """Return how many frames so many blocks make."""
    return -(-blocks // FRAME_BLOCKS)


def frame_blocks(blocks: int, number: int) -> int:
    """Return how many blocks a frame has: 256 but in the last frame of `blocks` blocks."""
    return min(FRAME_BLOCKS, blocks - number * FRAME_BLOCKS)


def open_frame(compressed: bytes | memoryview, blocks: int) -> bytes:
    """Return the `blocks` blocks of a frame, and never allocate more than they take.

    Raises:
        IntegrityError: it is damaged or does not hold exactly so many blocks.
    """
    return decompress(compressed, blocks * BLOCK_BYTES)
