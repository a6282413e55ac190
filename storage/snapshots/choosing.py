"""Which snapshot a reference means: a name, `latest`, or the last one up to a time. Pure."""

from collections.abc import Sequence
from datetime import datetime

from junmai_svc.storage.errors import NotFoundError
from junmai_svc.storage.snapshots.base import Snapshot


def name_of(reference: str) -> str:
    """Return the snapshot's name for a reference that may be its image's or manifest's name."""
    return reference.removesuffix(".db").removesuffix(".json")


def newest(
    snapshots: Sequence[Snapshot],
    database_name: str | None,
    where: str,
    at: datetime | None = None,
) -> Snapshot:
    """Return the newest of the snapshots, or the newest one taken up to `at` (UTC).

    They come newest first. Snapshots of `database_name` are looked at first; those that were only
    taken to undo a restore or an overwrite are passed over.

    Raises:
        NotFoundError: there is none, or it could be one of several databases.
    """
    candidates = [
        each
        for each in snapshots
        if not each.manifest.reason.is_undo and (at is None or each.manifest.taken <= at)
    ]
    own = [each for each in candidates if each.manifest.database_name == database_name]
    databases = {each.manifest.database_name for each in candidates}
    until = f" up to {at:%Y-%m-%d %H:%M:%S} UTC" if at else ""
    if not own and len(databases) > 1:
        raise NotFoundError(
            f"Backup not found: {where} holds none of {database_name}{until}, but of"
            f" {', '.join(sorted(databases))}",
            "Name the snapshot instead.",
        )
    if not candidates:
        raise NotFoundError(
            f"Backup not found: no snapshot in {where}{until}",
            "Check --backup-dir or --store, or take one with `junmai-svc backup --source PATH`.",
        )
    return (own or candidates)[0]


def missing(reference: str, where: str) -> NotFoundError:
    """The error for a snapshot that is not in a store."""
    return NotFoundError(
        f"Backup not found: {reference} is not in {where}",
        "List the snapshots with `junmai-svc snapshots`.",
    )
