"""Put a snapshot in the place of a database, only after it was proven and a way back exists.

Order: manifest, bytes copied beside the target while they are hashed, SQLite's checks on the copy,
then a snapshot of what is to be replaced while nobody can write it, then the switch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from junmai_svc.checks.image import Examination, examine
from junmai_svc.service.context import Context
from junmai_svc.service.operation import Operation, operation
from junmai_svc.service.publish import publish_intent
from junmai_svc.service.replace import Replaced, replace_database
from junmai_svc.storage.databases.connection import reading_image
from junmai_svc.storage.databases.failures import translated
from junmai_svc.storage.databases.online_backup import remove_database
from junmai_svc.storage.databases.schema import read_schema
from junmai_svc.storage.errors import NotFoundError, UsageError
from junmai_svc.storage.files import identity_of, staged_path, sync_file, token_of
from junmai_svc.storage.snapshots.base import LATEST, Snapshot, SnapshotStore
from junmai_svc.storage.snapshots.choosing import newest
from junmai_svc.storage.snapshots.manifest import Reason
from junmai_svc.storage.snapshots.store import FileStore, snapshot_of_file


@dataclass(frozen=True)
class Restored:
    """A finished restore: which snapshot now stands at `target`, and what became of the old one."""

    run: str
    snapshot: Snapshot
    target: Path
    replaced: Replaced
    examination: Examination


@dataclass(frozen=True)
class Which:
    """Which snapshot is meant: a file's path, a name or `latest`; or the newest one up to `at`."""

    reference: str = LATEST
    at: datetime | None = None


@dataclass(frozen=True)
class Found:
    """A snapshot and the store that has it."""

    store: SnapshotStore
    snapshot: Snapshot


def choose(context: Context, which: Which, target: Path | None) -> Found:
    """Return the snapshot that is meant, from the first store of the context that has it.

    Raises:
        NotFoundError: there is none.
        IntegrityError: it has no manifest, or one that can't be used.
    """
    return choose_from(context.stores, which, target)


def choose_from(stores: Sequence[SnapshotStore], which: Which, target: Path | None) -> Found:
    """Return the snapshot that is meant, from the first store that has it.

    Where no name is given, the snapshots of a database with the file name of `target` come first.

    Raises:
        NotFoundError: there is none.
        IntegrityError: it has no manifest, or one that can't be used.
    """
    path = Path(which.reference)
    database = target.name if target else None
    with translated("read the backup", path):
        if path.is_file():
            return Found(FileStore(path.parent), snapshot_of_file(path))
    if len(path.parts) > 1:
        raise NotFoundError(
            f"Backup not found: {which.reference}", "Check the path to the backup file."
        )
    missing: NotFoundError | None = None
    for store in stores:
        try:
            with translated("read the snapshots in", store.url):
                if which.at is None:
                    return Found(store, store.find(which.reference, database))
                good, _unreadable = store.snapshots()
                return Found(store, newest(good, database, store.url, which.at))
        except NotFoundError as error:
            missing = missing or error
    assert missing is not None, "there is at least one store"  # noqa: S101
    raise missing


def refuse_target(target: Path) -> None:
    """Refuse a target that can't be one, without opening anything.

    Raises:
        NotFoundError: its folder is not there.
        UsageError: it is a folder.
    """
    if not target.absolute().parent.is_dir():
        raise NotFoundError(
            f"The folder of {target} not found", "Make the folder, or name another --to."
        )
    if target.is_dir():
        raise UsageError(f"Can't restore to {target}: it is a folder", "Name a file as --to.")


def restore(context: Context, which: Which, target: Path, *, full_check: bool = False) -> Restored:
    """Restore a snapshot to `target`; on return it stands there, durably, byte for byte.

    SQLite's full integrity_check runs where `full_check` asks for it, or where nothing says that
    the very same bytes have been checked when they were stored.

    A database that is there already is snapshotted first (`pre-restore`).

    Raises:
        NotFoundError: there is no such snapshot, or no folder for the target.
        ChecksumError, IntegrityError: the snapshot is not what its manifest says; nothing changed.
        LockedError: somebody is using the target.
        JunmaiError: reading or writing failed; the target is the old one or the new one, whole.
    """
    found = choose(context, which, target)
    snapshot = found.snapshot
    refuse_target(target)
    if snapshot.image and target.exists() and target.samefile(snapshot.image):
        raise UsageError(
            f"Can't restore to {target}: it is the backup itself",
            "Name the database file as --to.",
        )
    start = {
        "snapshot": snapshot.name,
        "source": snapshot.place,
        "store": snapshot.store,
        "target": str(target),
    }
    with operation(context.journal, "restore", target, start=start, exclusive=True) as this:
        staged = staged_path(target, token_of(this.id))
        this.record("staged", staged=str(staged))
        try:
            examination = _stage(context, found, staged, full_check=full_check)
            this.record(
                "digests_matched",
                checksum=snapshot.manifest.checksum,
                file=identity_of(staged),
            )
            if target.exists():
                publish_intent(context)
            replaced = _switch(context, staged, target, this)
        finally:
            remove_database(staged)
        this.conclude("switched", kept=replaced.snapshot)
        return Restored(this.id, snapshot, target, replaced, examination)


def _stage(context: Context, found: Found, staged: Path, *, full_check: bool) -> Examination:
    snapshot = found.snapshot
    size = snapshot.manifest.file_size
    with (
        translated("copy the backup to", staged),
        context.progress.step(f"Restoring {snapshot.name}", size, "bytes") as tick,
    ):
        found.store.fetch(snapshot, staged, tick)
    with context.progress.step("Checking the backup", 1, "steps"):
        with reading_image(staged) as image:
            schema = read_schema(image)
        full = full_check or snapshot.manifest.check is None
        return examine(staged, schema, Path(snapshot.place), full_check=full)


def _switch(context: Context, staged: Path, target: Path, this: Operation) -> Replaced:
    with translated("restore", target):
        sync_file(staged)
    return replace_database(context, staged, target, Reason.PRE_RESTORE, this)
