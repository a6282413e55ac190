"""Whether the bytes of a store's snapshots are there, and as they were where they are read."""

import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from junmai_svc.checks.block_store import blocks_of, compare_packs, findings, look
from junmai_svc.checks.store_report import StoreFinding
from junmai_svc.checks.whole_store import check_images
from junmai_svc.storage.backends.failures import translated
from junmai_svc.storage.errors import IntegrityError, NotFoundError
from junmai_svc.storage.snapshots.base import Snapshot, SnapshotStore
from junmai_svc.storage.snapshots.blocks.images import BlockImages
from junmai_svc.storage.snapshots.manifest import Manifest
from junmai_svc.storage.snapshots.objects import ObjectStore

EDITED_HINT = (
    "Somebody changed when, why or of what it was taken, or its row counts. Another store may have"
    " it as it was; the image is as its checksum says."
)


@dataclass(frozen=True)
class Fault:
    """What is wrong with the bytes of one snapshot."""

    snapshot: str
    problem: str
    hint: str


def faults(
    store: SnapshotStore,
    snapshots: Collection[Snapshot],
    digests: Mapping[str, str],
    *,
    read_data: bool,
) -> Iterator[Fault]:
    """Yield what is wrong with some of a store's snapshots.

    All that an image is made of is looked for, with its size; with `read_data` every image is read
    and hashed. `digests` are those of some manifests, as they were recorded.

    Raises:
        JunmaiError: the store can't be read.
    """
    if not snapshots:
        return
    images = blocks_of(store)
    if images is None:
        chosen = {snapshot.name for snapshot in snapshots} if read_data else frozenset[str]()
        with translated(f"read the snapshots in {store.url}"):
            found = check_images(store.backend, [*snapshots], chosen, None)
        yield from _of_snapshots(found, snapshots)
        if isinstance(store, ObjectStore):
            yield from _of_objects(store, digests)
        else:
            yield from _of_manifests({each.name: each.manifest for each in snapshots}, digests)
        return
    bad = {fault.snapshot: fault for fault in _of_blocks(images, snapshots, digests)}
    yield from bad.values()
    if read_data:
        yield from _read(store, [each for each in snapshots if each.name not in bad])


def _of_blocks(
    images: BlockImages, snapshots: Iterable[Snapshot], digests: Mapping[str, str]
) -> Iterator[Fault]:
    """Hold manifests, maps and packs as they are there against each other; twice, if need be."""
    before = look(images)
    damages = compare_packs(before)
    if damages or before.unreadable or before.bad_maps:
        found = findings(images, before, damages, look(images))
        yield from _of_snapshots(found, snapshots)
    for snapshot in snapshots:
        there = before.manifests.get(snapshot.name)  # the listing may be of this machine's cache
        if there is not None and there.checksum != snapshot.manifest.checksum:
            problem = f"the manifest of {snapshot.name} is not the one that was stored"
            yield Fault(snapshot.name, problem, "Restore another snapshot.")
    yield from _of_manifests(before.manifests, digests)


def _of_manifests(found: Mapping[str, Manifest], digests: Mapping[str, str]) -> Iterator[Fault]:
    """Hold what manifests say beside the checksum against what was recorded of it."""
    for name, digest in digests.items():
        if name in found and found[name].digest != digest:
            yield Fault(
                name, f"the manifest of {name} says something else than it did", EDITED_HINT
            )


def _of_objects(store: ObjectStore, digests: Mapping[str, str]) -> Iterator[Fault]:
    """Read manifests from the store: a listing may be of this machine's cache."""
    for name in digests:
        try:
            with translated(f"read {name} in {store.url}"):
                found = store.find(name).manifest
        except NotFoundError:
            continue  # pruned meanwhile
        except IntegrityError as error:
            yield Fault(name, error.message, error.hint)
        else:
            yield from _of_manifests({name: found}, {name: digests[name]})


def _of_snapshots(found: Iterable[StoreFinding], wanted: Iterable[Snapshot]) -> Iterator[Fault]:
    names = {snapshot.name for snapshot in wanted}
    for finding in found:
        own = Path(finding.name).stem if finding.what == "manifest" else ""
        concerned = sorted({own, *(hit.snapshot for hit in finding.hits)} & names)
        for name in concerned:
            yield Fault(name, f"{name}: {finding.problem}", finding.hint)


def _read(store: SnapshotStore, snapshots: Iterable[Snapshot]) -> Iterator[Fault]:
    """Read images whole; those that share a map and a checksum are one image."""
    outcomes: dict[tuple[str, str], IntegrityError | NotFoundError | None] = {}
    for snapshot in snapshots:
        image = (snapshot.manifest.map, snapshot.manifest.checksum)
        if image not in outcomes:
            outcomes[image] = _fetched(store, snapshot)
        error = outcomes[image]
        if error is not None:
            yield Fault(snapshot.name, error.message, error.hint)


def _fetched(store: SnapshotStore, snapshot: Snapshot) -> IntegrityError | NotFoundError | None:
    with tempfile.TemporaryDirectory(prefix="junmai-svc-") as folder:
        try:
            with translated(f"read {snapshot.place}"):
                store.fetch(snapshot, Path(folder) / "image")
        except (IntegrityError, NotFoundError) as error:
            return error
    return None
