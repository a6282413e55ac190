"""The command that looks at a store itself: check."""

import re
from typing import TYPE_CHECKING

import click

from junmai_svc.service.cli_command import (
    configuration,
    journal_option,
    one_store,
    store_options,
    with_json,
)
from junmai_svc.service.exits import DONE, FINDINGS

if TYPE_CHECKING:
    from junmai_svc.service.stores import Named

_SHARE = re.compile(r"(\d{1,3}(?:\.\d{1,4})?)%?")
_WHOLE = 100


@click.command(short_help="Look whether a store is whole.")
@click.argument("store", required=False, metavar="[STORE]")
@click.option("--read-data", is_flag=True, help="Read every byte that is stored.")
@click.option("--sample", metavar="5%", help="Read this share of the packs or images, at random.")
@with_json
@store_options
@click.pass_context
def check(
    ctx: click.Context,
    *,
    store: str | None,
    stores: "list[Named]",
    read_data: bool,
    sample: str | None,
    as_json: bool,
) -> int:
    """Look whether a STORE (a configured name, an address or a folder) is whole.

    Without options: that every manifest can be read, that what it leads to is there, and has its
    right size. Damage is told with the snapshots and the parts of their databases that it hits,
    and ends with exit code 3.

    \b
    junmai-svc check data/backups --read-data
    junmai-svc check offsite --sample 5%
    """
    from junmai_svc.service import check as use_case
    from junmai_svc.service.progress import for_terminal
    from junmai_svc.service.report import show_json
    from junmai_svc.service.report_check import show_check
    from junmai_svc.service.views_check import check_view
    from junmai_svc.service.wiring import store_context

    if read_data and sample is not None:
        raise click.UsageError("Choose one of --read-data and --sample.")
    share = use_case.EVERYTHING if read_data else _share(sample)
    named = one_store(store, stores)
    with store_context(journal_option(ctx), named, configuration(ctx), for_terminal()) as context:
        done = use_case.check(context, share)
    view = check_view(done)
    (show_json if as_json else show_check)(view)
    return FINDINGS if done.report.findings else DONE


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
