"""Frames of a pack by few requests: the whole pack where it is small or much of it is needed.

Otherwise the footer comes first, then the frames, those that lie close together in one go.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from junmai_svc.storage.snapshots.blocks.frames import frames_of
from junmai_svc.storage.snapshots.blocks.packs import (
    Footer,
    PackRef,
    ReadRange,
    parse_footer,
    read_exactly,
    read_footer,
)
from junmai_svc.storage.snapshots.blocks.sealing import Seal

# What a request's delay is worth in bytes, roughly.
SMALL = 4 << 20
NEAR = 1 << 20


@dataclass(frozen=True)
class FetchedFrames:
    """Frames of a pack as they are stored, by number."""

    footer: Footer
    stored: dict[int, memoryview]

    def open(self, seal: Seal) -> Iterator[tuple[int, bytes]]:
        """The frames' numbers and blocks, one at a time.

        Raises:
            IntegrityError: a frame is damaged.
        """
        for number, stored in self.stored.items():
            yield number, self.footer.open_frame(number, stored, seal)


def fetch_frames(
    pack: PackRef, frames: Sequence[int], read_range: ReadRange, seal: Seal
) -> FetchedFrames:
    """Return some frames of a pack, by their ascending numbers.

    Raises:
        IntegrityError: the pack is not what its reference says, or damaged.
        JunmaiError: whatever `read_range` raises.
    """
    if pack.size <= SMALL or 2 * len(frames) >= frames_of(pack.blocks):
        content = memoryview(read_exactly(pack.name, read_range, 0, pack.size))
        footer = parse_footer(pack.name, pack.size, content, seal, pack.blocks)
        starts = footer.starts
        return FetchedFrames(footer, {n: content[starts[n] : starts[n + 1]] for n in frames})
    footer = read_footer(pack.name, pack.size, read_range, seal, pack.blocks)
    starts = footer.starts
    stored: dict[int, memoryview] = {}
    for group in _groups(frames, starts):
        offset = starts[group[0]]
        length = starts[group[-1] + 1] - offset
        content = memoryview(read_exactly(pack.name, read_range, offset, length))
        for n in group:
            stored[n] = content[starts[n] - offset : starts[n + 1] - offset]
    return FetchedFrames(footer, stored)


def _groups(frames: Sequence[int], starts: Sequence[int]) -> Iterator[list[int]]:
    """The frames in groups whose members lie close together."""
    group: list[int] = []
    for number in frames:
        if group and starts[number] - starts[group[-1] + 1] > NEAR:
            yield group
            group = []
        group.append(number)
    if group:
        yield group
