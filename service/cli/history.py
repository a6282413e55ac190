"""The commands about what was done: history, show, replay."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from junmai_svc.service.cli.command import (
    PATH,
    configuration,
    journal_option,
    with_json,
)
from junmai_svc.service.cli.naming import stores_options
from junmai_svc.service.exits import DONE
from junmai_svc.storage.journal.events import ENDINGS, OPERATIONS, RUNNING

if TYPE_CHECKING:
    from junmai_svc.service.stores import Named

_at_option = click.option(
    "--at", metavar="POSITION|TIME", help="As it was at an event's position, or at a time (UTC)."
)


@click.command(short_help="List all runs.")
@click.option("--database", help="Only runs on this database, by its path or its file's name.")
@click.option("--since", metavar="TIME", help="Only runs that began at this time or later.")
@click.option("--until", metavar="TIME", help="Only runs that began by this time.")
@click.option("--actor", help="Only runs of this actor, as the list shows it.")
@click.option(
    "--status",
    type=click.Choice([RUNNING, *ENDINGS], case_sensitive=False),
    metavar="STATUS",
    help="Only runs that ended so, such as `failed`; `running` for open ones.",
)
@click.option(
    "--kind",
    type=click.Choice(OPERATIONS, case_sensitive=False),
    metavar="KIND",
    help="Only runs of this kind, such as `migration`.",
)
@click.option("--limit", type=click.IntRange(min=1), help="At most so many, the newest.")
@_at_option
@with_json
@click.pass_context
def history(
    ctx: click.Context,
    *,
    database: str | None,
    since: str | None,
    until: str | None,
    actor: str | None,
    status: str | None,
    kind: str | None,
    limit: int | None,
    at: str | None,
    as_json: bool,
) -> int:
    """List the runs that the journal knows, newest first.

    A TIME is a date, a time (UTC unless it names a zone), or an age such as 2d. Where the terminal
    has no room, ids are shown by their last twelve digits, which every command takes, and databases
    by the names of their files.

    \b
    junmai-svc history --kind migration --since 2026-11-01
    junmai-svc history --status failed --since 7d
    junmai-svc history --at 2026-11-22T14:00
    """
    from junmai_svc.service import history as use_case
    from junmai_svc.service import report
    from junmai_svc.service.context import now
    from junmai_svc.service.report import run as report_run
    from junmai_svc.service.views import run as views_run
    from junmai_svc.service.wiring import reading_journal

    today = now()
    wanted = use_case.Wanted(
        database=database,
        since=use_case.moment(since, today) if since else None,
        until=use_case.end_of(until, today) if until else None,
        actor=actor.removeprefix("actor:") if actor else None,
        status=status,
        kind=kind,
        limit=limit,
    )
    point = use_case.as_of(at, today)
    with reading_journal(journal_option(ctx)) as journal:
        view = views_run.history_view(*use_case.list_runs(journal, wanted, point))
    (report.show_json if as_json else report_run.show_history)(view)
    return DONE


@click.command(short_help="Tell the story of one run.")
@click.argument("run")
@_at_option
@click.option("--html", type=PATH, metavar="FILE", help="Write it as one page of HTML instead.")
@with_json
@click.pass_context
def show(ctx: click.Context, *, run: str, at: str | None, html: Path | None, as_json: bool) -> int:
    """Tell the story of one RUN: every event that was recorded, in order.

    RUN is an id out of `history`, or as much of its end or beginning as no other has: the last
    twelve digits do, the first eight seldom. With --html it is written as a page that needs nothing
    else, for whoever asks what was done.

    \b
    junmai-svc show 966c26f8ad91
    junmai-svc show 966c26f8ad91 --at 2026-11-22T14:00
    junmai-svc show 966c26f8ad91 --html migration.html
    """
    from junmai_svc.service import history as use_case
    from junmai_svc.service import report
    from junmai_svc.service.context import now
    from junmai_svc.service.page.writing import write_page
    from junmai_svc.service.report import run as report_run
    from junmai_svc.service.views import run as views_run
    from junmai_svc.service.wiring import reading_journal

    point = use_case.as_of(at, now())
    with reading_journal(journal_option(ctx)) as journal:
        found, events = use_case.show_run(journal, run, point)
        view = views_run.story_view(found, events)
        if html is not None:
            write_page(journal, found, events, html, configuration(ctx))
            view |= {"page": str(html)}
    (
        report.show_json
        if as_json
        else report_run.show_run
        if html is None
        else report_run.show_page
    )(view)
    return DONE


@click.command(short_help="Look again at what a run left, or run it again.")
@click.argument("run")
@click.option("--reverify", is_flag=True, help="Compare what is stored with what was recorded.")
@click.option("--execute", is_flag=True, help="Migrate again in scratch and compare the digests.")
@with_json
@stores_options
@click.pass_context
def replay(
    ctx: click.Context,
    *,
    run: str,
    reverify: bool,
    execute: bool,
    stores: "list[Named]",
    as_json: bool,
) -> int:
    """Look again at what a RUN left behind, or run a migration again, and record the verdict.

    With --reverify its snapshots, and the target of a migration, are compared with what the journal
    recorded: CONFIRMED, DIVERGED or INPUT MISSING. With --execute a migration is run again in a
    scratch folder, from its stored snapshot, plan, clock and seed: REPRODUCED, DIVERGED, NOT
    REPRODUCIBLE or INPUT MISSING. Nothing that is looked at is changed. Ends with exit code 3
    unless the verdict is CONFIRMED or REPRODUCED.

    \b
    junmai-svc replay 966c26f8ad91 --reverify
    junmai-svc replay 966c26f8ad91 --execute
    """
    from junmai_svc.service import report
    from junmai_svc.service.exits import FINDINGS
    from junmai_svc.service.progress import for_terminal
    from junmai_svc.service.replay import replay as use_case
    from junmai_svc.service.replay.reexecution import re_execute
    from junmai_svc.service.replay.reverify import reverify as look_again
    from junmai_svc.service.report import run as report_run
    from junmai_svc.service.settings import existing_journal
    from junmai_svc.service.stores import named_at
    from junmai_svc.service.views import run as views_run
    from junmai_svc.service.wiring import context_for, reading_journal

    if reverify == execute:
        raise click.UsageError("Name --reverify or --execute.")
    loaded, path = configuration(ctx), existing_journal(journal_option(ctx))
    with reading_journal(path) as journal:
        record = use_case.record_in(journal, run)
    named = stores or [named_at(loaded, address) for address in record.stores]
    act = re_execute if execute else look_again
    with context_for(path, record.database, named, loaded, for_terminal(), create=False) as context:
        result = act(context, record)
    view = views_run.replayed_view(result)
    (report.show_json if as_json else report_run.show_replay)(view)
    return DONE if result.verdict.passed else FINDINGS
