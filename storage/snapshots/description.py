"""`store.json`: what a store is. Made once, before anything is stored; only its key changes.

    {"format": 1, "id": <uuid>, "layout": "file" | "blocks", "key": null | <wrapped data key>,
     "honours": {"conditional_put": ..., "object_lock": ..., "versioning": ...}, "made": <time>,
     "sha256": <hex>}

It comes from outside and is checked before it is used. What the place honours was seen by a probe
when the store was made. A folder of images, as the replaced tool has it, needs no description.

`sha256` is of the same object in JSON without spaces, with "" in its place: so that a wrapped key
whose bytes went bad is not taken for one of another key. Older descriptions lack it.

`state/description.json` is its copy, as without the wrapped key in it a sealed store can't be
opened. It is written after the description and read where that is damaged or gone. Stores that were
made before there was one do without until a repair.
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal
from uuid import uuid4

import msgspec

from junmai_svc.storage.backends.base import Backend, Capabilities
from junmai_svc.storage.backends.probe import probe
from junmai_svc.storage.errors import IntegrityError, NotFoundError
from junmai_svc.storage.snapshots.blocks.keys import WrappedKey

NAME = "store.json"
# Not by the name of a description: the folder above it may be named as a store of its own.
COPY = "state/description.json"
FORMAT = 1
LARGEST = 64 << 10  # bytes

_LOST_HINT = "Put it back from a copy of the store; without it a sealed store can't be opened."

Layout = Literal["file", "blocks"]

_UUID = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z"


class NewerStoreError(IntegrityError):
    """The description is of a newer format than this program knows."""


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
    sha256: Annotated[str, msgspec.Meta(max_length=64)] = ""  # set in what is stored only

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
        place.put(COPY, content)
        return description
    found = read_description(backend)
    if found is None:
        raise IntegrityError(f"{NAME} in {backend.url} comes and goes", "Check the store.")
    return found


def replace_description(
    backend: Backend, description: Description, retain_until: datetime | None = None
) -> None:
    """Store another description of a store, locked as the first one, and its copy; durable then.

    Raises:
        JunmaiError: the place can't be used; then the one or the other is there.
    """
    place = backend.trusting(description.seen)
    content = encode_description(description)
    place.put(NAME, content, retain_until=retain_until)
    place.put(COPY, content)


def encode_description(description: Description) -> bytes:
    """Return the description as indented JSON in UTF-8, with its SHA-256."""
    summed = msgspec.structs.replace(description, sha256=_sum_of(description))
    return msgspec.json.format(msgspec.json.encode(summed), indent=2) + b"\n"


def read_description(
    backend: Backend, tell: Callable[[IntegrityError], None] | None = None
) -> Description | None:
    """Return the description of the store at a place; None where there is none.

    Where it is damaged or gone its copy is read, and `tell` hears what is wrong with it.

    Raises:
        IntegrityError: it is damaged and has no good copy, or is of a newer format.
        JunmaiError: the place can't be read.
    """
    own = _looked_at(backend, NAME, f"{NAME} in {backend.url}")
    if isinstance(own, Description):
        return own
    if isinstance(own, NewerStoreError):
        raise own
    copy = _looked_at(backend, COPY, f"{COPY} in {backend.url}")
    if isinstance(copy, Description):
        if tell is not None:
            tell(own or IntegrityError(f"{NAME} in {backend.url} is gone", _LOST_HINT))
        return copy
    if own is not None:
        raise own
    return None


@dataclass(frozen=True)
class Flaw:
    """What is wrong with the description of a store, or its copy: `name` is the object's.

    `is_damage` is False where there has never been a copy.
    """

    name: str
    problem: str
    is_damage: bool = True


def flaw_of(backend: Backend) -> Flaw | None:
    """Return what is wrong with a store's description or its copy; None too where neither is there.

    Raises:
        JunmaiError: the place can't be read.
    """
    own, copy = (_looked_at(backend, name, name) for name in (NAME, COPY))
    if own is copy is None:
        return None
    if not isinstance(own, Description):
        return Flaw(NAME, own.message if own else f"{NAME} is gone")
    if not isinstance(copy, Description):
        problem = copy.message if copy else f"{COPY} is gone"
        return Flaw(COPY, problem, is_damage=copy is not None)
    if own.key != copy.key:
        return Flaw(COPY, f"{COPY} has another key than {NAME}: a change was not finished")
    return Flaw(COPY, f"{COPY} is not as {NAME}") if own != copy else None


def mend_description(backend: Backend, flaw: Flaw, retain_until: datetime | None) -> None:
    """Put the one of the two that is flawed back, from the other; durable on return.

    Raises:
        IntegrityError: the other is damaged too.
        JunmaiError: the place can't be used.
    """
    good = COPY if flaw.name == NAME else NAME
    content = _get(backend, good)
    if content is None:
        raise IntegrityError(f"{good} in {backend.url} is gone", _LOST_HINT)
    _parsed(content, f"{good} in {backend.url}")
    backend.put(flaw.name, content, retain_until=retain_until if flaw.name == NAME else None)


def _looked_at(backend: Backend, name: str, where: str) -> Description | IntegrityError | None:
    """A description, or what is wrong with it, told of `where`; None where it is gone."""
    try:
        content = _get(backend, name)
        return None if content is None else _parsed(content, where)
    except IntegrityError as problem:
        return problem


def _get(backend: Backend, name: str) -> bytes | None:
    try:
        return backend.get(name, LARGEST)
    except NotFoundError:
        return None


def _parsed(content: bytes, where: str) -> Description:
    version = re.search(rb'"format"\s*:\s*(\d{1,9})', content)
    if version and int(version[1]) > FORMAT:
        raise NewerStoreError(
            f"{where} has format {int(version[1])}; this program reads up to {FORMAT}",
            "Install the newest junmai-svc.",
        )
    try:
        found = msgspec.json.decode(content, type=Description)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise IntegrityError(f"{where} is damaged: {error}", _LOST_HINT) from error
    bare = msgspec.structs.replace(found, sha256="")
    if found.sha256 not in {"", _sum_of(bare)}:
        raise IntegrityError(f"{where} is damaged: it has another SHA-256", _LOST_HINT)
    return bare


def _sum_of(description: Description) -> str:
    return hashlib.sha256(msgspec.json.encode(description)).hexdigest()
