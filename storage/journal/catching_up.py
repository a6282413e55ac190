"""A journal that lacks what a store signed of it: seen before anything is appended, and refilled.

An older copy of a journal is its beginning, and what it lacks can be put back as it was. With the
first event that is appended to it instead there are two histories, for good.
"""

from junmai_svc.storage.errors import IntegrityError, JournalConflictError
from junmai_svc.storage.journal.checkpoint import Checkpoint, open_checkpoint
from junmai_svc.storage.journal.comparing import require_beginning, went_another_way
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.journal.keyring import key_beside
from junmai_svc.storage.journal.mirror import Mirror
from junmai_svc.storage.journal.published import published_to
from junmai_svc.storage.journal.refilling import refill
from junmai_svc.storage.journal.rotation import history_of
from junmai_svc.storage.journal.rotations import trusted_through


def held_by(journal: Journal, mirror: Mirror) -> Checkpoint | None:
    """Return what a store signed last of a journal, None where it holds nothing of it.

    Trusted are the journal's keys, the one beside it, and those that these handed over to: an older
    copy knows less of its keys than the store.

    Raises:
        IntegrityError: nobody trusted signed what the store holds.
        JunmaiError: the store or the journal can't be read.
    """
    signed = mirror.latest()
    if signed is None:
        return None
    keys = [*history_of(journal).keys, *key_beside(journal.path, journal.journal_id)]
    where = f"the checkpoint in {mirror.url}"
    try:
        return open_checkpoint(signed, keys, journal_id=journal.journal_id, where=where)
    except IntegrityError:
        keys = trusted_through(keys, mirror.rotations())
        return open_checkpoint(signed, keys, journal_id=journal.journal_id, where=where)


def catch_up(journal: Journal, mirror: Mirror, held: Checkpoint) -> int:
    """Make sure that a journal holds all that a store signed; return how many events it lacked.

    What it lacks is refilled, byte for byte, and recorded as `recovered`. `held` was read before
    the call, so that a journal which others append to and publish meanwhile lacks nothing.

    Raises:
        DivergedError: the journal is not the beginning of what the store holds, nor the reverse.
        IntegrityError: what the store holds is not what was signed; nothing was written.
        JunmaiError: one of them can't be read or written; nothing was written.
    """
    while (size := journal.head().size) < held.size:
        missing = list(mirror.entries(size, held.size))  # read before the journal is locked
        try:
            refill(journal, size, missing, held, mirror.backend.url)
        except JournalConflictError:
            continue  # another process was faster
        except IntegrityError:
            parted = went_another_way(journal, mirror, held, size)
            if parted is None:
                raise
            raise parted from None
        return held.size - size
    remembered = published_to(journal, mirror.backend.url)
    require_beginning(journal, mirror, held, remembered, int(journal.now().timestamp()))
    return 0
