"""How calls name stores: by options or as an argument, each with its server and its secret."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from junmai_svc.service.cli.command import PATH, Command

if TYPE_CHECKING:
    from junmai_svc.service.stores import Named

ADDRESS = "NAME|URL|FOLDER"


@dataclass(frozen=True)
class _Said:
    """The options that say how a store is reached and opened."""

    endpoint_url: str | None = None
    key_file: Path | None = None
    passphrase_file: Path | None = None

    def refuse_without_store(self, prefix: str, hint: str) -> None:
        """Refuse what is said of a store where none is named."""
        for each in fields(self):
            if getattr(self, each.name) is not None:
                option = f"--{prefix}{each.name.replace('_', '-')}"
                raise click.UsageError(f"{option} is for a store that the call names: {hint}.")


def store_options(function: Command) -> Command:
    """Give a command --backup-dir and --store; `stores` holds the named one or none."""
    return _with_stores(function, several=False, as_argument=False)


def stores_options(function: Command) -> Command:
    """Give a command --backup-dir and --store, each any number of times; it gets `stores`."""
    return _with_stores(function, several=True, as_argument=False)


def store_or_argument(function: Command) -> Command:
    """The same as `store_options`, and the store may be an argument too."""
    return _with_stores(function, several=False, as_argument=True)


def stores_or_argument(function: Command) -> Command:
    """The same as `stores_options`; one of the stores, the first, may be an argument too."""
    return _with_stores(function, several=True, as_argument=True)


def reached_options(function: Command) -> Command:
    """Give a command that has its STORE as a required argument its server; it gets `store`."""

    @click.argument("store", metavar="STORE")
    @_endpoint_option("", "the store")
    @wraps(function)
    def run(*, store: str, endpoint_url: str | None, **options: Any) -> int:
        return function(store=_named(store, _Said(endpoint_url)), **options)

    return run


def another_store(
    option: str, parameter: str, help_: str, *, required: bool = False
) -> Callable[[Command], Command]:
    """Give a command an option for one more store, which has options of its own for its secret.

    They begin as `option` does: --from has --from-key-file. The command gets a store, or None.
    """
    prefix = option.removeprefix("--").removesuffix("-store") + "-"
    stem = prefix.replace("-", "_")

    def decorated(function: Command) -> Command:
        @click.option(option, stem + "address", required=required, metavar=ADDRESS, help=help_)
        @_access_options(prefix, f"the store of {option}")
        @wraps(function)
        def run(**options: Any) -> int:
            said = _taken(options, stem)
            address = options.pop(stem + "address")
            if address is None:
                said.refuse_without_store(prefix, f"add {option}")
            found = None if address is None else _named(address, said, prefix=prefix)
            return function(**{parameter: found}, **options)

        return run

    return decorated


def quoted(word: str) -> str:
    """A word as a shell takes it, for a command that is printed to be copied."""
    return f'"{word}"' if " " in word else word


def as_options(named: "Named") -> list[str]:
    """The words that name a store alone as it was named."""
    words = ["--backup-dir" if named.is_folder else "--store", named.address]
    for option, value in (
        ("--endpoint-url", named.endpoint_url),
        ("--key-file", named.key_file),
        ("--passphrase-file", named.passphrase_file),
    ):
        words += [] if value is None else [option, str(value)]
    return words


def with_secret(named: "Named", key_file: Path | None, passphrase_file: Path | None) -> "Named":
    """Return a store with the secret that opens it."""
    _refuse_both(_Said(None, key_file, passphrase_file), "")
    return replace(named, key_file=key_file, passphrase_file=passphrase_file)


def _with_stores(function: Command, *, several: bool, as_argument: bool) -> Command:
    again = " May be given again." if several else ""

    @click.option(
        "--backup-dir",
        "folders",
        type=PATH,
        multiple=True,
        help=f"A folder of snapshots.{again}  [default: `backups` beside the database]",
    )
    @click.option(
        "--store",
        "names",
        metavar=ADDRESS,
        multiple=True,
        help=f"A store by its configured name or its address, such as s3://bucket/prefix.{again}",
    )
    @_access_options("", "a store")
    @wraps(function)
    def run(
        *,
        folders: tuple[Path, ...],
        names: tuple[str, ...],
        argument: str | None = None,
        **options: Any,
    ) -> int:
        said = _taken(options, "")
        count = len(folders) + len(names) + (argument is not None)
        if not count:
            said.refuse_without_store("", "add --store or --backup-dir")
        if count > 1 and not several:
            raise click.UsageError(
                "Name the store once."
                if argument is not None
                else "Name one store, by --backup-dir or --store."
            )
        among = count > 1
        first = () if argument is None else (argument,)
        stores = [_named(each, said, among_others=among) for each in first]
        stores += [_named(str(f), said, is_folder=True, among_others=among) for f in folders]
        stores += [_named(name, said, among_others=among) for name in names]
        return function(stores=stores, **options)

    if not as_argument:
        return run
    return click.argument("argument", required=False, metavar="[STORE]")(run)


def _named(
    address: str,
    said: _Said,
    *,
    is_folder: bool = False,
    prefix: str = "",
    among_others: bool = False,
) -> "Named":
    """The one place where a call's options become a store."""
    from junmai_svc.service.stores import Named

    if not among_others:
        _refuse_both(said, prefix)
    return Named(
        address,
        is_folder=is_folder,
        endpoint_url=said.endpoint_url,
        key_file=said.key_file,
        passphrase_file=said.passphrase_file,
        prefix=prefix,
        among_others=among_others,
    )


def _refuse_both(said: _Said, prefix: str) -> None:
    if said.key_file is not None and said.passphrase_file is not None:
        raise click.UsageError(f"Name --{prefix}key-file or --{prefix}passphrase-file, not both.")


def _endpoint_option(prefix: str, whose: str) -> Callable[[Command], Command]:
    return click.option(
        f"--{prefix}endpoint-url", metavar="URL", help=f"The server of {whose} in s3://."
    )


def _access_options(prefix: str, whose: str) -> Callable[[Command], Command]:
    def decorated(function: Command) -> Command:
        function = click.option(
            f"--{prefix}passphrase-file", type=PATH, help=f"The passphrase of {whose}, in a file."
        )(function)
        function = click.option(
            f"--{prefix}key-file", type=PATH, help=f"The key of {whose} that is sealed."
        )(function)
        return _endpoint_option(prefix, whose)(function)

    return decorated


def _taken(options: dict[str, Any], stem: str) -> _Said:
    """Take the options of one store out of all."""
    return _Said(**{each.name: options.pop(stem + each.name) for each in fields(_Said)})
