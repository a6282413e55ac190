"""A stored copy held against what the journal recorded of it.

Its manifest says what its bytes are, and lies beside them: who can change both leaves two that
agree. What was recorded can't be changed with them.
"""

from collections.abc import Collection, Mapping

from junmai_svc.storage.errors import ChecksumError
from junmai_svc.storage.journal.addresses import is_same_place
from junmai_svc.storage.journal.folding import SNAPSHOTS, rows_named
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.snapshots.base import Snapshot, SnapshotStore

REPLACED_HINT = (
    "Somebody put another image in its place, with a manifest to fit. Take another copy of it with"
    " --store; `junmai-svc audit verify` says what else is not as it was recorded."
)


# The SHA-256s that were recorded of a store's snapshots, by their names.
Recorded = Mapping[str, Collection[str]]


def recorded_in(journal: Journal, store: SnapshotStore) -> Recorded:
    """Return what was recorded of the copies that a store has, as far as the journal knows.

    Raises:
        JunmaiError: the journal can't be read.
    """
    found: dict[str, list[str]] = {}
    for _, row in rows_named(journal.projection(), SNAPSHOTS):
        if row["deleted"] is not None or row["checksum"] is None:
            continue
        if any(is_same_place(str(row["store"]), at) for at in (store.url, store.backend.url)):
            found.setdefault(row["snapshot"], []).append(row["checksum"])
    return found


def refuse_replaced(recorded: Recorded, store: SnapshotStore, snapshot: Snapshot) -> None:
    """Make sure that a copy's manifest has the checksum that was recorded when it was stored.

    A copy of which nothing is recorded is as good as its manifest.

    Raises:
        ChecksumError: it has another one.
    """
    checksum = snapshot.manifest.checksum
    for each in recorded.get(snapshot.name, ()):
        if each != checksum:
            raise ChecksumError(
                f"{snapshot.name} in {store.url} is not the snapshot that was recorded: its"
                f" manifest says SHA-256 {checksum}, the journal {each}",
                REPLACED_HINT,
            )


def require_recorded(journal: Journal, store: SnapshotStore, snapshot: Snapshot) -> None:
    """Make sure of one copy that it is the recorded one; see `refuse_replaced`.

    Raises:
        ChecksumError: it is not.
        JunmaiError: the journal can't be read.
    """
    refuse_replaced(recorded_in(journal, store), store, snapshot)
