"""The commands that make something new: migrate, backup, restore."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from junmai_svc.service.cli.command import (
    PATH,
    common_words,
    configuration,
    journal_option,
    source_option,
    with_json,
)
from junmai_svc.service.cli.naming import as_options, quoted, stores_options
from junmai_svc.service.exits import DONE, stores_code

if TYPE_CHECKING:
    from junmai_svc.service.stores import Named

LATEST = "latest"


@click.command(short_help="Move a database to the current schema, verified.")
@source_option
@click.option(
    "--target",
    type=PATH,
    help="The database to make.  [default: the source's name with the suffix .new.db]",
)
@click.option("--no-backup", is_flag=True, help="Keep no backup (not recommended).")
@click.option("--dry-run", is_flag=True, help="Print the plan; write nothing at all.")
@click.option("--overwrite", is_flag=True, help="Replace the target, after a snapshot of it.")
@click.option("--prove", is_flag=True, help="Migrate twice and compare, before publishing.")
@with_json
@stores_options
@click.pass_context
def migrate(
    ctx: click.Context,
    *,
    source: Path,
    target: Path | None,
    stores: "list[Named]",
    no_backup: bool,
    dry_run: bool,
    overwrite: bool,
    prove: bool,
    as_json: bool,
) -> int:
    """Move a database to the current schema: back up, copy, verify every value, publish.

    The source is only read. The target appears when all of it has been verified, or not at all.
    What the current schema does not know is carried over as it is and reported; a column that it
    has no place for stops the plan.

    \b
    junmai-svc migrate --source data/junmai.db --dry-run
    junmai-svc migrate --source data/junmai.db --target data/junmai_new.db
    """
    from junmai_svc.service import migrate as use_case
    from junmai_svc.service import report, views
    from junmai_svc.service.migration import MigrateRequest
    from junmai_svc.service.preflight import plan_for, refuse_request
    from junmai_svc.service.progress import for_terminal
    from junmai_svc.service.settings import default_target
    from junmai_svc.service.wiring import context_for

    request = MigrateRequest(
        source,
        target or default_target(source),
        keep_backup=not no_backup,
        overwrite=overwrite,
        prove=prove,
    )
    refuse_request(request)
    if dry_run:
        view = views.plan_view(plan_for(source))
        (report.show_json if as_json else report.show_plan)(view)
        return DONE
    loaded, journal = configuration(ctx), journal_option(ctx)
    with context_for(journal, source, stores, loaded, for_terminal()) as context:
        done = use_case.migrate(context, request)
    (report.show_json if as_json else report.show_migration)(views.migration_view(done))
    return stores_code(each.problem for each in done.failed_stores)


@click.command(short_help="Take a snapshot of a database, also in use.")
@source_option
@click.option(
    "--full-check", is_flag=True, help="Check constraints and indexes too, and count rows."
)
@with_json
@stores_options
@click.pass_context
def backup(
    ctx: click.Context,
    *,
    source: Path,
    stores: "list[Named]",
    full_check: bool,
    as_json: bool,
) -> int:
    """Take a snapshot of a database, also while it is in use.

    The snapshot is one moment of the database, checked, hashed and stored with a manifest.

    \b
    junmai-svc backup --source data/junmai.db
    """
    from junmai_svc.service import backup as use_case
    from junmai_svc.service import report, views
    from junmai_svc.service.progress import for_terminal
    from junmai_svc.service.wiring import context_for
    from junmai_svc.storage.databases.connection import require_database
    from junmai_svc.storage.snapshots.manifest import Reason

    require_database(source)
    loaded, journal = configuration(ctx), journal_option(ctx)
    with context_for(journal, source, stores, loaded, for_terminal()) as context:
        result = use_case.backup(context, source, Reason.MANUAL, full_check=full_check)
    (report.show_json if as_json else report.show_backup)(views.backup_view(result))
    return stores_code(each.problem for each in result.failed)


@click.command(short_help="Put a snapshot in the place of a database.")
@click.argument("snapshot", required=False)
@click.option("--to", "target", required=True, type=PATH, help="The database to replace.")
@click.option("--at", metavar="TIME", help="The newest snapshot up to a time (UTC), instead.")
@click.option("--before", metavar="RUN", help="The snapshot that a run took first, instead.")
@click.option("--full-check", is_flag=True, help="Run SQLite's full integrity_check first.")
@with_json
@stores_options
@click.pass_context
def restore(
    ctx: click.Context,
    *,
    snapshot: str | None,
    target: Path,
    at: str | None,
    before: str | None,
    full_check: bool,
    stores: "list[Named]",
    as_json: bool,
) -> int:
    """Put a SNAPSHOT (a name, a file, or `latest`) in the place of a database.

    From another machine only the store's address, and its key where it is sealed, are needed.

    The snapshot is proven first: its SHA-256, then SQLite's checks. What it replaces is kept as a
    snapshot of its own, which `latest` never means. A database that is in use is refused.

    \b
    junmai-svc restore latest --to data/junmai.db
    junmai-svc restore data/backups/junmai_backup_20250108_120000.db --to data/junmai.db
    junmai-svc restore --at 2025-01-08T12:00 --store s3://bucket/prefix --to data/junmai.db
    """
    from junmai_svc.service import report, views
    from junmai_svc.service import restore as use_case
    from junmai_svc.service.history import snapshot_before
    from junmai_svc.service.progress import for_terminal
    from junmai_svc.service.times import parse_time
    from junmai_svc.service.wiring import context_for

    if sum(each is not None for each in (snapshot, at, before)) != 1:
        raise click.UsageError("Name a SNAPSHOT (or `latest`), or --at, or --before.")
    use_case.refuse_target(target)
    until = parse_time(at) if at is not None else None
    loaded, journal = configuration(ctx), journal_option(ctx)
    with context_for(journal, target, stores, loaded, for_terminal(), create=False) as context:
        # Before it begins: what is meant may be there only, whatever comes of it.
        for each in context.down:
            report.show_warning(f"{each.store} was not asked: {each.problem.message}")
        if before is not None:
            snapshot = snapshot_before(context.journal, before)
        which = use_case.Which(LATEST if snapshot is None else snapshot, until)
        view = views.restored_view(use_case.restore(context, which, target, full_check=full_check))
    if view["pre_restore_snapshot"]:
        words = ["restore", view["pre_restore_snapshot"], "--to", str(target)]
        words += as_options(stores[0]) if stores else []
        view["undo"] = " ".join(map(quoted, ["junmai-svc", *common_words(ctx), *words]))
    (report.show_json if as_json else report.show_restored)(view)
    return DONE
