"""What a store is and what lies in it, by the names and sizes of its objects: needs no key."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from junmai_svc.service.stores import Place, description_of
from junmai_svc.storage.backends.base import Backend, Stat
from junmai_svc.storage.errors import NotFoundError
from junmai_svc.storage.snapshots.description import COPY, NAME, Description

# By the beginning of an object's name; whole images are told by its end.
_KINDS = {
    "packs/": "packs",
    "maps/": "maps",
    "snapshots/": "snapshots",
    "holds/": "holds",
    "details/": "details",
    "journal/": "journal",
    "state/": "state",
}
_ENDS = {".db": "images", ".json": "snapshots"}


@dataclass(frozen=True)
class Held:
    """How many objects there are of a kind, and their bytes."""

    count: int = 0
    size: int = 0


@dataclass(frozen=True)
class StoreFacts:
    """A store's address, layout and id, with what it is sealed, what its place was seen to honour.

    `id` and `made` are None for a folder of images, which has no description; `sealed` is None for
    a store that is not.
    """

    store: str
    layout: str
    id: str | None
    made: str | None
    sealed: str | None
    honours: Mapping[str, bool]
    held: Mapping[str, Held]


def facts_at(place: Place) -> StoreFacts:
    """Return what the store at a place is and holds; a folder of images needs no description.

    Raises:
        NotFoundError: there is no store.
        JunmaiError: it can't be read.
    """
    description = description_of(place)
    if description is None and (place.folder is None or not place.folder.is_dir()):
        raise NotFoundError(
            f"There is no store at {place.backend.url}",
            "Check the address; `junmai-svc store init` makes one.",
        )
    return facts_of(place.backend, description)


def facts_of(backend: Backend, description: Description | None) -> StoreFacts:
    """Return what a store is and holds.

    Raises:
        JunmaiError: it can't be listed.
    """
    seen = backend.capabilities() if description is None else description.honours
    return StoreFacts(
        store=backend.url,
        layout=description.layout if description else "file",
        id=description.id if description else None,
        made=description.made if description else None,
        sealed=description.key.method if description and description.key else None,
        honours={
            name: bool(getattr(seen, name))
            for name in ("conditional_put", "object_lock", "versioning")
        },
        held=counted(backend.list()),
    )


def counted(objects: Iterable[Stat]) -> dict[str, Held]:
    """Count objects by their kind. Pure."""
    held: dict[str, Held] = {}
    for found in objects:
        kind = _kind_of(found.name)
        before = held.get(kind, Held())
        held[kind] = Held(before.count + 1, before.size + found.size)
    return dict(sorted(held.items()))


def _kind_of(name: str) -> str:
    if name in {NAME, COPY}:
        return "description"
    for beginning, kind in _KINDS.items():
        if name.startswith(beginning):
            return kind
    end = name[name.rfind(".") :] if "." in name and "/" not in name else ""
    return _ENDS.get(end, "other")
