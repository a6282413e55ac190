"""Take a snapshot: a consistent image, checked, hashed, stored with its manifest, recorded.

Nothing is stored that is damaged. Rows that break a constraint are the database's business: they
are counted in the manifest and never stop a backup.
"""

import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import msgspec

from junmai_svc.checks.image import Examination, examine
from junmai_svc.service.context import Context
from junmai_svc.service.operation import Operation, operation
from junmai_svc.service.signals import unbroken
from junmai_svc.service.version import __version__
from junmai_svc.storage.databases.connection import reading, require_database, size_of
from junmai_svc.storage.databases.failures import translated
from junmai_svc.storage.databases.lost_writes import require_written
from junmai_svc.storage.databases.online_backup import take_image
from junmai_svc.storage.databases.schema import Schema, read_schema
from junmai_svc.storage.files import copy_permissions, identity_of, sha256_of
from junmai_svc.storage.snapshots.manifest import (
    FORMAT,
    STAMP,
    CheckFacts,
    DatabaseFacts,
    Manifest,
    Reason,
    TableFacts,
)
from junmai_svc.storage.snapshots.store import Snapshot, Staged


@dataclass(frozen=True)
class Backup:
    """A stored snapshot, the schema it has and what its examination found."""

    run: str
    snapshot: Snapshot
    schema: Schema
    examination: Examination
    seconds: float


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

    Raises:
        NotFoundError, LockedError, AccessDeniedError, NoSpaceError: as met; nothing is stored.
        IntegrityError: the database is damaged; nothing is stored.
    """
    require_database(source)
    start = {"source": str(source), "reason": reason.value, "store": str(context.store.folder)}
    with operation(context.journal, "backup", source, start=start, parent=parent) as this:
        begun = time.monotonic()
        taken = context.clock()

        def announce(claim: Staged) -> None:
            this.record("staged", staged=str(claim.image), image=str(claim.final))

        with translated("write a backup into", context.store.folder), ExitStack() as staging:
            with unbroken():
                stage = context.store.stage(source.stem, taken, announce)
                staged = staging.enter_context(stage)
            schema = image_of(context, source, staged.image)
            file = identity_of(staged.image)
            this.record("snapshot_taken", snapshot=staged.name, file=file)
            with context.progress.step("Checking the backup", 1, "steps"):
                spent = time.monotonic() - begun
                found = examine(
                    staged.image, schema, source, full_check=full_check, copy_seconds=spent
                )
            size = staged.image.stat().st_size
            with context.progress.step("Hashing the backup", size, "bytes") as tick:
                checksum = sha256_of(staged.image, tick)
            manifest = Manifest(
                original_path=str(source),
                backup_path=str(staged.final),
                timestamp=taken.strftime(STAMP),
                checksum=checksum,
                file_size=size,
                format=FORMAT,
                name=staged.name,
                created_at=taken.isoformat(timespec="microseconds"),
                reason=reason,
                run=this.id,
                database=msgspec.convert(found.facts, DatabaseFacts),
                tables={name: TableFacts(rows=count) for name, count in found.rows.items()},
                check=CheckFacts(method=found.method, violations=found.violations),
                tool=f"junmai-svc {__version__}",
            )
            with unbroken():
                snapshot = context.store.commit(staged, manifest)
        this.record("stored", snapshot=snapshot.name, checksum=checksum, size=size)
        this.finish("verified", method=found.method)
        return Backup(this.id, snapshot, schema, found, time.monotonic() - begun)


def image_of(context: Context, source: Path, image: Path) -> Schema:
    """Write a consistent image of a live database, with its permissions, and return its schema.

    Raises:
        JunmaiError: the source can't be read or the image not written.
    """
    with reading(source) as live:
        schema = read_schema(live)
        with context.progress.step(f"Backing up {source.name}", size_of(live), "bytes") as tick:
            take_image(live, image, tick)
        require_written(live, schema, image)
    with translated("set the permissions of", image):
        copy_permissions(source, image)
    return schema
