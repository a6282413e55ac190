"""What all commands share: their options, --json, and the edge where errors become exit codes."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

PATH = click.Path(path_type=Path)

source_option = click.option(
    "--source", required=True, type=PATH, help="The database to read; it is never written."
)
backup_dir_option = click.option(
    "--backup-dir",
    type=PATH,
    help="The folder of the snapshots.  [default: `backups` beside the database]",
)


def with_json(function: Callable[..., int]) -> Callable[..., int]:
    """Give a command the option --json and run it inside the edge; it returns its exit code."""

    @click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
    @click.pass_context
    @wraps(function)
    def run(ctx: click.Context, /, *, as_json: bool, **options: Any) -> int:
        from junmai_svc.service.edge import edge

        common = ctx.find_root().obj
        with edge(
            as_json=as_json,
            log_level=common["log_level"],
            log_file=common["log_file"],
            passed_on=(click.ClickException, click.Abort),
        ) as end:
            end.code = function(as_json=as_json, **options)
        return end.code

    return run


def journal_option(ctx: click.Context) -> Path | None:
    """The journal that was named before the command, or None."""
    named: Path | None = ctx.find_root().obj["journal"]
    return named
