"""Move a database to the target schema: plan, back up, copy, verify, publish, log.

Until the last rename the target does not exist and the source is only read. What is published has
been compared with the snapshot value by value.
"""

import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from junmai_svc.checks.digests import target_digests
from junmai_svc.checks.verification import verify

from junmai_svc.checks.finding import Report, Verdict
from junmai_svc.checks.image import Examination, examine
from junmai_svc.service.backup import backup, image_of
from junmai_svc.service.build import Copied, build_target
from junmai_svc.service.context import Context
from junmai_svc.service.logs import log as events
from junmai_svc.service.migration_log import MigrationLog, error_lines, verification_results
from junmai_svc.service.operation import Operation, operation
from junmai_svc.service.plan import MigrationPlan, plan_migration
from junmai_svc.service.replace import Replaced, replace_database
from junmai_svc.storage.databases.connection import reading, require_database
from junmai_svc.storage.databases.failures import translated
from junmai_svc.storage.databases.online_backup import remove_database
from junmai_svc.storage.databases.pair import open_pair
from junmai_svc.storage.databases.schema import Schema, read_schema
from junmai_svc.storage.errors import (
    JunmaiError,
    MigrationFailedError,
    NotFoundError,
    UsageError,
)
from junmai_svc.storage.files import staged_path, switch_in_new, sync_file
from junmai_svc.storage.models.junmai import definitions, target_schema
from junmai_svc.storage.snapshots.manifest import Reason
from junmai_svc.storage.snapshots.store import Snapshot


@dataclass(frozen=True)
class MigrateRequest:
    """What to migrate and where to. Paths are as the person gave them."""

    source: Path
    target: Path
    keep_backup: bool = True
    overwrite: bool = False


@dataclass
class Migration:
    """What a migration did; `log_path` is the replaced tool's log of it."""

    run: str
    request: MigrateRequest
    plan: MigrationPlan
    snapshot: Snapshot | None = None
    copied: list[Copied] = field(default_factory=list)
    report: Report = field(default_factory=lambda: Report(()))
    digests: Mapping[str, str] = field(default_factory=dict)
    replaced: Replaced | None = None
    log_path: Path | None = None


@dataclass(frozen=True)
class Image:
    """The consistent image that everything is read from, and what its examination found."""

    path: Path
    schema: Schema
    examination: Examination
    snapshot: Snapshot | None


def plan(source: Path) -> MigrationPlan:
    """Return the plan for a database as it is now; writes nothing at all.

    Raises:
        PlanError: the source holds a column that the target schema has no place for.
        NotFoundError, LockedError, AccessDeniedError, IntegrityError: it can't be read.
    """
    with reading(source) as live:
        return plan_of(read_schema(live))


def plan_of(schema: Schema) -> MigrationPlan:
    """Return the plan for a source schema against the Junmai models.

    Raises:
        PlanError: the source holds a column that the target schema has no place for.
    """
    defaults = {name: definition.defaults for name, definition in definitions().items()}
    return plan_migration(schema, target_schema(), defaults)


def refuse_request(request: MigrateRequest) -> None:
    """Refuse what can be seen to be wrong without opening anything.

    Raises:
        NotFoundError: the source, or the target's folder, is not there.
        UsageError: source and target are one file, or the target exists and may not be replaced.
    """
    require_database(request.source)
    folder = request.target.absolute().parent
    if not folder.is_dir():
        raise NotFoundError(
            f"The folder of the target not found: {folder}", "Make the folder, or name another."
        )
    if request.target.exists() and request.target.samefile(request.source):
        raise UsageError(
            f"Source and target are the same file: {request.source}",
            "Name another --target; the source stays as it is until you replace it yourself.",
        )
    if request.target.is_dir():
        raise UsageError(f"The target {request.target} is a folder", "Name a file as --target.")
    if request.target.exists() and not request.overwrite:
        raise UsageError(
            f"The target {request.target} exists already",
            "Name another --target, or add --overwrite to replace it after a snapshot of it.",
        )


def migrate(
    context: Context, request: MigrateRequest, log: MigrationLog | None = None
) -> Migration:
    """Migrate, and return only after the verified target has its final name, durably.

    `log` is the replaced tool's log where it has been begun already.

    Raises:
        UsageError, PlanError: the request can't be carried out; nothing was done.
        LockedError: another run, or the replaced target's user, is at work.
        MigrationFailedError: the target schema refused rows, or verification found differences.
        JunmaiError: reading or writing failed. In all cases the target is as it was, the source
            untouched and a backup that was taken stays.
    """
    refuse_request(request)
    details = {"source": str(request.source), "target": str(request.target)}
    log = log or MigrationLog(details["source"], details["target"])
    with operation(
        context.journal, "migration", request.source, start=details, exclusive=True
    ) as this:
        with _failure_logged(context, log):
            result = Migration(this.id, request, plan(request.source))
            this.record("planned", **_planned(result.plan))
            staged = staged_path(request.target, this.id[-12:])
            try:
                _build(context, this, result, staged, log)
                # Before the switch: from then on nothing may fail that a person must hear of.
                result.log_path = log.save(context.store.folder, context.clock())
                _publish(context, this, result, staged)
            finally:
                remove_database(staged)
                remove_database(_scratch(staged))
        this.finish("verified", **_outcome(result))
        return result


