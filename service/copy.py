"""Replicate snapshots from one store to another: only what is missing there, under the same names.

Each is copied whole or not at all, so a copy that was cut off goes on where it was. An image is
proven by its SHA-256 when it is fetched and once more when it is stored; what the other store has
already of its blocks is not sent. The oldest come first, so that what is missing is always newer
than what is there.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import PurePath

import msgspec

from junmai_svc.service.context import Context
from junmai_svc.service.exits import exit_code
from junmai_svc.service.logs import log
from junmai_svc.service.operation import Operation, operation
from junmai_svc.service.recorded import recorded_in, refuse_replaced
from junmai_svc.service.signals import unbroken
from junmai_svc.storage.databases.failures import translated
from junmai_svc.storage.errors import (
    IntegrityError,
    JunmaiError,
    NotFoundError,
)
from junmai_svc.storage.files import identity_of
from junmai_svc.storage.snapshots.base import (
    Snapshot,
    SnapshotStore,
    Staged,
    TakenError,
    Unreadable,
)
from junmai_svc.storage.snapshots.manifest import Manifest


@dataclass(frozen=True)
class Which:
    """Which snapshots are meant: those of a database, by its file name or path, and since when."""

    database: str | None = None
    since: datetime | None = None

    def fits(self, manifest: Manifest) -> bool:
        """Tell whether a snapshot is meant."""
        if self.since is not None and manifest.taken < self.since:
            return False
        return self.database in {None, manifest.database_name} or manifest.is_of(
            PurePath(self.database or "")
        )


@dataclass(frozen=True)
class NotCopied:
    """A snapshot that could not be copied, and why; what it is called where that is not known."""

    name: str
    problem: JunmaiError


@dataclass(frozen=True)
class CopyPlan:
    """What to copy, the oldest first, what is there already, and what can't be copied."""

    missing: tuple[Snapshot, ...]
    present: tuple[str, ...] = ()
    refused: tuple[NotCopied, ...] = ()

    @property
    def size(self) -> int:
        """The bytes of all the images to copy."""
        return sum(snapshot.manifest.file_size for snapshot in self.missing)


@dataclass(frozen=True)
class Copied:
    """What a copy came to. `stopped` is why it ended early: a store that failed.

    `run` is None where nothing had to be copied.
    """

    run: str | None
    plan: CopyPlan
    copied: tuple[Snapshot, ...] = ()
    not_copied: tuple[NotCopied, ...] = ()
    stopped: JunmaiError | None = None


def plan_copy(
    source: tuple[Sequence[Snapshot], Sequence[Unreadable]],
    target: tuple[Sequence[Snapshot], Sequence[Unreadable]],
    which: Which,
    where: str,
) -> CopyPlan:
    """Decide what to copy from the listing of one store to another's, which is `where`. Pure.

    What has another content there under the same name is refused, and so is what can't be read:
    whether the filters mean the latter nobody knows.
    """
    there = {snapshot.name: snapshot.manifest.checksum for snapshot in target[0]}
    unreadable = {each.snapshot: each.problem for each in target[1]}
    missing, present = [], []
    refused = [NotCopied(each.snapshot, each.problem) for each in source[1]]
    for snapshot in sorted(source[0], key=lambda each: (each.manifest.taken, each.name)):
        if not which.fits(snapshot.manifest):
            continue
        if snapshot.name in unreadable:
            refused.append(NotCopied(snapshot.name, unreadable[snapshot.name]))
        elif snapshot.name not in there:
            missing.append(snapshot)
        elif there[snapshot.name] == snapshot.manifest.checksum:
            present.append(snapshot.name)
        else:
            refused.append(NotCopied(snapshot.name, _conflict(snapshot.name, where)))
    return CopyPlan(tuple(missing), tuple(present), tuple(refused))


def look(source: SnapshotStore, target: SnapshotStore | None, which: Which) -> CopyPlan:
    """Look at two stores and decide what to copy from one to the other; nothing is written.

    None is a store that is not made yet.

    Raises:
        JunmaiError: one of them can't be listed.
    """
    with translated("read the snapshots in", source.url):
        here = source.snapshots()
    if target is None:
        return plan_copy(here, ([], []), which, "")
    with translated("read the snapshots in", target.url):
        there = target.snapshots()
    return plan_copy(here, there, which, target.url)


