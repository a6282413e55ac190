"""Which snapshots are meant: by a name, as `latest`, as the last one up to a time. Pure.

And which others lie in the very same places.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from pathlib import PurePath

from junmai_svc.storage.errors import NotFoundError
from junmai_svc.storage.snapshots.base import Snapshot
from junmai_svc.storage.snapshots.manifest import is_same_database

SHOWN_DATABASES = 10


def name_of(reference: str) -> str:
    """Return the snapshot's name for a reference that may be its image's or manifest's name."""
    return reference.removesuffix(".db").removesuffix(".json")


def newest(
    snapshots: Iterable[Snapshot],
    database: PurePath | None,
    where: str,
    at: datetime | None = None,
) -> Snapshot:
    """Return the newest of the snapshots, or the newest one taken up to `at` (UTC).

    They come newest first, and no more are taken than decide. Those of the very `database` count
    before those of its file name, and these before all others: which must be of one database, as
    nobody can tell which of several is meant. Those that were only taken to undo a restore or an
    overwrite are passed over.

    Raises:
        NotFoundError: there is none, or it could be one of several databases.
    """
    candidates: list[Snapshot] = []
    for each in snapshots:
        if each.manifest.reason.is_undo or (at is not None and each.manifest.taken > at):
            continue
        if database is not None and each.manifest.is_of(database):
            return each
        candidates.append(each)
    until = f" up to {at:%Y-%m-%d %H:%M:%S} UTC" if at else ""
    if not candidates:
        raise NotFoundError(
            f"Backup not found: no snapshot in {where}{until}",
            "Check --backup-dir or --store, or take one with `junmai-svc backup --source PATH`.",
        )
    named = [each for each in candidates if database and is_named(each, database)]
    candidates = named or candidates
    paths = _databases(candidates)
    if len(paths) > 1:
        raise _ambiguous(paths, database, f"{where}{until}")
    return max(candidates, key=lambda each: (each.manifest.taken, each.name))


def is_named(snapshot: Snapshot, database: PurePath) -> bool:
    """Whether a snapshot is of a database of the same file name."""
    return snapshot.manifest.database_name == database.name


def sharing_map(names: Collection[str], snapshots: Sequence[Snapshot]) -> frozenset[str]:
    """Return the names, and those of the snapshots of one store that lie by the very same maps.

    What is damaged of the one is damaged of the other. One of the same image with another map may
    be what was stored anew after the damage was found.
    """
    maps = {each.manifest.map for each in snapshots if each.name in names} - {""}
    return frozenset(names).union(each.name for each in snapshots if each.manifest.map in maps)


def missing(reference: str, where: str) -> NotFoundError:
    """The error for a snapshot that is not in a store."""
    return NotFoundError(
        f"Backup not found: {reference} is not in {where}",
        "List the snapshots with `junmai-svc snapshots`.",
    )


def _databases(snapshots: Iterable[Snapshot]) -> list[str]:
    """The paths of the databases that snapshots are of, each once, however it was given."""
    found: list[str] = []
    # The longest first: a relative path is that of one which ends like it.
    for path in sorted({each.manifest.original_path for each in snapshots}, key=len, reverse=True):
        if not any(is_same_database(path, PurePath(other)) for other in found):
            found.append(path)
    return sorted(found)


def _ambiguous(paths: list[str], database: PurePath | None, where: str) -> NotFoundError:
    shown = ", ".join(paths[:SHOWN_DATABASES])
    if len(paths) > SHOWN_DATABASES:
        shown += f" and {len(paths) - SHOWN_DATABASES:,} more"
    whose = f"none of {database}, but of" if database else "those of several databases:"
    return NotFoundError(f"Backup not found: {where} holds {whose} {shown}", "Name the snapshot.")
