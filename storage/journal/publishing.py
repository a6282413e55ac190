"""Publishing a journal into a store: entries, tree and signed checkpoints, only ever added to.

Order, each durable before the next: bundles, tiles, public key, numbered checkpoint, `checkpoint`;
then what the journal remembers, then superseded partial ones are deleted. A crash in between leaves
a store whose checkpoint is true, and the next publishing writes the same again. One process at a
time publishes a journal: a slower one would take `checkpoint` back.
"""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import chain

from junmai_svc.storage.backends.base import Backend
from junmai_svc.storage.errors import (
    IntegrityError,
    JunmaiError,
)
from junmai_svc.storage.journal import layout, tiles
from junmai_svc.storage.journal.bundles import encode_bundle
from junmai_svc.storage.journal.checkpoint import (
    LATEST_PATH,
    Checkpoint,
    numbered_path,
    open_checkpoint,
    sign_checkpoint,
)
from junmai_svc.storage.journal.comparing import Common, common_beginning, grown_frontier
from junmai_svc.storage.journal.failures import DAMAGED_HINT, DivergedError
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.journal.keyring import ROTATED, KeyHistory
from junmai_svc.storage.journal.keys import SigningKey
from junmai_svc.storage.journal.layout import WIDTH
from junmai_svc.storage.journal.merkle import frontier_root
from junmai_svc.storage.journal.mirror import ROTATION_SUFFIX, Mirror
from junmai_svc.storage.journal.published import Published, published_to, remember
from junmai_svc.storage.journal.published_tiles import partial_tiles
from junmai_svc.storage.journal.publisher_lock import alone
from junmai_svc.storage.journal.rotation import history_of, signing_key
from junmai_svc.storage.journal.rotations import encode_rotation
from junmai_svc.storage.journal.stored import proven


@dataclass(frozen=True, slots=True)
class Publication:
    """What a store holds now: `size` events, `added` of them new, under the signed `checkpoint`."""

    store: str
    size: int
    added: int
    checkpoint: str


def publish(
    journal: Journal,
    backend: Backend,
    *,
    retain_until: datetime | None = None,
    accepting: bool = False,
) -> Publication:
    """Publish all events of a journal into a store; durable on return.

    `retain_until` locks the numbered checkpoint where the store can. With `accepting` a store may
    have lost what it had.

    Raises:
        DivergedError: journal and store tell two histories; nothing was written.
        NotFoundError, AccessDeniedError, IntegrityError: there is no key to sign with, or the store
            holds a checkpoint of somebody else.
        JunmaiError: one of them can't be used; the next publishing makes it good.
    """
    mirror = Mirror(backend, journal.journal_id)
    with alone(journal):
        key = signing_key(journal)
        history = history_of(journal)
        head = journal.head()
        remembered = published_to(journal, backend.url)
        common = common_beginning(
            journal, mirror, history.keys, head.size, remembered, accepting=accepting
        )
        checkpoint = Checkpoint(journal.journal_id, head.size, frontier_root(head.frontier))
        text = _write(
            journal, mirror, common, head.frontier, checkpoint, key, history, retain_until
        )
        if remembered is None or remembered.size < head.size:
            remember(journal, backend.url, Published(head.size, head.frontier, 0))
        for old in layout.superseded(common.size, head.size):
            with suppress(JunmaiError):  # what stays is in nobody's way
                backend.delete(mirror.name(old.path))
    return Publication(backend.url, head.size, head.size - common.size, text)


def _write(
    journal: Journal,
    mirror: Mirror,
    common: Common,
    frontier: tuple[bytes, ...],
    checkpoint: Checkpoint,
    key: SigningKey,
    history: KeyHistory,
    retain_until: datetime | None,
) -> str:
    """Write what is new, up to `checkpoint`; return the store's checkpoint as text."""
    old, new = common.size, checkpoint.size
    signed = sign_checkpoint(checkpoint, [key])
    if old == new:
        return signed.decode()
    put = mirror.backend.put
    leaves: list[bytes] = []
    rotated = False
    for bundle in layout.new_bundles(old, new):
        begin = bundle.index * WIDTH
        step = list(chain.from_iterable(proven(journal, begin, begin + bundle.width)))
        entries = [entry for entry, _ in step]
        fresh = step[max(0, old - begin) :]
        leaves += [leaf for _, leaf in fresh]
        rotated = rotated or any(ROTATED.encode() in entry for entry, _ in fresh)
        put(mirror.name(bundle.path), encode_bundle(entries))
    if grown_frontier(common.frontier, old, leaves) != frontier:
        raise IntegrityError(
            f"The head of the journal {journal.path} is not that of its events", DAMAGED_HINT
        )
    for tile, content in tiles.grown(old, leaves, partial_tiles(journal, mirror, common)):
        put(mirror.name(tile.path), content)
    if old == 0 or rotated:
        for each in history.keys:
            name = mirror.name(f"keys/{each.key_id.hex()}.vkey")
            put(name, f"{each}\n".encode(), if_absent=True)
        for number, rotation in enumerate(history.rotations):
            name = mirror.name(f"keys/{number:06}{ROTATION_SUFFIX}")
            put(name, encode_rotation(rotation), if_absent=True)
    _put_numbered(mirror, checkpoint, signed, history, retain_until)
    put(mirror.name(LATEST_PATH), signed)
    return signed.decode()


def _put_numbered(
    mirror: Mirror,
    checkpoint: Checkpoint,
    signed: bytes,
    history: KeyHistory,
    retain_until: datetime | None,
) -> None:
    name = mirror.name(numbered_path(checkpoint.size))
    if mirror.backend.put(name, signed, if_absent=True, retain_until=retain_until):
        return
    there = open_checkpoint(
        mirror.numbered(checkpoint.size) or b"",
        history.keys,
        journal_id=checkpoint.journal_id,
        where=f"{name} in {mirror.backend.url}",
    )
    if there.root != checkpoint.root:
        raise DivergedError(
            "FORKED",
            checkpoint.size,
            f"{mirror.url} holds another checkpoint of this size, with another root",
            "The journal was put back to an older state and went on: `junmai-svc audit verify`.",
        )
