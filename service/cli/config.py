"""The commands about the configuration: config init, check, show, schema."""

from pathlib import Path

import click

from junmai_svc.service.cli.command import (
    PATH,
    configuration,
    journal_option,
    with_json,
    with_json_alone,
)


@click.group(short_help="Write, check and show the configuration.")
def config() -> None:
    """Write, check and show the configuration: what runs when, and where snapshots go.

    \b
    junmai-svc config init
    junmai-svc config check
    junmai-svc config show
    """


@config.command(short_help="Write a commented file.")
@click.argument("path", required=False, type=PATH)
@with_json_alone
@click.pass_context
def init(ctx: click.Context, *, path: Path | None, as_json: bool) -> int:
    """Write a configuration to PATH in which every key stands with its default.

    PATH is config/junmai.toml where none is given. A file that is there already is never touched.
    """
    from junmai_svc.service import report
    from junmai_svc.service.configuration.file import USUAL_PLACE
    from junmai_svc.service.configuration.new import write_new
    from junmai_svc.service.report import config as report_config
    from junmai_svc.service.views import config as views_config

    named = ctx.find_root().obj["config"]
    written = write_new(path or (Path(named) if named else USUAL_PLACE))
    view = views_config.init_view(written)
    (report.show_json if as_json else report_config.show_init)(view)
    return 0


@config.command(short_help="Try everything that is configured.")
@with_json
@click.pass_context
def check(ctx: click.Context, *, as_json: bool) -> int:
    """Check the configuration and try everything in it: journal, stores, databases, files.

    Says what each store was seen to honour, the next times at which each job is due, and whether a
    daemon would have anything to do. Ends with 0, or with the exit code of the first thing that
    can't be used.
    """
    from junmai_svc.service import report
    from junmai_svc.service.configuration.file import USUAL_PLACE
    from junmai_svc.service.configuration.probe import look_at_all
    from junmai_svc.service.context import now
    from junmai_svc.service.daemon.job_building import jobs_of
    from junmai_svc.service.daemon.job_targets import Surroundings
    from junmai_svc.service.exits import DONE, exit_code
    from junmai_svc.service.progress import Silent
    from junmai_svc.service.report import config as report_config
    from junmai_svc.service.views import config as views_config
    from junmai_svc.storage.errors import NotFoundError, UsageError

    loaded = configuration(ctx)
    if loaded is None:
        raise NotFoundError(
            f"Nothing is configured; looked at {USUAL_PLACE}",
            "Name the file with --config, or write one: junmai-svc config init",
        )
    schedules = views_config.schedules_view(loaded.configuration, now())
    looked = list(look_at_all(loaded, journal_option(ctx)))
    idle: UsageError | None = None
    try:
        jobs_of(Surroundings(loaded, journal_option(ctx) or Path(), Silent()))
    except UsageError as problem:
        idle = problem
    view = views_config.check_view(loaded.path, schedules, looked, idle)
    (report.show_json if as_json else report_config.show_check)(view)
    return next((exit_code(each.problem) for each in looked if each.problem), DONE)


@config.command(short_help="Show what counts, and why.")
@with_json
@click.pass_context
def show(ctx: click.Context, *, as_json: bool) -> int:
    """Show every key with the value that counts, and where it comes from.

    That is a line of the file, a variable such as JUNMAI_RETENTION_KEEP_LAST, or the default.
    """
    from junmai_svc.service import report
    from junmai_svc.service.configuration.origins import settings_of
    from junmai_svc.service.report import config as report_config
    from junmai_svc.service.views import config as views_config

    loaded = configuration(ctx)
    view = views_config.show_view(loaded.path if loaded else None, settings_of(loaded))
    (report.show_json if as_json else report_config.show_settings)(view)
    return 0


@config.command(short_help="Print the JSON Schema, for editors.")
def schema() -> None:
    """Print the JSON Schema of the configuration, by which editors complete and check it."""
    from junmai_svc.service.configuration.text import schema as schema_text

    click.echo(schema_text(), nl=False)
