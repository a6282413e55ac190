"""The commands about stores as such: store init, store key, store show."""

import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from junmai_svc.service.cli.command import PATH, configuration, with_json
from junmai_svc.service.cli.naming import reached_options, with_secret
from junmai_svc.service.exits import DONE

if TYPE_CHECKING:
    from junmai_svc.service.keys import NewSecret
    from junmai_svc.service.stores import Named


@click.group(short_help="Make a store, look at it, change its key.")
def store() -> None:
    """Make a store, look at it, change its key.

    A STORE is a configured name, an address such as s3://bucket/prefix, or a folder.
    """


@store.command(short_help="Make a store.")
@click.option(
    "--layout", type=click.Choice(["blocks", "file"]), help="How images lie.  [default: blocks]"
)
@click.option("--key-file", type=PATH, help="Seal it with this key.")
@click.option("--new-key", is_flag=True, help="Make the key file first.")
@click.option("--passphrase-file", type=PATH, help="Seal it with the passphrase in this file.")
@click.option("--passphrase", is_flag=True, help="Seal it with a passphrase that is asked for.")
@with_json
@reached_options
@click.pass_context
def init(
    ctx: click.Context,
    *,
    store: "Named",
    layout: Literal["blocks", "file"] | None,
    key_file: Path | None,
    new_key: bool,
    passphrase_file: Path | None,
    passphrase: bool,
    as_json: bool,
) -> int:
    """Make a STORE for snapshots, sealed if a key or passphrase is named.

    Whoever loses the key of a sealed store loses every snapshot in it.

    \b
    junmai-svc store init s3://bucket/junmai --key-file junmai.key --new-key
    junmai-svc store init /media/disk/backups --layout file
    """
    from junmai_svc.service import keys, report
    from junmai_svc.service.context import now
    from junmai_svc.service.report import stores as report_stores
    from junmai_svc.service.store_facts import facts_of
    from junmai_svc.service.stores import place_of
    from junmai_svc.service.views import stores as views_stores

    new = _secret(key_file, new_key=new_key, passphrase_file=passphrase_file, asked=passphrase)
    loaded = configuration(ctx)
    place = place_of(loaded, replace(store, layout=layout))
    try:
        made, notes = keys.init_store(place, new, now())
        view = views_stores.store_view(facts_of(place.backend, made), "made", notes=notes)
    finally:
        place.backend.close()
    (report.show_json if as_json else report_stores.show_store)(view)
    return DONE


@store.command(short_help="Change the key of a sealed store.")
@click.option("--key-file", type=PATH, help="The present key.")
@click.option("--passphrase-file", type=PATH, help="The present passphrase, in a file.")
@click.option("--new-key-file", type=PATH, help="The key that it is to have.")
@click.option("--new-key", is_flag=True, help="Make that key file first.")
@click.option("--new-passphrase-file", type=PATH, help="The passphrase that it is to have.")
@click.option("--new-passphrase", is_flag=True, help="Ask for the passphrase that it is to have.")
@with_json
@reached_options
@click.pass_context
def key(
    ctx: click.Context,
    *,
    store: "Named",
    key_file: Path | None,
    passphrase_file: Path | None,
    new_key_file: Path | None,
    new_key: bool,
    new_passphrase_file: Path | None,
    new_passphrase: bool,
    as_json: bool,
) -> int:
    """Change the key of a sealed STORE: one object and its copy are rewritten, the rest stays.

    The present key is the configured one, or as named here. Whoever copied the old store.json and
    has the old key can still open the store.

    \b
    junmai-svc store key off-site --new-key-file new.key --new-key
    """
    from junmai_svc.service import keys, report
    from junmai_svc.service.report import stores as report_stores
    from junmai_svc.service.store_facts import facts_of
    from junmai_svc.service.stores import place_of
    from junmai_svc.service.views import stores as views_stores

    new = _secret(
        new_key_file,
        new_key=new_key,
        passphrase_file=new_passphrase_file,
        asked=new_passphrase,
    )
    if not new.is_meant:
        raise click.UsageError("Name the new key: --new-key-file or --new-passphrase-file.")
    place = place_of(configuration(ctx), with_secret(store, key_file, passphrase_file))
    try:
        changed, notes = keys.change_key(place, new, datetime.now(UTC))
        view = views_stores.store_view(facts_of(place.backend, changed), "changed", notes=notes)
    finally:
        place.backend.close()
    (report.show_json if as_json else report_stores.show_store)(view)
    return DONE


@store.command(short_help="Show what a store is and holds.")
@with_json
@reached_options
@click.pass_context
def show(ctx: click.Context, *, store: "Named", as_json: bool) -> int:
    """Show what a STORE is and holds: layout, seal, what its place honours, objects and bytes.

    No key is needed.
    """
    from junmai_svc.service import report
    from junmai_svc.service.report import stores as report_stores
    from junmai_svc.service.store_facts import facts_at
    from junmai_svc.service.stores import place_of
    from junmai_svc.service.views import stores as views_stores

    place = place_of(configuration(ctx), store)
    try:
        view = views_stores.store_view(facts_at(place), "shown")
    finally:
        place.backend.close()
    (report.show_json if as_json else report_stores.show_store)(view)
    return DONE


def _secret(
    key_file: Path | None, *, new_key: bool, passphrase_file: Path | None, asked: bool = False
) -> "NewSecret":
    """The one secret that a call names."""
    from junmai_svc.service.keys import NewSecret

    if sum((key_file is not None, passphrase_file is not None, asked)) > 1:
        raise click.UsageError("Name one key or passphrase.")
    if new_key and key_file is None:
        raise click.UsageError("--new-key makes the file that is named as the key: name it.")
    if not asked:
        return NewSecret(key_file, new_key, passphrase_file)
    from junmai_svc.storage.snapshots.blocks.keys import Passphrase

    if not sys.stdin.isatty():
        raise click.UsageError("There is nobody to ask here: use --passphrase-file.")
    text: str = click.prompt("Passphrase", hide_input=True, confirmation_prompt=True, err=True)
    return NewSecret(passphrase=Passphrase(text))
