"""Runs: where the blocks of an image lie, as columns of numbers; 12 bytes a run, however many.

A run names its pack by a number in a list, which `PackList` gives while a map is being made.
"""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from junmai_svc.storage.snapshots.blocks.packs import PackRef


class Run(NamedTuple):
    """`length` blocks in a row of the pack at `pack` in the map's list, from block `first` on."""

    pack: int
    first: int
    length: int


def _column() -> "array[int]":
    return array("I")


@dataclass(frozen=True)
class Runs:
    """The runs of an image in the order of its blocks; neighbours that continue each other merge.

    Numbers are below 2**32: images have at most 16 TiB.
    """

    packs: "array[int]" = field(default_factory=_column)
    firsts: "array[int]" = field(default_factory=_column)
    lengths: "array[int]" = field(default_factory=_column)

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[Run]:
        return map(Run._make, zip(self.packs, self.firsts, self.lengths, strict=True))

    def append(self, pack: int, first: int, length: int) -> None:
        """Add the location of the next `length` blocks of the image."""
        lengths = self.lengths
        if lengths and self.packs[-1] == pack and self.firsts[-1] + lengths[-1] == first:
            lengths[-1] += length
            return
        self.packs.append(pack)
        self.firsts.append(first)
        lengths.append(length)


class RunReader:
    """Reads runs from the front in pieces of any length."""

    def __init__(self, runs: Runs) -> None:
        self._runs = iter(runs)
        self._rest: Run | None = None

    def take(self, count: int) -> list[Run]:
        """Return the runs of the next `count` blocks, or of as many as are left."""
        taken: list[Run] = []
        while count:
            run = self._rest or next(self._runs, None)
            if run is None:
                break
            pack, first, length = run
            if length <= count:  # as it is: most are, and making one takes as long as all else here
                self._rest = None
                taken.append(run)
                count -= length
            else:
                self._rest = Run(pack, first + count, length - count)
                taken.append(Run(pack, first, count))
                count = 0
        return taken


class PackList:
    """The packs of a map in the making, by number; one still in the making has a number too."""

    def __init__(self) -> None:
        self._packs: list[PackRef | None] = []
        self._numbers: dict[str, int] = {}

    def number(self, pack: PackRef) -> int:
        """Return the number of a pack, a new one where it has none."""
        known = self._numbers.get(pack.name)
        if known is None:
            known = self._numbers[pack.name] = len(self._packs)
            self._packs.append(pack)
        return known

    def reserve(self) -> int:
        """Return a number for a pack that has no name yet."""
        self._packs.append(None)
        return len(self._packs) - 1

    def settle(self, number: int, pack: PackRef) -> None:
        """Say which pack a reserved number is for."""
        self._packs[number] = pack
        self._numbers[pack.name] = number

    def settled(self) -> tuple[PackRef, ...]:
        """Return all packs in the order of their numbers; none may be reserved."""
        packs = tuple(pack for pack in self._packs if pack is not None)
        if len(packs) != len(self._packs):
            raise ValueError("a pack is not finished")
        return packs
