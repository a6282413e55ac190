"""The same questions asked by somebody who has only the store's address and the public key."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from junmai_svc.checks import stored_objects
from junmai_svc.checks.mirrored import (
    LOST_HINT,
    SIGNED_HINT,
    Signed,
    gather,
    judge_history,
    judge_latest,
)
from junmai_svc.checks.proof import Question, Verdicts
from junmai_svc.service.audit.pins import keep
from junmai_svc.service.audit.verify import Audit
from junmai_svc.storage.backends.base import Backend
from junmai_svc.storage.errors import IntegrityError, NotFoundError
from junmai_svc.storage.journal.checkpoint import Checkpoint
from junmai_svc.storage.journal.examining import Examination
from junmai_svc.storage.journal.layout import WIDTH, Tile, new_tiles
from junmai_svc.storage.journal.merkle import leaf_hash
from junmai_svc.storage.journal.mirror import Mirror
from junmai_svc.storage.journal.pinning import journal_of, pinned, read_keys
from junmai_svc.storage.journal.rotations import preceding, trusted_through
from junmai_svc.storage.snapshots.base import SnapshotStore

DAMAGED_HINT = "Read another copy of the store, or publish to it again from an undamaged journal."


def verify_store(
    backend: Backend,
    key: Path,
    *,
    store: SnapshotStore | None = None,
    pin: Path | None = None,
    read_data: bool = False,
) -> Audit:
    """Verify a journal from its mirror in a store, with nothing else but its public key.

    `pin` is the file of the checkpoint that was seen last; where nothing failed it is moved on.
    `store` is the place as a store of snapshots, None where it can't be opened as one (sealed).

    Raises:
        NotFoundError, UsageError: there is no key, or it is none.
        IntegrityError: the pin is not signed by this key.
        JunmaiError: the store can't be read.
    """
    keys = read_keys(key)
    mirror = Mirror(backend, journal_of(keys, key))
    verdicts = Verdicts()
    rotations = mirror.rotations()
    trusted = trusted_through(keys, rotations)
    listings = _listed(store, backend, verdicts)
    signed = gather(mirror, trusted, verdicts, former=preceding(keys, rotations))
    base = signed.latest or signed.largest
    if base is None:
        message = "no checkpoint is signed by this key"
        verdicts.doubt(Question.AUTHENTIC, message, 0, mirror.url, LOST_HINT)
    seen_before = pinned(pin, trusted, mirror.journal_id)
    size = base.size if base else 0
    wanted = [c.size for c in (signed.former | signed.checkpoints).values()]
    wanted += [seen_before.size] if seen_before else []
    examined = Examination(mirror.journal_id, wanted, where=mirror.url, fold=store is not None)
    if base is not None:
        _examine(mirror, base, examined, verdicts)
        if read_data:
            _compare_tiles(mirror, size, verdicts)
    if base is not None and examined.tree.root == base.root:
        _refuse_later(signed, size, verdicts)
        judge_history(signed, size, examined.tree.roots, verdicts, lambda _: None)
    judge_latest(signed, None, verdicts)
    if seen_before is not None:
        _judge_pin(seen_before, str(pin), examined, base, verdicts)
    if base is not None:
        verdicts.asked(Question.COMPLETE)
        verdicts.troubles(Question.COMPLETE, examined.gaps, mirror.url, DAMAGED_HINT)
        for stream in examined.open_streams():
            verdicts.note(Question.COMPLETE, f"{stream} had not ended when this was published")
    if listings and examined.size == size and base is not None:
        stored_objects.check(listings, examined, mirror.journal_id, verdicts, read_data=read_data)
    audit = Audit(mirror.journal_id, size, examined.tree.root, verdicts.given())
    if pin is None:
        return audit
    newest = base if audit.passed else None
    return replace(audit, pin=keep(pin, seen_before, newest, signed.note))


def _listed(
    store: SnapshotStore | None, backend: Backend, verdicts: Verdicts
) -> list[stored_objects.Listing]:
    if store is not None:
        return [stored_objects.list_store(store)]
    text = f"the snapshots in {backend.url} were not looked at: it can't be opened as a store"
    verdicts.note(Question.OBJECTS, f"{text}, as one that is sealed can't without its key")
    return []


def _refuse_later(signed: Signed, size: int, verdicts: Verdicts) -> None:
    """A key that another one followed signs nothing that is newer than what that one signed."""
    for where, checkpoint in [*signed.former.items()]:
        if checkpoint.size > size:
            del signed.former[where]
            message = f"{where} was signed by a key that is not in use any more"
            verdicts.doubt(Question.AUTHENTIC, message, checkpoint.size, where, SIGNED_HINT)


def _examine(mirror: Mirror, base: Checkpoint, examined: Examination, verdicts: Verdicts) -> None:
    """Look at all entries that a checkpoint signed."""
    verdicts.asked(Question.INTACT)
    try:
        for entries in mirror.entries(0, base.size):
            examined.add(entries)
    except (NotFoundError, IntegrityError) as error:
        message = f"entries can't be read: {error.message}"
        verdicts.doubt(Question.INTACT, message, examined.size, mirror.url, DAMAGED_HINT)
    verdicts.troubles(Question.INTACT, examined.damage, mirror.url, DAMAGED_HINT)
    if examined.size == base.size and examined.tree.root != base.root:
        position = _first_against_tiles(mirror, base.size)
        message = "the entries are not those that were signed"
        verdicts.doubt(Question.INTACT, message, position, mirror.url, DAMAGED_HINT)


def _first_against_tiles(mirror: Mirror, size: int) -> int | None:
    """The first entry that its own tile tells otherwise; None where the tiles agree with it."""
    for position, leaf, told in _leaves(mirror, size):
        if leaf != told:
            return position
    return None


def _leaves(mirror: Mirror, size: int) -> Iterator[tuple[int, bytes, bytes]]:
    position = 0
    for entries in mirror.entries(0, size):
        try:
            tile = mirror.tile(Tile(0, position // WIDTH, len(entries)))
        except (NotFoundError, IntegrityError):
            tile = b""
        for number, entry in enumerate(entries):
            yield position, leaf_hash(entry), tile[number * 32 : number * 32 + 32]
            position += 1


def _compare_tiles(mirror: Mirror, size: int, verdicts: Verdicts) -> None:
    """Every tile is there; those of the entries hold the hashes of the entries."""
    for tile in new_tiles(0, size):
        try:
            mirror.tile(tile)
        except (NotFoundError, IntegrityError) as error:
            at = tile.index * WIDTH ** (tile.level + 1)
            verdicts.doubt(Question.INTACT, error.message, at, mirror.url, DAMAGED_HINT)
    position = _first_against_tiles(mirror, size)
    if position is not None:
        message = "a tile does not hold the hash of its entry"
        verdicts.doubt(Question.INTACT, message, position, mirror.url, DAMAGED_HINT)


def _judge_pin(
    pin: Checkpoint,
    where: str,
    examined: Examination,
    base: Checkpoint | None,
    verdicts: Verdicts,
) -> None:
    verdicts.asked(Question.APPEND_ONLY)
    size = base.size if base else 0
    if pin.size > size:
        verdicts.asked(Question.CURRENT)
        message = f"ROLLED BACK: {size:,} events; {pin.size:,} had been seen"
        verdicts.doubt(Question.CURRENT, message, size, where, LOST_HINT)
        return
    root = examined.tree.roots.get(pin.size)
    if base is not None and pin.size == size:
        root = base.root
    elif base is not None and examined.tree.root != base.root:
        text = "the entries are not those that were signed, so they say nothing of the pin"
        verdicts.unanswered(Question.APPEND_ONLY, text)
        return
    if root != pin.root:
        message = f"FORKED: below position {pin.size:,} this is not what had been seen"
        verdicts.doubt(Question.APPEND_ONLY, message, None, where, LOST_HINT)
