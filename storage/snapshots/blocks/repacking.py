"""Packs that are mostly dead are rewritten: their live blocks move, and the maps say so.

    live blocks -> new packs -> for each map that names an old one: its new version is put pending
    -> list the marks, *then* look at all that it names -> it replaces the current version

What nothing leads to afterwards is garbage like any other. A map whose current version is locked
stays as it is, and with it the packs that it names. Manifests name maps and no packs, so they stay
true. The model in tests/storage/snapshots/blocks/test_commit_protocol_model.py has the repacker.

What a map that builds on another leaves to that one is the other image's content, wherever it lies:
so maps may be replaced one by one, in any order, and old and new versions fit together.
"""

from array import array
from collections import defaultdict
from collections.abc import Collection, Container, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from hashlib import sha256

from junmai_svc.storage.backends.base import Backend, RetainedError, Stat
from junmai_svc.storage.errors import IntegrityError, JunmaiError
from junmai_svc.storage.snapshots.blocks.access import get_map
from junmai_svc.storage.snapshots.blocks.committing import ConflictError, switch_map
from junmai_svc.storage.snapshots.blocks.digesting import BLOCK_BYTES
from junmai_svc.storage.snapshots.blocks.distrusting import distrusted_packs
from junmai_svc.storage.snapshots.blocks.fetching import fetch_frames
from junmai_svc.storage.snapshots.blocks.frames import FRAME_BLOCKS
from junmai_svc.storage.snapshots.blocks.maps import ImageMap, MapReader, encode_map
from junmai_svc.storage.snapshots.blocks.packing import Packing
from junmai_svc.storage.snapshots.blocks.packs import Pack, PackRef, ReadRange
from junmai_svc.storage.snapshots.blocks.places import map_object, pack_object, packs_in
from junmai_svc.storage.snapshots.blocks.runs import PackList, Runs
from junmai_svc.storage.snapshots.blocks.sealing import Seal
from junmai_svc.storage.snapshots.blocks.surveying import Survey, survey
from junmai_svc.storage.snapshots.garbage import YOUNG, Locked, Repacked, time_of

# A pack is rewritten where so much of it is dead; or so much, where the store as a whole is.
MOSTLY = 0.5
PARTLY = 0.2
STORE_PARTLY = 0.15
# Blocks that are moved at once, a gigabyte: where each went is kept in memory.
MOST_MOVED = 1 << 18


@dataclass(frozen=True)
class PackUse:
    """A pack and how many of its blocks maps name."""

    pack: PackRef
    live: int

    @property
    def dead(self) -> float:
        """The share of it that nothing names."""
        return (self.pack.blocks - self.live) / self.pack.blocks


@dataclass
class Uses:
    """Which blocks of which packs are named by maps: a byte for each block."""

    packs: dict[str, PackRef] = field(default_factory=dict)
    blocks: dict[str, bytearray] = field(default_factory=dict)

    def add(self, image_map: ImageMap) -> None:
        """Note all blocks that an image needs."""
        named = [self._blocks(pack) for pack in image_map.packs]
        for number, first, length in image_map.runs:
            named[number][first : first + length] = b"\x01" * length

    def of(self, pack: str) -> PackUse:
        """Return how much of a pack is named."""
        return PackUse(self.packs[pack], self.blocks[pack].count(1))

    def live(self, pack: str) -> list[int]:
        """Return the numbers of a pack's blocks that are named."""
        return [number for number, named in enumerate(self.blocks[pack]) if named]

    def _blocks(self, pack: PackRef) -> bytearray:
        self.packs.setdefault(pack.name, pack)
        return self.blocks.setdefault(pack.name, bytearray(pack.blocks))


