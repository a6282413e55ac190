"""Copies and stores as plain data: the one object that `--json` prints. Pure."""

from collections.abc import Sequence
from typing import Any

from junmai_svc.service.copy import Copied, CopyPlan, NotCopied
from junmai_svc.service.exits import exit_code
from junmai_svc.service.store_facts import StoreFacts

View = dict[str, Any]


def copy_view(done: Copied, source: str, target: str) -> View:
    """A copy that was carried out, or came as far as it did."""
    view = copy_plan_view(done.plan, source, target)
    stopped = done.stopped
    return view | {
        "run": done.run,
        "status": "failed" if stopped else "copied",
        "copied": [
            {
                "snapshot": snapshot.name,
                "file_size": snapshot.manifest.file_size,
                "new_bytes": snapshot.manifest.new_bytes,
                "checksum": snapshot.manifest.checksum,
            }
            for snapshot in done.copied
        ],
        "not_copied": _not_copied_view([*done.plan.refused, *done.not_copied]),
        "error": {
            "type": type(stopped).__name__,
            "message": stopped.message,
            "hint": stopped.hint,
            "exit": exit_code(stopped),
        }
        if stopped
        else None,
    }


def copy_plan_view(plan: CopyPlan, source: str, target: str) -> View:
    """What a copy would do."""
    return {
        "run": None,
        "status": "planned",
        "from": source,
        "to": target,
        "missing": [
            {"snapshot": each.name, "file_size": each.manifest.file_size} for each in plan.missing
        ],
        "present": list(plan.present),
        "bytes": plan.size,
        "not_copied": _not_copied_view(plan.refused),
    }


def _not_copied_view(each: Sequence[NotCopied]) -> list[View]:
    return [
        {"snapshot": one.name, "problem": one.problem.message, "hint": one.problem.hint}
        for one in each
    ]


def store_view(facts: StoreFacts, status: str, *, notes: Sequence[str] = ()) -> View:
    """What a store is and holds; `notes` are what a person has to know now."""
    return {
        "run": None,
        "status": status,
        "store": facts.store,
        "layout": facts.layout,
        "id": facts.id,
        "made": facts.made,
        "sealed": facts.sealed,
        "honours": dict(facts.honours),
        "objects": {
            kind: {"count": held.count, "bytes": held.size} for kind, held in facts.held.items()
        },
        "bytes": sum(held.size for held in facts.held.values()),
        "notes": list(notes),
    }
