"""What was found damaged is not built on any more, by no machine that writes into the store.

    <mark of nobody>   as a pruner's mark keeps writers off what he is about to delete

It is a mark like any other to a writer: he stores the blocks anew. Pruners do not ask for it, what
leads there does so still, and it goes once its object is gone, was mended, or was read and found
sound. As it lies in the store, it holds for machines that have not seen the damage, or forgot it
with their cache. The cache of this machine is told too, for a place that it may only read.
"""

from collections.abc import Callable, Collection
from contextlib import suppress

from junmai_svc.storage.backends.base import Backend
from junmai_svc.storage.backends.failures import translated
from junmai_svc.storage.errors import IntegrityError, NotFoundError
from junmai_svc.storage.snapshots.blocks.examining import Damage, examine_pack
from junmai_svc.storage.snapshots.blocks.index import BlockIndex
from junmai_svc.storage.snapshots.blocks.maps import ImageMap
from junmai_svc.storage.snapshots.blocks.packs import PackRef, ReadRange
from junmai_svc.storage.snapshots.blocks.places import (
    PACKS,
    map_object,
    mark_object,
    pack_object,
)
from junmai_svc.storage.snapshots.blocks.proving import Digests, gives_its_image
from junmai_svc.storage.snapshots.blocks.sealing import Seal
from junmai_svc.storage.snapshots.cache import StoreCache
from junmai_svc.storage.snapshots.garbage import let_go
from junmai_svc.storage.snapshots.manifest import Manifest

# Whose marks they are: no pruner's, whose ids are UUIDs.
NOBODY = "damaged"


def distrusted(backend: Backend) -> frozenset[str]:
    """Return the objects that are not to be built on, as they were found damaged.

    Raises:
        JunmaiError: the store can't be listed.
    """
    own = mark_object(NOBODY, "")
    return frozenset(each.name.removeprefix(own) for each in backend.list(own))


def distrusted_packs(backend: Backend) -> frozenset[str]:
    """Return the packs that are not to be built on, by name.

    Raises:
        JunmaiError: the store can't be listed.
    """
    return frozenset(
        name.rpartition("/")[2] for name in distrusted(backend) if name.startswith(PACKS)
    )


def distrust(
    backend: Backend, cache: StoreCache, damages: Collection[Damage], maps: Collection[str]
) -> None:
    """See to it that no backup builds on damaged packs, nor on these maps.

    Raises:
        JunmaiError: the cache or the store can't be written; what was not told may be built on.
    """
    with translated(f"use the index {cache.index}"), BlockIndex(cache.index) as index:
        for damage in damages:
            index.forget(damage.pack, damage.blocks)
        if maps:  # it may be the index that they have a wrong place from
            index.keep_only({})
            cache.forget_last()
    objects = [pack_object(each.pack) for each in damages] + [map_object(name) for name in maps]
    for name in sorted(set(objects) - distrusted(backend) if objects else ()):
        backend.put(mark_object(NOBODY, name), b"")


def trust(backend: Backend, cache: StoreCache, sound: Collection[str]) -> None:
    """Let backups build on objects again that were read and found sound.

    Raises:
        JunmaiError: the cache or the store can't be written.
    """
    again = distrusted(backend).intersection(sound)
    with translated(f"use the index {cache.index}"), BlockIndex(cache.index) as index:
        index.look_again(n.rpartition("/")[2] for n in sound if n.startswith(PACKS))
    for name in sorted(again):
        let_go(backend, mark_object(NOBODY, name))


def is_of(image_map: ImageMap, manifest: Manifest) -> bool:
    """Tell whether a map says that it is of a snapshot's image."""
    return (image_map.image, image_map.size) == (manifest.checksum, manifest.file_size)


def is_unusable(manifest: Manifest, read: Callable[[str], ImageMap]) -> bool:
    """Look again whether the map of a snapshot can't be used.

    Raises:
        JunmaiError: the store can't be read.
    """
    try:
        return not is_of(read(manifest.map), manifest)
    except IntegrityError:
        return True


def find_out(
    image_map: ImageMap, suspects: Collection[PackRef], read_range: ReadRange, seal: Seal
) -> tuple[list[Damage], list[str]]:
    """Return the damaged packs, and the map if it is wrong, of an image that could not be restored.

    `suspects` are the packs at which that was seen; all are read only where nothing else is found.

    Raises:
        JunmaiError: the store can't be read.
    """
    damages = _examined(suspects, read_range, seal)
    if damages:
        return damages, []
    with Digests() as digests:
        if gives_its_image(image_map, digests, read_range, seal) is False:
            return [], [image_map.name]
    return _examined(image_map.packs, read_range, seal), []


def _examined(packs: Collection[PackRef], read_range: ReadRange, seal: Seal) -> list[Damage]:
    found: list[Damage] = []
    for pack in packs:
        # One that is gone is no danger: whoever writes looks for it.
        with suppress(NotFoundError):
            damage = examine_pack(pack.name, pack.size, read_range, seal)
            found += [damage] if damage else []
    return found
