"""Take a snapshot: a consistent image, checked, hashed, stored with its manifest, recorded.

Nothing is stored that is damaged. Rows that break a constraint are the database's business: they
are counted in the manifest and never stop a backup. Of several stores, one that fails does not stop
the others.
"""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec

from junmai_svc.checks.image import Examination, examine
from junmai_svc.service import report, unchanged
from junmai_svc.service.context import Context, StoreProblem
from junmai_svc.service.logs import log
from junmai_svc.service.operation import Operation, operation
from junmai_svc.service.publish import checkpoint_text
from junmai_svc.service.signals import unbroken
from junmai_svc.service.version import __version__
from junmai_svc.storage.databases.connection import (
    lost_its_wal,
    reading,
    require_database,
    size_of,
)
from junmai_svc.storage.databases.failures import translated
from junmai_svc.storage.databases.footprint import footprint_of
from junmai_svc.storage.databases.lost_writes import require_written
from junmai_svc.storage.databases.online_backup import take_image
from junmai_svc.storage.databases.schema import Schema, read_schema
from junmai_svc.storage.errors import (
    AccessDeniedError,
    JunmaiError,
    NoSpaceError,
    StorageUnavailableError,
)
from junmai_svc.storage.files import copy_permissions, identity_of, sha256_of, without_links
from junmai_svc.storage.snapshots.base import Snapshot, SnapshotStore, Staged, Tick, checked
from junmai_svc.storage.snapshots.manifest import (
    FORMAT,
    STAMP,
    UNKNOWN,
    CheckFacts,
    DatabaseFacts,
    Manifest,
    Reason,
    TableFacts,
)
from junmai_svc.storage.snapshots.store import FileStore


@dataclass(frozen=True)
class Backup:
    """A stored snapshot, in each store that took it; `failed` are the stores that did not.

    `examination` is what was found, None where nothing had changed since the last one.
    """

    run: str
    stored: tuple[Snapshot, ...]
    failed: tuple[StoreProblem, ...]
    examination: Examination | None
    seconds: float

    @property
    def snapshot(self) -> Snapshot:
        """The snapshot in the first store that took it."""
        return self.stored[0]


@dataclass(frozen=True)
class AtHand:
    """A backup whose image is still at hand, with its schema and what was found."""

    backup: Backup
    image: Path
    schema: Schema
    examination: Examination


@dataclass(frozen=True)
class _Taken:
    """An image that lies where its store wants it, and the store."""

    store: SnapshotStore
    staged: Staged
    schema: Schema


def backup(
    context: Context,
    source: Path,
    reason: Reason,
    *,
    full_check: bool = False,
    parent: Operation | None = None,
) -> Backup:
    """Store a snapshot of a live database; when it returns, the snapshot is durable.

    `full_check` runs SQLite's full integrity_check on the image and counts rows, else quick_check.
    Where nothing was written since the last snapshot, stores of blocks get its manifest only.

    Raises:
        NotFoundError, LockedError, AccessDeniedError, NoSpaceError: as met; nothing is stored.
        IntegrityError: the database is damaged; nothing is stored.
    """
    require_database(source)
    with _operation(context, source, reason, parent) as this:
        begun = time.monotonic()
        if parent is None and not full_check:
            again = unchanged.store_again(context, source, reason, this)
            if again is not None:
                return Backup(this.id, again, (), None, time.monotonic() - begun)
        with ExitStack() as staging:
            taken = _taken(context, source, reason, (this, parent), staging, full_check)
        # What was staged is gone before the run is over: nobody would look for it afterwards.
        _finish(this, taken)
        return taken.backup


@contextmanager
def backing_up(
    context: Context, source: Path, reason: Reason, *, full_check: bool, parent: Operation
) -> Iterator[AtHand]:
    """Do what `backup` does and keep the image at hand until the block ends.

    Raises:
        JunmaiError: as `backup`.
    """
    require_database(source)
    with ExitStack() as staging:
        with _operation(context, source, reason, parent) as this:
            taken = _taken(context, source, reason, (this, parent), staging, full_check)
            _finish(this, taken)
        yield taken


def _operation(
    context: Context, source: Path, reason: Reason, parent: Operation | None
) -> AbstractContextManager[Operation]:
    start = {
        "source": str(source),
        "reason": reason.value,
        "store": context.store.url,
        "stores": [store.url for store in context.stores],
        "folder": str(context.folder),
    }
    return operation(context.journal, "backup", source, start=start, parent=parent)


def _taken(
    context: Context,
    source: Path,
    reason: Reason,
    runs: tuple[Operation, Operation | None],
    staging: ExitStack,
    full_check: bool,
) -> AtHand:
    """Take the image, check it and store it; what is staged lives as long as `staging`."""
    this, _parent = runs
    begun, when = time.monotonic(), context.clock()
    footprint = footprint_of(source)
    failed = [*context.down]
    taken = _take(context, source, when, runs, staging, failed)
    with context.progress.step("Checking the backup", 1, "steps"):
        spent = time.monotonic() - begun
        found = examine(
            taken.staged.image, taken.schema, source, full_check=full_check, copy_seconds=spent
        )
    with translated("read the backup of", source):
        size = taken.staged.image.stat().st_size
    manifest = Manifest(
        original_path=str(source),
        backup_path="",
        timestamp=when.strftime(STAMP),
        checksum=UNKNOWN,
        file_size=size,
        format=FORMAT,
        name=taken.staged.name,
        created_at=when.isoformat(timespec="microseconds"),
        reason=reason,
        run=this.id,
        database=msgspec.convert(found.facts, DatabaseFacts),
        tables={name: TableFacts(rows=count) for name, count in found.rows.items()},
        check=CheckFacts(method=found.method, violations=found.violations),
        checkpoint=checkpoint_text(context.journal),
        tool=f"junmai-svc {__version__}",
        whole_path=str(without_links(source)),
    )
    stored, image = _store(context, taken, manifest, this, failed)
    unchanged.remember(context, source, footprint, when, stored)
    done = Backup(this.id, stored, tuple(failed), found, time.monotonic() - begun)
    return AtHand(done, image, taken.schema, found)


