"""The commands about what is kept: snapshots, prune, hold, release."""

from pathlib import Path

import click

from junmai_svc.service.cli_command import PATH, backup_dir_option, journal_option, with_json

store_argument = click.argument("store", required=False, type=PATH)
MOST = click.IntRange(0, 1_000_000)


@click.command(short_help="List the snapshots of a store.")
@store_argument
@backup_dir_option
@with_json
@click.pass_context
def snapshots(
    ctx: click.Context, *, store: Path | None, backup_dir: Path | None, as_json: bool
) -> int:
    """List the snapshots of a STORE (a folder), newest first.

    Without a folder: `backups`, then `data/backups`, of the current folder. When each was last
    proven is known where the journal is the one beside the store, or named by --journal.
    """
    from junmai_svc.service import report, views
    from junmai_svc.service.settings import existing_store
    from junmai_svc.service.wiring import journal_beside
    from junmai_svc.storage.databases.failures import translated
    from junmai_svc.storage.journal.projection import fold_proven
    from junmai_svc.storage.snapshots.store import FileStore

    folder = existing_store(store or backup_dir)
    with journal_beside(journal_option(ctx), folder) as journal:
        proven = fold_proven(journal.read()) if journal else {}
    with translated("list the snapshots in", folder):
        good, bad = FileStore(folder).snapshots()
        view = views.snapshots_view(good, bad, FileStore(folder).held(), proven)
    (report.show_json if as_json else report.show_snapshots)(view)
    return 0


@click.command(short_help="Drop old snapshots.")
@store_argument
@backup_dir_option
@click.option(
    "--older-than",
    default="30d",
    show_default=True,
    metavar="TIME",
    help="Keep what is younger than this: 30d, 12h, 90m.",
)
@click.option("--keep-last", type=MOST, default=3, show_default=True, help="Keep the last few.")
@click.option("--keep-hourly", type=MOST, default=0, help="Keep one for each of so many hours.")
@click.option("--keep-daily", type=MOST, default=0, help="Keep one for each of so many days.")
@click.option("--keep-weekly", type=MOST, default=0, help="Keep one for each of so many weeks.")
@click.option("--keep-monthly", type=MOST, default=0, help="Keep one for each of so many months.")
@click.option("--keep-yearly", type=MOST, default=0, help="Keep one for each of so many years.")
@click.option("--dry-run", is_flag=True, help="Print what would go; delete nothing.")
@with_json
@click.pass_context
def prune(
    ctx: click.Context,
    /,
    *,
    store: Path | None,
    backup_dir: Path | None,
    older_than: str,
    dry_run: bool,
    as_json: bool,
    **keep: int,
) -> int:
    """Drop the snapshots of a STORE (a folder) that no reason keeps; each kept one says why.

    Never dropped: the newest snapshot of each database, the newest proven one, the newest one from
    before a migration, and what is held. Nothing is dropped where the clock can't be trusted.

    \b
    junmai-svc prune data/backups --dry-run
    junmai-svc prune data/backups --older-than 90d --keep-monthly 12
    """
    from junmai_svc.service import prune as use_case
    from junmai_svc.service import report, views
    from junmai_svc.service.configuration import duration
    from junmai_svc.service.context import now
    from junmai_svc.service.progress import for_terminal
    from junmai_svc.service.retention import Policy
    from junmai_svc.service.settings import database_beside, existing_store
    from junmai_svc.service.wiring import context_for, journal_beside
    from junmai_svc.storage.snapshots.store import FileStore

    try:
        policy = Policy(keep_within=duration(older_than), **keep)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--older-than") from error
    folder = existing_store(store or backup_dir)
    if dry_run:
        with journal_beside(journal_option(ctx), folder) as journal:
            plan = use_case.plan_prune(FileStore(folder), journal, policy, now())
        view = views.prune_view(plan, None)
    else:
        beside = database_beside(folder)
        with context_for(journal_option(ctx), beside, folder, for_terminal()) as context:
            done = use_case.prune(context, policy)
        view = views.prune_view(done.plan, done)
    (report.show_json if as_json else report.show_prune)(view)
    return 0


@click.command(short_help="Keep a snapshot whatever the policy.")
@click.argument("snapshot")
@backup_dir_option
@with_json
def hold(*, snapshot: str, backup_dir: Path | None, as_json: bool) -> int:
    """Keep a SNAPSHOT (a name, or `latest`) until it is released, whatever the policy says.

    \b
    junmai-svc hold latest --backup-dir data/backups
    """
    return _held(snapshot, backup_dir, held=True, as_json=as_json)


@click.command(short_help="Let the policy decide again.")
@click.argument("snapshot")
@backup_dir_option
@with_json
def release(*, snapshot: str, backup_dir: Path | None, as_json: bool) -> int:
    """Let the policy decide about a SNAPSHOT (a name, or `latest`) again.

    \b
    junmai-svc release latest --backup-dir data/backups
    """
    return _held(snapshot, backup_dir, held=False, as_json=as_json)


def _held(reference: str, backup_dir: Path | None, *, held: bool, as_json: bool) -> int:
    from junmai_svc.service import report, views
    from junmai_svc.service.settings import existing_store
    from junmai_svc.storage.databases.failures import translated
    from junmai_svc.storage.snapshots.store import FileStore

    store = FileStore(existing_store(backup_dir))
    with translated("write into", store.folder):
        name = store.find(reference).name
        (store.hold if held else store.release)(name)
    view = views.hold_view(name, held=held)
    (report.show_json if as_json else report.show_hold)(view)
    return 0
