"""Mend a store: put damaged things aside and good ones in their place, wherever these are found.

Every byte is read first. Good blocks and images come from the store itself, from another store or
from the live database, and are taken only where their SHA-256 says so. What can't be mended is
told.
"""

from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from junmai_svc.checks.block_store import blocks_of, look, require_map_of
from junmai_svc.checks.store_description import with_description
from junmai_svc.checks.store_report import LEFT_HINT, REPAIR_HINT, StoreFinding, StoreReport
from junmai_svc.checks.whole_store import without_image
from junmai_svc.service.backup import image_of
from junmai_svc.service.check import (
    EVERYTHING,
    STRUCTURE,
    BlockLook,
    examine,
    examine_blocks,
    finish,
    record,
)
from junmai_svc.service.context import Context
from junmai_svc.service.logs import log
from junmai_svc.service.manifest_repair import Manifests, mend_manifests
from junmai_svc.service.operation import operation
from junmai_svc.service.scratch import room_for, scratch, scratch_name
from junmai_svc.storage.databases.connection import require_database
from junmai_svc.storage.databases.failures import translated
from junmai_svc.storage.errors import (
    IntegrityError,
    JunmaiError,
    NotFoundError,
    StorageUnavailableError,
)
from junmai_svc.storage.files import sha256_of
from junmai_svc.storage.snapshots.base import Snapshot, SnapshotStore, Unreadable
from junmai_svc.storage.snapshots.blocks.images import BlockImages
from junmai_svc.storage.snapshots.blocks.places import pack_object
from junmai_svc.storage.snapshots.blocks.repairing import Mended, Repair
from junmai_svc.storage.snapshots.description import Flaw, flaw_of, mend_description
from junmai_svc.storage.snapshots.objects import ObjectStore
from junmai_svc.storage.snapshots.opening import open_manifest
from junmai_svc.storage.snapshots.putting_back import put_back_file, put_back_object
from junmai_svc.storage.snapshots.store import FileStore

# Other snapshots that are looked through for blocks, where the very same one is not to be had.
OTHERS = 3
LOST_HINT = "Copy it from a store that has it with `junmai-svc copy`, or take a new backup."


@dataclass(frozen=True)
class Sources:
    """Where good bytes may come from, beside the store itself; `room` is where images are put."""

    store: SnapshotStore | None = None
    database: Path | None = None
    room: Path = field(default_factory=scratch_name)


@dataclass(frozen=True)
class Needs:
    """What would still help: images by their SHA-256, and whether any image might."""

    images: Callable[[], frozenset[str]]
    any_image: Callable[[], bool]


@dataclass(frozen=True)
class Repaired:
    """A finished repair: what was found, what became of it, and what is still damaged.

    `put_back` are manifests and images that were put back by their objects' names, `aside` what
    went to `quarantine/` beside packs.
    """

    run: str
    store: str
    before: StoreReport
    after: StoreReport
    mended: Mended
    put_back: tuple[str, ...]
    aside: tuple[str, ...] = ()


def repair(context: Context, sources: Sources) -> Repaired:
    """Mend the context's store as far as that can be done; on return it is recorded.

    Raises:
        JunmaiError: the store, a source or the journal can't be used; what was mended by then is.
    """
    store = context.store
    start = {"store": store.url, "percent": 100, "repair": True, "room": str(sources.room)}
    with operation(context.journal, "check", Path(store.url), start=start) as this:
        with translated("mend", store.url):
            flaw = _mended_description(store)
            images = blocks_of(store)
            if images is not None:
                before, after, mended, back, own = _mend_blocks(context, store, images, sources)
            else:
                before, after, back, own = _mend_images(context, store, sources)
                mended = Mended(0, 0, 0, 0)
        before = with_description(before, flaw)
        back = [flaw.name, *back] if flaw else back
        after = replace(after, findings=tuple(map(_told_after, after.findings)))
        aside = [*own.aside.values()]
        this.record(
            "repaired",
            store=store.url,
            mended=mended.saved + mended.found,
            lost=mended.lost,
            maps=mended.maps,
            quarantined=[*aside, *mended.quarantined][:100],
            put_back=[*back, *mended.rebuilt][:100],
            manifests=dict([*own.digests.items()][:100]),
        )
        record(this, store, after)
        finish(this, after)
        return Repaired(this.id, store.url, before, after, mended, tuple(back), tuple(aside))


def _mended_description(store: SnapshotStore) -> Flaw | None:
    """Put the store's description, or its copy, back from the other; return what was wrong."""
    flaw = flaw_of(store.backend)
    if flaw is not None:
        until = store.retain_until() if isinstance(store, ObjectStore) else None
        mend_description(store.backend, flaw, until)
    return flaw


def _told_after(finding: StoreFinding) -> StoreFinding:
    """A finding that a repair has left: its hint is not to repair."""
    return replace(finding, hint=LEFT_HINT) if finding.hint == REPAIR_HINT else finding


