"""What is wrong between the values of a configuration whose form is right. Pure."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from junmai_svc.service.configuration.form import Configuration, StoreSection
from junmai_svc.service.configuration.keys import Problem, nearest
from junmai_svc.service.configuration.lines import Keys
from junmai_svc.service.schedule import parse
from junmai_svc.service.status.loopback import loopback_address
from junmai_svc.storage.backends.locate import locate
from junmai_svc.storage.backends.options import S3Options, check_endpoint
from junmai_svc.storage.errors import UsageError

SCHEDULED = ("prune", "drill", "check", "publish")
_OF_S3 = (
    "endpoint_url",
    "region",
    "profile",
    "path_style",
    "encryption",
    "kms_key_id",
    "lock_days",
)


def s3_options(section: StoreSection) -> S3Options:
    """Return the options of a store on S3.

    Raises:
        UsageError: they make no sense together.
    """
    return S3Options(
        endpoint_url=section.endpoint_url,
        region=section.region,
        profile=section.profile,
        path_style=section.path_style,
        encryption=section.encryption,
        kms_key_id=section.kms_key_id,
        lock_mode=section.lock_mode,
        lock_days=section.lock_days,
    )


def value_problems(configuration: Configuration) -> Iterator[Problem]:
    """Everything that does not fit together, in no order."""
    yield from _journal_problems(configuration.journal.url)
    for name, store in configuration.stores.items():
        yield from _store_problems(("stores", name), store)
    yield from _same_stores(configuration)
    yield from _database_problems(configuration)
    for section in SCHEDULED:
        keys = (section, "schedule")
        yield from _tried(keys, _schedule, getattr(configuration, section).schedule)
    if configuration.status.listen:
        yield from _tried(("status", "listen"), loopback_address, configuration.status.listen)


def _schedule(text: str) -> None:
    if text:
        parse(text)


def _tried(keys: Keys, what: Callable[[Any], object], value: Any) -> Iterator[Problem]:
    try:
        what(value)
    except UsageError as error:
        yield Problem(keys, error.message, error.hint)


def _journal_problems(url: str | None) -> Iterator[Problem]:
    rest = (url or "file").removeprefix("sqlite:///")
    if "://" in rest or not rest or rest.startswith((":", "?")):
        yield Problem(
            ("journal", "url"),
            "a journal of this kind is not built",
            "Say sqlite:/// and the path of a file, as in sqlite:///../data/journal.db.",
        )


def _store_problems(keys: Keys, store: StoreSection) -> Iterator[Problem]:
    yield from _tried((*keys, "url"), locate, store.url)
    if store.encryption_key_file and store.encryption_passphrase_file:
        yield Problem(
            (*keys, "encryption_passphrase_file"),
            "a key file and a passphrase file are both named",
            "Name the one that the store was made with.",
        )
    sealed = store.encryption_key_file or store.encryption_passphrase_file
    if sealed and store.layout == "file":
        yield Problem(
            (*keys, "layout"),
            'what layout "file" stores can\'t be encrypted',
            'Say layout = "blocks", or leave the key out.',
        )
    if not store.url.lower().startswith("s3:"):
        for name in _OF_S3:
            if getattr(store, name) is not None:
                yield Problem((*keys, name), f"{name} is for stores on S3 only", "Leave it out.")
        return
    if store.endpoint_url is not None:
        wrong = list(_tried((*keys, "endpoint_url"), check_endpoint, store.endpoint_url))
        yield from wrong
        if wrong:
            return
    yield from _tried((*keys, "kms_key_id"), s3_options, store)


def _same_stores(configuration: Configuration) -> Iterator[Problem]:
    """Of two that are one place each snapshot would be stored twice, and counted as two copies.

    Two of one address on two servers can't be told apart by the journal.
    """
    seen: dict[str, str] = {}
    for name, store in configuration.stores.items():
        with suppress(UsageError):
            first = seen.setdefault(locate(store.url).url, name)
            if first == name:
                continue
            if configuration.stores[first].endpoint_url == store.endpoint_url:
                what, hint = "are the same place", "Leave one of them out."
            else:
                what = "have one address on two servers, and stores are told apart by it"
                hint = "Give one of them another bucket or prefix."
            yield Problem(("stores", name, "url"), f"the stores {first} and {name} {what}", hint)


def _database_problems(configuration: Configuration) -> Iterator[Problem]:
    seen: set[str] = set()
    for number, database in enumerate(configuration.databases):
        keys: Keys = ("databases", number)
        if database.name.lower() in seen:
            yield Problem(
                (*keys, "name"), f"two databases are called {database.name}", "Rename one of them."
            )
        seen.add(database.name.lower())
        yield from _tried((*keys, "schedule"), _schedule, database.schedule)
        for store in database.stores:
            if store not in configuration.stores:
                yield Problem(
                    (*keys, "stores"),
                    f"{database.name} names a store that is not configured: {store[:100]!a}",
                    nearest(store, configuration.stores),
                )
        if len(set(database.stores)) < len(database.stores):
            yield Problem((*keys, "stores"), f"{database.name} names a store twice")