def _build(
    context: Context, this: Operation, result: Migration, staged: Path, log: MigrationLog
) -> None:
    """Everything up to a verified staged target."""
    request = result.request
    image = _take(context, this, result, _scratch(staged))
    if image.snapshot:
        log.backup_path = str(image.snapshot.image)
        log.add("backup", "success", context.clock(), backup_path=log.backup_path)
    this.record("started", staged=str(staged), scratch=str(_scratch(staged)))
    result.copied = build_target(
        result.plan,
        image.schema,
        image.path,
        staged,
        models={name: definition.model for name, definition in definitions().items()},
        null_tables=image.examination.null_tables,
        rows=image.examination.rows,
        progress=context.progress,
    )
    for table in result.copied:
        this.record("table_copied", table=table.table, rows=table.rows)
    stats = {table.table: table.rows for table in result.copied}
    log.add("migration", "success", context.clock(), stats=stats)
    with translated("set the permissions of", staged):
        shutil.copymode(request.source, staged)
    _verify(context, this, result, image, staged, log)


def _take(context: Context, this: Operation, result: Migration, scratch: Path) -> Image:
    """Take the image to migrate from: a kept snapshot, or a scratch file where none is wanted."""
    request = result.request
    if request.keep_backup:
        kept = backup(context, request.source, Reason.MIGRATION, full_check=True, parent=this)
        this.record(
            "backup_linked",
            snapshot=kept.snapshot.name,
            checksum=kept.snapshot.manifest.checksum,
            backup=kept.run,
        )
        result.snapshot = kept.snapshot
        image = Image(kept.snapshot.image, kept.schema, kept.examination, kept.snapshot)
    else:
        begun = time.monotonic()
        schema = image_of(context, request.source, scratch)
        spent = time.monotonic() - begun
        found = examine(scratch, schema, full_check=True, copy_seconds=spent)
        image = Image(scratch, schema, found, None)
    if plan_of(image.schema) != result.plan:
        raise MigrationFailedError(
            f"The schema of {request.source} was changed while the migration began",
            "Wait until nobody changes the schema, then run the same command again.",
        )
    return image


def _verify(
    context: Context,
    this: Operation,
    result: Migration,
    image: Image,
    staged: Path,
    log: MigrationLog,
) -> None:
    steps = len(result.plan.tables)
    with (
        open_pair(staged, image.path, target_mode="rw") as pair,
        translated("verify", staged),
    ):
        with context.progress.step("Verifying", steps, "steps") as tick:
            result.report = verify(
                pair,
                result.plan.tables,
                result.plan.expected,
                backup=(image.snapshot.image, image.snapshot.manifest.checksum)
                if image.snapshot
                else None,
                on_table=lambda _: tick(1) if tick is not None else None,
            )
        counts = {t.table: t.rows for t in result.copied}
        rows = {n: (image.examination.rows.get(n, 0), count) for n, count in counts.items()}
        log.verification_results = verification_results(result.report, rows)
        status = "success" if result.report.passed else "failed"
        log.add("verification", status, context.clock(), results=log.verification_results)
        this.record("constraints_checked", **_summary(result.report))
        if not result.report.passed:
            raise MigrationFailedError(
                f"Migration failed: verification found differences in {staged.name}:"
                f" {error_lines(result.report.results)[0]}",
                "The target was not published, the source is untouched. See the migration log.",
            )
        with context.progress.step("Table digests", steps, "steps") as tick:
            result.digests = target_digests(pair, result.plan.expected.tables, tick)


def _publish(context: Context, this: Operation, result: Migration, staged: Path) -> None:
    target = result.request.target
    with translated("publish", target):
        sync_file(staged)
        if target.exists() or result.request.overwrite:
            result.replaced = replace_database(context, staged, target, Reason.PRE_OVERWRITE, this)
            return
        switch_in_new(staged, target)


@contextmanager
def _failure_logged(context: Context, log: MigrationLog) -> Iterator[None]:
    """Save the replaced tool's log when the block fails; it never hides why."""
    try:
        yield
    except JunmaiError as error:
        if not any(step["status"] == "failed" for step in log.migration_log):
            text = f"Migration failed: {error.message}"
            log.add("migration", "failed", context.clock(), error=text, hint=error.hint)
        try:
            log.save(context.store.folder, context.clock())
        except JunmaiError as second:
            events().error("migration_log.unwritable", problem=second.message)
        raise


def _scratch(staged: Path) -> Path:
    return staged.with_name(staged.name.replace(".partial", ".source.partial"))


def _planned(plan: MigrationPlan) -> dict[str, Any]:
    return {
        "tables": [pair.name for pair in plan.tables],
        "carried": list(plan.carried),
        "rules": {
            f"{pair.name}.{column.target.name}": column.rule.sql
            for pair in plan.tables
            for column in pair.columns
            if column.rule is not None
        },
    }


def _summary(report: Report) -> dict[str, Any]:
    failed = [result for result in report.results if result.verdict is Verdict.FAILED]
    return {
        "checks": len(report.results),
        "failed": {f"{r.check} {r.table}".strip(): r.total for r in failed},
        "known": {f"{r.check} {r.table}".strip(): r.known for r in report.results if r.known},
    }


def _outcome(result: Migration) -> dict[str, Any]:
    return {
        "target": str(result.request.target),
        "snapshot": result.snapshot.name if result.snapshot else None,
        "tables": {
            table.table: {"rows": table.rows, "digest": result.digests.get(table.table)}
            for table in result.copied
        },
        "rules": rule_counts(result.report),
        "log": str(result.log_path),
    }


def rule_counts(report: Report) -> dict[str, int]:
    """Return the number of rows that each rule filled, by `table.column`."""
    return {
        f"{result.table}.{name.removeprefix('rule:')}": count
        for result in report.results
        for name, count in result.counts.items()
        if name.startswith("rule:")
    }
