"""The command line: arguments -> one use case -> report -> exit code.

Commands are imported when they are named, and they import their use case when they run, so that
`--version` and `--help` stay fast.
"""

import importlib
import sys

import click

from junmai_svc.service.streams import is_reader_gone, reader_left, ready_streams
from junmai_svc.service.version import __version__

_COMMANDS = {
    "migrate": "change",
    "backup": "change",
    "restore": "change",
    "verify": "look",
    "snapshots": "snapshots",
    "copy": "copy",
    "check": "check",
    "prune": "keep",
    "hold": "keep",
    "release": "keep",
    "store": "store",
    "history": "history",
    "show": "history",
    "replay": "history",
    "audit": "audit",
    "config": "config",
    "completion": "look",
    "daemon": "daemon",
    "drill": "daemon",
    "notify": "daemon",
}


class _LazyGroup(click.Group):
    """A group that imports the module of a command only when it is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"junmai_svc.service.cli.{_COMMANDS[cmd_name]}")
        command: click.Command = getattr(module, cmd_name)
        return command


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 2 usage, 3 differences found, 10 not found, 11 in use, 12 access"
    " denied, 20 damaged, 21 migration failed, 30 storage unavailable, 31 no space. Each command"
    " explains itself: junmai-svc COMMAND --help",
)
@click.version_option(__version__, prog_name="junmai-svc")
@click.option(
    "--config",
    type=click.Path(dir_okay=False, readable=False),
    help="The configuration.  [default: config/junmai.toml, if it is there]",
)
@click.option(
    "--journal",
    type=click.Path(dir_okay=False, readable=False),
    help="The journal of all runs.  [default: journal.db beside the database]",
)
@click.option(
    "--log-file",
    type=click.Path(dir_okay=False, readable=False),
    help="Append the JSON log to this file.  [default: stderr, where that is no terminal]",
)
@click.option(
    "--log-level",
    default="info",
    show_default=True,
    type=click.Choice(["debug", "info", "warning", "error"]),
    help="The least severe lines to log.",
)
@click.pass_context
def cli(
    ctx: click.Context,
    config: str | None,
    journal: str | None,
    log_file: str | None,
    log_level: str,
) -> None:
    """Move a SQLite database to a new schema safely, prove it, and be able to go back.

    \b
    junmai-svc migrate --source data/junmai.db --target data/junmai_new.db
    junmai-svc backup --source data/junmai.db
    junmai-svc restore latest --to data/junmai.db
    junmai-svc history
    """
    ctx.obj = {
        "config": config,
        "journal": journal,
        "log_file": log_file,
        "log_level": log_level,
    }


def main() -> None:
    """Run the command line and end the process with the documented exit code."""
    ready_streams()
    try:
        code = cli.main(prog_name="junmai-svc", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        code = 2
    except (click.Abort, KeyboardInterrupt):
        code = 130
    except OSError as error:
        if not is_reader_gone(error):
            raise
        reader_left()
        code = 0
    raise SystemExit(code if isinstance(code, int) else 0)
