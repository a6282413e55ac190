"""Whether the snapshots that the events tell of are in a store, and the store's snapshots told of.

A store that was copied elsewhere holds snapshots that were recorded at another address: they are
explained by their name and checksum, and what was never recorded at this address is not missed.
"""

import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from junmai_svc.checks.proof import Question, Verdicts
from junmai_svc.storage.backends.failures import translated
from junmai_svc.storage.errors import IntegrityError, NotFoundError
from junmai_svc.storage.journal.checkpoint import origin_of
from junmai_svc.storage.journal.folding import RUNS, SNAPSHOTS, Row, rows_named
from junmai_svc.storage.snapshots.base import Snapshot, SnapshotStore, Unreadable

MISSING_HINT = "Look whether another store still has it, and who deleted it here."
UNEXPLAINED_HINT = "Restore from it only if you know where it comes from."


@dataclass(frozen=True)
class Listing:
    """What a store listed before the events were read; `addresses` are its names in events."""

    store: SnapshotStore
    good: Sequence[Snapshot]
    unreadable: Sequence[Unreadable]
    addresses: tuple[str, ...]


def list_store(store: SnapshotStore, *addresses: str) -> Listing:
    """List a store; `addresses` are further names under which events may have recorded it.

    Raises:
        JunmaiError: the store can't be read.
    """
    with translated(f"read the snapshots in {store.url}"):
        good, unreadable = store.snapshots()
    return Listing(store, good, unreadable, (store.url, store.backend.url, *addresses))


def check(
    listing: Listing,
    rows: Mapping[tuple[str, str], Row],
    journal_id: str,
    verdicts: Verdicts,
    *,
    read_data: bool,
) -> None:
    """Hold a store against the rows of a journal; with `read_data` every byte is read.

    Raises:
        JunmaiError: the store can't be read.
    """
    verdicts.asked(Question.OBJECTS)
    store = listing.store
    told = [row for _, row in rows_named(rows, SNAPSHOTS)]
    here = {_address(name) for name in listing.addresses}
    due = {r["snapshot"]: r for r in told if r["store"] in here and r["deleted"] is None}
    running = [row for _, row in rows_named(rows, RUNS) if row["status"] == "running"]
    for problem in listing.unreadable:
        known = due.pop(Path(problem.manifest).stem, None)
        position = known["position"] if known else None
        where = f"{store.url}: {problem.manifest}"
        verdicts.doubt(Question.OBJECTS, problem.problem.message, position, where)
    for snapshot in listing.good:
        row = due.pop(snapshot.name, None) or _elsewhere(told, snapshot)
        if row is None:
            run = rows.get((RUNS, f"backup/{snapshot.manifest.run}"))
            if run is not None and run["status"] == "running":
                continue  # it was listed before its run came to record it
            _unexplained(snapshot, store.url, journal_id, verdicts)
        elif (row["checksum"] or snapshot.manifest.checksum) != snapshot.manifest.checksum:
            message = f"the manifest of {snapshot.name} has another checksum than was recorded"
            verdicts.doubt(Question.OBJECTS, message, row["position"], store.url, MISSING_HINT)
        elif row["deleted"] is None:
            _require_image(store, snapshot, row, verdicts, read_data=read_data)
    pruning = any(row["kind"] == "prune" and row["store"] in here for row in running)
    for name, row in due.items():
        if _is_there(store, name):
            continue  # it was stored after the store was listed
        if pruning:
            verdicts.note(Question.OBJECTS, f"{name} is gone while a prune goes on in {store.url}")
            continue
        message = f"the snapshot {name} is gone, and no event tells that it was deleted"
        verdicts.doubt(Question.OBJECTS, message, row["position"], store.url, MISSING_HINT)


def not_looked_at(
    rows: Mapping[tuple[str, str], Row], looked_at: Iterable[str], verdicts: Verdicts
) -> None:
    """Note the snapshots of stores that were not among those looked at."""
    seen = {_address(name) for name in looked_at}
    others: dict[str, int] = {}
    for _, row in rows_named(rows, SNAPSHOTS):
        if row["deleted"] is None and row["store"] not in seen:
            others[str(row["store"])] = others.get(str(row["store"]), 0) + 1
    for place, count in sorted(others.items()):
        verdicts.note(
            Question.OBJECTS, f"{count:,} snapshots were stored in {place}, not looked at"
        )


def _is_there(store: SnapshotStore, name: str) -> bool:
    try:
        with translated(f"read {name} in {store.url}"):
            store.find(name)
    except (NotFoundError, IntegrityError):
        return False
    return True


def _address(name: str) -> str:
    return name if "://" in name else os.path.abspath(name)  # noqa: PTH100  # a text, no file


def _elsewhere(told: Iterable[Row], snapshot: Snapshot) -> Row | None:
    """The row of a snapshot that was recorded elsewhere, or deleted here and copied back."""
    named = (row for row in told if row["snapshot"] == snapshot.name)
    return next((r for r in named if r["checksum"] in (None, snapshot.manifest.checksum)), None)


def _unexplained(snapshot: Snapshot, url: str, journal_id: str, verdicts: Verdicts) -> None:
    manifest = snapshot.manifest
    if manifest.format == 0:
        verdicts.note(Question.OBJECTS, f"{snapshot.name} is of the replaced tool, without events")
        return
    signed = (manifest.checkpoint or "").partition("\n")[0]
    if signed and signed != origin_of(journal_id):
        verdicts.note(Question.OBJECTS, f"{snapshot.name} belongs to another journal, {signed}")
        return
    message = f"the snapshot {snapshot.name} is explained by no event"
    verdicts.doubt(Question.OBJECTS, message, None, url, UNEXPLAINED_HINT)


def _require_image(
    store: SnapshotStore, snapshot: Snapshot, row: Row, verdicts: Verdicts, *, read_data: bool
) -> None:
    try:
        with translated(f"read {snapshot.place}"):
            if read_data:
                with tempfile.TemporaryDirectory(prefix="junmai-svc-") as folder:
                    store.fetch(snapshot, Path(folder) / "image")
            elif snapshot.image is not None:
                _require_size(snapshot, snapshot.image.stat().st_size)
    except (IntegrityError, NotFoundError) as error:
        verdicts.doubt(Question.OBJECTS, error.message, row["position"], store.url, error.hint)


def _require_size(snapshot: Snapshot, size: int) -> None:
    if size != snapshot.manifest.file_size:
        raise IntegrityError(
            f"{snapshot.place} has {size:,} bytes, not {snapshot.manifest.file_size:,}",
            MISSING_HINT,
        )
