"""A replay: what a run left is looked at again, or made again, and what came of it is recorded.

What is stored is compared with what the journal recorded; nothing that is looked at is changed.
All work is done on copies in a scratch folder, gone at the end.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from junmai_svc.service.context import Context
from junmai_svc.service.details import fitting
from junmai_svc.service.history import find_run
from junmai_svc.service.operation import operation
from junmai_svc.service.replay.recipe import details_of, versions
from junmai_svc.service.replay.record import Kept, Record, record_of
from junmai_svc.service.scratch import room_for, scratch, scratch_name
from junmai_svc.storage.databases.failures import translated
from junmai_svc.storage.errors import ChecksumError, IntegrityError, NotFoundError
from junmai_svc.storage.journal.addresses import is_same_place
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.journal.projection import fold_runs
from junmai_svc.storage.snapshots.base import SnapshotStore


class Verdict(StrEnum):
    """What a replay ends with; the names of the events that end its stream."""

    CONFIRMED = "confirmed"
    REPRODUCED = "reproduced"
    DIVERGED = "diverged"
    NOT_REPRODUCIBLE = "not_reproducible"
    INPUT_MISSING = "input_missing"

    @property
    def passed(self) -> bool:
        """True where everything is as it was recorded."""
        return self in {Verdict.CONFIRMED, Verdict.REPRODUCED}


class Found(StrEnum):
    """What one thing that was looked at is; GONE is none of the replay's business."""

    SAME = "as recorded"
    OTHER = "differs"
    MISSING = "missing"
    GONE = "not there any more"


@dataclass(frozen=True)
class Looked:
    """One thing that was looked at. `key` names a row; it is shown and never recorded."""

    subject: str
    found: Found
    text: str = ""
    key: str = ""

    @property
    def sentence(self) -> str:
        """What it is and what was found, for a reason."""
        return f"{self.subject}: {self.text}"


@dataclass
class Replayed:
    """A replay and all that it looked at; `reason` says in a sentence why it ended as it did.

    `tables` counts the tables that were built again and compared.
    """

    run: str
    of: Record
    mode: str
    verdict: Verdict = Verdict.CONFIRMED
    reason: str = ""
    looked: list[Looked] = field(default_factory=list)
    tables: int = 0

    def ends(self, verdict: Verdict, reason: str) -> None:
        """Settle the verdict and why."""
        self.verdict, self.reason = verdict, reason


def record_in(journal: Journal, reference: str) -> Record:
    """Return what a journal tells of a run, which is named by as much of its id as it needs.

    Raises:
        NotFoundError: no run has that id.
        UsageError: several runs fit.
        JunmaiError: the journal can't be read.
    """
    run = find_run(fold_runs(journal.read()), reference, journal.path)
    return record_of(run, journal.read())


@contextmanager
def replaying(context: Context, record: Record, mode: str) -> Iterator[tuple[Replayed, Path]]:
    """Record the replay of the block, which settles the verdict, and give it a scratch folder.

    Raises:
        JunmaiError: the journal can't be written, or what the block raised.
    """
    room = scratch_name()
    start = {"of": record.run, "of_kind": record.kind, "mode": mode, "room": str(room)}
    with (
        operation(context.journal, "replay", record.database, start=start) as this,
        scratch(room),
    ):
        replayed = Replayed(this.id, record, mode)
        yield replayed, room
        this.finish(replayed.verdict.value, **fitting(context.store, _evidence(replayed)))


def copies(
    context: Context, record: Record, name: str | None = None
) -> Iterator[tuple[SnapshotStore, Kept]]:
    """Give each copy of the run's snapshots, or of one, that has to be in an open store.

    In a store that no event names, such as a copy of one, all of them have to be.
    """
    wanted = [kept for kept in record.kept if name in {None, kept.name}]
    for store in context.stores:
        own = [kept for kept in wanted if kept.store and is_same_place(kept.store, store.url)]
        for kept in own or {kept.name: kept for kept in wanted}.values():
            yield store, kept


def look_at(
    context: Context, record: Record, store: SnapshotStore, kept: Kept, image: Path
) -> Looked:
    """Fetch a copy to `image` and compare its SHA-256 with the recorded one.

    The image is there on return only where it is what its manifest says.

    Raises:
        JunmaiError: the store can't be read.
    """
    subject = f"snapshot {kept.name} in {store.url}"
    image.unlink(missing_ok=True)
    try:
        with room_for(image), translated("read the snapshots in", store.url):
            snapshot = store.find(kept.name)
            size = snapshot.manifest.file_size
            with context.progress.step(f"Reading {kept.name}", size, "bytes") as tick:
                store.fetch(snapshot, image, tick)
    except NotFoundError:
        return Looked(subject, Found.MISSING, _who_deleted(record, kept, store))
    except ChecksumError:
        image.unlink(missing_ok=True)
        return Looked(subject, Found.OTHER, "its bytes are not those of its manifest")
    except IntegrityError as damaged:
        image.unlink(missing_ok=True)
        return Looked(subject, Found.OTHER, damaged.message)
    checksum = snapshot.manifest.checksum
    if kept.checksum is not None and checksum != kept.checksum:
        text = f"SHA-256 {checksum[:16]}… is not the recorded {kept.checksum[:16]}…"
        return Looked(subject, Found.OTHER, text)
    return Looked(subject, Found.SAME, f"SHA-256 {checksum[:16]}…")


def digests_in(context: Context, record: Record) -> dict[str, str]:
    """Return the digest of each table as the migration recorded it.

    Raises:
        NotFoundError, ChecksumError: it is in the details of a store, which are not there any more,
            or are not what was stored.
        JunmaiError: the store can't be read.
    """
    verified = record.verified
    if "tables" not in verified and isinstance(verified.get("details"), str):
        verified = json.loads(details_of(context.stores, verified["details"]))
    return {name: facts["digest"] for name, facts in verified["tables"].items()}


def _who_deleted(record: Record, kept: Kept, store: SnapshotStore) -> str:
    known = record.deleted.get(kept.name, ())
    here = [gone for gone in known if gone.store in {kept.store, store.url}]
    if not here:
        return "it is not in the store, and no event says that it was deleted"
    gone = here[-1]
    return f"deleted by the prune {gone.run} at {gone.time} (event {gone.position})"


def _evidence(replayed: Replayed) -> dict[str, Any]:
    """What the event that ends a replay records: no key, as that may be a value of a row."""
    return {
        "of": replayed.of.run,
        "message": replayed.reason,
        "tables": replayed.tables,
        "versions": versions(),
        "looked": [
            {"subject": each.subject, "found": each.found.value, "text": each.text}
            for each in replayed.looked
        ],
    }
