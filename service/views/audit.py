"""Audits as plain data: the one object that `--json` prints. Pure."""

from collections.abc import Iterable
from typing import Any

from junmai_svc.checks.proof import Verdict
from junmai_svc.service.audit.epoch import Recovery
from junmai_svc.service.audit.keep import Proven, Signing
from junmai_svc.service.audit.pins import KeptPin
from junmai_svc.service.audit.verify import Audit
from junmai_svc.service.context import StoreProblem
from junmai_svc.storage.journal.checkpoint import Checkpoint
from junmai_svc.storage.journal.encoding import to_base64

View = dict[str, Any]


def audit_view(audit: Audit) -> View:
    """The verdicts on a journal."""
    return {
        "run": None,
        "status": audit.status,
        "journal": audit.journal_id,
        "size": audit.size,
        "root": to_base64(audit.root),
        "verdicts": [_verdict_view(verdict) for verdict in audit.verdicts],
        "unreachable": [_down_view(each) for each in audit.down],
        "pin": _pin_view(audit.pin),
    }


def _down_view(down: StoreProblem) -> View:
    return {"store": down.store, "problem": down.problem.message}


def _pin_view(pin: KeptPin | None) -> View | None:
    if pin is None:
        return None
    return {"file": str(pin.path), "status": pin.status, "size": pin.size, "before": pin.before}


def _verdict_view(verdict: Verdict) -> View:
    return {
        "verdict": verdict.question.value,
        "answer": verdict.answer.value,
        "extent": verdict.extent or None,
        "position": verdict.position,
        "total": verdict.total,
        "findings": [
            {
                "message": doubt.message,
                "position": doubt.position,
                "where": doubt.where,
                "hint": doubt.hint,
            }
            for doubt in verdict.doubts
        ],
        "notes": list(verdict.notes),
    }


def signing_view(signed: Signing) -> View:
    """A checkpoint, the public key that it was signed with, and where it was published."""
    return {
        "run": None,
        "status": "unpublished" if signed.problems else "signed",
        "journal": signed.journal_id,
        "size": signed.size,
        "checkpoint": signed.text,
        "key": signed.key,
        "published": [
            {
                "store": each.store,
                "size": each.size,
                "added": each.added,
                "mended": each.mended,
            }
            for each in signed.published
        ],
        "problems": [
            {"store": each.store, "problem": each.problem.message, "hint": each.problem.hint}
            for each in signed.problems
        ],
    }


def proven_view(proven: Proven) -> View:
    """An event whose proof holds."""
    event = proven.event
    return {
        "run": None,
        "status": "proven",
        "journal": proven.journal_id,
        "size": proven.size,
        "position": event.position,
        "id": event.id,
        "stream": event.stream,
        "type": event.type,
        "time": event.time.isoformat(),
        "data": event.data,
    }


def recovery_view(found: Recovery, down: Iterable[StoreProblem] = ()) -> View:
    """What a recovery found and did, and which stores could not be asked."""
    return {
        "run": None,
        "status": found.status,
        "journal": found.journal_id,
        "size": found.size,
        "store": found.store,
        "added": found.added,
        "verdict": found.verdict or None,
        "position": found.position,
        "ours": _tree_view(found.ours),
        "theirs": _tree_view(found.theirs),
        "kept": str(found.kept) if found.kept else None,
        "besides": list(found.besides),
        "unreachable": [_down_view(each) for each in down],
    }


def _tree_view(checkpoint: Checkpoint | None) -> View | None:
    if checkpoint is None:
        return None
    return {"size": checkpoint.size, "root": to_base64(checkpoint.root)}
