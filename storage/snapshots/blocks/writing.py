"""Storing an image: only the blocks that the store lacks are written, in the order of the image.

One pass, in steps of 4 MiB. Blocks that the previous image of the same database has at the same
place lie where its map says; the index is asked for the others; what it does not know goes into a
pack. Memory is bounded by a step, a pack and the index's buffer, whatever the image's size.

What is written here becomes part of a snapshot only with a map and a manifest, later. A pack that
no manifest leads to is an orphan, which the next run may use and prune takes away.
"""

from collections.abc import Callable, Iterator
from contextlib import closing, nullcontext
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from junmai_svc.storage.snapshots.blocks.digesting import (
    DigestWriter,
    Step,
    open_digests,
    steps,
)
from junmai_svc.storage.snapshots.blocks.index import BlockIndex
from junmai_svc.storage.snapshots.blocks.maps import ImageMap, new_map_name
from junmai_svc.storage.snapshots.blocks.packing import Packing
from junmai_svc.storage.snapshots.blocks.packs import Pack, PackRef, PutPack
from junmai_svc.storage.snapshots.blocks.runs import PackList, Run, RunReader, Runs
from junmai_svc.storage.snapshots.blocks.sealing import Seal


@dataclass(frozen=True)
class Previous:
    """The last image of the same database: its digest list, which may be missing, and its map."""

    digests: Path
    map: ImageMap


@dataclass(frozen=True)
class StoredImage:
    """What storing an image came to; `map` is the previous one where nothing has changed."""

    map: ImageMap
    new_packs: tuple[PackRef, ...]

    @property
    def new_blocks(self) -> int:
        """How many blocks the store did not have."""
        return sum(pack.blocks for pack in self.new_packs)

    @property
    def new_bytes(self) -> int:
        """How many bytes the new packs have."""
        return sum(pack.size for pack in self.new_packs)


def store_image(
    image: Path,
    digests: Path,
    *,
    previous: Previous | None,
    index: BlockIndex,
    put_pack: PutPack,
    seal: Seal,
    tick: Callable[[int], None] | None = None,
) -> StoredImage:
    """Store the blocks of an image that the store lacks, and return where all of them lie.

    The image is a file that nobody has open, never a live database: closing it would drop SQLite's
    locks. `index` must know exactly the packs that may be used: those that the store has, less
    those that are marked for deletion. The image's digest list is written to `digests`, which must
    not be the previous one. `tick` receives the bytes of each step.

    On return every new pack has been handed to `put_pack`; the map is not stored yet. Where it
    fails, what is at `digests` is no digest list.

    Raises:
        OSError: the image can't be read or the digest list can't be written.
        JunmaiError: the index fails, or whatever `put_pack` raises.
    """
    new: list[PackRef] = []

    def keep(pack: Pack) -> None:
        put_pack(pack.ref.name, pack.content)
        index.add(pack.ref, pack.digests)
        new.append(pack.ref)

    before = open_digests(previous.digests, previous.map.image) if previous else None
    packs, runs, whole, size = PackList(), Runs(), sha256(), 0
    packing = Packing(packs, keep, seal, increment=before is not None)
    placing = _Placing(previous.map if previous and before else None, index, packs, packing)
    with (
        closing(before) if before else nullcontext(),
        image.open("rb") as file,
        DigestWriter(digests) as listed,
    ):
        for step in steps(file, before, whole):
            listed.add(step.digests)
            for run in placing.places(step):
                runs.append(*run)
            size += step.size
            if tick is not None:
                tick(step.size)
        packing.finish()
        digest = listed.finish(whole.hexdigest())
    stored = ImageMap(new_map_name(), whole.hexdigest(), digest, size, packs.settled(), runs)
    if previous and stored.has_places_of(previous.map):
        stored = previous.map
    return StoredImage(stored, tuple(new))


class _Placing:
    """Says where each block of the image lies, step by step."""

    def __init__(
        self, previous: ImageMap | None, index: BlockIndex, packs: PackList, packing: Packing
    ) -> None:
        self._index = index
        self._packs = packs
        self._packing = packing
        self._old = previous.packs if previous else ()
        self._trusted = [index.trusts(pack) for pack in self._old]
        self._reader = RunReader(previous.runs if previous else Runs())

    def places(self, step: Step) -> Iterator[Run]:
        """The runs of a step's blocks; those that the store lacks go into a pack.

        Raises:
            JunmaiError: the index fails or a pack can't be stored.
        """
        pieces = list(self._pieces(step))
        known = self._index.find(
            step.digest(number) for blocks, run in pieces if run is None for number in blocks
        )
        for blocks, run in pieces:
            if run is not None:
                yield Run(self._packs.number(self._old[run.pack]), run.first, run.length)
                continue
            for number in blocks:
                digest = step.digest(number)
                if found := known.get(digest):
                    yield Run(self._packs.number(found.pack), found.block, 1)
                else:
                    just_added = self._packing.find(digest)
                    yield just_added or self._packing.add(digest, step.block(number))

    def _pieces(self, step: Step) -> Iterator[tuple[range, Run | None]]:
        """The step's blocks in order, with the run of the previous map where that still holds."""
        at = 0
        for changed in (*step.changed, range(len(step), len(step))):
            for run in self._reader.take(changed.start - at):
                yield range(at, at + run.length), run if self._trusted[run.pack] else None
                at += run.length
            yield range(at, changed.stop), None
            self._reader.take(len(changed))  # where they lay does not matter any more
            at = changed.stop
