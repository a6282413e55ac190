"""Put a staged database in the place of another, keeping a snapshot of what is replaced."""

import itertools
from dataclasses import dataclass
from pathlib import Path

from junmai_svc.service.backup import backup, image_of
from junmai_svc.service.context import Context
from junmai_svc.service.operation import Operation
from junmai_svc.service.publish import publish_intent
from junmai_svc.service.signals import ignore_from_here
from junmai_svc.storage.databases.failures import translated
from junmai_svc.storage.databases.replacing import Held, held, leftovers, set_aside
from junmai_svc.storage.errors import IntegrityError
from junmai_svc.storage.files import make_folder
from junmai_svc.storage.snapshots.manifest import STAMP, Reason


@dataclass(frozen=True)
class Replaced:
    """What became of the database that was there: its snapshot, or copies of what was unreadable.

    Both are empty where nothing was there.
    """

    snapshot: str | None
    set_aside: tuple[str, ...]


def replace_database(
    context: Context, staged: Path, target: Path, reason: Reason, parent: Operation
) -> Replaced:
    """Replace `target` by a durable staged database, after a snapshot of it in the store.

    That it is to be replaced is published before. While it is replaced nobody writes it. One that
    is too damaged for a snapshot is copied aside as it is, with its sidecars. When it
    returns the switch is durable.

    Raises:
        IntegrityError: the journal and a store tell two histories; nothing was done.
        LockedError: somebody writes the target or, in WAL mode, has it open.
        JunmaiError: the snapshot or the switch failed; the target is as it was.
    """
    if target.exists():
        publish_intent(context)
    with held(target) as database:
        if database.holder is not None:
            replaced = _keep(context, target, reason, parent)
        else:
            replaced = Replaced(None, _set_aside(context, database))
        ignore_from_here()
        database.replace_by(staged)
    return replaced


def _keep(context: Context, target: Path, reason: Reason, parent: Operation) -> Replaced:
    """Keep a readable database: as a snapshot or, where its checks fail, page by page."""
    try:
        kept = backup(context, target, reason, parent=parent)
    except IntegrityError:
        aside = _aside(context, target)
        image_of(context, target, aside)
        return Replaced(None, (str(aside),))
    return Replaced(kept.snapshot.name, ())


def _set_aside(context: Context, database: Held) -> tuple[str, ...]:
    """Keep what no snapshot can hold: an unreadable database, and sidecars without one."""
    if database.damage is None and not leftovers(database.path):
        return ()
    with translated("set aside", database.path):
        make_folder(context.folder)
    return tuple(str(copy) for copy in set_aside(database.path, _aside(context, database.path)))


def _aside(context: Context, target: Path) -> Path:
    """A name beside the snapshots that nothing has, nor any sidecar of it."""
    base = f"{target.stem}_replaced_{context.clock().strftime(STAMP)}"
    names = itertools.chain([base], (f"{base}_{again}" for again in itertools.count(2)))
    paths = (context.folder / f"{name}.db" for name in names)
    return next(path for path in paths if not path.exists() and not leftovers(path))
