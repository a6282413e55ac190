"""What a prune comes to, as plain data. Pure."""

from collections.abc import Sequence
from typing import Any

from junmai_svc.service.prune import Pruned, PrunePlan
from junmai_svc.storage.snapshots.base import Unreadable
from junmai_svc.storage.snapshots.garbage import Locked, Repacked

View = dict[str, Any]


def prune_view(plan: PrunePlan, pruned: Pruned | None) -> View:
    """A plan of what to drop, carried out or (`pruned` is None) not.

    `bytes` are those that are freed, or would be; `locked` is what an object lock keeps.
    """
    collected = pruned.collected if pruned else None
    problems = collected.problems if collected else plan.garbage.problems
    repacked = pruned.repacked if pruned else Repacked()
    return {
        "run": pruned.run if pruned else None,
        "status": "pruned" if pruned else "planned",
        "snapshots": [
            {
                "snapshot": each.candidate.name,
                "taken": each.candidate.taken.isoformat(),
                "keep": each.keep,
                "reasons": list(each.reasons),
                "file_size": plan.sizes[each.candidate.name],
                "damaged": each.candidate.damaged,
            }
            for each in plan.decisions
        ],
        "deleted": list(pruned.deleted) if pruned else [],
        "bytes": pruned.freed if pruned else plan.freed,
        "locked_snapshots": locked_view(pruned.locked if pruned else ()),
        "locked_objects": locked_view((*(collected.locked if collected else ()), *repacked.locked)),
        "repacked": {"packs": len(repacked.packs), "maps": repacked.maps},
        "problems": [{"problem": each.message, "hint": each.hint} for each in problems],
        "not_repacked": [
            {"problem": each.message, "hint": each.hint} for each in repacked.problems
        ],
        "unreadable": unreadable_view(plan.unreadable),
    }


def locked_view(locked: Sequence[Locked]) -> list[View]:
    """What an object lock keeps, and until when."""
    return [
        {"name": each.name, "until": each.until.isoformat() if each.until else None}
        for each in locked
    ]


def unreadable_view(bad: Sequence[Unreadable]) -> list[View]:
    """Manifests that can't be used, and why."""
    return [{"manifest": item.manifest, "problem": item.problem.message} for item in bad]
