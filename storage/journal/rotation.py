"""The signing key of an open journal: made at its first use, loaded, handed over to a new one.

A lost key is missed and never replaced unasked; where a person says that it is lost, the new key
stands alone, and whoever trusted the old one has to be told.
"""

import os

from junmai_svc.storage.errors import NotFoundError, UsageError
from junmai_svc.storage.files import remove, rename_over
from junmai_svc.storage.journal import events
from junmai_svc.storage.journal.checkpoint import Checkpoint, origin_of, sign_checkpoint
from junmai_svc.storage.journal.failures import translated
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.journal.keyfile import open_key_file
from junmai_svc.storage.journal.keyring import (
    ROTATED,
    KeyHistory,
    keep_aside,
    key_history,
    key_path,
    load_key,
    next_key_path,
)
from junmai_svc.storage.journal.keys import SigningKey, VerifierKey
from junmai_svc.storage.journal.merkle import frontier_root
from junmai_svc.storage.journal.rotations import signed_rotation


def history_of(journal: Journal) -> KeyHistory:
    """Return the keys of a journal.

    Raises:
        JunmaiError: as `Journal.read`.
    """
    stream = events.stream_name("journal", journal.journal_id)
    return key_history(journal.journal_id, journal.read(stream))


def signing_key(journal: Journal) -> SigningKey:
    """Return the key that signs for a journal; one that never had a key gets it, on record.

    Raises:
        NotFoundError, AccessDeniedError, IntegrityError: the journal has a key, and its file is
            missing, open to others, or another one's.
        JunmaiError: as `Journal.append`.
    """
    current = history_of(journal).current
    if current is None:
        _hand_over(journal, None, None, "the journal had no key")
        current = history_of(journal).current
        assert current is not None  # noqa: S101  # it was just recorded, by us or by another
    with translated("open the signing key of", journal.path):
        return load_key(journal.path, journal.journal_id, current)


def rotate_key(journal: Journal, *, lost: str | None = None) -> VerifierKey:
    """Give a journal a new key, signed by the old one and by itself; return its public half.

    `lost` is the reason for which the old one can't sign any more. The old key's file is kept only
    where it was lost to us, as it may belong to something else.

    Raises:
        UsageError: `lost` is said of a key that is there.
        NotFoundError, AccessDeniedError, IntegrityError: the old key can't sign.
        JunmaiError: as `Journal.append`.
    """
    current = history_of(journal).current
    if current is None:
        return signing_key(journal).verifier
    with translated("open the signing key of", journal.path):
        if lost is None:
            old = load_key(journal.path, journal.journal_id, current)
            return _hand_over(journal, current, old, None)
        try:
            load_key(journal.path, journal.journal_id, current)
        except NotFoundError:
            pass
        else:
            raise UsageError(
                f"The signing key in {key_path(journal.path)} is there",
                "Rotate without --lost: then the old key vouches for the new one.",
            )
    return _hand_over(journal, current, None, lost)


def checkpoint_of(journal: Journal) -> Checkpoint:
    """Return what the journal holds now: its size and root.

    Raises:
        JunmaiError: as `Journal.read`.
    """
    head = journal.head()
    return Checkpoint(journal.journal_id, head.size, frontier_root(head.frontier))


def checkpoint_text(journal: Journal) -> str:
    """Return the signed checkpoint of what the journal holds now, as manifests embed it.

    Raises:
        JunmaiError: as `signing_key`.
    """
    key = signing_key(journal)  # before the head is read: it may append an event
    return sign_checkpoint(checkpoint_of(journal), [key]).decode()


def _hand_over(
    journal: Journal, previous: VerifierKey | None, by: SigningKey | None, reason: str | None
) -> VerifierKey:
    path = key_path(journal.path)
    following = next_key_path(journal.path)
    stream = events.stream_name("journal", journal.journal_id)
    with journal.within("give a new key to", writing=True):
        if history_of(journal).current != previous:  # another process was faster
            current = history_of(journal).current
            assert current is not None  # noqa: S101  # only a key can have taken its place
            return current
        if previous is None and os.path.lexists(path):
            keep_aside(path)
        if os.path.lexists(following):
            remove(following)
        new = open_key_file(following, origin_of(journal.journal_id), create=True)
        data = signed_rotation(journal.journal_id, new, previous, by).data(reason)
        journal.append(stream, ROTATED, data, correlation=journal.journal_id)
    # Recorded first: a crash in between leaves the new key under a name where it is looked for.
    with translated("rename the signing key of", journal.path):
        rename_over(following, path)
    return new.verifier
