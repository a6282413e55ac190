"""Put a snapshot in the place of a database, only after it was proven and a way back exists.

Order: manifest, bytes copied beside the target while they are hashed, SQLite's checks on the copy,
then a snapshot of what is to be replaced while nobody can write it, then the switch.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePath

from junmai_svc.checks.image import Examination, examine
from junmai_svc.service.context import Context, StoreProblem
from junmai_svc.service.logs import log
from junmai_svc.service.one_history import require_one_history
from junmai_svc.service.operation import Operation, operation
from junmai_svc.service.recorded import require_recorded
from junmai_svc.service.replace import Replaced, replace_database
from junmai_svc.storage.databases.connection import reading_image
from junmai_svc.storage.databases.failures import translated
from junmai_svc.storage.databases.online_backup import remove_database
from junmai_svc.storage.databases.schema import read_schema
from junmai_svc.storage.errors import (
    ChecksumError,
    IntegrityError,
    JunmaiError,
    NotFoundError,
    UsageError,
)
from junmai_svc.storage.files import (
    identity_of,
    led_to,
    staged_path,
    sync_file,
    token_of,
    without_links,
)
from junmai_svc.storage.journal.addresses import is_same_place
from junmai_svc.storage.journal.folding import SNAPSHOTS, rows_named
from junmai_svc.storage.snapshots.base import LATEST, Snapshot, SnapshotStore
from junmai_svc.storage.snapshots.manifest import Reason
from junmai_svc.storage.snapshots.store import FileStore, snapshot_of_file


@dataclass(frozen=True)
class Restored:
    """A finished restore: which snapshot now stands at `target`, and what became of the old one.

    `passed_over` are the copies that were damaged, `down` the stores that could not be opened.
    """

    run: str
    snapshot: Snapshot
    target: Path
    replaced: Replaced
    examination: Examination
    passed_over: tuple[StoreProblem, ...] = ()
    down: tuple[StoreProblem, ...] = ()


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
    return choose_from(context.stores, which, without_links(target) if target else None)


def choose_from(stores: Sequence[SnapshotStore], which: Which, database: PurePath | None) -> Found:
    """Return the snapshot that is meant, from the first store that has it.

    Where no name is given, it is one of the `database`, see `choosing.newest`, and the newest that
    any of the stores has. A store that can't be read, or whose manifest of it can't be used, is
    passed over where another one has it.

    Raises:
        NotFoundError: there is none.
        IntegrityError: it has no manifest, or one that can't be used.
        JunmaiError: no store has it, and one can't be read.
    """
    path = Path(which.reference)
    with translated("read the backup", path):
        if path.is_file():
            return Found(FileStore(path.parent), snapshot_of_file(path))
    if len(path.parts) > 1:
        raise NotFoundError(
            f"Backup not found: {which.reference}", "Check the path to the backup file."
        )
    found: list[Found] = []
    missing: list[NotFoundError] = []
    failed: list[JunmaiError] = []
    for store in stores:
        try:
            with translated("read the snapshots in", store.url):
                found.append(Found(store, store.find(which.reference, database, which.at)))
        except NotFoundError as error:
            missing.append(error)
        except JunmaiError as error:
            log().warning("restore.store_failed", store=store.url, problem=error.message)
            failed.append(error)
        if found and which.reference != LATEST:
            break
    if found:
        return max(found, key=lambda each: each.snapshot.manifest.taken)  # of equals the first
    raise [*failed, *missing][0]


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

    A database that is there already is snapshotted first (`pre-restore`). Where the first store's
    copy of the snapshot is damaged, the next store that has the same one is taken. Where `target`
    is a link, the file that it leads to is the database, and the link stays.

    Raises:
        NotFoundError: there is no such snapshot, or no folder for the target.
        UsageError: the target is the backup itself, or the journal.
        ChecksumError, IntegrityError: the snapshot is not what its manifest says, or the journal
            and a store tell two histories and a database is to be replaced; nothing changed.
        LockedError: somebody is using the target.
        JunmaiError: reading or writing failed; the target is the old one or the new one, whole.
    """
    target = led_to(target)
    _refuse_journal(context, target)
    found = choose(context, which, target)
    snapshot = found.snapshot
    refuse_target(target)
    if snapshot.image and target.exists() and target.samefile(snapshot.image):
        raise UsageError(
            f"Can't restore to {target}: it is the backup itself",
            "Name the database file as --to.",
        )
    if target.exists():
        require_one_history(context)
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
            copy, examination, passed_over = _stage(context, found, staged, full_check=full_check)
            this.record(
                "digests_matched",
                checksum=snapshot.manifest.checksum,
                file=identity_of(staged),
                store=copy.store,
            )
            replaced = _switch(context, staged, target, this)
        finally:
            remove_database(staged)
        this.conclude("switched", kept=replaced.snapshot, store=copy.store)
        return Restored(
            this.id, copy, target, replaced, examination, tuple(passed_over), context.down
        )


