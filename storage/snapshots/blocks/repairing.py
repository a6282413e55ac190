"""Repair: what is damaged is put aside, and maps say where good blocks lie instead.

    mark the damaged packs -> save their good blocks in new packs -> find the lost ones
    -> new versions of the maps -> the damaged packs go to quarantine

Lost blocks are looked for elsewhere in the store, and in images that are offered.

A damaged pack is taken from where others may use it as a pruner deletes: it is marked before
anybody is looked at, so whoever comes later stores its blocks anew, and it stays where a map still
names a good block of it. A block is known by its digest, which stands in the pack's footer or in
this machine's index; where neither has it, only the very same image, proven by its SHA-256, can
tell what lay there.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from itertools import accumulate
from pathlib import Path
from uuid import uuid4

from junmai_svc.storage.backends.base import RetainedError
from junmai_svc.storage.errors import IntegrityError, JunmaiError, NotFoundError
from junmai_svc.storage.snapshots.blocks.digesting import BLOCK_BYTES, blocks_of
from junmai_svc.storage.snapshots.blocks.distrusting import NOBODY
from junmai_svc.storage.snapshots.blocks.examining import Damage, examine_pack
from junmai_svc.storage.snapshots.blocks.images import BlockImages
from junmai_svc.storage.snapshots.blocks.index import BlockIndex
from junmai_svc.storage.snapshots.blocks.maps import ImageMap
from junmai_svc.storage.snapshots.blocks.packing import Packing
from junmai_svc.storage.snapshots.blocks.packs import PackRef, ReadRange, read_footer
from junmai_svc.storage.snapshots.blocks.places import (
    QUARANTINE,
    mark_object,
    marked_in,
    pack_object,
    packs_in,
)
from junmai_svc.storage.snapshots.blocks.proving import Digests, gives_its_image
from junmai_svc.storage.snapshots.blocks.repacking import Maps, Moves, Rewriting, Uses, switch_all
from junmai_svc.storage.snapshots.blocks.repacking import read_blocks as read_good_blocks
from junmai_svc.storage.snapshots.blocks.runs import PackList
from junmai_svc.storage.snapshots.blocks.surveying import survey
from junmai_svc.storage.snapshots.blocks.writing import store_image
from junmai_svc.storage.snapshots.garbage import let_go

Block = tuple[str, int]  # a pack and the number of a block in it


@dataclass(frozen=True)
class Mended:
    """What a repair came to: blocks by number, maps and packs by name.

    `quarantined` are the names there; `left` are damaged packs that could not be put aside, as
    somebody else or a lock needs them.
    """

    saved: int
    found: int
    lost: int
    maps: int
    rebuilt: tuple[str, ...] = ()
    quarantined: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


@dataclass
class Repair:
    """A repair of a store with these damaged packs and maps; `begin`, `offer` and `finish` it."""

    images: BlockImages
    damages: Sequence[Damage]
    bad_maps: Collection[str]
    retain_until: datetime | None
    owner: str = field(default_factory=lambda: str(uuid4()))
    saved: int = 0
    found: int = 0

    def __post_init__(self) -> None:
        images = self.images
        self._bad = {damage.pack: damage for damage in self.damages}
        self._work = Rewriting(
            images.backend,
            images.seal,
            self.owner,
            self.retain_until,
            frozenset(self._bad),
            covers=True,
        )
        self._packs = PackList()
        self._moves = Moves(self._packs)
        self._packing = Packing(self._packs, self._work.put, images.seal, increment=True)
        self._refs: dict[str, PackRef] = {}
        self._lost: dict[Block, bytes | None] = {}
        self._unmade = set(self.bad_maps)
        self._rebuilt: list[str] = []
        self._maps: dict[str, set[str]] = {}  # maps that name damaged packs, by their image
        self._packs_of: dict[str, set[str]] = {}  # these packs, by the image

    def begin(self) -> None:
        """Mark what is damaged, save what is good of it, and look for the rest in the store itself.

        Raises:
            JunmaiError: the store can't be read or written.
        """
        stored = dict(packs_in(self.images.backend))
        for pack in self._bad.keys() & stored.keys():
            self.images.backend.put(mark_object(self.owner, pack_object(pack)), b"")
        for name in sorted(self._unmade):
            self._put_back(name)
        uses = Uses()
        for image_map in self._readable():
            uses.add(image_map)
            if image_map.name in self._unmade:
                continue  # it can be read and names other blocks than those of its image
            if named := {pack.name for pack in image_map.packs} & self._bad.keys():
                self._maps.setdefault(image_map.image, set()).add(image_map.name)
                self._packs_of.setdefault(image_map.image, set()).update(named)
        for pack in sorted(self._bad.keys() & uses.packs.keys()):
            self._refs[pack] = uses.packs[pack]
            self._save(
                uses.packs[pack], uses.live(pack), stored[pack].size if pack in stored else 0
            )
        self._look_around(stored.keys() - self._bad.keys())

    @property
    def wanted_images(self) -> frozenset[str]:
        """The SHA-256s of images that would still help if they were offered."""
        lost = {pack for pack, _block in self._lost}
        return frozenset(image for image, packs in self._packs_of.items() if packs & lost)

    @property
    def wants_blocks(self) -> bool:
        """True where any image might hold a block that is lost."""
        return any(digest is not None for digest in self._lost.values())

    @property
    def unmade_maps(self) -> frozenset[str]:
        """The maps that can't be used, and would be made anew if their image were offered."""
        return frozenset(self._unmade)

    def offer(self, image: Path, checksum: str, maps: Collection[str] = ()) -> None:
        """Take what is lost from an image whose SHA-256 is this; `maps` are to be those of it.

        Raises:
            JunmaiError: the store can't be read or written.
            OSError: the image can't be read.
        """
        for name in sorted(self._unmade & set(maps)):
            self._rebuild(name, image)
        with image.open("rb") as file:

            def block_at(number: int) -> bytes:
                file.seek(number * BLOCK_BYTES)
                return file.read(BLOCK_BYTES).ljust(BLOCK_BYTES, b"\0")

            for name in sorted(self._maps.get(checksum, ())):
                for lost, number in [*self._positions(self.images.map(name))]:
                    self._take(lost, block_at(number))
            wanted = self._by_digest()
            for number in range(blocks_of(image.stat().st_size)) if wanted else ():
                content = block_at(number)
                for lost in wanted.pop(sha256(content).digest(), ()):
                    self._take(lost, content)

    def finish(self) -> Mended:
        """Make the maps say where everything lies now, and put the damaged packs aside.

        Raises:
            JunmaiError: the store can't be read or written.
        """
        self._packing.finish()
        backend, seal = self.images.backend, self.images.seal
        switched, _locked = switch_all(
            self._work, Maps(backend, seal, survey(backend, seal)), self._moves
        )
        quarantined, left = self._put_aside()
        with BlockIndex(self.images.cache.index) as index:
            for damage in self.damages:
                index.forget(damage.pack, damage.blocks)
        return Mended(
            self.saved,
            self.found,
            len(self._lost),
            switched,
            tuple(self._rebuilt),
            tuple(quarantined),
            tuple(left),
        )

    def _readable(self) -> Iterator[ImageMap]:
        """The maps of the store that can be read."""
        backend, seal = self.images.backend, self.images.seal
        maps = Maps(backend, seal, survey(backend, seal))
        for name in maps.names():
            with suppress(IntegrityError):
                yield maps.read(name)

    def _save(self, pack: PackRef, live: Collection[int], size: int) -> None:
        """Move the good blocks of a damaged pack, wherever it lies; note those that are lost."""
        damage = self._bad[pack.name]
        digests = self._digests(pack, size)
        rest = [block for block in live if block not in damage.blocks]
        read: ReadRange = self.images.read_range
        if not rest and (kept := self._in_quarantine(pack)):
            damage, read = kept, self._read_quarantine
            rest = [block for block in live if block not in damage.blocks]
        moved = set()
        with suppress(IntegrityError, NotFoundError):
            for block, digest, content in read_good_blocks(read, self.images.seal, pack, rest):
                run = self._packing.find(digest) or self._packing.add(digest, content)
                self._moves.note(pack, block, run.pack, run.first)
                moved.add(block)
        self.saved += len(moved)
        for block in live:
            if block not in moved:
                self._lost[pack.name, block] = digests.get(block)

    def _digests(self, pack: PackRef, size: int) -> dict[int, bytes]:
        """The digests of a pack's blocks, from its footer, else from this machine's index."""
        places: list[tuple[ReadRange, int]] = [(self.images.read_range, size)]
        with suppress(NotFoundError):
            kept = self.images.backend.stat(f"{QUARANTINE}{pack.name}").size
            places.append((self._read_quarantine, kept))
        for read, length in places:
            with suppress(IntegrityError, NotFoundError):
                footer = read_footer(pack.name, length, read, self.images.seal, pack.blocks)
                return {block: footer.digest(block) for block in range(pack.blocks)}
        with BlockIndex(self.images.cache.index) as index:
            return index.blocks_of(pack.name)

    def _in_quarantine(self, pack: PackRef) -> Damage | None:
        """What is wrong with a pack that was put aside earlier; None where it is not there."""
        try:
            size = self.images.backend.stat(f"{QUARANTINE}{pack.name}").size
            found = examine_pack(pack.name, size, self._read_quarantine, self.images.seal)
        except NotFoundError:
            return None
        return found or Damage(pack.name, "", ())

    def _read_quarantine(self, pack: str, offset: int, length: int) -> bytes:
        return self.images.backend.get_range(f"{QUARANTINE}{pack}", offset, length)

    def _look_around(self, good: Iterable[str]) -> None:
        """Find lost blocks in other packs of the store, where a later backup may have put them."""
        wanted = self._by_digest()
        marked = marked_in(self.images.backend)
        sizes = {name: found.size for name, found in packs_in(self.images.backend)}
        for name in sorted(good) if wanted else ():
            if pack_object(name) in marked or name not in sizes:
                continue
            with suppress(IntegrityError, NotFoundError):
                footer = read_footer(name, sizes[name], self.images.read_range, self.images.seal)
                for block in range(footer.pack.blocks):
                    for lost in wanted.pop(footer.digest(block), ()):
                        number = self._packs.number(footer.pack)
                        self._moves.note(self._refs[lost[0]], lost[1], number, block)
                        del self._lost[lost]
                        self.found += 1

    def _by_digest(self) -> dict[bytes, list[Block]]:
        """The lost blocks of which the digest is known."""
        wanted: dict[bytes, list[Block]] = {}
        for lost, digest in self._lost.items():
            if digest is not None:
                wanted.setdefault(digest, []).append(lost)
        return wanted

    def _positions(self, image_map: ImageMap) -> Iterator[tuple[Block, int]]:
        """The lost blocks of an image, each with its number in the image."""
        starts = accumulate(image_map.runs.lengths, initial=0)
        for at, run in zip(starts, image_map.runs, strict=False):  # the last start is the end
            pack = image_map.packs[run.pack].name
            if pack in self._bad:
                for offset in range(run.length):
                    if (pack, run.first + offset) in self._lost:
                        yield (pack, run.first + offset), at + offset

    def _take(self, lost: Block, content: bytes) -> None:
        digest = sha256(content).digest()
        if self._lost.get(lost, b"") not in (None, digest):
            return
        run = self._packing.find(digest) or self._packing.add(digest, content)
        self._moves.note(self._refs[lost[0]], lost[1], run.pack, run.first)
        del self._lost[lost]
        self.found += 1

    def _put_back(self, name: str) -> None:
        """Put a map back as this machine's cache has it, where that is one of today's packs."""
        content = self.images.cache.kept_map(name)
        if content is None:
            return
        images = self.images
        with suppress(JunmaiError), Digests() as digests:
            image_map = images.map(name, content)
            if gives_its_image(image_map, digests, images.read_range, images.seal) is False:
                return
            if self._work.switch(replace(image_map, base=""), None):
                self._unmade.discard(name)
                self._rebuilt.append(name)

    def _rebuild(self, name: str, image: Path) -> None:
        """Make a map anew from its image; blocks that the store lacks are stored."""
        images = self.images
        with images.cache.digests() as digests, BlockIndex(images.cache.index) as index:
            images.fill(index)
            stored = store_image(
                image,
                digests,
                previous=None,
                index=index,
                put_pack=self._put_pack,
                seal=images.seal,
            )
        if self._work.switch(replace(stored.map, name=name, base=""), None):
            self._unmade.discard(name)
            self._rebuilt.append(name)

    def _put_pack(self, name: str, content: bytes) -> None:
        self.images.backend.put(pack_object(name), content, retain_until=self.retain_until)

    def _put_aside(self) -> tuple[list[str], list[str]]:
        """Move the damaged packs whose good blocks nobody names; return these and the others."""
        backend, seal = self.images.backend, self.images.seal
        found = survey(backend, seal)
        uses = Uses()
        maps = Maps(backend, seal, found)
        for name in maps.names():
            with suppress(IntegrityError):
                uses.add(maps.read(name))
        pending = {pack.name for leads in found.versions for pack in leads.packs}
        quarantined: list[str] = []
        left: list[str] = []
        for name, _stat in [*packs_in(backend)]:
            if name not in self._bad:
                continue
            live = uses.live(name) if name in uses.packs else []
            good = [block for block in live if (name, block) not in self._lost]
            aside = None
            if not good and name not in pending:
                with suppress(NotFoundError, RetainedError):
                    aside = self._moved_aside(name)
            quarantined += [aside] if aside else []
            left += [] if aside else [name]
            let_go(backend, mark_object(self.owner, pack_object(name)))
            if aside:
                let_go(backend, mark_object(NOBODY, pack_object(name)))
        return quarantined, left

    def _moved_aside(self, pack: str) -> str | None:
        """Move a pack to quarantine and return its name there.

        It has one of its own where the pack was damaged before, or a move was interrupted that
        can't be told from that: then two copies may be there.
        """
        for name in (pack, f"{pack}.{self.owner[:8]}"):
            if self.images.backend.rename(pack_object(pack), f"{QUARANTINE}{name}"):
                return name
        return None
