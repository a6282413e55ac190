"""How an image becomes a snapshot in a store of blocks: its new blocks, its map, its manifest."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import uuid4

import msgspec

from junmai_svc.storage.backends.failures import translated
from junmai_svc.storage.errors import IntegrityError, NotFoundError, StorageUnavailableError
from junmai_svc.storage.snapshots.base import Tick, checked, taken
from junmai_svc.storage.snapshots.blocks.access import BlockAccess
from junmai_svc.storage.snapshots.blocks.committing import (
    ConflictError,
    NameTakenError,
    Needed,
    needed_by,
    publish,
)
from junmai_svc.storage.snapshots.blocks.distrusting import is_of
from junmai_svc.storage.snapshots.blocks.index import BlockIndex
from junmai_svc.storage.snapshots.blocks.maps import ImageMap, encode_map
from junmai_svc.storage.snapshots.blocks.places import (
    PENDING,
    manifest_object,
    map_object,
    pack_object,
)
from junmai_svc.storage.snapshots.blocks.remembering import RememberedIndex
from junmai_svc.storage.snapshots.blocks.sealing import Kind, Place
from junmai_svc.storage.snapshots.blocks.writing import Previous, StoredImage, store_image
from junmai_svc.storage.snapshots.locks import extend_locks
from junmai_svc.storage.snapshots.manifest import (
    LARGEST_MANIFEST,
    Manifest,
    encode,
    parse_manifest,
)
from junmai_svc.storage.snapshots.naming import names_from

ATTEMPTS = 5


@dataclass(frozen=True)
class _Wanted:
    """A snapshot that is to be stored; an `exact` one gets its manifest's name or none."""

    image: Path
    manifest: Manifest
    retain_until: datetime | None
    exact: bool


def store(
    blocks: BlockAccess,
    image: Path,
    manifest: Manifest,
    retain_until: datetime | None,
    tick: Tick | None,
    *,
    exact: bool = False,
) -> Manifest:
    """Store the blocks of an image that the store lacks, its map and its manifest.

    The manifest is returned as it is stored. A pruner that gets in the way means that blocks
    are stored anew.

    Raises:
        ChecksumError: the image is not what the manifest says; there is no such snapshot.
        TakenError: another has the exact name.
        JunmaiError: the store or the cache can't be used; there is then no such snapshot, or
            it is whole.
    """
    previous = blocks.cache.previous(manifest.path, blocks.seal)
    wanted = _Wanted(image, manifest, retain_until, exact)
    for attempt in range(ATTEMPTS):
        try:
            return _attempt(blocks, wanted, previous, tick if not attempt else None)
        except ConflictError:
            # The last image's map may be what is marked or gone: there has to be a new one.
            previous = None
    raise StorageUnavailableError(
        f"Can't store {manifest.name} in {blocks.backend.url}: it is being pruned all the time",
        "Run the same command again when the prune has ended.",
    )


def again(
    blocks: BlockAccess, known: Manifest, manifest: Manifest, retain_until: datetime | None
) -> Manifest | None:
    """Store one more manifest of an image that is there, and return it as it is stored.

    Raises:
        NotFoundError: some of what it needs is gone, about to go, or known to be damaged; or it
            is of another image than its map.
        JunmaiError: the store can't be used.
    """
    try:
        image_map = blocks.map(known.map)
        if not is_of(image_map, known):
            raise ConflictError  # noqa: TRY301  # what is false is not told again
        _require_undoubted(blocks, image_map)
        same = msgspec.structs.replace(
            manifest,
            layout=blocks.name,
            map=image_map.name,
            checksum=known.checksum,
            file_size=known.file_size,
            new_bytes=0,
        )
        needed = needed_by(image_map)
        extend_locks(blocks.backend, blocks.cache, needed, retain_until)
        return _publish(blocks, same, needed, retain_until)
    except (ConflictError, IntegrityError) as error:
        raise NotFoundError(f"The image of {known.name} is not all there any more") from error


