"""Make a store, and give a sealed one another key: the few writes that everything else hangs on.

A new key file is durable before a store needs it. A store's description is proven to open with its
key before anything is said to be done.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import msgspec

from junmai_svc.service.logs import log
from junmai_svc.service.secret import key_in, passphrase_in
from junmai_svc.service.stores import (
    LOST_KEY,
    Place,
    description_of,
    make_store,
    refuse_remains,
    seal_of,
)
from junmai_svc.storage.databases.failures import translated
from junmai_svc.storage.errors import (
    AccessDeniedError,
    IntegrityError,
    NotFoundError,
    UsageError,
)
from junmai_svc.storage.snapshots.blocks.keys import (
    Passphrase,
    Secret,
    make_key_file,
    unwrap,
    wrap,
)
from junmai_svc.storage.snapshots.description import (
    NAME,
    Description,
    read_description,
    replace_description,
)

NOT_REVOKED = (
    "Whoever has a copy of the old store.json and the old key can still open this store:"
    " changing the key does not revoke what was copied before."
)


@dataclass(frozen=True, repr=False)
class NewSecret:
    """The key or passphrase that a store is to have; nothing has been read or made yet.

    With `make`, the key file is made.
    """

    key_file: Path | None = None
    make: bool = False
    passphrase_file: Path | None = None
    passphrase: Passphrase | None = None

    @property
    def is_meant(self) -> bool:
        """False where no key or passphrase is named."""
        return any((self.key_file, self.passphrase_file, self.passphrase))

    def taken(self) -> Secret | None:
        """Return it, read or made; None where none is meant.

        Raises:
            UsageError: the key file to make is there already, or it is no key.
            JunmaiError: a file can't be read or written.
        """
        if self.key_file is not None and self.make:
            return _made(self.key_file)
        if self.key_file is not None:
            return key_in(self.key_file, "Add --new-key to make it.")
        if self.passphrase_file is not None:
            return passphrase_in(self.passphrase_file)
        return self.passphrase


def init_store(place: Place, new: NewSecret, when: datetime) -> tuple[Description, list[str]]:
    """Make a store where there is none; return what it is, and what a person has to know.

    On return it is durable and was opened once with its key.

    Raises:
        UsageError: there is a store already, or it can't be made like this.
        JunmaiError: the place or a key file can't be used.
    """
    _refuse(place, sealed=new.is_meant)
    given = new.taken()
    if given is not None:
        place = replace(place, secret=lambda _description: given)
    made = make_store(place, when)
    seal_of(place, made)
    return made, [LOST_KEY] if made.key is not None else []


def change_key(place: Place, new: NewSecret, when: datetime) -> tuple[Description, list[str]]:
    """Wrap a sealed store's data key with another secret: one object and its copy are rewritten.

    That is durable on return. The old secret is the place's. What the store holds is not touched.

    Raises:
        NotFoundError: there is no store.
        UsageError: it is not sealed, or no key is named.
        AccessDeniedError: the old key is not the store's.
        JunmaiError: the place or a key file can't be used; the old key or the new one opens it.
    """
    before = description_of(place)
    if before is None:
        raise NotFoundError(f"There is no store at {place.backend.url}", "Check the address.")
    if before.key is None:
        raise UsageError(
            f"The store {place.backend.url} is not sealed",
            "What is in it would stay readable. Make a sealed one with `junmai-svc store init`, and"
            " `junmai-svc copy` everything there.",
        )
    old = place.secret(before)
    if old is None:
        raise UsageError(
            f"The store {place.backend.url} is sealed and its key is not named",
            "Name the present key with --key-file or --passphrase-file.",
        )
    data_key = unwrap(before.key, old, before.id)
    secret = new.taken()
    if secret is None:
        raise UsageError("No new key is named", "Name it by --new-key-file.")
    after = msgspec.structs.replace(before, key=wrap(data_key, secret, before.id))
    replace_description(place.backend, after, place.options.retain_until(when))
    found = read_description(place.backend)
    if not _opens(found, secret, data_key):
        raise IntegrityError(
            f"{NAME} in {place.backend.url} is not what was just written",
            "Somebody may have changed it at the same time. Try both keys, and keep both.",
        )
    log().warning("store.key_changed", store=place.backend.url, remember=NOT_REVOKED)
    return after, [LOST_KEY, NOT_REVOKED]


def _opens(found: Description | None, secret: Secret, data_key: bytes) -> bool:
    if found is None or found.key is None:
        return False
    try:
        return unwrap(found.key, secret, found.id) == data_key
    except (AccessDeniedError, UsageError):
        return False


def _refuse(place: Place, *, sealed: bool) -> None:
    if description_of(place) is not None:
        raise UsageError(
            f"There is a store at {place.backend.url} already",
            f"See it with `junmai-svc store show {place.backend.url}`.",
        )
    refuse_remains(place.backend)
    layout = place.section.layout or "blocks"
    if sealed and layout != "blocks":
        raise UsageError(
            f"A store of layout {layout} can't be sealed", "Choose layout blocks, or no key."
        )
    if layout == "blocks" and place.folder and any(place.folder.glob("*_backup_*.json")):
        raise UsageError(
            f"{place.folder} holds backups as files, which a store of blocks would not show",
            "Name another folder, and `copy` them there; or add --layout file.",
        )


def _made(path: Path) -> Secret:
    if path.exists():
        raise UsageError(
            f"The key file {path} exists already",
            "Leave out --new-key to use it, or name another file.",
        )
    with translated("make the key file", path):
        made = make_key_file(path)
    log().info("key.made", file=str(path))
    return made
