"""Look at a store itself: whether it is whole and, as far as it is read, its bytes are right.

What is found is recorded with the snapshots that it concerns: to prune, a damaged one is not good.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import SystemRandom

from junmai_svc.checks.block_store import (
    Structure,
    blocks_of,
    examine_packs,
    findings,
    look,
)
from junmai_svc.checks.map_proof import prove_maps
from junmai_svc.checks.store_description import with_description
from junmai_svc.checks.store_report import StoreFinding, StoreReport
from junmai_svc.checks.whole_store import check_images, unlisted, unusable
from junmai_svc.service.context import Context
from junmai_svc.service.logs import log
from junmai_svc.service.operation import Operation, operation
from junmai_svc.storage.databases.failures import translated
from junmai_svc.storage.errors import JunmaiError
from junmai_svc.storage.snapshots.base import SnapshotStore
from junmai_svc.storage.snapshots.blocks.distrusting import distrust, trust
from junmai_svc.storage.snapshots.blocks.examining import Damage
from junmai_svc.storage.snapshots.blocks.images import BlockImages
from junmai_svc.storage.snapshots.blocks.places import map_object, pack_object
from junmai_svc.storage.snapshots.blocks.proving import Digests
from junmai_svc.storage.snapshots.description import flaw_of
from junmai_svc.storage.snapshots.garbage import Garbage
from junmai_svc.storage.snapshots.store import FileStore

EVERYTHING = 1.0
STRUCTURE = 0.0
# An event holds at most 65,535 bytes; a name has under 300.
NAMES_PER_EVENT = 150
FINDINGS_RECORDED = 100
SHOWN_HITS = 20
SHOWN_FOREIGN = 5


@dataclass(frozen=True)
class Checked:
    """A finished check of a store."""

    run: str
    store: str
    report: StoreReport


@dataclass(frozen=True)
class BlockLook:
    """A look at a store of blocks: the report, what the store says of itself, damaged packs.

    `proven` are the maps of which it was seen that they give their images.
    """

    report: StoreReport
    structure: Structure
    damages: tuple[Damage, ...]
    proven: frozenset[str] = frozenset()


def check(context: Context, share: float = STRUCTURE) -> Checked:
    """Check the context's store; on return the outcome is recorded.

    `share` of its packs or images, chosen at random, are read: from 0, nothing but what holds it
    together, to 1, every byte.

    Raises:
        JunmaiError: the store or the journal can't be used.
    """
    store = context.store
    start = {"store": store.url, "percent": round(100 * share)}
    with operation(context.journal, "check", Path(store.url), start=start) as this:
        with translated("check", store.url):
            report = with_description(examine(context, store, share), flaw_of(store.backend))
        record(this, store, report)
        finish(this, report)
        return Checked(this.id, store.url, report)


def examine(context: Context, store: SnapshotStore, share: float) -> StoreReport:
    """Return what there is to say about a store; records nothing.

    Raises:
        JunmaiError, OSError: the store can't be read.
    """
    images = blocks_of(store)
    if images is None:
        return _examine_images(context, store, share)
    return examine_blocks(context, images, share).report


def examine_blocks(
    context: Context, images: BlockImages, share: float, *, prove: bool = False
) -> BlockLook:
    """Return what there is to say about a store of blocks; records nothing.

    With `prove`, and where everything is read, it is also seen whether the maps give their images.
    No backup builds on what is found damaged any more; on what was and is sound, it does again.

    Raises:
        JunmaiError, OSError: the store can't be read.
    """
    before = look(images)
    chosen = _chosen(sorted(before.stored), share)
    total = sum(before.stored[name] for name in chosen)
    prove = prove or share >= EVERYTHING
    with Digests() as digests:
        with context.progress.step("Reading packs", max(1, total), "bytes") as tick:
            damages = examine_packs(images, before, chosen, tick, digests if prove else None)
        names = before.maps.keys() - before.bad_maps.keys() if prove else ()
        proven, wrong = prove_maps(images, before, names, damages, digests)
        before.bad_maps.update(wrong)
        suspicious = damages or before.unreadable or before.bad_maps
        after = look(images) if suspicious else before
        again = wrong.keys() & after.maps.keys() - after.bad_maps.keys()
        after.bad_maps.update(prove_maps(images, after, again, damages, digests)[1])
    found = tuple(findings(images, before, damages, after)) if suspicious else ()
    unproven = {n for name, own in before.maps.items() if name not in proven for n in own}
    orphans = images.garbage((), context.clock())
    if not (before.manifests or before.unreadable):
        found += tuple(map(_missing, orphans.problems))
    report = StoreReport(
        tuple(sorted(before.manifests)),
        len(before.stored),
        total,
        share >= EVERYTHING,
        found,
        tuple(_notes(orphans, before)),
        frozenset(unproven),
    )
    confirmed = {finding.name for finding in found}
    damaged = tuple(each for each in damages if pack_object(each.pack) in confirmed)
    done = BlockLook(report, after, damaged, proven)
    _settle(images, done, chosen - {each.pack for each in damages})
    return done


def _settle(images: BlockImages, done: BlockLook, sound: frozenset[str]) -> None:
    """Tell writers what is damaged and what is sound; a store that only can be read is checked too.

    One that is gone they find out themselves.
    """
    there = done.structure.stored
    damages = [each for each in done.damages if each.pack in there]
    objects = {pack_object(name) for name in sound} | {map_object(name) for name in done.proven}
    try:
        if objects:
            trust(images.backend, images.cache, objects)
        if damages or done.structure.bad_maps:
            distrust(images.backend, images.cache, damages, done.structure.bad_maps)
    except JunmaiError as problem:
        log().warning("check.not_settled", store=images.backend.url, problem=problem.message)


def record(this: Operation, store: SnapshotStore, report: StoreReport) -> None:
    """Record each finding, and which snapshots are damaged or sound.

    Raises:
        JunmaiError: the journal can't be written.
    """
    for finding in report.findings[:FINDINGS_RECORDED]:
        hits = {hit.snapshot: hit.size for hit in finding.hits[:SHOWN_HITS]}
        this.record(
            "finding", what=finding.what, object=finding.name, problem=finding.problem, hits=hits
        )
    for kind, names in (("damaged", report.damaged), ("sound", report.sound)):
        for some in _chunks(names):
            this.record("examined", store=store.url, **{kind: [*some]})


def finish(this: Operation, report: StoreReport) -> None:
    """End the stream with what the report comes to.

    Raises:
        JunmaiError: the journal can't be written.
    """
    counts = {
        "snapshots": len(report.snapshots),
        "objects": report.objects,
        "bytes": report.read,
        "findings": len(report.findings),
    }
    this.finish("damage_found" if report.findings else "completed", **counts)


def _examine_images(context: Context, store: SnapshotStore, share: float) -> StoreReport:
    good, bad = store.snapshots()
    sizes = {snapshot.name: snapshot.manifest.file_size for snapshot in good}
    chosen = _chosen(sorted(sizes), share)
    total = sum(sizes[name] for name in chosen)
    with context.progress.step("Reading images", max(1, total), "bytes") as tick:
        found = check_images(store.backend, good, chosen, tick)
    found += [unusable(each, local=isinstance(store, FileStore)) for each in bad]
    orphans = store.garbage((), context.clock())
    if not (good or bad):
        found += map(_missing, orphans.problems)
    notes = [_garbage_note(len(orphans.objects), orphans.size)] if orphans.objects else []
    notes += [
        f"{name} has no manifest: it is no snapshot, and is left alone"
        for name in (unlisted(store.folder) if isinstance(store, FileStore) else ())
    ]
    whole = share >= EVERYTHING
    return StoreReport(tuple(sorted(sizes)), len(sizes), total, whole, tuple(found), tuple(notes))


def _missing(problem: JunmaiError) -> StoreFinding:
    """The finding where a store has no manifest at all, but more than none can have."""
    return StoreFinding("manifest", "all manifests", problem.message, (), problem.hint)


def _notes(orphans: Garbage, structure: Structure) -> Iterator[str]:
    if orphans.objects:
        yield _garbage_note(len(orphans.objects), orphans.size)
    for name in structure.foreign[:SHOWN_FOREIGN]:
        yield f"{name} is no pack of ours; it is left alone"
    if len(structure.foreign) > SHOWN_FOREIGN:
        yield f"{len(structure.foreign) - SHOWN_FOREIGN:,} more objects are no packs of ours"


def _garbage_note(count: int, size: int) -> str:
    return f"Nothing leads to {count:,} objects of {size:,} bytes; `junmai-svc prune` deletes them"


def _chosen(names: Sequence[str], share: float) -> frozenset[str]:
    """A share of some names, at random: at least one, unless the share is nothing."""
    if not share or not names:
        return frozenset()
    count = min(len(names), max(1, round(share * len(names))))
    return frozenset(SystemRandom().sample(names, count))


def _chunks(names: Sequence[str]) -> Iterable[Sequence[str]]:
    return (names[at : at + NAMES_PER_EVENT] for at in range(0, len(names), NAMES_PER_EVENT))
