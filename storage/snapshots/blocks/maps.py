"""Maps: where each block of an image lies; whole, or as changes to another map that is whole.

Maps of a database that changes here and there grow with every snapshot. One that builds on an older
one stays small; as that must be whole, there is one more look and never a chain. What it builds on
is the other image's content, wherever that lies by then: maps may be replaced when blocks move.

A map's name is random and stands in the snapshot's manifest. Were it the image's SHA-256, it would
tell everybody whether a certain database is in a sealed store, and two writers of the same image
would replace each other's maps.
"""

import os
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import accumulate

from junmai_svc.storage.snapshots.blocks.map_format import (
    NAME_BYTES,
    StoredMap,
    decode,
    encode,
    refused,
)
from junmai_svc.storage.snapshots.blocks.packs import PackRef
from junmai_svc.storage.snapshots.blocks.runs import PackList, RunReader, Runs
from junmai_svc.storage.snapshots.blocks.sealing import Seal

# Changes are worth a second look where they take at most a quarter of the whole map's bytes.
WORTHWHILE = 4


@dataclass(frozen=True)
class ImageMap:
    """Where all blocks of an image lie; `image` is its SHA-256 in hex, `size` its bytes.

    `digest` is the SHA-256 of the blocks' SHA-256s one after the other: the footers of the packs
    prove by it that these are the places. `base` is the name of the map that this one is stored as
    changes to, empty where it is whole.
    """

    name: str
    image: str
    digest: str
    size: int
    packs: tuple[PackRef, ...]
    runs: Runs
    base: str = ""

    def has_places_of(self, other: "ImageMap") -> bool:
        """True where both say the same of the same image, by whatever name."""
        own = (self.image, self.size, self.packs, self.runs)
        return own == (other.image, other.size, other.packs, other.runs)


def new_map_name() -> str:
    """Return a name that no other map has, in any store."""
    return os.urandom(NAME_BYTES).hex()


def encode_map(image_map: ImageMap, base: ImageMap | None, seal: Seal) -> tuple[ImageMap, bytes]:
    """Return a map as it is to be stored, and its bytes: as changes to `base` where worthwhile.

    `base` is a map that is stored whole, and stays; a good one is that which the last snapshot's
    map builds on, or is. The returned map says whether it builds on it.

    Raises:
        ValueError: `base` is not whole.
        UsageError: the image is larger or lies in more pieces than a map can say.
    """
    whole = encode(_whole(image_map), image_map.name, seal)
    if base is not None:
        if base.base:
            raise ValueError(f"map {base.name} is not whole")
        changes = encode(_changes(image_map, base), image_map.name, seal)
        if len(changes) * WORTHWHILE <= len(whole):
            return replace(image_map, base=base.name), changes
    return replace(image_map, base=""), whole


def read_map(name: str, get_map: Callable[[str], bytes], seal: Seal) -> ImageMap:
    """Return the map of that name, and read the one it builds on; see `MapReader.read`."""
    return MapReader(get_map, seal).read(name)


class MapReader:
    """Reads one map after the other; several threads may.

    `get_map` returns the bytes stored under a map's name, at most `LARGEST_MAP` of them. The last
    one that another built on is kept, opened: of neighbours most build on the same.
    """

    def __init__(self, get_map: Callable[[str], bytes], seal: Seal) -> None:
        self._get_map = get_map
        self._seal = seal
        self._kept: tuple[str, StoredMap] | None = None

    def read(self, name: str) -> ImageMap:
        """Return the map of that name, and read the one that it builds on where there is one.

        Raises:
            IntegrityError: one of the two is damaged, or they don't fit together.
            JunmaiError: whatever `get_map` raises.
        """
        stored = self._decoded(name)
        base = StoredMap("", "", 0, "", (), Runs())
        if stored.base:
            base = self._decoded(stored.base)
            if base.base:
                raise refused(name, f"it builds on {stored.base}, which is not whole")
            self._kept = stored.base, base
        return _resolved(stored, base, name)

    def _decoded(self, name: str) -> StoredMap:
        kept = self._kept
        if kept is not None and kept[0] == name:
            return kept[1]
        return decode(self._get_map(name), name, self._seal)


def _whole(image_map: ImageMap) -> StoredMap:
    runs = image_map.runs
    from_one = Runs(array("I", (number + 1 for number in runs.packs)), runs.firsts, runs.lengths)
    own = image_map.image, image_map.digest, image_map.size
    return StoredMap(*own, "", image_map.packs, from_one)


def _changes(image_map: ImageMap, base: ImageMap) -> StoredMap:
    """The map with every block that lies where the base's map has it left to that map."""
    packs, runs, before = PackList(), Runs(), RunReader(base.runs)
    at = 0
    for number, first, length in image_map.runs:
        pack = image_map.packs[number]
        offset = 0
        for old in before.take(length):
            if base.packs[old.pack] == pack and old.first == first + offset:
                runs.append(0, at + offset, old.length)
            else:
                runs.append(packs.number(pack) + 1, first + offset, old.length)
            offset += old.length
        if offset < length:  # the image has grown
            runs.append(packs.number(pack) + 1, first + offset, length - offset)
        at += length
    own = image_map.image, image_map.digest, image_map.size
    return StoredMap(*own, base.name, packs.settled(), runs)


def _resolved(stored: StoredMap, base: StoredMap, name: str) -> ImageMap:
    own = name, stored.image, stored.digest, stored.size
    if not stored.base:
        runs = stored.runs
        from_zero = array("I", (number - 1 for number in runs.packs))
        return ImageMap(*own, stored.packs, Runs(from_zero, runs.firsts, runs.lengths))
    packs, numbers = _numbered(stored, base)
    runs, theirs = Runs(), base.runs
    their_packs = array("I", (number - 1 for number in theirs.packs))
    ends = array("Q", accumulate(theirs.lengths))
    mine = zip(stored.runs.packs, stored.runs.firsts, stored.runs.lengths, strict=True)
    for number, first, length in mine:
        if number:
            runs.append(numbers[number - 1], first, length)
            continue
        stop = first + length
        if not ends or stop > ends[-1]:
            raise refused(name, f"it reaches beyond the image of {stored.base}")
        # Of the base's runs those between the first and the last one are taken whole, in one step.
        one, last = bisect_right(ends, first), bisect_left(ends, stop)
        skipped = first - (ends[one - 1] if one else 0)
        runs.append(their_packs[one], theirs.firsts[one] + skipped, min(stop, ends[one]) - first)
        if one < last:
            runs.packs.extend(their_packs[one + 1 : last])
            runs.firsts.extend(theirs.firsts[one + 1 : last])
            runs.lengths.extend(theirs.lengths[one + 1 : last])
            runs.append(their_packs[last], theirs.firsts[last], stop - ends[last - 1])
    order = {number: at for at, number in enumerate(dict.fromkeys(runs.packs))}
    settled = tuple(packs[number] for number in order)
    if len({pack.name for pack in settled}) != len(settled):
        raise refused(name, f"{stored.base} says otherwise of a pack")
    by_order = array("I", map(order.__getitem__, runs.packs))
    return ImageMap(*own, settled, Runs(by_order, runs.firsts, runs.lengths), stored.base)


def _numbered(stored: StoredMap, base: StoredMap) -> tuple[list[PackRef], list[int]]:
    """The packs of both, the base's first, and the numbers of the map's own among them."""
    packs = [*base.packs]
    known = {pack: number for number, pack in enumerate(packs)}
    numbers = []
    for pack in stored.packs:
        numbers.append(known.get(pack, len(packs)))
        packs += [] if pack in known else [pack]
    return packs, numbers