def _refuse_journal(context: Context, target: Path) -> None:
    """Refuse to replace the journal in which this very restore is recorded."""
    journal = context.journal.path
    if target.exists() and target.samefile(journal):
        raise UsageError(
            f"Can't restore to {target}: it is the journal that this is recorded in",
            "`junmai-svc audit recover` refills it from a store. To put a snapshot of it back,"
            " record that elsewhere: `junmai-svc --journal OTHER.db restore ...`.",
        )


def _stage(
    context: Context, found: Found, staged: Path, *, full_check: bool
) -> tuple[Snapshot, Examination, list[StoreProblem]]:
    """Put a proven copy of the snapshot at `staged`; return it, and the copies that are damaged.

    Raises:
        IntegrityError: no store has a whole one.
    """
    damaged: list[StoreProblem] = []
    first: IntegrityError | None = None
    for copy in _copies(context, found):
        try:
            examination = _stage_one(context, copy, staged, full_check=full_check)
        except IntegrityError as problem:
            first = first or problem
            place = copy.snapshot.store
            damaged.append(StoreProblem(place, problem))
            log().warning("restore.copy_damaged", store=place, problem=problem.message)
            remove_database(staged)
        else:
            return copy.snapshot, examination, damaged
    assert first is not None, "there is at least one copy"  # noqa: S101
    raise _none_is_whole(context, found.snapshot, damaged) from first


def _copies(context: Context, found: Found) -> Iterator[Found]:
    """The snapshot as it was found, then the very same one in other stores."""
    yield found
    for store in context.stores:
        if is_same_place(store.url, found.store.url):
            continue
        try:
            with translated("read the snapshots in", store.url):
                other = store.find(found.snapshot.name)
        except JunmaiError as problem:
            log().info("restore.no_copy", store=store.url, problem=problem.message)
            continue
        if other.manifest.checksum == found.snapshot.manifest.checksum:
            yield Found(store, other)


def _none_is_whole(
    context: Context, snapshot: Snapshot, damaged: Sequence[StoreProblem]
) -> IntegrityError:
    """The error that names the snapshot, what is wrong with each copy, and who else has it."""
    first = damaged[0].problem
    told = "; ".join(f"in {each.store}: {each.problem.message}" for each in damaged)
    tried = [each.store for each in damaged]
    others = [
        str(row["store"])
        for _, row in rows_named(context.journal.projection(), SNAPSHOTS)
        if row["snapshot"] == snapshot.name
        and row["deleted"] is None
        and row["checksum"] in {None, snapshot.manifest.checksum}
        and not any(is_same_place(str(row["store"]), place) for place in tried)
    ]
    hint = f"{', '.join(sorted(others))} has it too: name it as --store." if others else first.hint
    kind = ChecksumError if isinstance(first, ChecksumError) else IntegrityError
    return kind(f"{snapshot.name} is damaged {told}", hint)


def _stage_one(context: Context, found: Found, staged: Path, *, full_check: bool) -> Examination:
    snapshot = found.snapshot
    size = snapshot.manifest.file_size
    require_recorded(context.journal, found.store, snapshot)
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
