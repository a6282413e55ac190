"""The command copy."""

from typing import TYPE_CHECKING

import click

from junmai_svc.service.cli.command import configuration, journal_option, with_json
from junmai_svc.service.cli.naming import another_store
from junmai_svc.service.exits import DONE, FINDINGS, exit_code

if TYPE_CHECKING:
    from junmai_svc.service.stores import Named


@click.command(short_help="Copy snapshots to another store.")
@click.option("--database", metavar="NAME", help="Only those of the database with this file name.")
@click.option("--since", metavar="TIME", help="Only those taken since a time (UTC).")
@click.option("--dry-run", is_flag=True, help="Print what would be copied; write nothing.")
@with_json
@another_store("--from", "source", "The store that has the snapshots.", required=True)
@another_store("--to", "target", "The store that is to have them too.", required=True)
@click.pass_context
def copy(
    ctx: click.Context,
    *,
    source: "Named",
    target: "Named",
    database: str | None,
    since: str | None,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Copy the snapshots of one store that another lacks, the oldest first, under the same names.

    A STORE is a configured name, an address or a folder; the other one is made if need be. Each
    snapshot is proven by its SHA-256 on the way. What was cut off goes on where it was.

    Ends with exit code 3 where some could not be copied: they are damaged, or the other store has
    another snapshot by that name; and with 30 where a store does not answer.

    \b
    junmai-svc copy --from data/backups --to s3://bucket/junmai --to-key-file junmai.key
    junmai-svc copy --from local --to off-site --since 2025-01-08
    """
    from junmai_svc.service import copy as use_case
    from junmai_svc.service import report
    from junmai_svc.service.progress import for_terminal
    from junmai_svc.service.report import stores as report_stores
    from junmai_svc.service.times import parse_time
    from junmai_svc.service.views import stores as views_stores
    from junmai_svc.service.wiring import copying, looking_at_two

    which = use_case.Which(database, parse_time(since) if since is not None else None)
    loaded, journal = configuration(ctx), journal_option(ctx)
    stopped = None
    if dry_run:
        with looking_at_two(source, target, loaded) as (here, there):
            plan = use_case.look(here, there, which)
            view = views_stores.copy_plan_view(
                plan, here.url, there.url if there else target.address
            )
        refused = bool(plan.refused)
    else:
        with copying(journal, source, target, loaded, for_terminal()) as (
            here_context,
            there_context,
        ):
            done = use_case.copy(here_context, there_context, which)
            urls = here_context.store.url, there_context.store.url
            view = views_stores.copy_view(done, *urls)
        refused, stopped = bool(done.plan.refused or done.not_copied), done.stopped
    (report.show_json if as_json else report_stores.show_copy)(view)
    if stopped is not None:
        report.show_error(stopped)
        return exit_code(stopped)
    return FINDINGS if refused else DONE