def choose(uses: Collection[PackUse]) -> list[PackRef]:
    """Return the packs that are worth rewriting, those with the most dead first. Pure."""
    size = sum(use.pack.size for use in uses)
    dead = sum(use.pack.size * use.dead for use in uses)
    least = PARTLY if dead > STORE_PARTLY * size else MOSTLY
    worth = sorted((use for use in uses if use.dead >= least), key=lambda use: -use.dead)
    chosen: list[PackRef] = []
    moved = 0
    for use in worth:
        moved += use.live
        if moved > MOST_MOVED and chosen:
            break
        chosen.append(use.pack)
    return chosen


class Moves:
    """Where blocks of old packs lie now; packs are named by numbers in `packs`."""

    def __init__(self, packs: PackList) -> None:
        self.packs = packs
        self._places: dict[str, array[int]] = {}

    def note(self, pack: PackRef, block: int, number: int, first: int) -> None:
        """Note where a block has gone."""
        places = self._places.setdefault(pack.name, array("q", [-1]) * pack.blocks)
        places[block] = number << 32 | first

    def __contains__(self, pack: object) -> bool:
        return pack in self._places

    def moved(self, image_map: ImageMap) -> ImageMap:
        """Return the map of the same image with every block where it lies now. Pure.

        A block that was not moved lies where it lay.
        """
        settled = self.packs.settled()
        packs, runs = PackList(), Runs()
        for number, first, length in image_map.runs:
            pack = image_map.packs[number]
            places = self._places.get(pack.name)
            if places is None:
                runs.append(packs.number(pack), first, length)
                continue
            for block in range(first, first + length):
                place = places[block]
                if place < 0:
                    runs.append(packs.number(pack), block, 1)
                else:
                    runs.append(packs.number(settled[place >> 32]), place & 0xFFFFFFFF, 1)
        return replace(image_map, packs=packs.settled(), runs=runs)


@dataclass(frozen=True)
class Rewriting:
    """What both repacking and repair do: new packs, and new versions of maps.

    `lost` are packs that maps may go on to name although they are not to be used any more. With
    `covers` maps get new versions also where a lock keeps the old one, which frees nothing.
    """

    backend: Backend
    seal: Seal
    owner: str
    retain_until: datetime | None
    lost: frozenset[str] = frozenset()
    covers: bool = False

    def put(self, pack: Pack) -> None:
        """Store a new pack."""
        place = pack_object(pack.ref.name)
        self.backend.put(place, pack.content, retain_until=self.retain_until)

    def switch(self, image_map: ImageMap, base: ImageMap | None) -> bool:
        """Make a map's new version the current one; False where a pruner came between.

        `base` is the map that it may build on, which is stored whole.

        Raises:
            RetainedError: the current version is locked.
            JunmaiError: the store can't be used.
        """
        stored, content = encode_map(image_map, base, self.seal)
        needed: dict[str, int | None] = {
            pack_object(pack.name): pack.size for pack in stored.packs if pack.name not in self.lost
        }
        needed |= {map_object(stored.base): None} if stored.base else {}
        try:
            switch_map(
                self.backend,
                self.owner,
                stored.name,
                content,
                needed,
                self.retain_until,
                covers=self.covers,
            )
        except ConflictError:
            return False
        return True


def repack(backend: Backend, seal: Seal, owner: str, retain_until: datetime | None) -> Repacked:
    """Rewrite the packs that are worth it. `owner` is an id that nobody else has.

    It may be interrupted at any step; what it has put by then is used or becomes garbage.

    Raises:
        JunmaiError: the store can't be read or written.
    """
    now = time_of(backend)
    found = survey(backend, seal)
    if found.problems:
        return Repacked(problems=tuple(found.problems))
    maps = Maps(backend, seal, found)
    uses = Uses()
    try:
        for name in maps.names():
            uses.add(maps.read(name))
    except IntegrityError as problem:
        return Repacked(problems=(problem,))
    stored = dict(packs_in(backend))
    old = [
        uses.of(name)
        for name in uses.packs
        if name in stored and _is_movable(backend, stored[name], now)
    ]
    work = Rewriting(backend, seal, owner, retain_until, distrusted_packs(backend))
    packs = PackList()
    moves = Moves(packs)
    new: list[PackRef] = []
    problems: list[JunmaiError] = []

    def read(name: str, offset: int, length: int) -> bytes:
        return backend.get_range(pack_object(name), offset, length)

    def put(pack: Pack) -> None:
        work.put(pack)
        new.append(pack.ref)

    packing = Packing(packs, put, seal, increment=True)
    for pack in choose(old):
        try:
            for block, digest, content in read_blocks(read, seal, pack, uses.live(pack.name)):
                run = packing.find(digest) or packing.add(digest, content)
                moves.note(pack, block, run.pack, run.first)
        except IntegrityError as problem:  # what was not moved stays where it is
            problems.append(problem)
    packing.finish()
    switched, locked = switch_all(work, maps, moves)
    return Repacked(switched, tuple(each.name for each in new), locked, tuple(problems))


