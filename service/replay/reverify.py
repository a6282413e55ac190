"""Look again at what a run left: every copy of its snapshots, and the target of a migration."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from junmai_svc.checks.row_changes import Change
from junmai_svc.checks.schema_changes import SchemaChange, schema_changes
from junmai_svc.service.backup import image_of
from junmai_svc.service.context import Context
from junmai_svc.service.replay.execution import differing, digests_of
from junmai_svc.service.replay.recipe import details_of, is_recorded, recorded_recipe
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
from junmai_svc.storage.databases.schema import Schema
from junmai_svc.storage.errors import ChecksumError, IntegrityError, NotFoundError, UsageError

_CHANGES = {
    Change.ADDED: "the migration did not make it",
    Change.REMOVED: "is missing",
    Change.CHANGED: "is not as the migration made it",
}


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
        replayed.looked += _details(context, record)
        _judge(replayed)
    return replayed


def _details(context: Context, record: Record) -> Iterator[Looked]:
    """Compare what events left in the stores with their SHA-256s; any store that has it does."""
    for what, digest in record.details.items() if context.stores else ():
        subject = f"{what} ({digest[:16]}…)"
        try:
            details_of(context.stores, digest)
        except NotFoundError as missing:
            yield Looked(subject, Found.MISSING, missing.message)
        except IntegrityError as changed:
            yield Looked(subject, Found.OTHER, changed.message)
        else:
            yield Looked(subject, Found.SAME)


def _target(context: Context, record: Record, target: Path, scratch: Path) -> list[Looked]:
    """Compare a migration's target with the recorded digests of its tables, and with the plan."""
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
    hint = "other rows than the migration left, as when an application has written since"
    others = [
        Looked(f"table {name} of {target}", Found.OTHER, hint if name in found else "is missing")
        for name in differing(expected, found)
        if name in expected
    ]
    others += [
        Looked(f"{_named(each)} of {target}", Found.OTHER, _CHANGES[each.change])
        for each in _schema_changes(context, record, schema)
        if (each.kind, each.change) != ("table", Change.REMOVED)  # told by its digest
    ]
    same = f"the same digests for all {len(expected)} tables"
    return others or [Looked(subject, Found.SAME, same)]


def _named(change: SchemaChange) -> str:
    table = f"{change.table}." if change.kind == "column" else ""
    return f"{change.kind} {table}{change.name}"


def _schema_changes(context: Context, record: Record, found: Schema) -> Iterable[SchemaChange]:
    """What of the target's schema is not what the recorded plan says; nothing where it is gone.

    That a plan is gone, or not what it was, has been told by then.
    """
    if not is_recorded(record.planned):
        return ()
    try:
        return schema_changes(recorded_recipe(context.stores, record.planned).plan.expected, found)
    except (NotFoundError, IntegrityError):
        return ()


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
