"""Putting right what of a journal's copy in a store is missing or wrong, from the journal."""

from datetime import datetime
from functools import partial

from junmai_svc.storage.errors import IntegrityError
from junmai_svc.storage.journal.checkpoint import (
    Checkpoint,
    numbered_path,
    open_checkpoint,
    sign_checkpoint,
)
from junmai_svc.storage.journal.failures import DAMAGED_HINT
from junmai_svc.storage.journal.flaws import wrong_keys, wrong_parts
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.journal.keyring import KeyHistory
from junmai_svc.storage.journal.merkle import frontier_root
from junmai_svc.storage.journal.mirror import Mirror
from junmai_svc.storage.journal.reading import Head
from junmai_svc.storage.journal.rotation import signing_key
from junmai_svc.storage.journal.stored import proven, tree_of


def mend(
    journal: Journal,
    mirror: Mirror,
    history: KeyHistory,
    head: Head,
    retain_until: datetime | None = None,
) -> int:
    """Write anew each part of a published journal that is not as it was.

    These are bundles, tiles, keys, and numbered checkpoints that the journal did not sign; of more
    events than there are such a one is removed. One that it did sign stays, whatever it says.
    Return how many; durable on return. All entries are hashed before the first is written.

    Raises:
        DivergedError, IntegrityError: the journal is damaged; nothing was written.
        JunmaiError: one of them can't be used.
    """
    sizes = mirror.sizes()
    tree = tree_of(journal, head.size, [size for size in sizes if size <= head.size])
    if tree.root != frontier_root(head.frontier):
        raise IntegrityError(
            f"The head of the journal {journal.path} is not that of its events", DAMAGED_HINT
        )
    put = partial(mirror.backend.put, retain_until=retain_until)
    count = 0
    for flaw, content in wrong_parts(mirror, head.size, partial(proven, journal)):
        put(mirror.name(flaw.path), content)
        count += 1
    for path, _problem, content in wrong_keys(mirror, history):
        put(mirror.name(path), content)
        count += 1
    key = signing_key(journal)
    for size in sizes:
        if _is_signed(mirror, size, history):
            continue
        name = mirror.name(numbered_path(size))
        if size <= head.size:
            checkpoint = Checkpoint(journal.journal_id, size, tree.roots[size])
            put(name, sign_checkpoint(checkpoint, [key]))
        else:
            mirror.backend.delete(name)
        count += 1
    return count


def _is_signed(mirror: Mirror, size: int, history: KeyHistory) -> bool:
    try:
        signed = mirror.numbered(size)
        if signed is None:
            return True  # it is gone since the listing
        journal_id, where = mirror.journal_id, mirror.url
        found = open_checkpoint(signed, history.keys, journal_id=journal_id, where=where)
    except IntegrityError:
        return False
    return found.size == size