class Maps:
    """The maps that a survey found, read one at a time."""

    def __init__(self, backend: Backend, seal: Seal, found: Survey) -> None:
        self._found = found
        self._reader = MapReader(partial(get_map, backend), seal)

    def names(self) -> list[str]:
        """Return the names of those that there are, those that build on the same one together.

        A pending manifest's may be gone again.
        """
        maps, waiting = self._found.maps, self._found.waiting
        there = (name for name in maps if name not in waiting or maps[name].packs)
        return sorted(there, key=lambda name: (maps[name].base or name, name))

    def naming(self, packs: Container[str]) -> list[str]:
        """Return the names of the maps that name one of these packs themselves."""
        maps = self._found.maps
        return [n for n in self.names() if any(pack.name in packs for pack in maps[n].packs)]

    def read(self, name: str) -> ImageMap:
        """Return a map, resolved.

        Raises:
            IntegrityError: it is damaged or gone.
            JunmaiError: the store can't be read.
        """
        return self._reader.read(name)


def read_blocks(
    read: ReadRange, seal: Seal, pack: PackRef, wanted: Collection[int]
) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield some blocks of a pack, each with its number and its digest, which has been verified.

    Raises:
        IntegrityError: the pack is damaged.
        JunmaiError: the store can't be read.
    """
    by_frame: dict[int, list[int]] = defaultdict(list)
    for block in sorted(wanted):
        by_frame[block // FRAME_BLOCKS].append(block)

    fetched = fetch_frames(pack, sorted(by_frame), read, seal)
    for frame, content in fetched.open(seal):
        for block in by_frame[frame]:
            at = block % FRAME_BLOCKS * BLOCK_BYTES
            own = content[at : at + BLOCK_BYTES]
            digest = fetched.footer.digest(block)
            if sha256(own).digest() != digest:
                raise IntegrityError(
                    f"Pack {pack.name} has another block {block} than its footer says",
                    "Check the store with --read-data, and repair it.",
                )
            yield block, digest, own


def switch_all(work: Rewriting, maps: Maps, moves: Moves) -> tuple[int, tuple[Locked, ...]]:
    """Make new versions of all maps that name a moved pack; return how many, and the locked ones.

    One that can't be read stays as it is.

    Raises:
        JunmaiError: the store can't be used.
    """
    switched = 0
    locked: list[Locked] = []
    for name in maps.naming(moves):
        try:
            image_map = maps.read(name)
            base = moves.moved(maps.read(image_map.base)) if image_map.base else None
            switched += work.switch(moves.moved(image_map), base)
        except IntegrityError:
            continue
        except RetainedError as problem:
            locked.append(Locked(map_object(name), problem.retain_until))
    return switched, tuple(locked)


def _is_movable(backend: Backend, pack: Stat, now: datetime) -> bool:
    """Whether a pack is worth a look: not one that somebody is just using, nor one that stays."""
    if now - pack.modified < YOUNG:
        return False
    if not backend.capabilities().object_lock:
        return True
    found = backend.stat(pack.name)
    return not found.held and (found.retain_until is None or found.retain_until <= now)
