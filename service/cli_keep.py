"""The commands about what is kept: snapshots, prune, hold, release."""

from pathlib import Path

import click

from junmai_svc.service.cli_command import journal_option, named_store, store_options, with_json

store_argument = click.argument("store", required=False, metavar="[STORE]")
MOST = click.IntRange(0, 1_000_000)


@click.command(short_help="List the snapshots of a store.")
@store_argument
@with_json
@store_options
@click.pass_context
def snapshots(
    ctx: click.Context, *, store: str | None, backup_dir: Path | None, as_json: bool
) -> int:
    """List the snapshots of a STORE (a configured name, or a folder), newest first.

    Without a folder: `backups`, then `data/backups`, of the current folder. When each was last
    proven is known where the journal is the one beside the store, or named by --journal.
    """
    from junmai_svc.service import report, views
    from junmai_svc.service.settings import existing_store
    from junmai_svc.service.wiring import journal_beside
    from junmai_svc.storage.databases.failures import translated
    from junmai_svc.storage.journal.projection import fold_proven
    from junmai_svc.storage.snapshots.store import FileStore

    folder = existing_store(named_store(ctx, store) if store else backup_dir)
    with journal_beside(journal_option(ctx), folder) as journal:
        proven = fold_proven(journal.read()) if journal else {}
    with translated("list the snapshots in", folder):
        good, bad = FileStore(folder).snapshots()
        view = views.snapshots_view(good, bad, FileStore(folder).held(), proven)
    (report.show_json if as_json else report.show_snapshots)(view)
    return 0


@click.command(short_help="Drop old snapshots.")
@store_argument
@click.option(
    "--older-than", metavar="TIME", help="Keep what is younger than this.  [default: 30d]"
)
@click.option("--keep-last", type=MOST, help="Keep the last few.  [default: 3]")
@click.option("--keep-hourly", type=MOST, help="Keep one for each of so many hours.")
@click.option("--keep-daily", type=MOST, help="Keep one for each of so many days.")
@click.option("--keep-weekly", type=MOST, help="Keep one for each of so many weeks.")
@click.option("--keep-monthly", type=MOST, help="Keep one for each of so many months.")
@click.option("--keep-yearly", type=MOST, help="Keep one for each of so many years.")
@click.option("--dry-run", is_flag=True, help="Print what would go; delete nothing.")
@with_json
@store_options
@click.pass_context
def prune(
    ctx: click.Context,
    /,
    *,
    store: str | None,
    backup_dir: Path | None,
    older_than: str | None,
    dry_run: bool,
    as_json: bool,
    **keep: int | None,
) -> int:
    """Drop the snapshots of a STORE that no reason keeps; each kept one says why.

    STORE is a configured name or a folder; without it `backups`, then `data/backups`.

    What is not said here is as configured under [retention].

    Never dropped: the newest snapshot of each database, the newest proven one, the newest one from
    before a migration, and what is held. Nothing is dropped where the clock can't be trusted.

    \b
    junmai-svc prune data/backups --dry-run
    junmai-svc prune data/backups --older-than 90d --keep-monthly 12
    """
    from junmai_svc.service import prune as use_case
    from junmai_svc.service import report, views
    from junmai_svc.service.context import now
    from junmai_svc.service.progress import for_terminal
    from junmai_svc.service.settings import database_beside, existing_store, retention
    from junmai_svc.service.wiring import context_for, journal_beside
    from junmai_svc.storage.snapshots.store import FileStore

    policy = retention(ctx.find_root().obj["loaded"], older_than, keep)
    folder = existing_store(named_store(ctx, store) if store else backup_dir)
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
@with_json
@store_options
def hold(*, snapshot: str, backup_dir: Path | None, as_json: bool) -> int:
    """Keep a SNAPSHOT (a name, or `latest`) until it is released, whatever the policy says.

    \b
    junmai-svc hold latest --backup-dir data/backups
    """
    return _held(snapshot, backup_dir, held=True, as_json=as_json)


@click.command(short_help="Let the policy decide again.")
@click.argument("snapshot")
@with_json
@store_options
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
