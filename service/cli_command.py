"""What all commands share: their options, --json, and the edge where errors become exit codes."""

import os
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

Command = Callable[..., int]

# Whether it may be read shows when it is opened, and then has an exit code of its own.
PATH = click.Path(path_type=Path, readable=False)

source_option = click.option(
    "--source", required=True, type=PATH, help="The database to read; it is never written."
)


def store_options(function: Command) -> Command:
    """Give a command --backup-dir and --store; it gets the folder that either names, or None."""

    @click.option(
        "--backup-dir",
        type=PATH,
        help="The folder of the snapshots.  [default: `backups` beside the database]",
    )
    @click.option(
        "--store", "store_name", metavar="NAME|FOLDER", help="A store by its configured name."
    )
    @click.pass_context
    @wraps(function)
    def run(
        ctx: click.Context,
        /,
        *,
        backup_dir: Path | None,
        store_name: str | None,
        **options: Any,
    ) -> int:
        if backup_dir is not None and store_name is not None:
            raise click.UsageError("Name --backup-dir or --store, not both.")
        if store_name is not None:
            backup_dir = named_store(ctx, store_name)
        return function(backup_dir=backup_dir, **options)

    return run


def with_json(function: Command) -> Command:
    """Give a command the option --json and run it inside the edge; it returns its exit code."""

    @click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
    @click.pass_context
    @wraps(function)
    def run(ctx: click.Context, /, *, as_json: bool, **options: Any) -> int:
        from junmai_svc.service.configuration_file import load
        from junmai_svc.service.edge import at_edge

        common = ctx.find_root().obj

        def act() -> int:
            common["loaded"] = load(_path(common["config"]), os.environ)
            return function(as_json=as_json, **options)

        return at_edge(
            act,
            as_json=as_json,
            log_level=common["log_level"],
            log_file=_path(common["log_file"]),
            passed_on=(click.ClickException, click.Abort),
        )

    return run


def _path(named: str | None) -> Path | None:
    """A path that was named before the command, where it is a text: pathlib takes its time."""
    return Path(named) if named is not None else None


def journal_option(ctx: click.Context) -> Path | None:
    """The journal that was named before the command, else the configured one, else None."""
    from junmai_svc.service.settings import configured_journal

    common = ctx.find_root().obj
    return _path(common["journal"]) or configured_journal(common["loaded"])


def named_store(ctx: click.Context, name: str) -> Path:
    """The folder of a store that was named: one of the configuration, or the folder itself."""
    from junmai_svc.service.settings import configured_store

    return configured_store(ctx.find_root().obj["loaded"], name)