def _attempt(
    blocks: BlockAccess, wanted: _Wanted, previous: Previous | None, tick: Tick | None
) -> Manifest:
    image, manifest, retain_until = wanted.image, wanted.manifest, wanted.retain_until
    fresh: set[str] = set()

    def put_pack(name: str, content: bytes) -> None:
        blocks.backend.put(pack_object(name), content, retain_until=retain_until)
        fresh.add(pack_object(name))

    with (
        blocks.cache.digests() as digests,
        RememberedIndex(blocks.cache.index, blocks.fill) as index,
    ):
        if previous is None:
            index.ask()
        else:
            index.rely_on(previous.map.packs)
        with translated(f"read {image}"):
            stored = store_image(
                image,
                digests,
                previous=previous,
                index=index,
                put_pack=put_pack,
                seal=blocks.seal,
                tick=tick,
            )
        manifest = checked(manifest, stored.map.image, image)
        image_map, new = _put_map(blocks, stored, previous, retain_until)
        manifest = msgspec.structs.replace(
            manifest, layout=blocks.name, map=image_map.name, new_bytes=stored.new_bytes + new
        )
        if not previous or image_map.name != previous.map.name:
            fresh.add(map_object(image_map.name))
        needed = {**needed_by(image_map), **_kept_sizes(blocks, image_map)}
        extend_locks(blocks.backend, blocks.cache, needed, retain_until, fresh)
        published = _publish(blocks, manifest, needed, retain_until, exact=wanted.exact)
        if published.map == image_map.name:
            blocks.cache.remember(manifest.path, digests, image_map)
    return published


def _put_map(
    blocks: BlockAccess,
    stored: StoredImage,
    previous: Previous | None,
    retain_until: datetime | None,
) -> tuple[ImageMap, int]:
    """Store the map, unless it is the previous one; return it and how many bytes are new."""
    if previous and stored.map.name == previous.map.name:
        return previous.map, 0
    base = previous.map if previous else None
    if base and base.base:
        base = _base(blocks, base.base)
    image_map, content = encode_map(stored.map, base, blocks.seal)
    blocks.backend.put(map_object(image_map.name), content, retain_until=retain_until)
    blocks.cache.keep_map(image_map.name, content)
    return image_map, len(content)


def _kept_sizes(blocks: BlockAccess, image_map: ImageMap) -> dict[str, int]:
    """How large a map, and the one that it builds on, were when they were stored."""
    kept = {name: blocks.cache.kept_map(name) for name in (image_map.name, image_map.base)}
    return {map_object(name): len(content) for name, content in kept.items() if content}


def _base(blocks: BlockAccess, name: str) -> ImageMap | None:
    """A whole map to build on; None where it is gone, which makes the next one whole."""
    try:
        content = blocks.get_map(name)
        found = blocks.map(name, content)
    except IntegrityError:
        return None
    blocks.cache.keep_map(name, content)  # it may have been replaced since
    return found


def _publish(
    blocks: BlockAccess,
    manifest: Manifest,
    needed: Needed,
    retain_until: datetime | None,
    *,
    exact: bool = False,
) -> Manifest:
    certain = blocks.backend.capabilities().conditional_put
    for name in names_from(manifest.name, certain=certain, exact=exact):
        named = msgspec.structs.replace(
            manifest, name=name, backup_path=f"{blocks.backend.url}/{manifest_object(name)}"
        )
        content = blocks.seal.close(encode(named), Place(Kind.MANIFEST, name.encode()))
        try:
            publish(blocks.backend, name, content, needed, retain_until)
        except NameTakenError:
            continue
        return named
    return _adopted(blocks, manifest, retain_until)


def _adopted(blocks: BlockAccess, manifest: Manifest, retain_until: datetime | None) -> Manifest:
    """Publish what somebody who died had made ready under the name, where it is this image.

    It goes the whole way of a commit with a pending of its own: theirs protects nothing once it
    is taken back, and another one may stand in its place. It stays for a prune to expire;
    whoever is alive after all finds the snapshot published.
    """
    refusal = taken(manifest.name, blocks.backend.url)
    try:
        content = blocks.backend.get(f"{PENDING}{manifest.name}", LARGEST_MANIFEST)
        opened = bytes(blocks.seal.open(content, Place(Kind.MANIFEST, manifest.name.encode())))
        found = parse_manifest(opened, manifest.name, "a pending manifest", blocks.name)
        if found.checksum != manifest.checksum:
            raise refusal
        needed = needed_by(blocks.map(found.map))
        extend_locks(blocks.backend, blocks.cache, needed, retain_until)
        publish(blocks.backend, found.name, content, needed, retain_until, beside=str(uuid4()))
    except (NotFoundError, IntegrityError, ConflictError, NameTakenError):
        raise refusal from None
    return found


def _require_undoubted(blocks: BlockAccess, image_map: ImageMap) -> None:
    """Look whether this machine knows of damage, also where the store could not be told.

    Raises:
        ConflictError: it does.
    """
    with BlockIndex(blocks.cache.index) as index:
        if any(index.doubts(pack.name) for pack in image_map.packs):
            raise ConflictError
