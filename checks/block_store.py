"""A look at a store of blocks: manifests, maps and packs fit together; some or all is read.

Others may write and prune meanwhile. So nothing is damage before a second look has confirmed that
it is still there or still needed.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from junmai_svc.checks.store_report import (
    MANIFEST_HINT,
    Hit,
    StoreFinding,
    manifest_hint,
    merged,
    unknown_part,
)
from junmai_svc.storage.errors import IntegrityError, JunmaiError, NotFoundError
from junmai_svc.storage.snapshots.base import SnapshotStore
from junmai_svc.storage.snapshots.blocks.digesting import BLOCK_BYTES
from junmai_svc.storage.snapshots.blocks.examining import Damage, examine_pack, ranges_hit
from junmai_svc.storage.snapshots.blocks.images import BlockImages
from junmai_svc.storage.snapshots.blocks.maps import ImageMap, MapReader
from junmai_svc.storage.snapshots.blocks.packs import MOST_BLOCKS, Footer, PackRef, read_footer
from junmai_svc.storage.snapshots.blocks.places import PACKS, map_object, pack_object
from junmai_svc.storage.snapshots.blocks.proving import Digests
from junmai_svc.storage.snapshots.manifest import LARGEST_MANIFEST, Manifest
from junmai_svc.storage.snapshots.objects import ObjectStore
from junmai_svc.storage.snapshots.opening import open_manifest

FETCHES = 4
# Of whole packs, 16 MiB each: more than two threads only wait for each other between two hashes.
READS = 2
EVERY_BLOCK = range(MOST_BLOCKS)
# Of the maps that are kept: 8 MiB.
MOST_RUNS = 700_000
_PACK = re.compile(r"[0-9a-f]{64}")


@dataclass
class Structure:
    """What a store says of itself.

    `needed` are the packs that maps name, each as it is named, `users` the maps that name them;
    `stored` are the packs that there are, with their sizes; `foreign` is what lies among them.
    `read` are maps by name, as many as take little memory.
    """

    manifests: dict[str, Manifest] = field(default_factory=dict)
    unreadable: dict[str, JunmaiError] = field(default_factory=dict)
    maps: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    bad_maps: dict[str, JunmaiError] = field(default_factory=dict)
    needed: dict[str, set[PackRef]] = field(default_factory=lambda: defaultdict(set))
    users: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    stored: dict[str, int] = field(default_factory=dict)
    foreign: list[str] = field(default_factory=list)
    read: dict[str, ImageMap] = field(default_factory=dict)
    room: int = MOST_RUNS

    def keep(self, image_map: ImageMap) -> None:
        """Keep a map that was read, where there is room."""
        if len(image_map.runs) <= self.room:
            self.room -= len(image_map.runs)
            self.read[image_map.name] = image_map


def look(images: BlockImages) -> Structure:
    """Read all manifests and maps from the store, and list the packs, in this order.

    Raises:
        JunmaiError: the store can't be listed or read.
    """
    found, maps = Structure(), images.maps()
    with ThreadPoolExecutor(FETCHES) as pool:
        names = [name for name, _ in images.manifests()]
        for name, manifest in zip(
            names, pool.map(lambda n: _manifest(images, n), names), strict=True
        ):
            if isinstance(manifest, JunmaiError):
                found.unreadable[name] = manifest
            elif manifest is not None:
                found.manifests[name] = manifest
                found.maps[manifest.map].append(name)
        for name, outcome in zip(
            found.maps, pool.map(lambda n: _map(maps, n, found), found.maps), strict=True
        ):
            if isinstance(outcome, JunmaiError):
                found.bad_maps[name] = outcome
                continue
            for snapshot, problem in outcome.false.items():
                found.unreadable[snapshot] = problem
                del found.manifests[snapshot]
                found.maps[name].remove(snapshot)
            for pack in outcome.packs:
                found.needed[pack.name].add(pack)
                found.users[pack.name].add(name)
    for each in images.backend.list(PACKS):
        name = each.name.rpartition("/")[2]
        if _PACK.fullmatch(name) and each.name == pack_object(name):
            found.stored[name] = each.size
        else:
            found.foreign.append(each.name)
    return found


def blocks_of(store: SnapshotStore) -> BlockImages | None:
    """The blocks of a store that has them."""
    images = store.images if isinstance(store, ObjectStore) else None
    return images if isinstance(images, BlockImages) else None


def compare_packs(structure: Structure) -> list[Damage]:
    """Hold the packs that maps name against those that are stored; none is read."""
    found = (_against_maps(structure, name) for name in sorted(structure.needed))
    return [damage for damage in found if damage is not None]


def _against_maps(structure: Structure, name: str) -> Damage | None:
    size = structure.stored.get(name)
    if size is None:
        return Damage(name, f"Pack {name} is gone", EVERY_BLOCK)
    if any(ref.size != size for ref in structure.needed.get(name, ())):
        text = f"Pack {name} has {size:,} bytes, not those of its maps"
        return Damage(name, text, EVERY_BLOCK)
    return None


def examine_packs(
    images: BlockImages,
    structure: Structure,
    chosen: Collection[str],
    tick: Callable[[int], None] | None,
    digests: Digests | None = None,
) -> list[Damage]:
    """Look at every pack, and read all of the chosen ones; return what is wrong with which.

    `tick` receives the bytes of the chosen ones as they are read, `digests` the good footers.

    Raises:
        JunmaiError: the store can't be read.
    """

    def examine(name: str) -> Damage | None:
        found = _against_maps(structure, name)
        if found is not None:
            return found
        refs, size = structure.needed.get(name, set()), structure.stored[name]
        try:
            if name in chosen:
                damage = _examined(images, name, size)
                if tick is not None:
                    tick(size)
                if damage is not None:
                    return damage
            footers = _footers(images, name, size, refs)
            if digests is not None:
                digests.add(footers[0])
        except NotFoundError:
            return Damage(name, f"Pack {name} is gone", EVERY_BLOCK)
        except IntegrityError as error:
            return Damage(name, error.message, EVERY_BLOCK)
        return None

    names = sorted(structure.stored.keys() | structure.needed.keys())
    with ThreadPoolExecutor(READS if chosen else FETCHES) as pool:
        return [damage for damage in pool.map(examine, names) if damage is not None]


def findings(
    images: BlockImages, before: Structure, damages: Collection[Damage], after: Structure
) -> Iterator[StoreFinding]:
    """Yield what two looks at a store agree on, with the snapshots that it concerns.

    Raises:
        JunmaiError: the store can't be read.
    """
    for name in before.unreadable.keys() & after.unreadable.keys():
        problem = after.unreadable[name]
        place = images.manifest_object(name)
        yield StoreFinding(
            "manifest", place, problem.message, unknown_part(name), manifest_hint(problem)
        )
    for name in before.bad_maps.keys() & after.bad_maps.keys():
        snapshots = after.maps[name]
        hits = tuple(_whole(after.manifests[snapshot]) for snapshot in snapshots)
        yield StoreFinding("map", map_object(name), after.bad_maps[name].message, hits)
    for damage in damages:
        if damage.pack in after.stored or damage.pack in after.needed:
            hits = tuple(sorted(_hits(images, after, damage), key=lambda hit: hit.snapshot))
            yield StoreFinding("pack", pack_object(damage.pack), damage.problem, hits)


def byte_ranges(image_map: ImageMap, damage: Damage) -> tuple[range, ...]:
    """Return the bytes of an image that can't be had because of the damage."""
    return tuple(
        range(hit.start * BLOCK_BYTES, min(hit.stop * BLOCK_BYTES, image_map.size))
        for hit in merged(ranges_hit(image_map, damage))
    )


