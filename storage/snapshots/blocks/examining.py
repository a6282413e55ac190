"""Looking at every byte of a pack, and saying what of an image its damage hits."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from hashlib import sha256
from itertools import accumulate, groupby

from junmai_svc.storage.errors import IntegrityError
from junmai_svc.storage.snapshots.blocks.digesting import DIGEST_BYTES, changed_runs, digests_of
from junmai_svc.storage.snapshots.blocks.frames import FRAME_BLOCKS, frame_blocks
from junmai_svc.storage.snapshots.blocks.maps import ImageMap
from junmai_svc.storage.snapshots.blocks.packs import (
    MOST_BLOCKS,
    Footer,
    ReadRange,
    begins_as_pack,
    parse_footer,
    read_exactly,
)
from junmai_svc.storage.snapshots.blocks.sealing import Seal


@dataclass(frozen=True)
class Damage:
    """What is wrong with a pack, and the numbers of the blocks that can't be had from it."""

    pack: str
    problem: str
    blocks: Collection[int]


def examine_pack(name: str, size: int, read_range: ReadRange, seal: Seal) -> Damage | None:
    """Read all of a pack and return what is wrong with it, None where every byte is right.

    A pack whose SHA-256 is not its name is damaged even where all of its blocks are good.

    Raises:
        JunmaiError: whatever `read_range` raises.
    """
    try:
        content = memoryview(read_exactly(name, read_range, 0, size))
        footer = parse_footer(name, size, content, seal)
    except IntegrityError as error:
        return Damage(name, error.message, range(MOST_BLOCKS))
    problems: list[str] = []
    damaged: set[int] = set()
    for number in range(footer.frames):
        first = number * FRAME_BLOCKS
        own = range(first, first + frame_blocks(footer.pack.blocks, number))
        stored = content[footer.starts[number] : footer.starts[number + 1]]
        try:
            wrong = set(_wrong_blocks(footer, own, footer.open_frame(number, stored, seal)))
            problem = f"Pack {name} has other blocks in frame {number} than its footer says"
        except IntegrityError as error:
            wrong, problem = {*own}, error.message
        if wrong:
            problems.append(problem)
            damaged |= wrong
    if not begins_as_pack(content, seal) or sha256(content).hexdigest() != name:
        problems.append(f"Pack {name} is damaged: its SHA-256 is not its name")
    return Damage(name, problems[0], damaged) if problems else None


def ranges_hit(image_map: ImageMap, damage: Damage) -> Iterator[range]:
    """The blocks of an image that can't be had because of the damage, as ranges of their numbers.

    Block n are the 4,096 bytes of the database from 4,096 n on.
    """
    starts = accumulate(image_map.runs.lengths, initial=0)
    hit = [
        at + offset
        for at, run in zip(starts, image_map.runs, strict=False)  # the last start is the end
        if image_map.packs[run.pack].name == damage.pack
        for offset in range(run.length)
        if run.first + offset in damage.blocks
    ]
    # Numbers that follow each other have the same distance from their places in the list.
    for _distance, group in groupby(enumerate(hit), lambda entry: entry[1] - entry[0]):
        numbers = [number for _place, number in group]
        yield range(numbers[0], numbers[-1] + 1)


def _wrong_blocks(footer: Footer, numbers: range, blocks: bytes) -> Iterator[int]:
    expected = footer.digests[numbers.start * DIGEST_BYTES : numbers.stop * DIGEST_BYTES]
    for run in changed_runs(expected, digests_of(memoryview(blocks))):
        yield from numbers[run.start : run.stop]
