"""A journal that lost events is made anew from a store; one that went another way is explained.

The file is judged as it lies there, by nothing that it says of itself, and is kept beside the new
one. What it holds behind the store's entries goes along.

Two histories are never merged. A fork stays as it is in both places until a person says with a
reason that a new epoch is to begin; the local journal is then kept beside the new one, whose first
event carries what both were.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from junmai_svc.checks.mirrored import gather
from junmai_svc.checks.proof import Verdicts
from junmai_svc.service.audit.claimed import Claimed, claimed
from junmai_svc.service.audit.epoch import OpenJournal, Recovery, begin_epoch
from junmai_svc.storage.backends.base import Backend
from junmai_svc.storage.errors import IntegrityError, JunmaiError, NotFoundError, UsageError
from junmai_svc.storage.journal.catching_up import catch_up
from junmai_svc.storage.journal.checkpoint import Checkpoint, origin_of
from junmai_svc.storage.journal.comparing import differences
from junmai_svc.storage.journal.examining import Examination
from junmai_svc.storage.journal.failures import DAMAGED_HINT, translated
from junmai_svc.storage.journal.journal_file import JournalFile, is_there, looking_at
from junmai_svc.storage.journal.keyfile import open_key_file
from junmai_svc.storage.journal.keyring import KeyHistory, key_beside, key_path
from junmai_svc.storage.journal.keys import VerifierKey
from junmai_svc.storage.journal.merkle import leaf_hash
from junmai_svc.storage.journal.mirror import Mirror
from junmai_svc.storage.journal.pinning import journal_of, read_keys
from junmai_svc.storage.journal.published import Published, remember
from junmai_svc.storage.journal.refilling import (
    begin_again,
    made_anew,
    record_recovered,
    take_place,
)
from junmai_svc.storage.journal.rotations import trusted_through
from junmai_svc.storage.journal.stored import tree_of
from junmai_svc.storage.snapshots.base import SnapshotStore

# The store signed more than the journal has, and has lost it.
_OUT_OF_REACH = "TRUNCATED"


@dataclass(frozen=True)
class _Mirrored:
    """The largest signed checkpoint of all stores, its store and its note."""

    mirror: Mirror
    checkpoint: Checkpoint
    signed: bytes

    @property
    def url(self) -> str:
        """The store's address."""
        return self.mirror.backend.url


