"""From what a person names to an open store: a configured name, an address or a folder."""

import getpass
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec

from junmai_svc.service import report
from junmai_svc.service.configuration.checks import s3_options
from junmai_svc.service.configuration.file import Loaded
from junmai_svc.service.configuration.form import StoreSection
from junmai_svc.service.logs import log
from junmai_svc.service.secret import key_in, passphrase_in
from junmai_svc.service.settings import cache_folder, counted_from
from junmai_svc.storage.backends.base import Backend
from junmai_svc.storage.backends.locate import folder_at, locate
from junmai_svc.storage.backends.options import S3Options
from junmai_svc.storage.errors import IntegrityError, NotFoundError, UsageError
from junmai_svc.storage.journal.addresses import is_same_place
from junmai_svc.storage.snapshots.base import SnapshotStore
from junmai_svc.storage.snapshots.blocks.images import BlockImages
from junmai_svc.storage.snapshots.blocks.keys import (
    Method,
    Passphrase,
    Secret,
    new_data_key,
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


METHODS: dict[Method, str] = {"key-file": "key file", "passphrase": "passphrase"}


@dataclass(frozen=True)
class Named:
    """A store as a call names it; what is said here goes over the configuration.

    `is_folder` is for --backup-dir: a folder of images, never a configured name. `prefix` is what
    the options of this store begin with, such as `from-` of --from-key-file, for hints.

    With `among_others` the server and the secret were said of several stores at once: each takes
    what it has a use for, if it is not configured otherwise.
    """

    address: str
    is_folder: bool = False
    endpoint_url: str | None = None
    key_file: Path | None = None
    passphrase_file: Path | None = None
    layout: Layout | None = None
    prefix: str = ""
    among_others: bool = False


@dataclass(frozen=True)
class Place:
    """Where a store is and how it is configured; nothing has been opened."""

    backend: Backend
    folder: Path | None
    section: StoreSection
    options: S3Options
    secret: Callable[[Description | None], Secret | None]
    prefix: str = ""

    def is_same(self, other: "Place") -> bool:
        """Tell whether two stores are one, whatever links lead there."""
        if self.folder is None or other.folder is None:
            here, there = self.backend.url, other.backend.url
            return here == there and self.options.endpoint_url == other.options.endpoint_url
        with suppress(OSError):
            return self.folder.samefile(other.folder)
        return is_same_place(str(self.folder), str(other.folder))


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
    folder = Path(named.address) if named.is_folder else folder_at(section.url)
    if named.endpoint_url is not None and _is_for(section, folder, named):
        section = msgspec.structs.replace(section, endpoint_url=named.endpoint_url)
    if named.layout is not None:
        section = msgspec.structs.replace(section, layout=named.layout)
    options = s3_options(section)
    address = section.url
    if folder is not None:
        folder = counted_from(origin, folder)
        address = str(folder)
    backend = locate("./" + address if folder and ":" in address[:2] else address, options)

    def secret(found: Description | None) -> Secret | None:
        return _secret(section, named, origin, found, backend.url)

    return Place(backend, folder, section, options, secret, named.prefix)


def _is_for(section: StoreSection, folder: Path | None, named: Named) -> bool:
    """Whether the server that is named is this store's."""
    if folder is None:
        return not named.among_others or section.endpoint_url is None
    if not named.among_others:
        raise UsageError(
            f"{folder} is a folder of this machine, which has no server",
            f"Leave --{named.prefix}endpoint-url out, or name an s3:// store.",
        )
    return False


def refuse_twice(loaded: Loaded | None, named: Sequence[Named]) -> None:
    """Refuse to use one store as two, however it is named; nothing is asked or made.

    Raises:
        UsageError: two are the same place or have one address, or one can't be named like this.
    """
    seen: list[tuple[Named, Place]] = []
    for each in named if len(named) > 1 else ():
        place = place_of(loaded, each)
        for other, known in seen:
            if place.is_same(known):
                raise UsageError(
                    f"{each.address} is named twice"
                    if each.address == other.address
                    else f"{other.address} and {each.address} are the same store",
                    "Name each store once.",
                )
            refuse_one_address(place, known)
        seen.append((each, place))


def refuse_one_address(place: Place, other: Place) -> None:
    """Refuse two stores of one address on two servers: the journal would take one for the other.

    Raises:
        UsageError: they are.
    """
    if place.backend.url == other.backend.url:
        raise UsageError(
            f"Two stores have the address {place.backend.url}, on two servers",
            "Stores are told apart by their addresses: give one another bucket or prefix.",
        )


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
    description = description_of(place)
    if description is None:
        refuse_remains(place.backend)
    if place.folder is not None and _is_folder_of_images(place, named, description, create=create):
        if _is_to_be_sealed(place, named):
            raise _not_sealed(place)
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


def description_of(place: Place) -> Description | None:
    """Return the description of the store at a place; it is told where its copy had to do.

    Raises:
        JunmaiError: as `read_description`.
    """

    def tell(problem: IntegrityError) -> None:
        log().warning("store.description_lost", store=place.backend.url, problem=problem.message)
        report.show_warning(
            f"{problem.message}; its copy was used",
            "`junmai-svc check STORE --repair` puts it back. Where the key was just changed, the"
            " former one may open it.",
        )

    return read_description(place.backend, tell)


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
    made = keep_description(
        place.backend,
        describe(place.backend, store_id, layout, key, when),
        place.options.retain_until(when),
    )
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
            raise _not_sealed(place)
        return Unsealed()
    if secret is None:
        raise UsageError(
            f"The store {place.backend.url} is sealed with a {METHODS[description.key.method]}",
            _how_to_name(description.key.method, place.prefix),
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
    if named.is_folder or any(place.folder.glob("*_backup_*.json")):
        return True
    return not create and not _is_to_be_sealed(place, named)


def _is_to_be_sealed(place: Place, named: Named) -> bool:
    """Whether a key or passphrase is named for this store and no other, or configured for it."""
    said = (named.key_file or named.passphrase_file) and not named.among_others
    section = place.section
    return bool(said or section.encryption_key_file or section.encryption_passphrase_file)


def _not_sealed(place: Place) -> UsageError:
    return UsageError(
        f"A key is named for {place.backend.url}, which is not sealed",
        "Somebody may have replaced its store.json. If it never was sealed, name no key.",
    )


def _secret(
    section: StoreSection, named: Named, origin: Path, found: Description | None, url: str
) -> Secret | None:
    """The key or passphrase of a store, read from where it is; None where none is named."""
    wants = found.key.method if found is not None and found.key is not None else None
    key_file, passphrase_file = named.key_file, named.passphrase_file
    if named.among_others:
        fits = found is None or wants == "key-file"
        key_file = key_file if fits else None
        fits = (found is None and key_file is None) or wants == "passphrase"
        passphrase_file = passphrase_file if fits else None
    is_configured = section.encryption_key_file or section.encryption_passphrase_file
    if is_configured and (named.among_others or not (key_file or passphrase_file)):
        key_file, passphrase_file = (
            counted_from(origin, Path(path)) if path else None
            for path in (section.encryption_key_file, section.encryption_passphrase_file)
        )
    given: Method | None = "key-file" if key_file else "passphrase" if passphrase_file else None
    if given and wants and given != wants:
        raise UsageError(
            f"The store {url} is sealed with a {METHODS[wants]}; a {METHODS[given]} is named",
            _how_to_name(wants, named.prefix),
        )
    if key_file is not None:
        return key_in(key_file)
    if passphrase_file is not None:
        return passphrase_in(passphrase_file)
    if wants == "passphrase" and sys.stdin.isatty():
        return Passphrase(getpass.getpass(f"Passphrase of {url}: "))
    return None


def _how_to_name(method: Method, prefix: str) -> str:
    what = method.removesuffix("-file")
    return (
        f"Name it with --{prefix}{what}-file, or as encryption_{what}_file in the store's section"
        " of the configuration."
    )
