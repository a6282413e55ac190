"""Restoring an image: pack by pack, each needed frame opened once, its runs written in place.

Two threads fetch packs ahead, so that at most three are in memory. The file is hashed whole at the
end: what comes out is the image or an error.
"""

from array import array
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from typing import BinaryIO, NamedTuple

from junmai_svc.storage.errors import ChecksumError, IntegrityError
from junmai_svc.storage.files import sha256_of, sync
from junmai_svc.storage.snapshots.blocks.digesting import BLOCK_BYTES
from junmai_svc.storage.snapshots.blocks.fetching import FetchedFrames, fetch_frames
from junmai_svc.storage.snapshots.blocks.frames import FRAME_BLOCKS
from junmai_svc.storage.snapshots.blocks.maps import ImageMap
from junmai_svc.storage.snapshots.blocks.packs import PackRef, ReadRange
from junmai_svc.storage.snapshots.blocks.runs import Runs
from junmai_svc.storage.snapshots.blocks.sealing import Seal

# With a third thread the C library keeps a pack's memory for each: 140 MiB instead of 70.
FETCHES = 2


class Piece(NamedTuple):
    """`length` blocks in a row of a frame, from `start` on, that go to block `at` of the image."""

    start: int
    length: int
    at: int


Pieces = dict[int, list[Piece]]


def restore_image(
    image_map: ImageMap,
    target: Path,
    read_range: ReadRange,
    seal: Seal,
    tick: Callable[[int], None] | None = None,
    damaged: Callable[[PackRef], None] | None = None,
) -> str:
    """Write an image into a new file, durably, and return its SHA-256 in hex.

    `read_range` is called from several threads. `tick` receives the bytes of the image as they are
    written, in no particular order, `damaged` the pack at which it fails as that is damaged. Where
    it fails, what has been written is left to the caller.

    Raises:
        ChecksumError: the blocks are not those of the image.
        IntegrityError: a pack is damaged.
        JunmaiError: whatever `read_range` raises.
        OSError: the file is there already or can't be written.
    """
    with target.open("xb", buffering=0) as file:
        file.truncate(image_map.size)
        for pack, pieces, fetched in _fetched(image_map, read_range, seal):
            with _telling(damaged, pack):
                for frame, blocks in fetched.result().open(seal):
                    for piece in pieces[frame]:
                        written = _write(file, image_map.size, piece, memoryview(blocks))
                        if tick is not None:
                            tick(written)
        sync(file.fileno())
    checksum = sha256_of(target)
    if checksum != image_map.image:
        raise ChecksumError(
            f"Backup checksum mismatch: the blocks restored to {target} make another image",
            "Restore another snapshot, and check the store with all its data.",
        )
    return checksum


@contextmanager
def _telling(damaged: Callable[[PackRef], None] | None, pack: PackRef) -> Iterator[None]:
    try:
        yield
    except IntegrityError:
        if damaged is not None:
            damaged(pack)
        raise


def _fetched(
    image_map: ImageMap, read_range: ReadRange, seal: Seal
) -> Iterator[tuple[PackRef, Pieces, Future[FetchedFrames]]]:
    """Pack after pack, a few of them fetched ahead."""
    waiting: deque[tuple[PackRef, Pieces, Future[FetchedFrames]]] = deque()
    with ThreadPoolExecutor(FETCHES) as pool:
        try:
            for pack, pieces in pieces_by_pack(image_map):
                if len(waiting) == FETCHES:
                    yield waiting.popleft()
                fetch = pool.submit(fetch_frames, pack, sorted(pieces), read_range, seal)
                waiting.append((pack, pieces, fetch))
            while waiting:
                yield waiting.popleft()
        finally:
            pool.shutdown(cancel_futures=True)


def pieces_by_pack(image_map: ImageMap) -> Iterator[tuple[PackRef, Pieces]]:
    """Each pack of an image with what is needed of it, by the number of the frame."""
    runs = image_map.runs
    positions = array("Q", accumulate(runs.lengths, initial=0))
    members = [array("I") for _pack in image_map.packs]
    for run, number in enumerate(runs.packs):
        members[number].append(run)
    for pack, own in zip(image_map.packs, members, strict=True):
        yield pack, _pieces(runs, own, positions)


def _pieces(runs: Runs, members: "array[int]", positions: "array[int]") -> Pieces:
    pieces: Pieces = defaultdict(list)
    for run in members:
        first, left, at = runs.firsts[run], runs.lengths[run], positions[run]
        while left:
            frame, start = divmod(first, FRAME_BLOCKS)
            length = min(left, FRAME_BLOCKS - start)
            pieces[frame].append(Piece(start, length, at))
            first, left, at = first + length, left - length, at + length
    return pieces


def _write(file: BinaryIO, size: int, piece: Piece, blocks: memoryview) -> int:
    """Write a piece in its place, without what fills up the last block; return its bytes."""
    offset = piece.at * BLOCK_BYTES
    length = min(piece.length * BLOCK_BYTES, size - offset)
    view = blocks[piece.start * BLOCK_BYTES :][:length]
    file.seek(offset)
    while view:
        view = view[file.write(view) :]
    return length