def _mend_blocks(
    context: Context, store: SnapshotStore, images: BlockImages, sources: Sources
) -> tuple[StoreReport, StoreReport, Mended, list[str], Manifests]:
    found = examine_blocks(context, images, EVERYTHING)
    before = found.report
    if not before.findings:
        return before, before, Mended(0, 0, 0, 0), [], Manifests((), {}, {})
    back = _put_manifests_back(images, found)
    if back:
        found = BlockLook(before, look(images), found.damages)
    until = store.retain_until() if isinstance(store, ObjectStore) else None
    work = Repair(images, found.damages, found.structure.bad_maps, until)
    work.begin()
    needs = Needs(lambda: _wanted(work, found), lambda: work.wants_blocks)
    for image, checksum in _offered(context, sources, needs):
        with translated("read", image):
            work.offer(image, checksum, _maps_of(found, checksum))
    mended = work.finish()
    # Only now: what is stored anew relies on no damaged pack.
    manifests = mend_manifests(context, found.structure.unreadable, sources.store)
    back += map(images.manifest_object, manifests.put_back)
    after = examine_blocks(context, images, STRUCTURE, prove=True).report
    # Every byte was read, and whatever was put in place of others was verified.
    left = tuple(
        finding
        for finding in before.findings
        if finding.name in {pack_object(name) for name in mended.left}
    )
    lost = _lost(before, {images.manifest_object(name) for name in manifests.aside})
    after = replace(after, whole=True, read=before.read, findings=(*after.findings, *left, *lost))
    return before, after, mended, back, manifests


def _lost(before: StoreReport, aside: Container[str]) -> Iterator[StoreFinding]:
    """What is left to say of manifests that were put aside."""
    for finding in before.findings:
        if finding.what == "manifest" and finding.name in aside:
            problem = f"{finding.problem}; it was put aside, and the snapshot is gone from here"
            yield replace(finding, problem=problem, hint=LOST_HINT)


def _wanted(work: Repair, found: BlockLook) -> frozenset[str]:
    """The SHA-256s of images that would help."""
    return work.wanted_images | {
        found.structure.manifests[snapshot].checksum
        for name in work.unmade_maps
        for snapshot in found.structure.maps.get(name, ())
    }


def _maps_of(found: BlockLook, checksum: str) -> list[str]:
    structure = found.structure
    return [
        name
        for name in structure.bad_maps
        if any(structure.manifests[each].checksum == checksum for each in structure.maps[name])
    ]


def _put_manifests_back(images: BlockImages, found: BlockLook) -> list[str]:
    """Put manifests back as this machine's cache has them, where their maps are there."""
    back = []
    for name in found.structure.unreadable:
        content = images.cache.kept_manifest(name)
        place = images.manifest_object(name)
        if content is None:
            continue
        try:
            manifest = open_manifest(content, name, place, images.seal, images.name)
            require_map_of(manifest, images.map(manifest.map))
        except IntegrityError:
            continue
        images.backend.put(place, content)
        back.append(place)
    return back


def _mend_images(
    context: Context, store: SnapshotStore, sources: Sources
) -> tuple[StoreReport, StoreReport, list[str], Manifests]:
    before = examine(context, store, EVERYTHING)
    good, bad = store.snapshots()
    known = [*good]
    if isinstance(store, FileStore):
        known += [each for each in map(without_image, bad) if each is not None]
    damaged = {each.name: each for each in known if each.name in before.damaged}
    back: list[str] = []

    def wanted() -> frozenset[str]:
        return frozenset(each.manifest.checksum for each in damaged.values())

    for image, checksum in _offered(context, sources, Needs(wanted, lambda: False)):
        for snapshot in [*damaged.values()]:
            if snapshot.manifest.checksum == checksum:
                _put_back(store, snapshot, image)
                back.append(f"{snapshot.name}.db")
                del damaged[snapshot.name]
    manifests = mend_manifests(context, _bad_manifests(store, bad), sources.store)
    ours = {each.manifest: each.snapshot for each in bad}
    lost = {place for place, name in ours.items() if name in manifests.aside}
    whole = {place for place, name in ours.items() if name in manifests.put_back}
    left = [each for each in before.findings if each.name not in {*back, *whole, *lost}]
    after = replace(
        before,
        snapshots=tuple(sorted({*before.snapshots, *manifests.put_back})),
        findings=(*left, *_lost(before, lost)),
    )
    return before, after, [*back, *sorted(whole)], manifests


def _bad_manifests(store: SnapshotStore, bad: Iterable[Unreadable]) -> dict[str, JunmaiError]:
    """The manifests that are damaged themselves, by their snapshots."""
    local = isinstance(store, FileStore)
    return {each.snapshot: each.problem for each in bad if not (local and without_image(each))}


def _put_back(store: SnapshotStore, snapshot: Snapshot, image: Path) -> None:
    if isinstance(store, FileStore):
        put_back_file(store.folder, snapshot.name, image)
    elif isinstance(store, ObjectStore):
        put_back_object(store.backend, snapshot.name, image, store.retain_until())


def _offered(context: Context, sources: Sources, needs: Needs) -> Iterator[tuple[Path, str]]:
    """Images that may help, one at a time, each with its SHA-256; nothing is left of them."""
    if sources.database is not None and (needs.images() or needs.any_image()):
        require_database(sources.database)
        with scratch(sources.room) as folder:
            image = folder / "image.db"
            image_of(context, sources.database, image)
            yield image, sha256_of(image)
    if sources.store is None:
        return
    with translated("read the snapshots in", sources.store.url):
        there = sources.store.snapshots()[0]
    same = [each for each in there if each.manifest.checksum in needs.images()]
    # Then the newest others, which share most of their blocks.
    others = [each for each in there if each not in same][:OTHERS]
    for snapshot in (*same, *others):
        if snapshot.manifest.checksum not in needs.images() and not needs.any_image():
            continue
        with scratch(sources.room) as folder:
            image = folder / "image.db"
            size = snapshot.manifest.file_size
            try:
                with (
                    room_for(image),
                    translated("read", snapshot.place),
                    context.progress.step(f"Reading {snapshot.name}", size, "bytes") as tick,
                ):
                    sources.store.fetch(snapshot, image, tick)
            except (IntegrityError, NotFoundError, StorageUnavailableError) as problem:
                log().warning("repair.source_failed", problem=problem.message)
                continue
            yield image, snapshot.manifest.checksum
