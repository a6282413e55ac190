"""The commands about what is kept: prune, hold, release."""

from typing import TYPE_CHECKING

import click

from junmai_svc.service.cli.command import (
    configuration,
    journal_option,
    with_json,
)
from junmai_svc.service.cli.naming import store_options, store_or_argument
from junmai_svc.service.exits import DONE

if TYPE_CHECKING:
    from junmai_svc.service.stores import Named

MOST = click.IntRange(0, 1_000_000)


@click.command(short_help="Drop old snapshots.")
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
@store_or_argument
@click.pass_context
def prune(
    ctx: click.Context,
    /,
    *,
    stores: "list[Named]",
    older_than: str | None,
    dry_run: bool,
    as_json: bool,
    **keep: int | None,
) -> int:
    """Drop the snapshots of a STORE that no reason keeps; each kept one says why.

    STORE is a configured name or a folder; without it `backups`, then `data/backups`.

    What is not said here is as configured: a database's own retention, else the store's, else
    [retention].

    Never dropped: the newest good snapshot of each database, the newest proven one, the newest one
    from before a migration, and what is held. Nothing is dropped where the clock can't be trusted.
    Then what nothing leads to any more is deleted. It is safe beside a backup or a restore.

    \b
    junmai-svc prune data/backups --dry-run
    junmai-svc prune data/backups --older-than 90d --keep-monthly 12
    """
    from junmai_svc.service import prune as use_case
    from junmai_svc.service.context import now
    from junmai_svc.service.progress import for_terminal
    from junmai_svc.service.report import show_json
    from junmai_svc.service.report.prune import show_prune
    from junmai_svc.service.settings import retention
    from junmai_svc.service.views.prune import prune_view
    from junmai_svc.service.wiring import reading_store, store_context

    loaded, journal = configuration(ctx), journal_option(ctx)
    policy = retention(loaded, older_than, keep, stores[0].address if stores else None)
    if dry_run:
        with reading_store(journal, stores, loaded) as (opened, known):
            plan = use_case.plan_prune(opened, known, policy, now())
        view = prune_view(plan, None)
    else:
        with store_context(journal, stores, loaded, for_terminal()) as context:
            done = use_case.prune(context, policy)
        view = prune_view(done.plan, done)
    (show_json if as_json else show_prune)(view)
    return DONE


@click.command(short_help="Keep a snapshot whatever the policy.")
@click.argument("snapshot")
@with_json
@store_options
@click.pass_context
def hold(ctx: click.Context, *, snapshot: str, stores: "list[Named]", as_json: bool) -> int:
    """Keep a SNAPSHOT (a name, or `latest`) until it is released, whatever the policy says.

    \b
    junmai-svc hold latest --backup-dir data/backups
    """
    return _held(ctx, snapshot, stores, held=True, as_json=as_json)


@click.command(short_help="Let the policy decide again.")
@click.argument("snapshot")
@with_json
@store_options
@click.pass_context
def release(ctx: click.Context, *, snapshot: str, stores: "list[Named]", as_json: bool) -> int:
    """Let the policy decide about a SNAPSHOT (a name, or `latest`) again.

    \b
    junmai-svc release latest --backup-dir data/backups
    """
    return _held(ctx, snapshot, stores, held=False, as_json=as_json)


def _held(
    ctx: click.Context, reference: str, stores: "list[Named]", *, held: bool, as_json: bool
) -> int:
    from junmai_svc.service import report, views
    from junmai_svc.service.wiring import reading_store
    from junmai_svc.storage.databases.failures import translated

    with (
        reading_store(journal_option(ctx), stores, configuration(ctx)) as (store, _journal),
        translated("write into", store.url),
    ):
        if held:
            name, is_gone = store.find(reference).name, False
            store.hold(name)
        else:
            released = store.release(reference)
            name, is_gone = released.snapshot, released.is_gone
    view = views.hold_view(name, held=held, is_gone=is_gone)
    (report.show_json if as_json else report.show_hold)(view)
    return DONE