def copy(source: Context, target: Context, which: Which) -> Copied:
    """Copy what the other store lacks; each snapshot in the result is whole and durable there.

    Both contexts have the same journal. A snapshot that is damaged or whose name is taken does not
    stop the others; a store that fails does.

    Raises:
        JunmaiError: a store can't be listed, or the journal not be written.
    """
    plan = look(source.store, target.store, which)
    for each in plan.refused:
        log().warning("copy.refused", snapshot=each.name, message=each.problem.message)
    if not plan.missing:
        return Copied(None, plan)
    start = {
        "source": source.store.url,
        "store": target.store.url,
        "folder": str(target.folder),
        "snapshots": len(plan.missing),
        "bytes": plan.size,
    }
    copied: list[Snapshot] = []
    failed: list[NotCopied] = []
    recorded = recorded_in(target.journal, source.store)
    with operation(target.journal, "copy", target.store.url, start=start) as this:
        for number, snapshot in enumerate(plan.missing, 1):
            label = f"Copying {snapshot.name} ({number} of {len(plan.missing)})"
            try:
                refuse_replaced(recorded, source.store, snapshot)
                done = _copy_one(source.store, target, snapshot, this, label)
            except (IntegrityError, TakenError, NotFoundError) as problem:
                if not _is_gone(source.store, snapshot, problem):
                    failed.append(_not_copied(this, snapshot, problem))
                continue
            except JunmaiError as problem:
                this.finish(
                    "failed",
                    message=problem.message,
                    hint=problem.hint,
                    error=type(problem).__name__,
                    exit=exit_code(problem),
                    copied=len(copied),
                )
                return Copied(this.id, plan, tuple(copied), tuple(failed), problem)
            if done is not None:
                copied.append(done)
        this.finish("completed", copied=len(copied), not_copied=len(failed))
        return Copied(this.id, plan, tuple(copied), tuple(failed))


def _copy_one(
    source: SnapshotStore, target: Context, snapshot: Snapshot, this: Operation, label: str
) -> Snapshot | None:
    """Copy one snapshot; None where another copy was faster.

    Raises:
        IntegrityError: it is damaged.
        TakenError: another content has the name in the other store.
        NotFoundError: it is gone.
        JunmaiError: a store failed.
    """
    store, size = target.store, snapshot.manifest.file_size
    known = {"snapshot": snapshot.name, "checksum": snapshot.manifest.checksum, "size": size}

    def announce(staged: Staged) -> None:
        final = {"image": str(staged.final)} if staged.final else {}
        this.record("staged", **known, staged=str(staged.image), **final)

    try:
        with (
            target.progress.step(label, 2 * size, "bytes") as tick,
            translated("write into", store.url),
            store.stage_as(snapshot.name, announce) as staged,
        ):
            with translated("copy", snapshot.place):
                source.fetch(snapshot, staged.image, tick)
            this.record("staged", **known, file=identity_of(staged.image))
            with unbroken():
                stored = store.commit(
                    replace(staged, run=this.id), _for_elsewhere(snapshot.manifest), tick
                )
    except TakenError:
        _require_same(store, snapshot)
        return None
    this.record(
        "copied",
        **known,
        manifest=stored.manifest.digest,
        new_bytes=stored.manifest.new_bytes,
        database=stored.manifest.path,
        reason=stored.manifest.reason.value,
    )
    return stored


def _for_elsewhere(manifest: Manifest) -> Manifest:
    """A manifest without what only its own store knows; the other one fills it in."""
    return msgspec.structs.replace(manifest, layout="file", map="", new_bytes=None, backup_path="")


def _require_same(store: SnapshotStore, snapshot: Snapshot) -> None:
    """Make sure that a name which is taken belongs to the same image.

    Raises:
        TakenError: it belongs to another, or somebody is just giving it to a snapshot or has died
            over that.
    """
    try:
        with translated("read", store.url):
            found = store.find(snapshot.name)
    except NotFoundError:
        raise TakenError(
            f"{snapshot.name} is just being stored in {store.url} by another run, or one that died",
            "Run the same command again when it has ended; what a dead one left, a prune removes"
            " after a day.",
        ) from None
    if found.manifest.checksum != snapshot.manifest.checksum:
        raise _conflict(snapshot.name, store.url)


def _is_gone(source: SnapshotStore, snapshot: Snapshot, problem: JunmaiError) -> bool:
    """Tell whether a snapshot was pruned while it was about to be copied, which is no failure."""
    if isinstance(problem, TakenError):
        return False
    try:
        with translated("read", source.url):
            source.find(snapshot.name)
    except NotFoundError:
        return True
    except JunmaiError:
        return False
    return False


def _not_copied(this: Operation, snapshot: Snapshot, problem: JunmaiError) -> NotCopied:
    this.record("not_copied", snapshot=snapshot.name, message=problem.message, hint=problem.hint)
    return NotCopied(snapshot.name, problem)


def _conflict(name: str, where: str) -> TakenError:
    return TakenError(
        f"{where} has another snapshot by the name of {name}, with another checksum",
        "Both are whole: copy this one to a store of its own, or drop the one that is wrong.",
    )
