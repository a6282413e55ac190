"""What all commands share: their options, --json, and the edge where errors become exit codes."""

import os
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from junmai_svc.service.configuration.file import Loaded

Command = Callable[..., int]

# Whether it may be read shows when it is opened, and then has an exit code of its own.
PATH = click.Path(path_type=Path, readable=False)

source_option = click.option(
    "--source", required=True, type=PATH, help="The database to read; it is never written."
)


def with_json(function: Command) -> Command:
    """Give a command the option --json and run it inside the edge; it returns its exit code."""
    return _at_edge(function, configured=True)


def with_json_alone(function: Command) -> Command:
    """The same for a command that no configuration concerns: none is read."""
    return _at_edge(function, configured=False)


def _at_edge(function: Command, *, configured: bool) -> Command:
    @click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
    @click.pass_context
    @wraps(function)
    def run(ctx: click.Context, /, *, as_json: bool, **options: Any) -> int:
        from junmai_svc.service.configuration.file import load
        from junmai_svc.service.edge import at_edge

        common = ctx.find_root().obj

        def act() -> int:
            named = _path(common["config"])
            common["loaded"] = load(named, os.environ) if configured else None
            if common["loaded"] is None:
                return function(as_json=as_json, **options)
            from junmai_svc.service.log_settings import as_configured

            with as_configured(common["loaded"], common["log_file"], said_level(ctx)):
                return function(as_json=as_json, **options)

        return at_edge(
            act,
            as_json=as_json,
            log_level=common["log_level"],
            log_file=_path(common["log_file"]),
            passed_on=(click.ClickException, click.Abort),
        )

    return run


def said_level(ctx: click.Context) -> str | None:
    """The log level that was said before the command; None where that is only the default."""
    root = ctx.find_root()
    said = root.get_parameter_source("log_level") is click.core.ParameterSource.COMMANDLINE
    return str(root.obj["log_level"]) if said else None


def common_words(ctx: click.Context) -> list[str]:
    """The configuration and the journal as they were said before the command."""
    root = ctx.find_root()
    said = click.core.ParameterSource.COMMANDLINE
    return [
        word
        for name in ("config", "journal")
        if root.get_parameter_source(name) is said
        for word in (f"--{name}", str(root.params[name]))
    ]


def _path(named: str | None) -> Path | None:
    """A path that was named before the command, where it is a text: pathlib takes its time."""
    return Path(named) if named is not None else None


def journal_option(ctx: click.Context) -> Path | None:
    """The journal that was named before the command, else the configured one, else None."""
    from junmai_svc.service.settings import configured_journal

    common = ctx.find_root().obj
    return _path(common["journal"]) or configured_journal(common["loaded"])


def configuration(ctx: click.Context) -> "Loaded | None":
    """The configuration, as it was loaded for this command."""
    loaded: Loaded | None = ctx.find_root().obj["loaded"]
    return loaded