def _finish(this: Operation, taken: AtHand) -> None:
    failed = [each.store for each in taken.backup.failed]
    this.finish("verified", method=taken.examination.method, failed=failed)


def image_of(context: Context, source: Path, image: Path) -> Schema:
    """Write a consistent image of a live database, with its permissions, and return its schema.

    Raises:
        JunmaiError: the source can't be read or the image not written.
    """
    if lost_its_wal(source):
        log().warning("source.without_wal", source=str(source))
        report.show_warning(
            f"Beside {source} is a -shm and no -wal: whoever copied it from elsewhere may have left"
            " its newest changes behind.",
            "Copy it with its -wal, or close the program that uses it before you do.",
        )
    with reading(source) as live:
        schema = read_schema(live)
        with context.progress.step(f"Backing up {source.name}", size_of(live), "bytes") as tick:
            take_image(live, image, tick)
        require_written(live, schema, image)
    with translated("set the permissions of", image):
        copy_permissions(source, image)
    return schema


def _take(
    context: Context,
    source: Path,
    when: datetime,
    runs: tuple[Operation, Operation | None],
    staging: ExitStack,
    failed: list[StoreProblem],
) -> _Taken:
    """Take the image where a store wants it: a folder of images first, as it needs no copy then."""
    this, parent = runs
    waiting = sorted(context.stores, key=lambda store: not isinstance(store, FileStore))
    while True:
        store = waiting.pop(0)

        def announce(claim: Staged) -> None:
            final = {"image": str(claim.final)} if claim.final else {}
            this.record("staged", staged=str(claim.image), **final)
            if parent is not None and parent.kind == "migration" and claim.final is None:
                parent.record("backup_staged", borrowed=str(claim.image))

        attempt = ExitStack()
        try:
            with translated("write a backup into", store.url):
                with unbroken():
                    staged = attempt.enter_context(store.stage(source.stem, when, announce))
                schema = image_of(context, source, staged.image)
                file = identity_of(staged.image)
            this.record("snapshot_taken", snapshot=staged.name, file=file)
        except (NoSpaceError, AccessDeniedError, StorageUnavailableError) as problem:
            attempt.close()
            if not waiting:
                raise
            failed.append(_failure(this, store, problem))
        except BaseException:
            attempt.close()
            raise
        else:
            staging.push(attempt.pop_all())
            return _Taken(store, staged, schema)


def _store(
    context: Context,
    taken: _Taken,
    manifest: Manifest,
    this: Operation,
    failed: list[StoreProblem],
) -> tuple[tuple[Snapshot, ...], Path]:
    """Store the image in every store that works; return the snapshots and where the image lies."""

    def announce(claim: Staged) -> None:
        this.record("staged", scratch=str(claim.image))

    stored: dict[str, Snapshot] = {}
    image = taken.staged.image
    tried = {each.store for each in failed}
    others = [s for s in context.stores if s is not taken.store and s.url not in tried]
    size = manifest.file_size
    for store in (taken.store, *others):
        try:
            with (
                translated("write a backup into", store.url),
                context.progress.step(f"Storing in {store.url}", size, "bytes") as tick,
            ):
                if store is taken.store:
                    snapshot = _commit(store, taken.staged, manifest, tick)
                    image = snapshot.image or image
                else:
                    snapshot = store.put(image, manifest, tick, announce)
        except JunmaiError as problem:
            failed.append(_failure(this, store, problem))
            continue
        stored[store.url] = snapshot
        manifest = snapshot.manifest  # the others have to find the same bytes
        this.record(
            "stored",
            snapshot=snapshot.name,
            store=store.url,
            checksum=manifest.checksum,
            manifest=manifest.digest,
            size=size,
            new_bytes=snapshot.manifest.new_bytes,
        )
    if not stored:
        raise failed[-1].problem
    return tuple(stored[s.url] for s in context.stores if s.url in stored), image


def _commit(
    store: SnapshotStore, staged: Staged, manifest: Manifest, tick: Tick | None
) -> Snapshot:
    """Commit a staged image; a signal comes before it is a snapshot in its folder, or after."""
    if not isinstance(store, FileStore):
        return store.commit(staged, manifest, tick)
    # What takes long comes first: a signal need not wait for it.
    manifest = checked(manifest, sha256_of(staged.image, tick), staged.image)
    with unbroken():
        return store.commit(staged, manifest)


def _failure(this: Operation, store: SnapshotStore, problem: JunmaiError) -> StoreProblem:
    this.record("store_failed", store=store.url, message=problem.message, hint=problem.hint)
    return StoreProblem(store.url, problem)
