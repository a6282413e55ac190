"""The commands `snapshots` and `snapshots diff`."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import PurePath
from typing import TYPE_CHECKING

import click

from junmai_svc.service.cli.command import (
    configuration,
    journal_option,
    with_json,
)
from junmai_svc.service.cli.naming import another_store, stores_or_argument
from junmai_svc.service.exits import DONE, FINDINGS, stores_code

if TYPE_CHECKING:
    from junmai_svc.service.configuration.file import Loaded
    from junmai_svc.service.restore import Found
    from junmai_svc.service.stores import Named

LIST = "list"
LATEST = "latest"
MOST_EXAMPLES = 1_000


class _ListUnlessNamed(click.Group):
    """A group whose command is `list` where none is named; its help is that of `list` too."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        is_named = args and args[0] in {*self.commands, *ctx.help_option_names}
        return super().parse_args(ctx, args if is_named else [LIST, *args])

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return self.commands[LIST].collect_usage_pieces(ctx)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        self.commands[LIST].format_options(ctx, formatter)
        self.format_commands(ctx, formatter)


@click.group(cls=_ListUnlessNamed, short_help="List the snapshots of stores; compare two.")
def snapshots() -> None:
    """List the snapshots of a STORE (a configured name, an address or a folder), newest first.

    --store and --backup-dir name more of them: each snapshot is one line, with the stores that have
    it. Without any: `backups`, then `data/backups`, of the current folder. How long ago each was
    proven is known where the journal is the one beside the store, or named by --journal.

    Ends with exit code 30 where one of several stores can't be read.

    \b
    junmai-svc snapshots data/backups
    junmai-svc snapshots --store local --store offsite
    junmai-svc snapshots diff junmai_backup_20261123_210000 latest data/backups
    """


@snapshots.command(LIST, short_help="List snapshots; done where no command is named.")
@click.option(
    "--database", metavar="NAME", help="Only those of this configured database, in its stores."
)
@with_json
@stores_or_argument
@click.pass_context
def list_(
    ctx: click.Context,
    *,
    stores: "list[Named]",
    database: str | None,
    as_json: bool,
) -> int:
    """List the snapshots of stores, newest first; `snapshots` alone does the same."""
    from junmai_svc.service.report import show_json
    from junmai_svc.service.report.snapshots import show_snapshots
    from junmai_svc.service.snapshot_list import list_snapshots, stores_of_database
    from junmai_svc.service.views.snapshots import snapshots_view
    from junmai_svc.service.wiring import journal_beside, reading_stores

    loaded, journal = configuration(ctx), journal_option(ctx)
    named, path = stores, None
    if database is not None:
        own, path = stores_of_database(loaded, database)
        named = named or own
    with (
        reading_stores(named, loaded) as (opened, down),
        journal_beside(journal, named, loaded) as known,
    ):
        found = list_snapshots(opened, down, known, path)
    (show_json if as_json else show_snapshots)(snapshots_view(found))
    return stores_code(each.problem for each in found.failed)


@snapshots.command(short_help="What changed from one snapshot to another?")
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@another_store("--b-store", "b_store", "The store of B, where it is another.")
@click.option(
    "--examples",
    type=click.IntRange(0, MOST_EXAMPLES),
    default=3,
    show_default=True,
    help="Show so many of a table's changed rows.",
)
@click.option("--exit-code", is_flag=True, help="End with 3 where there is a difference.")
@with_json
@stores_or_argument
@click.pass_context
def diff(
    ctx: click.Context,
    *,
    before: str,
    after: str,
    stores: "list[Named]",
    b_store: "Named | None",
    examples: int,
    exit_code: bool,
    as_json: bool,
) -> int:
    """Say what changed from snapshot A to snapshot B: objects, tables, rows and cells.

    Each is a name, `latest`, or the path of a file. The first of the stores that has it counts;
    they may differ in layout, and the snapshots in schema. Nothing is written or recorded.

    Rows are compared by the primary key, in columns that both have. A table without one is compared
    by whole rows: a changed row is one removed and one added.

    \b
    junmai-svc snapshots diff junmai_backup_20261123_210000 latest data/backups
    junmai-svc snapshots diff latest latest local --b-store s3://bucket/prefix
    """
    from junmai_svc.service import diff as use_case
    from junmai_svc.service.progress import for_terminal
    from junmai_svc.service.report import show_json
    from junmai_svc.service.report.snapshots import show_diff
    from junmai_svc.service.settings import folder_of
    from junmai_svc.service.stores import Named
    from junmai_svc.service.views.snapshots import diff_view

    loaded = configuration(ctx)
    named = stores
    if not named:  # beside the one that is named by its file
        beside = folder_of(before) or folder_of(after)
        named = [Named(str(beside), is_folder=True)] if beside is not None else []
    elsewhere = [b_store] if b_store is not None else named
    with ExitStack() as stack:
        # `latest` is of the database that the other one is of, so the other one is found first.
        sides = [(before, named), (after, elsewhere)]
        late = before == LATEST != after
        database, pair = None, []
        for reference, where in reversed(sides) if late else sides:
            pair.append(stack.enter_context(_found(loaded, reference, where, database)))
            database = PurePath(pair[0].snapshot.manifest.path)
        one, other = reversed(pair) if late else pair
        found = use_case.diff(one, other, for_terminal(), examples=examples)
    (show_json if as_json else show_diff)(diff_view(found))
    return FINDINGS if exit_code and not found.is_equal else DONE


@contextmanager
def _found(
    loaded: "Loaded | None", reference: str, named: "list[Named]", database: PurePath | None
) -> "Iterator[Found]":
    """The snapshot that is meant; if no store has it, one that is down is to blame."""
    from junmai_svc.service.restore import Which, choose_from
    from junmai_svc.service.settings import folder_of
    from junmai_svc.service.wiring import reading_stores
    from junmai_svc.storage.errors import NotFoundError

    if folder_of(reference) is not None:
        yield choose_from((), Which(reference), None)
        return
    with reading_stores(named, loaded) as (stores, down):
        try:
            found = choose_from(stores, Which(reference), database)
        except NotFoundError:
            if not down:
                raise
            raise down[0].problem from None
        yield found
