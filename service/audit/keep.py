"""What keeps a journal provable: signing and publishing, proofs of single events, new keys."""

from dataclasses import dataclass, field
from pathlib import Path

from junmai_svc.service.context import StoreProblem
from junmai_svc.service.outputs import is_proof, output_file
from junmai_svc.service.publish import publish_to
from junmai_svc.storage.errors import IntegrityError, JunmaiError, NotFoundError
from junmai_svc.storage.files import write_durably
from junmai_svc.storage.journal import published
from junmai_svc.storage.journal.addresses import is_same_place
from junmai_svc.storage.journal.checkpoint import sign_checkpoint
from junmai_svc.storage.journal.entry import Event, decode
from junmai_svc.storage.journal.entry_proof import EntryProof, decode_proof, verify_proof
from junmai_svc.storage.journal.events import event_type, stream_name
from junmai_svc.storage.journal.failures import translated
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.journal.merkle import tree_root
from junmai_svc.storage.journal.pinning import journal_of, read_keys
from junmai_svc.storage.journal.proofs import inclusion_proof
from junmai_svc.storage.journal.publishing import Publication
from junmai_svc.storage.journal.rotation import checkpoint_of, history_of, signing_key
from junmai_svc.storage.journal.stored import pairs, tree_of
from junmai_svc.storage.journal.upcasting import upcast
from junmai_svc.storage.journal.uuid7 import uuid7
from junmai_svc.storage.snapshots.base import SnapshotStore


@dataclass(frozen=True)
class Signing:
    """A signed checkpoint, the public key, and where it was published or could not be."""

    journal_id: str
    size: int
    text: str
    key: str
    published: list[Publication] = field(default_factory=list)
    problems: list[StoreProblem] = field(default_factory=list)


def sign(
    journal: Journal,
    stores: list[SnapshotStore],
    down: list[StoreProblem],
    *,
    accepting: str | None = None,
    mending: bool = False,
) -> Signing:
    """Sign what the journal holds now, and publish it into stores.

    `accepting` is the reason for which a store may hold less than was published there; it goes on
    record. With it, or `mending`, all that was published there is read and put right.

    Raises:
        JunmaiError: it can't be signed.
    """
    problems = [*down]
    done: list[Publication] = []
    for store in stores:
        try:
            if accepting is not None:
                accept(journal, store.backend.url, accepting)
            is_accepting = accepting is not None
            mend = mending or is_accepting
            done.append(publish_to(journal, store, accepting=is_accepting, mending=mend))
        except JunmaiError as problem:
            problems.append(StoreProblem(store.url, problem))
    key = signing_key(journal)
    checkpoint = checkpoint_of(journal)
    text = sign_checkpoint(checkpoint, [key]).decode()
    return Signing(journal.journal_id, checkpoint.size, text, str(key.verifier), done, problems)


def accept(journal: Journal, address: str, reason: str) -> None:
    """Record why a store may hold less than was published there; it is not missed any more.

    Raises:
        JunmaiError: the journal can't be written.
    """
    before = published.published_to(journal, address)
    data = {"store": address, "published": before.size if before else 0, "reason": reason}
    stream = stream_name("journal", journal.journal_id)
    type_ = event_type("journal", "store_accepted")
    journal.append(stream, type_, data, correlation=uuid7())
    published.forget(journal, address)


def give_up(journal: Journal, address: str, reason: str) -> None:
    """Record that a store was given up: what was published there is not missed any more.

    Raises:
        NotFoundError: nothing was published there.
        JunmaiError: the journal can't be written.
    """
    known = published.addresses(journal)
    found = next((each for each in known if is_same_place(each, address)), None)
    if found is None:
        raise NotFoundError(
            f"Nothing was published to {address}",
            f"It was to {', '.join(known)}." if known else "Nor was it anywhere else.",
        )
    accept(journal, found, reason)


def prove(journal: Journal, reference: str) -> EntryProof:
    """Return the proof of one event, named by its position or id; it holds, or none is returned.

    Raises:
        NotFoundError: there is no such event.
        DivergedError: an entry is not what was recorded, so that nothing can be proven.
        JunmaiError: the journal can't be read, or nothing can be signed.
    """
    key = signing_key(journal)
    history = history_of(journal)
    checkpoint = checkpoint_of(journal)
    position = _position(journal, reference, checkpoint.size)
    (step,) = pairs(journal, position, position + 1)

    def subtree(level: int, index: int) -> bytes:
        begin, end = index << level, (index + 1) << level
        return tree_root(leaf for step in pairs(journal, begin, end) for _, leaf in step)

    hashes = inclusion_proof(position, checkpoint.size, subtree)
    signed = sign_checkpoint(checkpoint, [key])
    proof = EntryProof(step[0][0], position, hashes, history.rotations, signed)
    try:
        verify_proof(proof, history.keys, journal.journal_id, str(journal.path))
    except IntegrityError as error:
        raise _why_not(journal) from error
    return proof


def _why_not(journal: Journal) -> IntegrityError:
    """The error that says where a journal's entries are not those of its head."""
    head = journal.head()
    try:
        tree = tree_of(journal, head.size)
    except IntegrityError as error:
        return error  # it names the entry and its position
    begin, end = 0, head.size
    # The frontier has a subtree for each bit of the size, the largest first.
    bits = [1 << at for at in reversed(range(head.size.bit_length())) if head.size >> at & 1]
    for root, recorded, width in zip(tree.frontier, head.frontier, bits, strict=True):
        end = begin + width
        if root != recorded:
            break
        begin = end
    return IntegrityError(
        f"REWRITTEN between positions {begin:,} and {end - 1:,}: the entries in"
        f" {journal.path} are not those that were recorded, so nothing can be proven",
        "`junmai-svc audit verify` compares them with a store and names the first one.",
    )


def _position(journal: Journal, reference: str, size: int) -> int:
    found = int(reference) if reference.isascii() and reference.isdigit() else None
    if found is None:
        found = next((e.position for e in journal.read() if e.id == reference), None)
    if found is None or found >= size:
        raise NotFoundError(
            f"There is no event {reference} in {journal.path}",
            "Name its position or its id, as `junmai-svc show RUN --json` tells them.",
        )
    return found


@dataclass(frozen=True)
class Proven:
    """An event whose proof holds, and the size of the journal that was signed."""

    journal_id: str
    event: Event
    size: int


def check_proof(path: Path, key: Path) -> Proven:
    """Check the proof of one event with nothing but the public key.

    Raises:
        NotFoundError, UsageError: there is no proof or no key.
        IntegrityError: it proves nothing.
    """
    keys = read_keys(key)
    journal_id = journal_of(keys, key)
    with translated("read the proof", path):
        stored = path.read_bytes()
    proof = decode_proof(stored, journal_id, str(path))
    checkpoint = verify_proof(proof, keys, journal_id, str(path))
    event = decode(proof.entry, journal_id=journal_id, path=path, position=proof.position)
    return Proven(journal_id, upcast(event), checkpoint.size)


def write_proof(proof: EntryProof, path: Path) -> None:
    """Write a proof into a file, durably; it replaces nothing but a proof.

    Raises:
        UsageError: something else is there.
        AccessDeniedError, NoSpaceError, NotFoundError: it can't be written.
    """
    file = output_file(path, "a proof", is_proof)
    with translated("write the proof", path):
        write_durably(file, proof.encoded(), uuid7()[-12:])
