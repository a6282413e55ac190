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
from junmai_svc.storage.journal.catching_up import catch_up
from junmai_svc.storage.journal.checkpoint import Checkpoint, origin_of
from junmai_svc.storage.journal.comparing import first_difference
from junmai_svc.storage.journal.examining import Examination
from junmai_svc.storage.journal.failures import translated
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.journal.journal_file import JournalFile, is_there, looking_at
from junmai_svc.storage.journal.keyfile import open_key_file
from junmai_svc.storage.journal.keyring import key_beside, key_path
from junmai_svc.storage.journal.keys import VerifierKey
from junmai_svc.storage.journal.mirror import Mirror
from junmai_svc.storage.journal.pinning import journal_of, read_keys
from junmai_svc.storage.journal.refilling import begin_again, record_recovered
from junmai_svc.storage.journal.rotations import trusted_through
from junmai_svc.storage.snapshots.base import SnapshotStore

Difference = tuple[str, int]  # how, and from which position on

# The store signed more than the journal has, and has lost it.
_OUT_OF_REACH = "TRUNCATED"


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
    A new epoch may begin at a fork, or where the store lost entries that it signed and nobody has.

    Raises:
        NotFoundError: no store knows the journal, or nothing tells which one it is.
        UsageError: `new_epoch` is said where there is no fork.
        IntegrityError: what the store holds is not what was signed; nothing was written.
        LockedError: something is going on in a journal that is to be put aside.
        JunmaiError: a store or the journal can't be used.
    """
    if not is_there(path):
        found = _best(stores, *_known_by_key(path, key))
        begin_again(path, found.mirror.entries(0, found.checkpoint.size), found.checkpoint)
        with open_journal(path, False, None) as journal:
            record_recovered(journal, 0, found.checkpoint, found.mirror.backend.url)
            return _recovered(journal, found, found.checkpoint.size)
    giving_up = new_epoch is not None
    found, ours, differs = _compared(path, stores, key, giving_up=giving_up)
    if differs is None and ours.size < found.checkpoint.size:
        try:
            with open_journal(path, False, None) as journal:
                return _recovered(journal, found, catch_up(journal, found.mirror, found.checkpoint))
        except (IntegrityError, NotFoundError):
            if not giving_up:
                raise
            differs = _OUT_OF_REACH, ours.size
    store = found.mirror.backend.url
    if differs is None:
        if giving_up:
            raise UsageError(
                f"{path} and {found.mirror.url} tell one history: no new epoch is needed",
                "Leave out --new-epoch.",
            )
        return Recovery("intact", ours.journal_id, ours.size, store)
    verdict, position = differs
    fork = Recovery(
        "forked",
        ours.journal_id,
        ours.size,
        store,
        position=position,
        verdict=verdict,
        ours=ours,
        theirs=found.checkpoint,
    )
    if new_epoch is None:
        return fork
    return begin_epoch(path, fork, found.signed, new_epoch, open_journal)


def _compared(
    path: Path, stores: Sequence[SnapshotStore], key: Path | None, *, giving_up: bool
) -> tuple[_Mirrored, Checkpoint, Difference | None]:
    """Return what the stores hold, what the journal holds, and where these part."""
    with looking_at(path) as file:
        history = file.keys()
        trusted = [*history.keys, *key_beside(path, file.journal_id)]
        if key:
            trusted = trusted_through(read_keys(key), history.rotations)
        found = _best(stores, file.journal_id, trusted)
        examined = file.examine([found.checkpoint.size], fold=False)
        ours = Checkpoint(file.journal_id, examined.size, examined.tree.root)
        try:
            return found, ours, _difference(file, examined, found)
        except (IntegrityError, NotFoundError):
            if not giving_up or ours.size >= found.checkpoint.size:
                raise
            return found, ours, (_OUT_OF_REACH, ours.size)


def _difference(file: JournalFile, examined: Examination, found: _Mirrored) -> Difference | None:
    shared = min(examined.size, found.checkpoint.size)
    if examined.damage.total or shared < found.checkpoint.size:
        return first_difference(file.pairs(0, shared), found.mirror, shared)
    if examined.tree.roots[shared] == found.checkpoint.root:
        return None
    differs = first_difference(file.pairs(0, shared), found.mirror, shared)
    if differs is None:
        raise IntegrityError(
            f"The entries in {found.mirror.url} are not those of its checkpoint",
            "Name another store with --store.",
        )
    return differs


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


def _recovered(journal: Journal, found: _Mirrored, added: int) -> Recovery:
    return Recovery(
        "recovered",
        journal.journal_id,
        journal.head().size,
        found.mirror.backend.url,
        added=added,
    )
