"""Drop the snapshots that a retention policy does not keep, then what nothing leads to.

The plan is recorded before anything is deleted. Manifests go first, then what they alone led to, so
that an interrupt leaves bytes that nobody lists, never a manifest without its bytes. The next prune
takes them away.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from junmai_svc.service.context import Context
from junmai_svc.service.details import fitting
from junmai_svc.service.logs import log
from junmai_svc.service.one_history import require_one_history
from junmai_svc.service.operation import Operation, operation
from junmai_svc.service.publish import publish_intent
from junmai_svc.service.retention import Candidate, Decision, Policies, Policy, decide
from junmai_svc.storage.backends.base import RetainedError
from junmai_svc.storage.databases.failures import translated
from junmai_svc.storage.errors import JunmaiError
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.journal.soundness import Soundness, fold_soundness
from junmai_svc.storage.snapshots.base import Snapshot, SnapshotStore, Unreadable
from junmai_svc.storage.snapshots.choosing import sharing_map
from junmai_svc.storage.snapshots.garbage import Collected, Garbage, Locked, Repacked

# An event holds at most 65,535 bytes; a name and its reasons have well under 200.
NAMES_PER_EVENT = 200
# Locked objects and problems that are named in an event; there may be many thousands.
SHOWN = 100
# What is being written for so long is not being written any more.
UNFINISHED = timedelta(days=1)


@dataclass(frozen=True)
class PrunePlan:
    """What a policy decides about a store: every snapshot with its reasons.

    Manifests that can't be used are never touched. `sizes` are bytes by name. `garbage` is what
    nothing leads to without the dropped ones.
    """

    decisions: tuple[Decision, ...]
    unreadable: tuple[Unreadable, ...]
    sizes: Mapping[str, int]
    garbage: Garbage = field(default_factory=Garbage)

    @property
    def dropped(self) -> list[str]:
        """The names that go, newest first."""
        return [each.candidate.name for each in self.decisions if not each.keep]

    @property
    def freed(self) -> int:
        """The bytes that this frees."""
        return self.garbage.size


@dataclass(frozen=True)
class Pruned:
    """A plan that was carried out; `run` is None where nothing had to be done.

    `locked` are snapshots that an object lock keeps, `collected` tells of everything else, and
    `repacked` of packs that were mostly dead and have been rewritten.
    """

    run: str | None
    plan: PrunePlan
    deleted: tuple[str, ...] = ()
    locked: tuple[Locked, ...] = ()
    collected: Collected = field(default_factory=Collected)
    repacked: Repacked = field(default_factory=Repacked)

    @property
    def freed(self) -> int:
        """The bytes that this freed."""
        whole = {f"{name}.db" for name in self.deleted}
        images = {n: size for n, size in self.plan.garbage.objects.items() if n in whole}
        return sum((images | {**self.collected.deleted}).values())


def plan_prune(
    store: SnapshotStore,
    journal: Journal | None,
    policy: Policy | Policies,
    when: datetime,
    there: datetime | None = None,
) -> PrunePlan:
    """Decide about every snapshot of a store at a time in UTC; deletes nothing.

    `there` is the time by the store's own clock, where it is known. The journal knows what was
    proven or found damaged; without one nothing was.

    Raises:
        JunmaiError: the store or the journal can't be read.
    """
    with translated("read the snapshots in", store.url):
        good, bad = store.snapshots()
        held = store.held()
    known = fold_soundness(journal.read()) if journal else Soundness()
    proven = known.proven_in(store.url)
    damaged = sharing_map(known.damaged_in(store.url), good)
    candidates = [_candidate(snapshot, held, proven, damaged) for snapshot in good]
    decisions = tuple(decide(candidates, policy, when, there))
    dropped = frozenset(each.candidate.name for each in decisions if not each.keep)
    with translated("look for what nothing leads to in", store.url):
        garbage = store.garbage(dropped, when)
    sizes = {snapshot.name: snapshot.manifest.file_size for snapshot in good}
    return PrunePlan(decisions, tuple(bad), sizes, garbage)


def prune(context: Context, policy: Policy | Policies) -> Pruned:
    """Delete what the policy does not keep; on return it is gone, durably and recorded.

    What an object lock keeps is skipped and told. Where a manifest or a map can't be read, it may
    lead to anything: then dropped snapshots go, and their bytes stay.

    Raises:
        IntegrityError: the journal and a store tell two histories; nothing was deleted.
        JunmaiError: the store or the journal failed; what was not deleted yet is untouched.
    """
    require_one_history(context)
    store = context.store
    with translated("tidy up in", store.url):
        there = store.tidy()
    _sweep(store, context.clock())
    plan = plan_prune(store, context.journal, policy, context.clock(), there)
    if not plan.dropped and not plan.garbage.objects:
        return Pruned(None, plan, collected=Collected(problems=plan.garbage.problems))
    decided = {each.candidate.name: list(each.reasons) for each in plan.decisions}
    start = {"store": store.url, "bytes": plan.freed, "reasons": decided}
    start = fitting(store, start)
    with operation(context.journal, "prune", Path(store.url), start=start) as this:
        publish_intent(context)
        deleted, locked = _drop(store, plan.dropped, this)
        with (
            translated("delete what nothing leads to in", store.url),
            context.progress.step("Deleting what nothing leads to", 1, "steps"),
        ):
            emptied = bool(deleted) and len(deleted) == len(plan.decisions)
            collected = store.collect(emptied=emptied)
        with (
            translated("rewrite what is mostly dead in", store.url),
            context.progress.step("Rewriting what is mostly dead", 1, "steps"),
        ):
            repacked = store.repack()
            if repacked.maps:
                collected = collected.and_then(store.collect(emptied=emptied))
        this.finish(
            "completed",
            deleted=len(deleted),
            objects=len(collected.deleted),
            bytes=collected.freed,
            repacked=len(repacked.packs),
            locked=[each.name for each in (*locked, *collected.locked)][:SHOWN],
            problems=[problem.message for problem in (*collected.problems, *repacked.problems)][
                :SHOWN
            ],
        )
        return Pruned(this.id, plan, tuple(deleted), tuple(locked), collected, repacked)


def _sweep(store: SnapshotStore, when: datetime) -> None:
    """Remove what writers that died left unfinished; that it can't be is no reason to stop."""
    try:
        store.backend.sweep(when - UNFINISHED)
    except JunmaiError as problem:
        log().warning("prune.not_swept", store=store.url, problem=problem.message)