def recover(
    path: Path,
    stores: Sequence[SnapshotStore],
    open_journal: OpenJournal,
    *,
    places: Sequence[Backend] = (),
    key: Path | None = None,
    new_epoch: str | None = None,
) -> Recovery:
    """Make a journal anew from the store that knows most of it; a fork from any is explained.

    Where nothing is missing and nothing was changed, nothing is done. A journal that is gone is
    made too. `places` are those of stores that can't be opened, such as sealed ones without their
    key: the journal's copy there is not sealed. One that can't be read either is passed over.
    `key` are public keys to trust, else the journal's own are. A new epoch may begin at a fork, or
    where the store lost entries that it signed and nobody has.

    Raises:
        NotFoundError: no store knows the journal, or nothing tells which one it is.
        UsageError: `new_epoch` is said where there is no fork.
        IntegrityError: what the store holds is not what was signed; nothing was written.
        LockedError: something is going on in a journal that is to be put aside.
        JunmaiError: a store or the journal can't be used.
    """
    if not is_there(path):
        found = _ranked(stores, places, *_known_by_key(path, key, stores))[0]
        begin_again(path, found.mirror.entries(0, found.checkpoint.size), found.checkpoint)
        return _recovered(path, found, 0, open_journal, found.checkpoint.size)
    with ExitStack() as stack, ExitStack() as look:
        file = look.enter_context(looking_at(path))
        history = file.keys()
        trusted = _trusted(file, history, key)
        found, *others = _ranked(stores, places, file.journal_id, trusted)
        signed = found.checkpoint
        sizes = [signed.size, *(each.checkpoint.size for each in others)]
        examined = file.examine(sizes, fold=False)
        ours = Checkpoint(file.journal_id, examined.size, examined.tree.root)
        is_behind = ours.size < signed.size
        try:
            differs, missing = _compared(file, examined, found)
            if not (differs or is_behind):
                differs, found = _parted(file, examined, others) or (None, found)
            if differs is None and new_epoch is not None and not is_behind:
                raise UsageError(
                    f"{path} and {found.mirror.url} tell one history: no new epoch is needed",
                    "Leave out --new-epoch.",
                )
            if differs is None:
                if _is_sound(file, examined):
                    done = _caught_up(path, ours, found, open_journal)
                    besides = claimed(stores, besides=ours.journal_id)
                    return replace(done, besides=tuple(map(str, besides)))
                published = file.published()
                behind = _behind(file, signed.size, ours.size)
                entries = found.mirror.entries(0, signed.size)
                staged = stack.enter_context(made_anew(path.absolute(), entries, signed, behind))
                look.close()  # else it counts as open
                kept = take_place(path.absolute(), staged)
        except (IntegrityError, NotFoundError):
            if new_epoch is None or not is_behind:
                raise
            differs = _OUT_OF_REACH, ours.size
    if differs is None:
        lost = examined.lost + max(0, signed.size - ours.size)
        return _recovered(path, found, missing, open_journal, lost, kept, published)
    fork = _forked(ours, found, *differs)
    if new_epoch is None:
        return fork
    running = examined.open_streams()
    return begin_epoch(path, fork, history.current, running, found.signed, new_epoch, open_journal)


def _forked(ours: Checkpoint, found: _Mirrored, verdict: str, position: int) -> Recovery:
    return Recovery(
        "forked",
        ours.journal_id,
        ours.size,
        found.url,
        position=position,
        verdict=verdict,
        ours=ours,
        theirs=found.checkpoint,
    )


def _trusted(file: JournalFile, history: KeyHistory, key: Path | None) -> list[VerifierKey]:
    if key is not None:
        return trusted_through(read_keys(key), history.rotations)
    return [*history.keys, *key_beside(file.path, file.journal_id)]


def _parted(
    file: JournalFile, examined: Examination, others: Sequence[_Mirrored]
) -> tuple[tuple[str, int], _Mirrored] | None:
    """Which of the stores that hold less tells otherwise than the journal, how and where."""
    for each in others:
        try:
            differs, _missing = _compared(file, examined, each)
        except (IntegrityError, NotFoundError):
            continue  # the store is damaged, which is no history; verifying names it
        if differs is not None:
            return differs, each
    return None


def _compared(
    file: JournalFile, examined: Examination, found: _Mirrored
) -> tuple[tuple[str, int] | None, int]:
    """How and where the journal tells otherwise than a store, and the first position it lacks."""
    signed = found.checkpoint
    shared = min(examined.size, signed.size)
    is_same = examined.tree.roots.get(signed.size) == signed.root
    missing = shared if shared < signed.size else examined.size
    if is_same and not examined.damage.total:
        return None, missing
    for verdict, position in differences(file.pairs(0, shared), found.mirror, shared):
        if verdict != "MISSING":
            return (verdict, position), missing
        missing = min(missing, position)
    if not is_same and shared == signed.size and not examined.lost:
        raise IntegrityError(
            f"The entries in {found.mirror.url} are not those of its checkpoint",
            "Name another store with --store.",
        )
    return None, missing


def _caught_up(
    path: Path, ours: Checkpoint, found: _Mirrored, open_journal: OpenJournal
) -> Recovery:
    """Refill a sound journal in its place, as others may be at work in it."""
    if ours.size >= found.checkpoint.size:
        return Recovery("intact", ours.journal_id, ours.size, found.url)
    with open_journal(path, False, None) as journal:
        added = catch_up(journal, found.mirror, found.checkpoint)
        size = journal.head().size
    return Recovery("recovered", ours.journal_id, size, found.url, added=added)


