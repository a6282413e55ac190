"""`store.json`: what a store is. Made once, before anything is stored; only its key changes.

    {"format": 1, "id": <uuid>, "layout": "file" | "blocks", "key": null | <wrapped data key>,
     "honours": {"conditional_put": ..., "object_lock": ..., "versioning": ...}, "made": <time>}

It comes from outside and is checked before it is used. What the place honours was seen by a probe
when the store was made. A folder of images, as the replaced tool has it, needs no description.
"""

import re
from datetime import datetime
from typing import Annotated, Literal
from uuid import uuid4

import msgspec

from junmai_svc.storage.backends.base import Backend, Capabilities
from junmai_svc.storage.backends.probe import probe
from junmai_svc.storage.errors import IntegrityError, NotFoundError
from junmai_svc.storage.snapshots.blocks.keys import WrappedKey

NAME = "store.json"
FORMAT = 1
LARGEST = 64 << 10  # bytes

Layout = Literal["file", "blocks"]

_UUID = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z"


class Honours(msgspec.Struct, frozen=True, kw_only=True):
    """What a probe saw the place honour."""

    conditional_put: bool = False
    object_lock: bool = False
    versioning: bool = False


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """What a store is; `key` is there where it is sealed."""

    format: int
    id: Annotated[str, msgspec.Meta(pattern=_UUID)]
    layout: Layout
    key: WrappedKey | None = None
    honours: Honours = msgspec.field(default_factory=Honours)
    made: Annotated[str, msgspec.Meta(max_length=64)] = ""

    @property
    def seen(self) -> Capabilities:
        """What may be relied on, for `Backend.trusting`."""
        return Capabilities(
            conditional_put=self.honours.conditional_put,
            object_lock=self.honours.object_lock,
            versioning=self.honours.versioning,
        )


def new_store_id() -> str:
    """Return an id that no other store has."""
    return str(uuid4())


def describe(
    backend: Backend, store_id: str, layout: Layout, key: WrappedKey | None, when: datetime
) -> Description:
    """Probe a place and return the description of a new store there; nothing is kept yet.

    Raises:
        JunmaiError: the place can't be used.
    """
    seen = probe(backend)
    honours = Honours(
        conditional_put=seen.conditional_put,
        object_lock=seen.object_lock,
        versioning=seen.versioning,
    )
    return Description(
        format=FORMAT,
        id=store_id,
        layout=layout,
        key=key,
        honours=honours,
        made=when.isoformat(timespec="seconds"),
    )


def keep_description(
    backend: Backend, description: Description, retain_until: datetime | None = None
) -> Description:
    """Store the description of a new store; return the one that is there in the end.

    `retain_until` locks it where the place honours that, as without it a sealed store can't be
    opened. Of two that make the store at once, one does; the other one uses it.

    Raises:
        JunmaiError: the place can't be used.
    """
    content = encode_description(description)
    place = backend.trusting(description.seen)
    if place.put(NAME, content, if_absent=True, retain_until=retain_until):
        return description
    found = read_description(backend)
    if found is None:
        raise IntegrityError(f"{NAME} in {backend.url} comes and goes", "Check the store.")
    return found


def replace_description(
    backend: Backend, description: Description, retain_until: datetime | None = None
) -> None:
    """Store another description of a store, locked as the first one; durable on return.

    Raises:
        JunmaiError: the place can't be used; then the one or the other is there.
    """
    place = backend.trusting(description.seen)
    place.put(NAME, encode_description(description), retain_until=retain_until)


def encode_description(description: Description) -> bytes:
    """Return the description as indented JSON in UTF-8."""
    return msgspec.json.format(msgspec.json.encode(description), indent=2) + b"\n"


def read_description(backend: Backend) -> Description | None:
    """Return the description of the store at a place; None where there is none.

    Raises:
        IntegrityError: it is damaged or of a newer format.
        JunmaiError: the place can't be read.
    """
    try:
        content = backend.get(NAME, LARGEST)
    except NotFoundError:
        return None
    where = f"{NAME} in {backend.url}"
    version = re.search(rb'"format"\s*:\s*(\d{1,9})', content)
    if version and int(version[1]) > FORMAT:
        raise IntegrityError(
            f"{where} has format {int(version[1])}; this program reads up to {FORMAT}",
            "Install the newest junmai-svc.",
        )
    try:
        return msgspec.json.decode(content, type=Description)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise IntegrityError(
            f"{where} is damaged: {error}",
            "Put it back from a copy of the store; without it a sealed store can't be opened.",
        ) from error
