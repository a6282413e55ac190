"""A stored copy held against what the journal recorded of it.

Its manifest says what its bytes are, and lies beside them: who can change both leaves two that
agree. What was recorded can't be changed with them.
"""

from junmai_svc.storage.errors import ChecksumError
from junmai_svc.storage.journal.addresses import is_same_place
from junmai_svc.storage.journal.folding import SNAPSHOTS, rows_named
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.snapshots.base import Snapshot, SnapshotStore

REPLACED_HINT = (
    "Somebody put another image in its place, with a manifest to fit. Take another copy of it with"
    " --store; `junmai-svc audit verify` says what else is not as it was recorded."
)


def require_recorded(journal: Journal, store: SnapshotStore, snapshot: Snapshot) -> None:
    """Make sure that a copy's manifest has the checksum that was recorded when it was stored.

    A copy of which this journal knows nothing is as good as its manifest.

    Raises:
        ChecksumError: it has another one.
        JunmaiError: the journal can't be read.
    """
    checksum = snapshot.manifest.checksum
    for _, row in rows_named(journal.projection(), SNAPSHOTS):
        if row["snapshot"] != snapshot.name or row["deleted"] is not None:
            continue
        is_here = any(is_same_place(str(row["store"]), at) for at in (store.url, store.backend.url))
        if is_here and row["checksum"] not in {None, checksum}:
            raise ChecksumError(
                f"{snapshot.name} in {store.url} is not the snapshot that was recorded: its"
                f" manifest says SHA-256 {checksum}, the journal {row['checksum']}",
                REPLACED_HINT,
            )
