"""Putting right what of a journal's copy in a store is missing or wrong, from the journal."""

from datetime import datetime
from functools import partial

from junmai_svc.storage.errors import IntegrityError
from junmai_svc.storage.journal.failures import DAMAGED_HINT
from junmai_svc.storage.journal.flaws import wrong_keys, wrong_parts
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.journal.keyring import KeyHistory
from junmai_svc.storage.journal.merkle import frontier_root
from junmai_svc.storage.journal.mirror import Mirror
from junmai_svc.storage.journal.reading import Head
from junmai_svc.storage.journal.stored import proven, tree_of


def mend(
    journal: Journal,
    mirror: Mirror,
    history: KeyHistory,
    head: Head,
    retain_until: datetime | None = None,
) -> int:
    """Write anew each bundle, tile and key of a published journal that is not as it was.

    Return how many; durable on return. All entries are hashed before the first is written.

    Raises:
        DivergedError, IntegrityError: the journal is damaged; nothing was written.
        JunmaiError: one of them can't be used.
    """
    if tree_of(journal, head.size).root != frontier_root(head.frontier):
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
    return count
