"""Where a store of blocks keeps what, by the names of its objects.

snapshots/<name>.json            the manifests of the snapshots that there are
packs/<2 hex>/<sha256>           the packs
maps/<name>                      the maps
state/pending/<name>             manifests that are about to become snapshots
state/pending/<id>/<name>        the same, of those who finish what a writer who died began
state/expired/<name>             what a pruner found pending for too long: it protects still
state/pending-maps/<id>/<name>   new versions of maps, by the id of whoever rewrites packs
state/expired-maps/<id>/<name>   the same of those
state/marks/<pruner>/<object>    what a pruner is about to delete
state/marks/damaged/<object>     what was found damaged (`distrusting`)
state/description.json           the copy of the store's description (`description`)
quarantine/<object>              damaged packs and manifests, for whoever wants to look at them
"""

from collections.abc import Iterator

from junmai_svc.storage.backends.base import Backend, Stat

SNAPSHOTS = "snapshots/"
PACKS = "packs/"
MAPS = "maps/"
PENDING = "state/pending/"
EXPIRED = "state/expired/"
PENDING_MAPS = "state/pending-maps/"
EXPIRED_MAPS = "state/expired-maps/"
MARKS = "state/marks/"
QUARANTINE = "quarantine/"
MANIFEST_SUFFIX = ".json"


def pack_object(pack: str) -> str:
    """Return the object that holds a pack."""
    return f"{PACKS}{pack[:2]}/{pack}"


def map_object(name: str) -> str:
    """Return the object that holds a map."""
    return f"{MAPS}{name}"


def manifest_object(snapshot: str) -> str:
    """Return the object that holds a snapshot's manifest."""
    return f"{SNAPSHOTS}{snapshot}{MANIFEST_SUFFIX}"


def mark_object(pruner: str, name: str) -> str:
    """Return the object by which a pruner marks another one."""
    return f"{MARKS}{pruner}/{name}"


def packs_in(backend: Backend) -> Iterator[tuple[str, Stat]]:
    """Yield the packs of a store by name.

    Raises:
        JunmaiError: the store can't be listed.
    """
    for found in backend.list(PACKS):
        yield found.name.rpartition("/")[2], found


def marked_in(backend: Backend) -> frozenset[str]:
    """Return the objects that any pruner has marked.

    Raises:
        JunmaiError: the store can't be listed.
    """
    return frozenset(
        each.name.removeprefix(MARKS).partition("/")[2] for each in backend.list(MARKS)
    )
