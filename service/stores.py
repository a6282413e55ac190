"""From what a person names to an open store: a configured name, an address or a folder."""

import getpass
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec

from junmai_svc.service.configuration.checks import s3_options
from junmai_svc.service.configuration.file import Loaded
from junmai_svc.service.configuration.form import StoreSection
from junmai_svc.service.logs import log
from junmai_svc.service.settings import cache_folder, counted_from
from junmai_svc.storage.backends.base import Backend
from junmai_svc.storage.backends.locate import folder_at, locate
from junmai_svc.storage.backends.options import S3Options
from junmai_svc.storage.databases.failures import translated
from junmai_svc.storage.errors import IntegrityError, NotFoundError, UsageError
from junmai_svc.storage.snapshots.base import SnapshotStore
from junmai_svc.storage.snapshots.blocks.images import BlockImages
from junmai_svc.storage.snapshots.blocks.keys import (
    KeyFile,
    Passphrase,
    Secret,
    new_data_key,
    read_key_file,
    unwrap,
    wrap,
)
from junmai_svc.storage.snapshots.blocks.places import PACKS, SNAPSHOTS
from junmai_svc.storage.snapshots.blocks.sealing import Seal, Unsealed
from junmai_svc.storage.snapshots.cache import StoreCache
from junmai_svc.storage.snapshots.description import (
    NAME,
    Description,
    Layout,
    describe,
    keep_description,
    new_store_id,
    read_description,
)
from junmai_svc.storage.snapshots.objects import ObjectStore
from junmai_svc.storage.snapshots.store import FileStore
from junmai_svc.storage.snapshots.whole import WholeImages

LOST_KEY = (
    "Whoever loses the key loses every snapshot in the store: nobody can open it without."
    " Keep a copy of the key away from this machine."
)


@dataclass(frozen=True)
class Named:
    """A store as a call names it; what is said here goes over the configuration.

    `is_folder` is for --backup-dir: a folder of images, never a configured name.
    """

    address: str
    is_folder: bool = False
    endpoint_url: str | None = None
    key_file: Path | None = None
    layout: Layout | None = None


@dataclass(frozen=True)
class Place:
    """Where a store is and how it is configured; nothing has been opened."""

    backend: Backend
    folder: Path | None
    section: StoreSection
    options: S3Options
    secret: Callable[[Description | None], Secret | None]


def place_of(loaded: Loaded | None, named: Named) -> Place:
    """Return the place that is named; nothing is asked or made yet.

    Raises:
        UsageError: the address or an option can't be used.
    """
    if not named.address:
        raise UsageError("No store is named", "Name a folder, an address or a configured name.")
    section = loaded.configuration.stores.get(named.address) if loaded else None
    if section is None or loaded is None or named.is_folder:
        section, origin = StoreSection(url=named.address), Path()
    else:
        origin = loaded.folder
    if named.endpoint_url is not None:
        section = msgspec.structs.replace(section, endpoint_url=named.endpoint_url)
    if named.layout is not None:
        section = msgspec.structs.replace(section, layout=named.layout)
    options = s3_options(section)
    folder = Path(named.address) if named.is_folder else folder_at(section.url)
    address = section.url
    if folder is not None:
        folder = counted_from(origin, folder)
        address = str(folder)
    backend = locate("./" + address if folder and ":" in address[:2] else address, options)

    def secret(found: Description | None) -> Secret | None:
        return _secret(section, named.key_file, origin, found, backend.url)

    return Place(backend, folder, section, options, secret)


def named_at(loaded: Loaded | None, address: str) -> Named:
    """Return the store that has an address: as it is configured, where it is.

    Raises:
        UsageError: the address, or that of a configured store, can't be used.
    """
    for name in loaded.configuration.stores if loaded else ():
        place = place_of(loaded, Named(name))
        if address in {place.backend.url, str(place.folder)}:
            return Named(name)
    return Named(address, is_folder="://" not in address)


