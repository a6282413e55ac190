"""Look again at what a run left: every copy of its snapshots, and the target of a migration."""

from pathlib import Path

from junmai_svc.service.backup import image_of
from junmai_svc.service.context import Context
from junmai_svc.service.replay.execution import differing, digests_of
from junmai_svc.service.replay.record import Record
from junmai_svc.service.replay.replay import (
    Found,
    Looked,
    Replayed,
    Verdict,
    copies,
    digests_in,
    look_at,
    replaying,
)
from junmai_svc.storage.errors import ChecksumError, NotFoundError, UsageError


def reverify(context: Context, record: Record) -> Replayed:
    """Compare the snapshots of a run, and the target of a migration, with what was recorded.

    Raises:
        UsageError: the run left nothing that could be looked at.
        JunmaiError: something that is there can't be read, or the journal not written.
    """
    if not record.kept and record.target is None:
        raise UsageError(
            f"The run {record.run} ({record.kind}, {record.status}) stored nothing to look at",
            "Name a run that took or restored a snapshot, or that migrated; see `history`.",
        )
    with replaying(context, record, "reverify") as (replayed, scratch):
        for problem in context.down:
            replayed.looked.append(
                Looked(f"store {problem.store}", Found.MISSING, problem.problem.message)
            )
        for store, kept in copies(context, record):
            replayed.looked.append(look_at(context, record, store, kept, scratch / "image.db"))
        if record.target is not None:
            replayed.looked += _target(context, record, record.target, scratch)
        _judge(replayed)
    return replayed


def _target(context: Context, record: Record, target: Path, scratch: Path) -> list[Looked]:
    """Compare the tables of a migration's target with their recorded digests."""
    subject = f"target {target}"
    if not target.is_file():
        return [Looked(subject, Found.GONE)]
    try:
        expected = digests_in(context, record)
    except (NotFoundError, ChecksumError) as missing:
        return [Looked(subject, Found.MISSING, missing.message)]
    image = scratch / "target.db"
    schema = image_of(context, target, image)
    found = digests_of(image, schema)
    others = [name for name in differing(expected, found) if name in expected]
    if not others:
        return [Looked(subject, Found.SAME, f"the same digests for all {len(expected)} tables")]
    hint = "other rows than the migration left, as when an application has written since"
    return [
        Looked(f"table {name} of {target}", Found.OTHER, hint if name in found else "is missing")
        for name in others
    ]


def _judge(replayed: Replayed) -> None:
    """Settle the verdict by all that was looked at."""
    for found, verdict in (
        (Found.OTHER, Verdict.DIVERGED),
        (Found.MISSING, Verdict.INPUT_MISSING),
    ):
        for each in replayed.looked:
            if each.found is found:
                replayed.ends(verdict, each.sentence)
                return
    replayed.ends(Verdict.CONFIRMED, "everything that is stored is as it was recorded")
