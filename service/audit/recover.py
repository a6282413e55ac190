"""A journal that lost its end is refilled from a store; one that went another way is explained.

Two histories are never merged. A fork stays as it is in both places until a person says with a
reason that a new epoch is to begin; the local journal is then kept beside the new one, whose first
event carries what both were.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from junmai_svc.checks.mirrored import gather
from junmai_svc.checks.proof import Verdicts
from junmai_svc.service.audit.epoch import OpenJournal, Recovery, begin_epoch
from junmai_svc.storage.errors import IntegrityError, NotFoundError, UsageError
from junmai_svc.storage.journal import events
from junmai_svc.storage.journal.checkpoint import Checkpoint, origin_of
from junmai_svc.storage.journal.comparing import first_difference
from junmai_svc.storage.journal.failures import translated
from junmai_svc.storage.journal.journal_file import looking_at
from junmai_svc.storage.journal.keyfile import open_key_file
from junmai_svc.storage.journal.keyring import key_path
from junmai_svc.storage.journal.keys import VerifierKey
from junmai_svc.storage.journal.mirror import Mirror
from junmai_svc.storage.journal.pinning import journal_of, read_keys
from junmai_svc.storage.journal.refilling import begin_again, refill
from junmai_svc.storage.journal.rotations import trusted_through
from junmai_svc.storage.snapshots.base import SnapshotStore


@dataclass(frozen=True)
class _Mirrored:
    """The largest signed checkpoint of all stores, its store and its note."""

    mirror: Mirror
    checkpoint: Checkpoint
    signed: bytes


def recover(
    path: Path,
    stores: Sequence[SnapshotStore],
    open_journal: OpenJournal,
    *,
    key: Path | None = None,
    new_epoch: str | None = None,
) -> Recovery:
    """Refill a journal from the store that knows most of it; a fork is explained.

    A journal that is gone is made anew. `key` are public keys to trust, else the journal's own are.

    Raises:
        NotFoundError: no store knows the journal, or nothing tells which one it is.
        UsageError: `new_epoch` is said where there is no fork.
        IntegrityError: what the store holds is not what was signed; nothing was written.
        LockedError: something is going on in a journal that is to be put aside.
        JunmaiError: a store or the journal can't be used.
    """
    if not path.exists():
        found = _best(stores, *_known_by_key(path, key))
        begin_again(path, found.mirror.entries(0, found.checkpoint.size), found.checkpoint)
        return _recovered(path, found, 0, open_journal)
    with looking_at(path) as file:
        history = file.keys()
        trusted = trusted_through(read_keys(key), history.rotations) if key else history.keys
        found = _best(stores, file.journal_id, trusted)
        examined = file.examine([found.checkpoint.size], fold=False)
        shared = min(examined.size, found.checkpoint.size)
        differs = None
        if examined.damage.total or shared < found.checkpoint.size:
            differs = first_difference(file.pairs(0, shared), found.mirror, shared)
        elif examined.tree.roots[shared] != found.checkpoint.root:
            differs = first_difference(file.pairs(0, shared), found.mirror, shared)
            if differs is None:
                raise IntegrityError(
                    f"The entries in {found.mirror.url} are not those of its checkpoint",
                    "Name another store with --store.",
                )
        ours = Checkpoint(file.journal_id, examined.size, examined.tree.root)
    if differs is not None:
        verdict, position = differs
        fork = Recovery(
            "forked",
            ours.journal_id,
            ours.size,
            found.mirror.backend.url,
            position=position,
            verdict=verdict,
            ours=ours,
            theirs=found.checkpoint,
        )
        return (
            fork
            if new_epoch is None
            else begin_epoch(path, fork, found.signed, new_epoch, open_journal)
        )
    if new_epoch is not None:
        raise UsageError(
            f"{path} and {found.mirror.url} tell one history: no new epoch is needed",
            "Leave out --new-epoch.",
        )
    if ours.size >= found.checkpoint.size:
        return Recovery("intact", ours.journal_id, ours.size, found.mirror.backend.url)
    with open_journal(path, False, None) as journal:
        missing = found.mirror.entries(ours.size, found.checkpoint.size)
        before = refill(journal, missing, found.checkpoint)
    return _recovered(path, found, before, open_journal)


def _best(
    stores: Sequence[SnapshotStore], journal_id: str, trusted: Sequence[VerifierKey]
) -> _Mirrored:
    best: _Mirrored | None = None
    for store in stores:
        mirror = Mirror(store.backend, journal_id)
        signed = gather(mirror, trusted_through(trusted, mirror.rotations()), Verdicts())
        largest = signed.largest
        if largest is not None and (best is None or largest.size > best.checkpoint.size):
            note = mirror.numbered(largest.size) or mirror.latest() or b""
            best = _Mirrored(mirror, largest, note)
    if best is None:
        raise NotFoundError(
            f"No store holds anything of the journal {journal_id} that its key signed",
            "Name a store where it was published with --store.",
        )
    return best


def _known_by_key(path: Path, key: Path | None) -> tuple[str, Sequence[VerifierKey]]:
    """Which journal is wanted where there is none: that of the key named or left beside it."""
    if key is not None:
        keys = read_keys(key)
        return journal_of(keys, key), keys
    secret = key_path(path)
    if not secret.exists():
        raise NotFoundError(
            f"There is no journal in {path}, and no key beside it tells which one it was",
            "Name its public key with --key.",
        )
    with translated("read", secret):
        text = secret.read_text(encoding="ascii", errors="replace")
    name = text.strip().removeprefix("PRIVATE+KEY+").partition("+")[0]
    verifier = open_key_file(secret, name, create=False).verifier
    return name.removeprefix(origin_of("")), [verifier]


def _recovered(path: Path, found: _Mirrored, before: int, open_journal: OpenJournal) -> Recovery:
    """Record that a journal was refilled."""
    store = found.mirror.backend.url
    size = found.checkpoint.size
    with open_journal(path, False, None) as journal:
        data = {
            "store": store,
            "from": before,
            "to": size,
            "root": found.checkpoint.root.hex(),
        }
        journal.append(
            events.stream_name("journal", journal.journal_id),
            events.event_type("journal", "recovered"),
            data,
            correlation=journal.journal_id,
        )
        return Recovery("recovered", journal.journal_id, size + 1, store, added=size - before)