def _is_sound(file: JournalFile, examined: Examination) -> bool:
    """Whether entries, triggers and head of a journal agree, so that it can go on."""
    head = (examined.size, examined.tree.root)
    return not examined.damage.total and not file.triggers() and file.head() == head


def _behind(file: JournalFile, begin: int, end: int) -> Iterator[bytes]:
    """The journal's own entries that no store has yet; each has to be what its hash says."""
    for step in file.pairs(begin, end):
        for entry, hash_ in step:
            if leaf_hash(entry) != hash_:
                what = "EDITED" if entry else "MISSING"
                raise IntegrityError(
                    f"{what} at position {begin}: the journal {file.path} is damaged there, and no"
                    " store holds the event yet",
                    DAMAGED_HINT,
                )
            yield entry
            begin += 1


def _ranked(
    stores: Sequence[SnapshotStore],
    places: Sequence[Backend],
    journal_id: str,
    trusted: Sequence[VerifierKey],
) -> list[_Mirrored]:
    """What the stores signed of a journal, the one that knows most of it first."""
    found = [_signed(store.backend, journal_id, trusted) for store in stores]
    for place in places:
        with suppress(JunmaiError):
            found.append(_signed(place, journal_id, trusted))
    known = [each for each in found if each is not None]
    if not known:
        raise NotFoundError(
            f"No store holds anything of the journal {journal_id} that its key signed",
            "Name a store where it was published with --store.",
        )
    return sorted(known, key=lambda each: each.checkpoint.size, reverse=True)


def _signed(place: Backend, journal_id: str, trusted: Sequence[VerifierKey]) -> _Mirrored | None:
    mirror = Mirror(place, journal_id)
    signed = gather(mirror, trusted_through(trusted, mirror.rotations()), Verdicts())
    return _Mirrored(mirror, signed.largest, signed.note) if signed.largest else None


def _known_by_key(
    path: Path, key: Path | None, stores: Sequence[SnapshotStore]
) -> tuple[str, Sequence[VerifierKey]]:
    """Which journal is wanted where there is none: that of the key named or left beside it."""
    if key is not None:
        keys = read_keys(key)
        return journal_of(keys, key), keys
    secret = key_path(path)
    if not secret.exists():
        raise NotFoundError(
            f"There is no journal in {path}, and no key beside it tells which one it was",
            _key_hint(claimed(stores)),
        )
    with translated("read", secret):
        text = secret.read_text(encoding="ascii", errors="replace")
    name = text.strip().removeprefix("PRIVATE+KEY+").partition("+")[0]
    verifier = open_key_file(secret, name, create=False).verifier
    return name.removeprefix(origin_of("")), [verifier]


def _key_hint(there: Sequence[Claimed]) -> str:
    if not there:
        return "Name its public key with --key."
    return (
        "Put its public key, one line, into a file and name that with --key. The stores themselves"
        f" say that they hold {'; '.join(map(str, there))}. Compare the key with a copy, if"
        " anybody has one."
    )


def _recovered(
    path: Path,
    found: _Mirrored,
    begin: int,
    open_journal: OpenJournal,
    added: int,
    kept: Path | None = None,
    published: Mapping[str, int] | None = None,
) -> Recovery:
    """Record that a journal was made anew, and what it had published where."""
    signed = found.checkpoint
    with open_journal(path, False, None) as journal:
        size = journal.head().size
        for address, there in (published or {}).items():
            if there <= size:  # the memory of a store is not among the events
                remember(journal, address, Published(there, tree_of(journal, there).frontier))
        record_recovered(journal, begin, signed, found.url)
        return Recovery(
            "recovered", journal.journal_id, size + 1, found.url, added=added, kept=kept
        )
