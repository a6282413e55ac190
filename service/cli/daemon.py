"""The commands about what runs by itself: daemon, drill, notify."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from junmai_svc.service.cli.command import (
    PATH,
    configuration,
    journal_option,
    said_level,
    with_json,
)
from junmai_svc.service.cli.naming import store_or_argument
from junmai_svc.service.exits import DONE, FINDINGS

if TYPE_CHECKING:
    from junmai_svc.service.configuration.file import Loaded
    from junmai_svc.service.stores import Named


@click.group(short_help="Run backups on their schedules.", invoke_without_command=True)
@click.pass_context
def daemon(ctx: click.Context) -> None:
    """Run what is configured on its schedules, until a signal asks to stop.

    That is backup, prune, drill, check and publish: nothing that the commands can't do. One runs
    for each journal, beside any number of commands. SIGHUP reads the configuration again; the first
    SIGTERM or Ctrl-C ends it at a safe point, a second one at once.

    \b
    junmai-svc --config config/junmai.toml daemon run
    junmai-svc daemon status
    junmai-svc --config config/junmai.toml daemon install
    """
    if ctx.invoked_subcommand is None:
        ctx.exit(ctx.invoke(run, as_json=False))


@daemon.command()
@with_json
@click.pass_context
def run(ctx: click.Context, /, *, as_json: bool) -> int:
    """Run in the foreground until a signal asks to stop; that is what a system starts.

    Log lines go where [log] or --log-file says, else to stderr: readable on a terminal, else JSON.
    """
    from junmai_svc.service import report
    from junmai_svc.service.configuration.file import load
    from junmai_svc.service.daemon import setup as daemon_setup
    from junmai_svc.service.daemon.run import Setup, run_daemon
    from junmai_svc.service.daemon.stopping import Stoppable
    from junmai_svc.service.log_settings import as_configured

    common = ctx.find_root().obj
    path = Path(common["config"]) if common["config"] else None
    loaded = _configured(configuration(ctx))
    journal = _journal(ctx, loaded)

    def set_up(progress: Stoppable) -> Setup:
        return daemon_setup.set_up(_configured(load(path, os.environ)), journal, progress)

    with (
        as_configured(loaded, common["log_file"], said_level(ctx), people=True),
        report.without_warnings(),
    ):
        ended = run_daemon(journal, set_up)
    if as_json:
        report.show_json({"run": ended, "status": "stopped"})
    return DONE


@daemon.command()
@click.option("--systemd", "system", flag_value="systemd", help="A unit of the user's systemd.")
@click.option("--launchd", "system", flag_value="launchd", help="A plist for macOS.")
@click.option("--windows", "system", flag_value="windows", help="A task for the Task Scheduler.")
@click.option("--output", type=PATH, help="Write it here; `-` is stdout.  [default: usual place]")
@with_json
@click.pass_context
def install(
    ctx: click.Context, /, *, system: str | None, output: Path | None, as_json: bool
) -> int:
    """Write the file that makes this system run the daemon, and say the next command.

    Without an option it is for the system that this is. It holds paths only, and sets limits, as
    far as the system knows them: low priority, bounded memory, started again where it fails. A file
    that is there is replaced. The daemon gets the --journal, --log-file and --log-level of this
    call.

    \b
    junmai-svc --config config/junmai.toml daemon install --systemd
    junmai-svc --config config/junmai.toml daemon install --output -
    """
    from junmai_svc.service import report
    from junmai_svc.service.daemon import setup
    from junmai_svc.service.install import units
    from junmai_svc.service.progress import Silent
    from junmai_svc.service.report import daemon as report_daemon

    loaded = _configured(configuration(ctx))
    wanted = units.System(system) if system else units.system_of(sys.platform)
    common = ctx.find_root().obj
    journal = _journal(ctx, loaded)
    setup.set_up(loaded, journal, Silent())  # what can't run is not installed
    said_journal, said_log = (
        Path(common[name]) if common[name] else None for name in ("journal", "log_file")
    )
    options = units.Options(
        setup.configured_path(loaded),
        said_journal,
        setup.log_file_of(loaded, journal, said_log, wanted),
        said_level(ctx),
    )
    line = units.command_of(Path(sys.executable), options, wanted)
    unit = units.unit_for(wanted, line, Path.cwd(), Path.home())
    if output is not None and str(output) == "-":
        sys.stdout.buffer.write(unit.content)
        sys.stdout.flush()
        return DONE
    path = setup.install_file(unit, output).absolute()
    view = {
        "run": None,
        "status": "written",
        "system": wanted.value,
        "path": str(path),
        "next": (unit.next if output is None else unit.elsewhere).format(path),
    }
    (report.show_json if as_json else report_daemon.show_installed)(view)
    return DONE


@daemon.command()
@with_json
@click.pass_context
def status(ctx: click.Context, /, *, as_json: bool) -> int:
    """Tell whether the daemon runs, what it runs next, and how its jobs went.

    Ends with 3 where it does not run, or where something failed last.
    """
    from junmai_svc.service import report
    from junmai_svc.service.daemon.lock import is_running, read_note
    from junmai_svc.service.report import daemon as report_daemon
    from junmai_svc.service.views.daemon import status_view

    journal = _journal(ctx, _configured(configuration(ctx)))
    view = status_view(read_note(journal), running=is_running(journal))
    (report.show_json if as_json else report_daemon.show_status)(view)
    return DONE if view["status"] == "running" else FINDINGS


@click.command(short_help="Restore into scratch and prove it.")
@click.option("--database", metavar="NAME", help="Only this one, by its configured name or path.")
@with_json
@store_or_argument
@click.pass_context
def drill(
    ctx: click.Context,
    /,
    *,
    database: str | None,
    stores: "list[Named]",
    as_json: bool,
) -> int:
    """Restore the newest snapshot of each database in a STORE into scratch, and prove it.

    Every byte is read and hashed, SQLite checks the whole, and every row is read. Without a STORE:
    all that are configured, else `backups`, then `data/backups`. Nothing is left behind but what
    the journal says; `snapshots` then shows when each was last proven.

    Ends with 20 where a snapshot is not what it should be, with 30 where nothing could be said.

    \b
    junmai-svc drill data/backups
    junmai-svc drill --database junmai offsite
    """
    from junmai_svc.service import report
    from junmai_svc.service.drilling import drill_all
    from junmai_svc.service.progress import for_terminal
    from junmai_svc.service.report import daemon as report_daemon
    from junmai_svc.service.views.daemon import drill_exit, drill_view

    done = drill_all(configuration(ctx), journal_option(ctx), stores, database, for_terminal())
    view = drill_view(done)
    (report.show_json if as_json else report_daemon.show_drills)(view)
    return drill_exit(done)


@click.group(short_help="Tell people.")
def notify() -> None:
    """Tell people how backups go: see [notify] in the configuration.

    The daemon tells of failures, of what is overdue, and of recovery, each once.

    \b
    junmai-svc notify test
    """


@notify.command()
@with_json
@click.pass_context
def test(ctx: click.Context, /, *, as_json: bool) -> int:
    """Send a message to every configured address, and ping the watching service."""
    from junmai_svc.service import report
    from junmai_svc.service.daemon.setup import addresses_of
    from junmai_svc.service.notify.sending import try_out
    from junmai_svc.service.report import daemon as report_daemon

    told = try_out(addresses_of(_configured(configuration(ctx)), os.environ))
    view: dict[str, Any] = {"run": None, "status": "sent", **told}
    (report.show_json if as_json else report_daemon.show_sent)(view)
    return DONE


def _configured(loaded: "Loaded | None") -> "Loaded":
    """The configuration, without which there is nothing to run."""
    from junmai_svc.storage.errors import UsageError

    if loaded is None:
        raise UsageError(
            "There is no configuration", "Name it with --config, or write config/junmai.toml."
        )
    return loaded


def _journal(ctx: click.Context, loaded: "Loaded") -> Path:
    from junmai_svc.service.daemon.setup import journal_of

    return journal_option(ctx) or journal_of(loaded)