def open_store(
    loaded: Loaded | None, named: Named, when: Callable[[], datetime], *, create: bool = False
) -> SnapshotStore:
    """Open the store that is named; with `create` it is made where there is none.

    A folder without a description holds images, as the replaced tool's does; it needs not be there.

    Raises:
        NotFoundError: there is no such store, and it is not to be made.
        IntegrityError: its description is damaged, or gone.
        UsageError: it can't be named like this, or is sealed and no key is named, or the reverse.
        AccessDeniedError: the key is not the store's, or the place refuses.
        JunmaiError: the place can't be used.
    """
    place = place_of(loaded, named)
    description = read_description(place.backend)
    if description is None:
        refuse_remains(place.backend)
    if place.folder is not None and _is_folder_of_images(place, named, description, create=create):
        return FileStore(place.folder)
    if description is None:
        if not create:
            raise NotFoundError(
                f"There is no store at {place.backend.url} yet",
                "Check the address; a backup into it, or `junmai-svc store init`, makes one.",
            )
        description = make_store(place, when())
    seal = seal_of(place, description)
    cache = StoreCache(cache_folder(loaded), description.id)
    backend = place.backend.trusting(description.seen)
    images = (
        BlockImages(backend, seal, cache)
        if description.layout == "blocks"
        else WholeImages(backend)
    )
    return ObjectStore(backend, images, seal, cache, lambda: place.options.retain_until(when()))


def refuse_remains(backend: Backend) -> None:
    """Refuse a place without a description where blocks lie: a new one would lose them all.

    Raises:
        IntegrityError: the description of the store there is gone.
        JunmaiError: the place can't be listed.
    """
    if any(True for kind in (SNAPSHOTS, PACKS) for _found in backend.list(kind)):
        raise IntegrityError(
            f"{NAME} of {backend.url} is gone, which describes it and holds a sealed store's key",
            "Put it back from a copy; a store that is not sealed can be copied file by file to a"
            " new one. Nothing was changed.",
        )


def make_store(place: Place, when: datetime) -> Description:
    """Make a new store, in the layout and with the key that are configured; durable on return.

    Raises:
        UsageError: a store of whole images can't be sealed.
        JunmaiError: the place can't be used.
    """
    layout: Layout = place.section.layout or "blocks"
    secret = place.secret(None)
    if secret is not None and layout != "blocks":
        raise UsageError(
            f"A store of layout {layout} can't be sealed", 'Choose layout = "blocks", or no key.'
        )
    store_id = new_store_id()
    key = wrap(new_data_key(), secret, store_id) if secret is not None else None
    made = keep_description(place.backend, describe(place.backend, store_id, layout, key, when))
    log().info("store.made", store=place.backend.url, layout=made.layout, sealed=bool(made.key))
    if made.key is not None:
        log().warning("store.sealed", store=place.backend.url, remember=LOST_KEY)
    return made


def seal_of(place: Place, description: Description) -> Seal:
    """Return the seal of a store, opened with the key that is named.

    Raises:
        UsageError: it is sealed and no key is named, or a key is named and it is not sealed.
        AccessDeniedError: the key is not the store's.
    """
    secret = place.secret(description)
    if description.key is None:
        if secret is not None:
            raise UsageError(
                f"A key is named for {place.backend.url}, which is not sealed",
                "Somebody may have replaced its store.json. If it never was sealed, name no key.",
            )
        return Unsealed()
    if secret is None:
        what = "key file" if description.key.method == "key-file" else "passphrase"
        raise UsageError(
            f"The store {place.backend.url} is sealed with a {what}",
            "Name it with --key-file, or in the store's section of the configuration.",
        )
    from junmai_svc.storage.snapshots.blocks.cipher import XChaChaSeal  # noqa: PLC0415  # loads libsodium

    return XChaChaSeal(unwrap(description.key, secret, description.id), description.id)


def _is_folder_of_images(
    place: Place, named: Named, description: Description | None, *, create: bool
) -> bool:
    if description is not None:
        return description.layout == "file"
    if place.section.layout is not None:
        return place.section.layout == "file"
    assert place.folder is not None  # noqa: S101
    return named.is_folder or not create or any(place.folder.glob("*_backup_*.json"))


def _secret(
    section: StoreSection,
    key_file: Path | None,
    origin: Path,
    found: Description | None,
    url: str,
) -> Secret | None:
    """The key or passphrase of a store, read from where it is; None where none is named."""
    if key_file is None and section.encryption_key_file:
        key_file = counted_from(origin, Path(section.encryption_key_file))
    if key_file is not None:
        return _key_in(key_file)
    if section.encryption_passphrase_file:
        path = counted_from(origin, Path(section.encryption_passphrase_file))
        with translated("read the passphrase in", path):
            text = path.read_text(encoding="utf-8")
        return Passphrase(text.removesuffix("\n").removesuffix("\r"))
    if found and found.key and found.key.method == "passphrase" and sys.stdin.isatty():
        return Passphrase(getpass.getpass(f"Passphrase of {url}: "))
    return None


def _key_in(path: Path) -> KeyFile:
    if not path.exists():
        raise NotFoundError(
            f"Key file not found: {path}",
            "Put it back from its copy; for a new store, `junmai-svc store init` makes one.",
        )
    with translated("read the key file", path):
        return read_key_file(path)
