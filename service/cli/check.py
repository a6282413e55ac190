"""The command that looks at a store itself, and mends it: check."""

import re
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from junmai_svc.service.cli.command import (
    PATH,
    configuration,
    journal_option,
    with_json,
)
from junmai_svc.service.cli.naming import another_store, quoted, store_or_argument
from junmai_svc.service.exits import DONE, FINDINGS

if TYPE_CHECKING:
    from junmai_svc.service.stores import Named

_SHARE = re.compile(r"(\d{1,3}(?:\.\d{1,4})?)%?")
_WHOLE = 100


@click.command(short_help="Look whether a store is whole.")
@click.option("--read-data", is_flag=True, help="Read every byte that is stored.")
@click.option("--sample", metavar="5%", help="Read this share of the packs or images, at random.")
@click.option("--repair", is_flag=True, help="Read every byte, and mend what can be mended.")
@another_store("--from", "other", "With --repair: another store to take good bytes from.")
@click.option(
    "--from-source", "database", type=PATH, help="With --repair: the live database, likewise."
)
@with_json
@store_or_argument
@click.pass_context
def check(
    ctx: click.Context,
    *,
    stores: "list[Named]",
    read_data: bool,
    sample: str | None,
    repair: bool,
    other: "Named | None",
    database: Path | None,
    as_json: bool,
) -> int:
    """Look whether a STORE (a configured name, an address or a folder) is whole.

    Without options: that every manifest can be read, that what it leads to is there, and has its
    right size. Damage is told with the snapshots and the parts of their databases that it hits,
    and ends with exit code 3.

    --repair puts damaged packs and images into `quarantine/` and good blocks or images in their
    place: from elsewhere in the store, from another store (--from) or from the database itself
    (--from-source), wherever SHA-256s agree. A manifest that can't be used is taken with its image
    from --from, else put aside, so that its name and its room are free again. What can't be mended
    is told. Where blocks of an old snapshot are lost, the next backup stores those again that the
    database still has: then repair once more.

    \b
    junmai-svc check data/backups --read-data
    junmai-svc check offsite --sample 5%
    junmai-svc check data/backups --repair --from offsite
    """
    from junmai_svc.service import check as use_case
    from junmai_svc.service.progress import for_terminal
    from junmai_svc.service.repair import Sources
    from junmai_svc.service.repair import repair as mend
    from junmai_svc.service.report import show_json
    from junmai_svc.service.report.check import show_check, show_repair
    from junmai_svc.service.views.check import check_view, repair_view
    from junmai_svc.service.wiring import reading_store, store_context

    if read_data and sample is not None:
        raise click.UsageError("Choose one of --read-data and --sample.")
    if repair and sample is not None:
        raise click.UsageError("--repair reads every byte; leave --sample out.")
    if not repair and (other is not None or database is not None):
        raise click.UsageError("--from and --from-source are for --repair.")
    share = use_case.EVERYTHING if read_data else _share(sample)
    journal, loaded = journal_option(ctx), configuration(ctx)
    called = quoted(stores[0].address) if stores else "STORE"
    with ExitStack() as stack:
        source = None
        if other is not None:
            source, _ = stack.enter_context(reading_store(journal, [other], loaded))
        context = stack.enter_context(store_context(journal, stores, loaded, for_terminal()))
        if repair:
            mended = mend(context, Sources(source, database))
            view, findings, show = repair_view(mended, called), mended.after.findings, show_repair
        else:
            done = use_case.check(context, share)
            view, findings, show = check_view(done, called), done.report.findings, show_check
    (show_json if as_json else show)(view)
    return FINDINGS if findings else DONE


def _share(sample: str | None) -> float:
    """A percentage as a share of 1.

    Raises:
        click.UsageError: it is none.
    """
    if sample is None:
        return 0.0
    found = _SHARE.fullmatch(sample.strip())
    if found is None or not 0 < float(found[1]) <= _WHOLE:
        raise click.UsageError(f"{sample!r} is no share such as 5%.")
    return float(found[1]) / _WHOLE
