"""Which journals stores hold by their own word, for whoever has no key left to say which."""

from collections.abc import Iterable
from dataclasses import dataclass

from junmai_svc.checks.mirrored import gather
from junmai_svc.checks.proof import Verdicts
from junmai_svc.storage.errors import JunmaiError
from junmai_svc.storage.journal.keys import VerifierKey
from junmai_svc.storage.journal.mirror import Mirror, keys_in
from junmai_svc.storage.journal.rotations import trusted_through
from junmai_svc.storage.snapshots.base import SnapshotStore

_SHOWN = 5


@dataclass(frozen=True)
class Claimed:
    """A journal in a store: the public key that lies there, and the events that it signed.

    Nothing vouches for the key: whoever can write the store may have put it there.
    """

    store: str
    key: str
    size: int

    def __str__(self) -> str:
        return f"{self.size:,} events by the key {self.key} in {self.store}"


def claimed(stores: Iterable[SnapshotStore], besides: str = "") -> list[Claimed]:
    """Return the journals in some stores but the one `besides`, the largest first.

    Of several keys of a journal it is the one that signed most. What can't be read is left out.
    """
    most: dict[tuple[str, str], Claimed] = {}
    for store in stores:
        for journal_id, key in _keys(store):
            if journal_id == besides:
                continue
            mirror = Mirror(store.backend, journal_id)
            try:
                signed = gather(mirror, trusted_through([key], mirror.rotations()), Verdicts())
            except JunmaiError:
                continue
            at = (store.backend.url, journal_id)
            size = signed.largest.size if signed.largest else 0
            if size > (most[at].size if at in most else 0):
                most[at] = Claimed(store.backend.url, str(key), size)
    return sorted(most.values(), key=lambda each: each.size, reverse=True)[:_SHOWN]


def _keys(store: SnapshotStore) -> list[tuple[str, VerifierKey]]:
    try:
        return [*keys_in(store.backend)]
    except JunmaiError:
        return []
