"""What keeps a journal provable: signing and publishing, proofs of single events, new keys."""

from dataclasses import dataclass, field
from pathlib import Path

from junmai_svc.service.context import StoreProblem
from junmai_svc.service.publish import publish_to
from junmai_svc.storage.errors import JunmaiError, NotFoundError
from junmai_svc.storage.files import write_durably
from junmai_svc.storage.journal import published
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
from junmai_svc.storage.journal.stored import pairs
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
) -> Signing:
    """Sign what the journal holds now, and publish it into stores.

    `accepting` is the reason for which a store may hold less than was published there; it goes on
    record.

    Raises:
        JunmaiError: it can't be signed.
    """
    problems = [*down]
    done: list[Publication] = []
    for store in stores:
        try:
            if accepting is not None:
                _accept(journal, store, accepting)
            done.append(publish_to(journal, store, accepting=accepting is not None))
        except JunmaiError as problem:
            problems.append(StoreProblem(store.url, problem))
    key = signing_key(journal)
    checkpoint = checkpoint_of(journal)
    text = sign_checkpoint(checkpoint, [key]).decode()
    return Signing(journal.journal_id, checkpoint.size, text, str(key.verifier), done, problems)


def _accept(journal: Journal, store: SnapshotStore, reason: str) -> None:
    before = published.published_to(journal, store.backend.url)
    data = {
        "store": store.backend.url,
        "published": before.size if before else 0,
        "reason": reason,
    }
    stream = stream_name("journal", journal.journal_id)
    type_ = event_type("journal", "store_accepted")
    journal.append(stream, type_, data, correlation=uuid7())
    published.forget(journal, store.backend.url)


def prove(journal: Journal, reference: str) -> EntryProof:
    """Return the proof of one event, named by its position or id.

    Raises:
        NotFoundError: there is no such event.
        JunmaiError: the journal can't be read, or nothing can be signed.
    """
    key = signing_key(journal)
    rotations = history_of(journal).rotations
    checkpoint = checkpoint_of(journal)
    position = _position(journal, reference, checkpoint.size)
    (step,) = pairs(journal, position, position + 1)

    def subtree(level: int, index: int) -> bytes:
        begin, end = index << level, (index + 1) << level
        return tree_root(leaf for step in pairs(journal, begin, end) for _, leaf in step)

    hashes = inclusion_proof(position, checkpoint.size, subtree)
    return EntryProof(step[0][0], position, hashes, rotations, sign_checkpoint(checkpoint, [key]))


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
    """Write a proof into a file, durably.

    Raises:
        AccessDeniedError, NoSpaceError, NotFoundError: it can't be written.
    """
    with translated("write the proof", path):
        write_durably(path.absolute(), proof.encoded(), uuid7()[-12:])
