"""A database to which nothing was written since its last snapshot: one more manifest is enough.

What the last backup saw of the files is kept in the cache, with the snapshots that it made. It is
believed for a day, then everything is read again. Only stores of blocks can say the same again.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

import msgspec

from junmai_svc.service.context import Context
from junmai_svc.service.operation import Operation
from junmai_svc.service.publish import checkpoint_text
from junmai_svc.storage.databases.failures import translated
from junmai_svc.storage.databases.footprint import Footprint, footprint_of
from junmai_svc.storage.errors import (
    IntegrityError,
    JunmaiError,
    NotFoundError,
)
from junmai_svc.storage.files import STAGED_SUFFIX, without_links
from junmai_svc.storage.snapshots.base import Snapshot
from junmai_svc.storage.snapshots.cache import make_private, sweep_unfinished
from junmai_svc.storage.snapshots.manifest import STAMP, Reason

BELIEVED = timedelta(days=1)


class Memory(msgspec.Struct, frozen=True):
    """What a backup saw of a database's files at a time (UTC), and its snapshots by store."""

    files: tuple[str, ...]
    seen: datetime
    snapshots: Mapping[str, str]


def believable(memory: Memory, now: Footprint, when: datetime) -> bool:
    """Whether a database must be as it was: same footprint, not long ago, no clock gone back."""
    age = when - memory.seen
    return memory.files == now.files and timedelta(0) <= age < BELIEVED


def remember(
    context: Context,
    source: Path,
    before: Footprint | None,
    when: datetime,
    stored: tuple[Snapshot, ...],
) -> None:
    """Note a backup that began at `when`, for the next one; a cache that can't be used is none.

    Only where the files were at rest: `before` it began, and when it has ended.
    """
    path = _path(context, source)
    if path is None or before is None or not before.is_settled(when):
        return
    if footprint_of(source) != before:
        return
    memory = Memory(before.files, when, {each.store: each.name for each in stored})
    staged = path.with_name(f".{uuid4().hex}{STAGED_SUFFIX}")
    sweep_unfinished(path.parent)
    try:
        make_private(path.parent)
        staged.write_bytes(msgspec.json.encode(memory))
        staged.replace(path)
    except OSError:
        staged.unlink(missing_ok=True)


def store_again(
    context: Context, source: Path, reason: Reason, this: Operation
) -> tuple[Snapshot, ...] | None:
    """Store the last snapshot once more in every store and end the run; None where that is no way.

    Raises:
        JunmaiError: the journal failed.
    """
    when = context.clock()
    known = _known(context, source, when)
    if known is None:
        return None
    stored = []
    checkpoint = checkpoint_text(context.journal)  # the same in every store
    for store, last in zip(context.stores, known, strict=True):
        manifest = msgspec.structs.replace(
            last.manifest,
            original_path=str(source),
            whole_path=str(without_links(source)),
            name=f"{source.stem}_backup_{when.strftime(STAMP)}",
            timestamp=when.strftime(STAMP),
            created_at=when.isoformat(timespec="microseconds"),
            reason=reason,
            run=this.id,
            checkpoint=checkpoint,
        )
        try:
            with translated("write a backup into", store.url):
                again = store.again(last, manifest)
        except JunmaiError:
            again = None
        if again is None:
            return None  # read it all; those that have it already will have it twice
        stored.append(again)
        this.record(
            "stored",
            snapshot=again.name,
            store=store.url,
            checksum=again.manifest.checksum,
            manifest=again.manifest.digest,
            size=again.manifest.file_size,
            new_bytes=0,
            same_as=last.name,
        )
    this.finish("verified", method="unchanged", failed=[])
    return tuple(stored)


def _known(context: Context, source: Path, when: datetime) -> list[Snapshot] | None:
    """The last snapshot in each store, where the database can't have changed since."""
    path, now = _path(context, source), footprint_of(source)
    if path is None or now is None or context.down:
        return None
    try:
        memory = msgspec.json.decode(path.read_bytes(), type=Memory)
    except (OSError, msgspec.MsgspecError):
        return None
    if not believable(memory, now, when):
        return None
    found = []
    for store in context.stores:
        name = memory.snapshots.get(store.url)
        if name is None or store.layout != "blocks":
            return None
        try:
            found.append(store.find(name))
        except (NotFoundError, IntegrityError):
            return None
    return found


def _path(context: Context, source: Path) -> Path | None:
    if context.cache is None:
        return None
    key = hashlib.sha256(str(source.absolute()).encode("utf-8", "surrogatepass")).hexdigest()
    return context.cache / "unchanged" / f"{key[:32]}.json"
