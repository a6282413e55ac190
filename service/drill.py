"""A drill: the newest snapshot of a database in a store is really restored, into scratch.

The whole image is fetched and hashed, SQLite checks it in full, and every row of every table is
read into a digest, which is compared where the manifest knows it. It comes out `proven`, `failed`
(the snapshot is not what it should be) or `inconclusive` (the store, the scratch folder or a signal
came between, which says nothing about the snapshot).
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from junmai_svc.checks.image import examine
from junmai_svc.service.context import Context
from junmai_svc.service.details import fitting
from junmai_svc.service.operation import Operation, operation
from junmai_svc.service.scratch import room_for, scratch, scratch_name
from junmai_svc.service.version import __version__
from junmai_svc.storage.databases.connection import reading_image
from junmai_svc.storage.databases.digest import TableDigest, table_digest
from junmai_svc.storage.databases.failures import translated
from junmai_svc.storage.databases.schema import read_schema
from junmai_svc.storage.errors import (
    IntegrityError,
    InterruptedRunError,
    JunmaiError,
    NotFoundError,
)
from junmai_svc.storage.files import without_links
from junmai_svc.storage.snapshots.base import Snapshot, SnapshotStore


class Result(StrEnum):
    """What a drill found."""

    PROVEN = "proven"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True)
class Drill:
    """One drill: `problem` says why it was not proven; `tables` are digests of what was read."""

    run: str
    snapshot: Snapshot
    store: str
    result: Result
    seconds: float
    tables: Mapping[str, TableDigest]
    problem: JunmaiError | None = None


def newest_of(store: SnapshotStore, database: Path | None) -> list[Snapshot]:
    """Return the newest snapshot of a database in a store, or of each one where none is named.

    Passed over are those that were only taken to undo something. A database is known by its path;
    a snapshot whose path only ends like it is passed over where one has the very path.

    Raises:
        NotFoundError: there is none.
        JunmaiError: the store can't be read.
    """
    with translated("list the snapshots in", store.url):
        found = [each for each in store.snapshots()[0] if not each.manifest.reason.is_undo]
    if database is not None:
        whole = without_links(database)
        own = [each for each in found if Path(each.manifest.path) == whole]
        found = own or [each for each in found if each.manifest.is_of(database)]
    newest: dict[str, Snapshot] = {}
    for each in found:
        newest.setdefault(each.manifest.path, each)
    if not newest:
        whose = f" of {database}" if database is not None else ""
        raise NotFoundError(
            f"There is no snapshot{whose} in {store.url} to drill with",
            "Take one with `junmai-svc backup --source PATH`.",
        )
    return list(newest.values())[:1] if database is not None else list(newest.values())


def drill(context: Context, snapshot: Snapshot) -> Drill:
    """Restore a snapshot of the context's store into scratch and prove it; leaves nothing there.

    On return the outcome is recorded.

    Raises:
        InterruptedRunError: a signal arrived; recorded as inconclusive.
        JunmaiError: the journal can't be written.
    """
    store, room = context.store.url, scratch_name()
    start = {
        "snapshot": snapshot.name,
        "store": store,
        "source": snapshot.manifest.original_path,
        "checksum": snapshot.manifest.checksum,
        "tool": f"junmai-svc {__version__}",
        "room": str(room),
    }
    begun = time.monotonic()
    database = Path(snapshot.manifest.original_path)
    with operation(context.journal, "drill", database, start=start) as this:
        tables: dict[str, TableDigest] = {}
        try:
            with scratch(room) as folder:
                _restore_and_look(context, snapshot, folder / "image.db", tables)
        except InterruptedRunError as error:
            this.finish(Result.INCONCLUSIVE, message=error.message, hint=error.hint)
            raise
        except JunmaiError as error:
            result = Result.FAILED if isinstance(error, IntegrityError) else Result.INCONCLUSIVE
            this.finish(result, message=error.message, hint=error.hint, error=type(error).__name__)
            spent = time.monotonic() - begun
            return Drill(this.id, snapshot, store, result, spent, tables, error)
        _finish_proven(context, this, tables)
        return Drill(this.id, snapshot, store, Result.PROVEN, time.monotonic() - begun, tables)


def _restore_and_look(
    context: Context, snapshot: Snapshot, image: Path, tables: dict[str, TableDigest]
) -> None:
    """Do the whole of it; what comes out without an error is proven.

    Raises:
        IntegrityError: the snapshot is not what it should be.
        JunmaiError: something came between.
    """
    manifest, place = snapshot.manifest, Path(snapshot.place)
    with (
        room_for(image),
        translated("read", snapshot.place),
        context.progress.step("Restoring into scratch", manifest.file_size, "bytes") as tick,
    ):
        context.store.fetch(snapshot, image, tick)
    with reading_image(image) as opened:
        schema = read_schema(opened)
    with context.progress.step("Checking the image", 1, "steps"):
        examine(image, schema, place, full_check=True)
    with (
        reading_image(image) as opened,
        translated("read the tables of", place),
        context.progress.step("Reading all rows", max(1, len(schema.tables)), "steps") as tick,
    ):
        for table in schema.tables:
            tables[table.name] = table_digest(opened, "main", table)
            _require_recorded(snapshot, table.name, tables[table.name])
            if tick is not None:
                tick(1)


def _require_recorded(snapshot: Snapshot, table: str, read: TableDigest) -> None:
    """Compare a table with what the manifest says of it, if it says anything.

    Raises:
        IntegrityError: it differs.
    """
    known = snapshot.manifest.tables.get(table)
    if known is None:
        return
    if known.rows != read.rows or known.digest not in {None, read.sha256}:
        raise IntegrityError(
            f"The table {table} in {snapshot.place} is not what its manifest says:"
            f" {read.rows} rows, {known.rows} recorded",
            "Restore another snapshot, and take a new one.",
        )


def _finish_proven(context: Context, this: Operation, tables: Mapping[str, TableDigest]) -> None:
    digests = {name: {"rows": each.rows, "digest": each.sha256} for name, each in tables.items()}
    rows = sum(each.rows for each in tables.values())
    data = {"tables": digests, "count": len(tables), "rows": rows}
    try:
        data = fitting(context.store, data)
    except JunmaiError:
        # The proof stands; what it read is too much for an event and can't be kept elsewhere.
        data = {"count": len(tables), "rows": rows}
    this.finish(Result.PROVEN, **data)
