"""Move a database to the target schema: plan, back up, copy, verify, publish, log.

Until the last rename the target does not exist and the source is only read. What is published has
been compared with the snapshot value by value.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from junmai_svc.checks.image import Examination, examine
from junmai_svc.checks.verification import verify
from junmai_svc.service.backup import backing_up, image_of
from junmai_svc.service.build import build_target, freeze_for
from junmai_svc.service.context import Context
from junmai_svc.service.details import fitting
from junmai_svc.service.logs import log as events
from junmai_svc.service.migration import (
    DifferencesFoundError,
    MigrateRequest,
    Migration,
    checked,
    copied_facts,
    outcome,
    planned,
)
from junmai_svc.service.migration_log import (
    MigrationLog,
    failures,
    line_of,
    verification_results,
)
from junmai_svc.service.one_history import require_one_history
from junmai_svc.service.operation import Operation, operation
from junmai_svc.service.preflight import plan_for, plan_of, refuse_request
from junmai_svc.service.replace import replace_database
from junmai_svc.service.replay.execution import differing, execute, first_key, placed
from junmai_svc.service.replay.recipe import new_recipe, recorded, recorded_recipe
from junmai_svc.service.signals import ignore_from_here, unbroken
from junmai_svc.storage.databases.digest import table_digest
from junmai_svc.storage.databases.failures import translated
from junmai_svc.storage.databases.online_backup import remove_database
from junmai_svc.storage.databases.pair import TARGET, open_pair
from junmai_svc.storage.databases.schema import Schema
from junmai_svc.storage.errors import InterruptedRunError, JunmaiError, MigrationFailedError
from junmai_svc.storage.files import (
    copy_permissions,
    identity_of,
    led_to,
    staged_path,
    switch_in_new,
    sync_file,
    token_of,
)
from junmai_svc.storage.models.junmai import definitions
from junmai_svc.storage.snapshots.base import Snapshot
from junmai_svc.storage.snapshots.manifest import Reason

# As the replaced tool says it.
FAILED = "Migration failed"
UNTOUCHED = "The target was not published, the source is untouched."
FAILED_HINT = (
    "1. Check error message in log 2. Restore from backup (where the source itself is damaged)"
    " 3. Fix underlying issue 4. Retry migration"
)


@dataclass(frozen=True)
class Image:
    """The consistent image that everything is read from, and what its examination found."""

    path: Path
    schema: Schema
    examination: Examination
    snapshot: Snapshot | None


def migrate(
    context: Context, request: MigrateRequest, log: MigrationLog | None = None
) -> Migration:
    """Migrate, and return only after the verified target has its final name, durably.

    Where the target is a link, the file that it leads to is the target, and the link stays. `log`
    is the replaced tool's log where it has been begun already.

    Raises:
        UsageError, PlanError: the request can't be carried out; nothing was done.
        LockedError: another run, or the replaced target's user, is at work.
        MigrationFailedError: the target schema refused rows, or verification found differences.
        JunmaiError: reading or writing failed. In all cases the target is as it was, the source
            untouched and a backup that was taken stays.
    """
    request = replace(request, target=led_to(request.target))
    refuse_request(request)
    if request.overwrite and request.target.exists():
        require_one_history(context)
    details = {"source": str(request.source), "target": str(request.target)}
    log = log or MigrationLog(details["source"], details["target"])
    with operation(
        context.journal,
        "migration",
        request.source,
        start={**details, "store": context.store.url, "folder": str(context.folder)},
        exclusive=True,
    ) as this:
        with _failure_logged(context, log, this.id):
            plan = plan_for(request.source)
            recipe = new_recipe(plan, context.clock())
            result = Migration(this.id, context.journal.path, request, plan, recipe)
            staged = staged_path(request.target, token_of(this.id))
            # Named before they exist, so that whoever comes after a crash finds them.
            files = {"staged": str(staged), "scratch": str(_scratch(staged))}
            files["again"] = str(_again(staged))
            said = fitting(context.store, planned(plan)) | recorded(context.stores, recipe)
            this.record("planned", **said, **files)
            try:
                with _taken(context, this, result, _scratch(staged)) as image:
                    _build(context, this, result, image, staged, log)
                # Before the switch: from then on nothing may fail that a person must hear of.
                with unbroken():
                    result.log_path = log.save(context.folder, context.clock(), this.id)
                done = fitting(context.store, outcome(result))
                _publish(context, this, result, staged)
            finally:
                remove_database(staged)
                remove_database(_scratch(staged))
                remove_database(_again(staged))
        this.conclude("verified", **done)
        return result


def _build(
    context: Context,
    this: Operation,
    result: Migration,
    image: Image,
    staged: Path,
    log: MigrationLog,
) -> None:
    """Everything from the image up to a verified staged target."""
    request = result.request
    if image.snapshot:
        log.backup_path = image.snapshot.place
        log.add("backup", "success", context.clock(), backup_path=log.backup_path)
    this.record("started", image=str(image.path))
    result.copied = build_target(
        result.plan,
        image.schema,
        image.path,
        staged,
        models={name: definition.model for name, definition in definitions().items()},
        null_tables=image.examination.null_tables,
        rows=image.examination.rows,
        progress=context.progress,
        moment=result.recipe.moment,
    )
    copied = [copied_facts(table) for table in result.copied]
    this.record_all("table_copied", copied)
    stats = {table.table: table.rows for table in result.copied}
    log.add("migration", "success", context.clock(), stats=stats)
    with translated("set the permissions of", staged):
        copy_permissions(request.source, staged)
    _verify(context, this, result, image, staged, log)
    if request.prove:
        _prove(context, this, result, image, staged)


@contextmanager
def _taken(context: Context, this: Operation, result: Migration, scratch: Path) -> Iterator[Image]:
    """Take the image to migrate from: a kept snapshot, or a scratch file where none is wanted."""
    request = result.request
    with ExitStack() as at_hand:
        if request.keep_backup:
            kept = at_hand.enter_context(
                backing_up(context, request.source, Reason.MIGRATION, full_check=True, parent=this)
            )
            snapshot = kept.backup.snapshot
            this.record(
                "backup_linked",
                snapshot=snapshot.name,
                checksum=snapshot.manifest.checksum,
                backup=kept.backup.run,
            )
            result.snapshot, result.failed_stores = snapshot, kept.backup.failed
            result.stored = kept.backup.stored
            image = Image(kept.image, kept.schema, kept.examination, snapshot)
        else:
            begun = time.monotonic()
            schema = image_of(context, request.source, scratch)
            spent = time.monotonic() - begun
            found = examine(scratch, schema, request.source, full_check=True, copy_seconds=spent)
            image = Image(scratch, schema, found, None)
        if plan_of(image.schema) != result.plan:
            raise MigrationFailedError(
                f"The schema of {request.source} was changed while the migration began",
                "Wait until nobody changes the schema, then run the same command again.",
            )
        yield image


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
        freeze_for(result.plan, pair, result.recipe.moment)
        with context.progress.step("Verifying", steps, "steps") as tick:
            result.report = verify(
                pair,
                result.plan.tables,
                result.plan.expected,
                backup=(image.path, image.snapshot.manifest.checksum) if image.snapshot else None,
                source_broke=image.examination.violations,
                on_table=lambda _: tick(1) if tick is not None else None,
            )
        counts = {t.table: t.rows for t in result.copied}
        rows = {n: (image.examination.rows.get(n, 0), count) for n, count in counts.items()}
        log.verification_results = verification_results(result.report, rows)
        status = "success" if result.report.passed else "failed"
        log.add("verification", status, context.clock(), results=log.verification_results)
        found = fitting(context.store, checked(result.report))
        this.record("constraints_checked", file=identity_of(staged), **found)
        if not result.report.passed:
            first = failures(result.report.results)[0]
            what = f"verification found differences in {staged.name}: "
            raise DifferencesFoundError(
                what + line_of(first.recorded(), first),
                UNTOUCHED,
                result.report,
                shown=what + line_of(first.describe(), first),
            )
        with context.progress.step("Table digests", steps, "steps") as tick:
            for table in result.plan.expected.tables:
                digest = table_digest(pair.connection, TARGET, table)
                result.digests[table.name] = digest.sha256
                if tick is not None:
                    tick(1)


def _prove(
    context: Context, this: Operation, result: Migration, image: Image, staged: Path
) -> None:
    """Migrate a second time, from what the journal and the store hold, and compare the digests."""
    again = _again(staged)
    with context.progress.step("Migrating a second time", 1, "steps"):
        recipe = recorded_recipe(context.stores, recorded(context.stores, result.recipe))
        found = execute(recipe, image.path, image.schema, image.examination, again)
    others = differing(result.digests, found)
    if others:
        key = first_key(staged, again, others[0])
        what = "run a second time, it left other rows in "
        raise MigrationFailedError(
            what + placed(others[0], ""), UNTOUCHED, shown=what + placed(others[0], key)
        )
    this.record("reproduced", tables=len(result.digests))


def _publish(context: Context, this: Operation, result: Migration, staged: Path) -> None:
    target = result.request.target
    with translated("publish", target):
        sync_file(staged)
        if result.request.overwrite:
            result.replaced = replace_database(context, staged, target, Reason.PRE_OVERWRITE, this)
        else:
            ignore_from_here()
            switch_in_new(staged, target)


@contextmanager
def _failure_logged(context: Context, log: MigrationLog, run: str) -> Iterator[None]:
    """Save the replaced tool's log when the block fails; it never hides why."""
    try:
        yield
    except (JunmaiError, InterruptedRunError) as error:
        failed = f"{FAILED}: {error.message}"
        if not any(step["status"] == "failed" for step in log.migration_log):
            log.add("migration", "failed", context.clock(), error=failed, hint=error.hint)
        try:
            log.save(context.folder, context.clock(), run)
        except JunmaiError as second:
            events().error("migration_log.unwritable", problem=second.message)
        if isinstance(error, MigrationFailedError):
            raise _as_replaced_tool(error) from error
        raise


def _as_replaced_tool(error: MigrationFailedError) -> MigrationFailedError:
    """The same error, as the replaced tool says it."""
    message, hint = f"{FAILED}: {error.message}", f"{error.hint} {FAILED_HINT}"
    shown = f"{FAILED}: {error.shown}"
    if isinstance(error, DifferencesFoundError):
        return DifferencesFoundError(message, hint, error.report, shown=shown)
    return MigrationFailedError(message, hint, shown=shown)


def _scratch(staged: Path) -> Path:
    return staged.with_name(staged.name.replace(".partial", ".source.partial"))


def _again(staged: Path) -> Path:
    return staged.with_name(staged.name.replace(".partial", ".again.partial"))
