"""A look at what the maps of a store give: the blocks of their images, or of other ones.

A map that can be read may still name wrong places. The footers of the packs tell, see `proving`.
"""

from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor

from junmai_svc.checks.block_store import FETCHES, Structure
from junmai_svc.storage.errors import IntegrityError
from junmai_svc.storage.snapshots.blocks.examining import Damage, ranges_hit
from junmai_svc.storage.snapshots.blocks.images import BlockImages
from junmai_svc.storage.snapshots.blocks.maps import ImageMap
from junmai_svc.storage.snapshots.blocks.proving import Digests, gives_its_image

SHOWN = 3


def prove_maps(
    images: BlockImages,
    structure: Structure,
    names: Collection[str],
    damages: Collection[Damage],
    digests: Digests,
) -> tuple[frozenset[str], dict[str, IntegrityError]]:
    """Return which of some maps give their images, and those that give others, with the problem.

    One whose footers can't all be read is neither, nor one of which a block is damaged, unless it
    is proven all the same.

    Raises:
        JunmaiError: the store can't be read.
        OSError: there is no room for the digests of all packs.
    """
    proven: set[str] = set()
    wrong: dict[str, IntegrityError] = {}
    bad = {damage.pack: damage for damage in damages}
    maps = images.maps()

    def read(name: str) -> ImageMap | None:
        try:
            return structure.read.get(name) or maps.read(name)
        except IntegrityError:
            return None  # named as damaged, or deleted meanwhile

    with ThreadPoolExecutor(FETCHES) as pool:
        wanted = [name for name in structure.maps if name in names]
        for at in range(0, len(wanted), FETCHES):
            for image_map in pool.map(read, wanted[at : at + FETCHES]):
                if image_map is None:
                    continue
                gives = gives_its_image(image_map, digests, images.read_range, images.seal)
                own = [bad[pack.name] for pack in image_map.packs if pack.name in bad]
                if gives:
                    proven.add(image_map.name)
                elif gives is False and not any(any(ranges_hit(image_map, d)) for d in own):
                    wrong[image_map.name] = _wrong(image_map, structure)
    return frozenset(proven), wrong


def _wrong(image_map: ImageMap, structure: Structure) -> IntegrityError:
    snapshots = ", ".join(structure.maps.get(image_map.name, ())[:SHOWN])
    return IntegrityError(
        f"Map {image_map.name} names other blocks than those of the image of {snapshots}"
    )
