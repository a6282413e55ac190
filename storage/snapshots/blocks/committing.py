"""How blocks become a snapshot while others prune, without locks: the writer's half.

    new packs and map -> the pending manifest -> list the marks, *then* look at all that it needs
    -> rename the pending manifest to its final name

A pruner marks what nothing leads to, then lists pendings, then manifests, and deletes what neither
leads to. So of a writer that uses an object and a pruner that deletes it, one sees the other: where
it is the writer, it takes its pending back and stores the blocks anew. A pending that was expired
meanwhile can't be renamed, which is how a writer that slept for days finds out. The model in
tests/storage/snapshots/blocks/test_commit_protocol_model.py tries all interleavings.
"""

from collections.abc import Mapping
from datetime import datetime

from junmai_svc.storage.backends.base import Backend, RetainedError
from junmai_svc.storage.errors import NotFoundError
from junmai_svc.storage.snapshots.blocks.maps import ImageMap
from junmai_svc.storage.snapshots.blocks.places import (
    MAPS,
    PACKS,
    PENDING,
    PENDING_MAPS,
    manifest_object,
    map_object,
    marked_in,
    pack_object,
)

# Objects by name, each with the size that it must have, or None where any will do.
Needed = Mapping[str, int | None]


def needed_by(image_map: ImageMap) -> Needed:
    """Return the objects that a snapshot with this map can't do without."""
    maps = {map_object(name): None for name in (image_map.name, image_map.base) if name}
    return maps | {pack_object(pack.name): pack.size for pack in image_map.packs}


class ConflictError(Exception):
    """Something that the snapshot needs is damaged, or a pruner deletes it or has done so."""


class NameTakenError(Exception):
    """Another snapshot has the name."""


def publish(
    backend: Backend,
    name: str,
    manifest: bytes,
    needed: Needed,
    retain_until: datetime | None = None,
    *,
    beside: str = "",
) -> None:
    """Make a manifest that leads to the `needed` objects a snapshot's; durable on return.

    The pending takes the name for its writer. `beside` is the id, which nobody else has, of one who
    publishes under a name that another writer may still hold: then the last of the two counts.

    Raises:
        ConflictError: something that it needs is marked, gone or of another size; nothing was
            published.
        NameTakenError: another snapshot has that name, or is just taking it.
        JunmaiError: the store can't be used; then it may be published or not.
    """
    pending = f"{PENDING}{beside}/{name}" if beside else f"{PENDING}{name}"
    if not backend.put(pending, manifest, if_absent=True):
        raise NameTakenError
    if (
        not backend.capabilities().conditional_put
        and backend.get(pending, len(manifest)) != manifest
    ):
        raise NameTakenError  # another writer put its own over ours
    try:
        _require_safe(backend, needed)
        if not _renamed(backend, pending, manifest_object(name), retain_until):
            raise NameTakenError  # noqa: TRY301  # tidied up like a conflict
    except (ConflictError, NameTakenError):
        backend.delete(pending)
        raise


def switch_map(
    backend: Backend,
    owner: str,
    name: str,
    content: bytes,
    needed: Needed,
    retain_until: datetime | None = None,
    *,
    covers: bool = False,
) -> None:
    """Make the bytes of a map, which leads to the `needed` objects, its current version.

    `owner` is an id that nobody else has: two who replace the same map do not meet before the end,
    and then the last one counts. With `covers` a locked version is kept underneath, where the
    place keeps versions.

    Raises:
        ConflictError: something that it needs is marked, gone or of another size; the current
            version stays.
        RetainedError: the current version is locked, and stays.
        JunmaiError: the store can't be used; then it may have been replaced or not.
    """
    pending = f"{PENDING_MAPS}{owner}/{name}"
    backend.put(pending, content)
    try:
        _require_safe(backend, needed)
        try:
            backend.replace(
                pending, map_object(name), retain_until=retain_until, despite_retention=covers
            )
        except NotFoundError as error:
            raise ConflictError from error
    except (ConflictError, RetainedError):
        backend.delete(pending)
        raise


def _require_safe(backend: Backend, needed: Needed) -> None:
    marked = marked_in(backend)
    there = {each.name: each.size for each in backend.list(MAPS, PACKS)}
    for name, size in needed.items():
        if name in marked or name not in there or size not in {None, there[name]}:
            raise ConflictError


def _renamed(backend: Backend, pending: str, final: str, retain_until: datetime | None) -> bool:
    try:
        return backend.rename(pending, final, retain_until=retain_until)
    except NotFoundError as error:
        raise ConflictError from error