def _drop(
    store: SnapshotStore, dropped: Sequence[str], this: Operation
) -> tuple[list[str], list[Locked]]:
    """Delete snapshots, record which are gone, and return these and the locked ones.

    Which are about to go is recorded before: of those that are gone when this dies nobody has to
    ask who took them.
    """
    deleted: list[str] = []
    locked: list[Locked] = []
    for names in _chunks(dropped):
        gone: list[str] = []
        this.record("deleting", snapshots=[*names])
        try:
            for name in names:
                try:
                    with translated("delete from", store.url):
                        # Somebody may have held one since the plan was made.
                        if store.delete_unless_held(name):
                            gone.append(name)
                except RetainedError as problem:
                    locked.append(Locked(name, problem.retain_until))
        finally:  # what is gone is recorded also where an error comes between
            if gone:
                this.record("snapshot_deleted", snapshots=gone)
        deleted += gone
    return deleted, locked


def _candidate(
    snapshot: Snapshot,
    held: frozenset[str],
    proven: Mapping[str, datetime],
    damaged: frozenset[str],
) -> Candidate:
    manifest = snapshot.manifest
    return Candidate(
        snapshot.name,
        manifest.path,
        manifest.taken,
        manifest.reason,
        held=snapshot.name in held,
        proven=proven.get(snapshot.name),
        damaged=snapshot.name in damaged,
    )


def _chunks(names: Sequence[str]) -> list[Sequence[str]]:
    return [names[at : at + NAMES_PER_EVENT] for at in range(0, len(names), NAMES_PER_EVENT)]