def _examined(images: BlockImages, name: str, size: int) -> Damage | None:
    """What is wrong with a pack at two looks: it may only have been read wrong."""
    damage = examine_pack(name, size, images.read_range, images.seal)
    return damage and examine_pack(name, size, images.read_range, images.seal)


def _footers(images: BlockImages, name: str, size: int, refs: Collection[PackRef]) -> list[Footer]:
    """The footer of a pack, once for each number of blocks that maps say it has."""
    counts: set[int | None] = {ref.blocks for ref in refs}
    return [
        read_footer(name, size, images.read_range, images.seal, blocks)
        for blocks in counts or {None}
    ]


def _manifest(images: BlockImages, name: str) -> Manifest | JunmaiError | None:
    place = images.manifest_object(name)
    try:
        content = images.backend.get(place, LARGEST_MANIFEST)
        return open_manifest(
            content, name, f"{place} in {images.backend.url}", images.seal, "blocks"
        )
    except NotFoundError:
        return None  # deleted meanwhile
    except IntegrityError as problem:
        return problem


@dataclass(frozen=True)
class _Read:
    """The packs that a map needs, and which of the snapshots that name it are not of its image."""

    packs: tuple[PackRef, ...]
    false: dict[str, JunmaiError]


def require_map_of(manifest: Manifest, image_map: ImageMap) -> None:
    """Make sure that a map is of the image that a manifest tells of.

    Raises:
        IntegrityError: it is not.
    """
    if (image_map.image, image_map.size) != (manifest.checksum, manifest.file_size):
        raise IntegrityError(
            f"Manifest {manifest.name} is not of the image of its map {image_map.name}",
            MANIFEST_HINT,
        )


def _map(maps: MapReader, name: str, found: Structure) -> _Read | JunmaiError:
    """What a map needs; it is bad itself only where no manifest tells of its image."""
    try:
        image_map = maps.read(name)
    except IntegrityError as problem:
        return problem
    false: dict[str, JunmaiError] = {}
    users = [found.manifests[snapshot] for snapshot in found.maps[name]]
    if image_map.image not in {manifest.checksum for manifest in users}:
        return IntegrityError(f"Map {name} is of another image than {users[0].name}")
    for manifest in users:
        try:
            require_map_of(manifest, image_map)
        except IntegrityError as problem:
            false[manifest.name] = problem
    found.keep(image_map)
    return _Read(image_map.packs, false)


def _hits(images: BlockImages, structure: Structure, damage: Damage) -> Iterator[Hit]:
    maps = images.maps()
    for name in sorted(structure.users.get(damage.pack, ())):
        ranges = byte_ranges(maps.read(name), damage)
        for snapshot in structure.maps[name]:
            if ranges:
                yield Hit(snapshot, structure.manifests[snapshot].original_path, ranges)


def _whole(manifest: Manifest) -> Hit:
    return Hit(manifest.name, manifest.original_path, (range(manifest.file_size),))
