"""Publishing a journal into a store: entries, tree and signed checkpoints, only ever added to.

Order, each durable before the next: bundles, tiles, public key, numbered checkpoint, `checkpoint`;
then what the journal remembers; once a bundle is full, its partial ones go. A crash in between
leaves a store whose checkpoint is true, and the next publishing writes the same again. One process
at a time publishes a journal: a slower one would take `checkpoint` back.
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
from junmai_svc.storage.journal import layout, note, tiles
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
from junmai_svc.storage.journal.flaws import key_objects
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.journal.keyring import ROTATED, KeyHistory
from junmai_svc.storage.journal.keys import SigningKey
from junmai_svc.storage.journal.layout import WIDTH
from junmai_svc.storage.journal.mending import mend
from junmai_svc.storage.journal.merkle import frontier_root
from junmai_svc.storage.journal.mirror import Mirror
from junmai_svc.storage.journal.published import Published, published_to, remember
from junmai_svc.storage.journal.published_tiles import partial_tiles
from junmai_svc.storage.journal.publisher_lock import alone
from junmai_svc.storage.journal.rotation import history_of, signing_key
from junmai_svc.storage.journal.stored import proven
from junmai_svc.storage.journal.superseding import remove_superseded


@dataclass(frozen=True, slots=True)
class Publication:
    """What a store holds now: `size` events, `added` of them new, under the signed `checkpoint`.

    `mended` counts the objects that were written anew.
    """

    store: str
    size: int
    added: int
    checkpoint: str
    mended: int = 0


def publish(
    journal: Journal,
    backend: Backend,
    *,
    retain_until: datetime | None = None,
    accepting: bool = False,
    mending: bool = False,
) -> Publication:
    """Publish all events of a journal into a store; durable on return.

    `retain_until` locks all that is written, save `checkpoint`, where the store can. With
    `accepting` a store may have lost what it had. With `mending` all that was published there is
    read and put right.

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
        now = int(journal.now().timestamp())
        common = common_beginning(
            journal, mirror, history.keys, head.size, remembered, now, accepting=accepting
        )
        checkpoint = Checkpoint(journal.journal_id, head.size, frontier_root(head.frontier))
        text = _write(
            journal, mirror, common, head.frontier, checkpoint, key, history, retain_until
        )
        if remembered is None or (remembered.size, remembered.hashed) != (head.size, common.hashed):
            tree = Published(head.size, head.frontier, hashed=common.hashed)
            remember(journal, backend.url, tree)
        with suppress(JunmaiError):  # what stays is in nobody's way
            remove_superseded(mirror, common.size, head.size, retain_until)
        mended = mend(journal, mirror, history, head, retain_until) if mending else 0
    return Publication(backend.url, head.size, head.size - common.size, text, mended)


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

    def put(path: str, content: bytes) -> None:
        mirror.backend.put(mirror.name(path), content, retain_until=retain_until)

    leaves: list[bytes] = []
    rotated = False
    for step in proven(journal, old, new):
        leaves += [leaf for _, leaf in step]
        rotated = rotated or any(ROTATED.encode() in entry for entry, _ in step)
    if grown_frontier(common.frontier, old, leaves) != frontier:
        raise IntegrityError(
            f"The head of the journal {journal.path} is not that of its events", DAMAGED_HINT
        )
    # Made before anything is put: growing the tree proves the entries that were published already.
    grown = list(tiles.grown(old, leaves, partial_tiles(journal, mirror, common)))
    for bundle in layout.new_bundles(old, new):
        begin = bundle.index * WIDTH
        step = list(chain.from_iterable(proven(journal, begin, begin + bundle.width)))
        put(bundle.path, encode_bundle(entry for entry, _ in step))
    for tile, content in grown:
        put(tile.path, content)
    if old == 0 or rotated:
        _put_keys(mirror, history, retain_until)
    _put_numbered(mirror, checkpoint, signed, history, retain_until)
    # Unlocked, as it is put over and over; whoever deletes it leaves the numbered ones.
    mirror.backend.put(mirror.name(LATEST_PATH), signed)
    return signed.decode()


def _put_keys(mirror: Mirror, history: KeyHistory, retain_until: datetime | None) -> None:
    """Put the keys that are not there yet, and over what somebody else put in their places."""
    for path, content in key_objects(history).items():
        name = mirror.name(path)
        if mirror.backend.put(name, content, if_absent=True, retain_until=retain_until):
            continue
        with suppress(IntegrityError):  # it is larger than any key
            if mirror.backend.get(name, note.MAX_BYTES) == content:
                continue
        mirror.backend.put(name, content, retain_until=retain_until)


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
