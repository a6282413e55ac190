"""The commands that make something new: migrate, backup, restore."""

from pathlib import Path

import click

from junmai_svc.service.cli_command import (
    PATH,
    journal_option,
    source_option,
    store_options,
    with_json,
)


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
@store_options
@click.pass_context
def migrate(
    ctx: click.Context,
    *,
    source: Path,
    target: Path | None,
    backup_dir: Path | None,
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
        return 0
    with context_for(journal_option(ctx), source, backup_dir, for_terminal()) as context:
        view = views.migration_view(use_case.migrate(context, request))
    (report.show_json if as_json else report.show_migration)(view)
    return 0


@click.command(short_help="Take a snapshot of a database, also in use.")
@source_option
@click.option("--full-check", is_flag=True, help="Run SQLite's full integrity_check.")
@with_json
@store_options
@click.pass_context
def backup(
    ctx: click.Context,
    *,
    source: Path,
    backup_dir: Path | None,
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
    with context_for(journal_option(ctx), source, backup_dir, for_terminal()) as context:
        result = use_case.backup(context, source, Reason.MANUAL, full_check=full_check)
    view = views.backup_view(result)
    (report.show_json if as_json else report.show_backup)(view)
    return 0


@click.command(short_help="Put a snapshot in the place of a database.")
@click.argument("snapshot")
@click.option("--to", "target", required=True, type=PATH, help="The database to replace.")
@with_json
@store_options
@click.pass_context
def restore(
    ctx: click.Context, *, snapshot: str, target: Path, backup_dir: Path | None, as_json: bool
) -> int:
    """Put a SNAPSHOT (a name, a file, or `latest`) in the place of a database.

    The snapshot is proven first: its SHA-256, then SQLite's checks. What it replaces is kept as a
    snapshot of its own, which `latest` never means. A database that is in use is refused.

    \b
    junmai-svc restore latest --to data/junmai.db
    junmai-svc restore data/backups/junmai_backup_20250108_120000.db --to data/junmai.db
    """
    from junmai_svc.service import report, views
    from junmai_svc.service import restore as use_case
    from junmai_svc.service.progress import for_terminal
    from junmai_svc.service.wiring import context_for

    use_case.refuse_target(target)
    with context_for(journal_option(ctx), target, backup_dir, for_terminal()) as context:
        view = views.restored_view(use_case.restore(context, snapshot, target))
    (report.show_json if as_json else report.show_restored)(view)
    return 0
