"""The commands that only look: verify, completion."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from junmai_svc.service.cli.command import (
    PATH,
    configuration,
    journal_option,
    with_json,
)
from junmai_svc.service.cli.naming import store_options
from junmai_svc.service.exits import DONE, FINDINGS

if TYPE_CHECKING:
    from junmai_svc.service.stores import Named


@click.command(short_help="Compare two databases, or prove a snapshot.")
@click.option("--source", type=PATH, help="The database that was migrated.")
@click.option("--target", type=PATH, help="The database that it was migrated to.")
@click.option("--snapshot", help="Prove this snapshot instead: a name, a file, or `latest`.")
@with_json
@store_options
@click.pass_context
def verify(
    ctx: click.Context,
    *,
    source: Path | None,
    target: Path | None,
    snapshot: str | None,
    stores: "list[Named]",
    as_json: bool,
) -> int:
    """Compare every row and column of two databases, or prove one snapshot.

    Ends with exit code 3 where there is a difference.

    \b
    junmai-svc verify --source data/junmai.db --target data/junmai_new.db
    junmai-svc verify --snapshot latest --backup-dir data/backups
    """
    from junmai_svc.service import report, views
    from junmai_svc.service import verify as use_case
    from junmai_svc.service.progress import for_terminal
    from junmai_svc.service.restore import Which, choose
    from junmai_svc.service.settings import folder_of
    from junmai_svc.service.stores import Named
    from junmai_svc.service.wiring import context_for, store_context
    from junmai_svc.storage.databases.connection import require_database

    if stores and snapshot is None:
        raise click.UsageError("--store and --backup-dir are for --snapshot.")
    progress, loaded, journal = for_terminal(), configuration(ctx), journal_option(ctx)
    if snapshot is not None and source is None and target is None:
        beside = folder_of(snapshot)
        if beside is not None and not stores:
            stores = [Named(str(beside), is_folder=True)]
        with store_context(journal, stores, loaded, progress) as context:
            result = use_case.verify_snapshot(context, choose(context, Which(snapshot), None))
    elif snapshot is None and source is not None and target is not None:
        require_database(source)
        require_database(target, "Target database")
        with context_for(journal, source, [], loaded, progress) as context:
            result = use_case.verify_databases(context, source, target)
    else:
        raise click.UsageError("Name --source and --target, or --snapshot alone.")
    view = views.verification_view(result)
    (report.show_json if as_json else report.show_verification)(view)
    return DONE if result.report.passed else FINDINGS


@click.command(short_help="Print a completion script.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> int:
    """Print the completion script for a SHELL.

    \b
    eval "$(junmai-svc completion bash)"
    """
    from click.shell_completion import get_completion_class

    from junmai_svc.service.cli import cli

    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"No completion for {shell}.")
    click.echo(kind(cli, {}, "junmai-svc", "_JUNMAI_SVC_COMPLETE").source())
    return 0
