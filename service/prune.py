"""Drop the snapshots that a retention policy does not keep, and nothing else.

The plan is recorded before anything is deleted. Each manifest goes first and then its image, so
that an interrupt leaves an image that nobody lists, never a manifest without its bytes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from junmai_svc.service.context import Context
from junmai_svc.service.details import fitting
from junmai_svc.service.operation import operation
from junmai_svc.service.retention import Candidate, Decision, Policy, decide
from junmai_svc.storage.databases.failures import translated
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.journal.projection import fold_proven
from junmai_svc.storage.snapshots.base import Snapshot, SnapshotStore, Unreadable

# An event holds at most 65,535 bytes; a name and its reasons have well under 200.
NAMES_PER_EVENT = 200


@dataclass(frozen=True)
class PrunePlan:
    """What a policy decides about a store: every snapshot with its reasons.

    Manifests that can't be used are never touched. `sizes` are bytes by name.
    """

    decisions: tuple[Decision, ...]
    unreadable: tuple[Unreadable, ...]
    sizes: Mapping[str, int]

    @property
    def dropped(self) -> list[str]:
        """The names that go, newest first."""
        return [each.candidate.name for each in self.decisions if not each.keep]

    @property
    def freed(self) -> int:
        """The bytes that this frees."""
        return sum(self.sizes[name] for name in self.dropped)


@dataclass(frozen=True)
class Pruned:
    """A plan that was carried out; `run` is None where nothing had to be done."""

    run: str | None
    plan: PrunePlan
    deleted: tuple[str, ...] = ()


def plan_prune(
    store: SnapshotStore, journal: Journal | None, policy: Policy, when: datetime
) -> PrunePlan:
    """Decide about every snapshot of a store at a time in UTC; deletes nothing.

    The journal knows what was proven; without one nothing was.

    Raises:
        JunmaiError: the store or the journal can't be read.
    """
    with translated("read the snapshots in", store.url):
        good, bad = store.snapshots()
        held = store.held()
    proven = fold_proven(journal.read()) if journal else {}
    candidates = [_candidate(snapshot, held, proven) for snapshot in good]
    return PrunePlan(
        tuple(decide(candidates, policy, when)),
        tuple(bad),
        {snapshot.name: snapshot.manifest.file_size for snapshot in good},
    )


def prune(context: Context, policy: Policy) -> Pruned:
    """Delete what the policy does not keep; on return it is gone, durably and recorded.

    Raises:
        JunmaiError: the store or the journal failed; what was not deleted yet is untouched.
    """
    plan = plan_prune(context.store, context.journal, policy, context.clock())
    if not plan.dropped:
        return Pruned(None, plan)
    store = context.store
    decided = {each.candidate.name: list(each.reasons) for each in plan.decisions}
    start = {"store": store.url, "bytes": plan.freed, "reasons": decided}
    start = fitting(context.store, start)
    with operation(context.journal, "prune", Path(store.url), start=start) as this:
        deleted: list[str] = []
        for names in _chunks(plan.dropped):
            with translated("delete from", store.url):
                # Somebody may have held one since the plan was made.
                gone = [name for name in names if store.delete_unless_held(name)]
            this.record("snapshot_deleted", snapshots=gone)
            deleted += gone
        this.finish("completed", deleted=len(deleted))
        return Pruned(this.id, plan, tuple(deleted))


def _candidate(
    snapshot: Snapshot, held: frozenset[str], proven: Mapping[str, datetime]
) -> Candidate:
    manifest = snapshot.manifest
    return Candidate(
        snapshot.name,
        manifest.original_path,
        manifest.taken,
        manifest.reason,
        held=snapshot.name in held,
        proven=proven.get(snapshot.name),
    )


def _chunks(names: Sequence[str]) -> list[Sequence[str]]:
    return [names[at : at + NAMES_PER_EVENT] for at in range(0, len(names), NAMES_PER_EVENT)]
