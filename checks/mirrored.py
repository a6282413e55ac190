"""What a store signed of a journal, gathered and held against the entries.

Gathered before the entries are read: a journal that goes on meanwhile is then never shorter than
what the store was seen to hold.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from junmai_svc.checks.proof import Question, Verdicts
from junmai_svc.storage.errors import IntegrityError
from junmai_svc.storage.journal.checkpoint import Checkpoint, numbered_path, open_checkpoint
from junmai_svc.storage.journal.keys import VerifierKey
from junmai_svc.storage.journal.mirror import Mirror

# Each costs a request and a signature: of very many, the newest and an even choice are read.
READ_CHECKPOINTS = 256
NEWEST_CHECKPOINTS = 16
_AGAIN = 3
_PAUSE_SECONDS = 0.3

SIGNED_HINT = "Somebody else wrote this. Compare with another copy of the store, or with a pin."
_SIDES = "The store tells otherwise. `junmai-svc audit recover` shows both sides and what to do."
# What to do about a journal, by the verdict on it.
RECOVER_HINT = {
    "TRUNCATED": "A journal that lost its end is refilled by `junmai-svc audit recover`.",
    "MISSING": "What a store still has is put back by `junmai-svc audit recover`.",
    "EDITED": f"Somebody changed the file: keep it for inspection. {_SIDES}",
    "REWRITTEN": _SIDES,
    "FORKED": _SIDES,
}
LOST_HINT = (
    "Is the disk mounted, the address right? Compare with another copy of the store. If you know"
    " why it lost this, publish again: `junmai-svc audit checkpoint --publish --accept-loss"
    " REASON`. Of a store that was given up, say so without --publish: `--accept-loss REASON"
    " --store ADDRESS`."
)


@dataclass
class Signed:
    """What a store holds: the newest checkpoint, and all that were read, by where they lie.

    `notes` are the same as they are signed.
    """

    mirror: Mirror
    latest: Checkpoint | None = None
    checkpoints: dict[str, Checkpoint] = field(default_factory=dict)
    notes: dict[str, bytes] = field(default_factory=dict)
    is_forged: bool = False  # `checkpoint` is there, and nobody trusted signed it
    former: dict[str, Checkpoint] = field(default_factory=dict)  # by keys before those trusted

    @property
    def largest(self) -> Checkpoint | None:
        """The largest one that was read."""
        known = list(self.checkpoints.values())
        return max(known, key=lambda checkpoint: checkpoint.size, default=None)

    @property
    def note(self) -> bytes:
        """The largest one as it is signed; nothing where there is none."""
        known = [(each.size, self.notes[where]) for where, each in self.checkpoints.items()]
        return max(known, default=(0, b""))[1]


def gather(
    mirror: Mirror,
    trusted: Iterable[VerifierKey],
    verdicts: Verdicts,
    *,
    former: Sequence[VerifierKey] = (),
) -> Signed:
    """Read the checkpoints of a store; what is not signed by a trusted key fails `authentic`.

    `former` are keys that came before: what they signed may be there, and has to agree.

    Raises:
        JunmaiError: the store can't be read.
    """
    keys = list(trusted)
    found = Signed(mirror)
    sizes = mirror.sizes()
    for size in chosen(sizes):
        signed = mirror.numbered(size)
        where = f"{mirror.url}/{numbered_path(size)}"
        if signed is not None and not _is_of_before(found, where, signed, former, size):
            _open(found, where, signed, keys, verdicts, size)
    where = f"{mirror.url}/checkpoint"
    signed = _settled(mirror, where, keys, max(sizes, default=0))
    if signed is not None:
        found.latest = _open(found, where, signed, keys, verdicts, None)
        found.is_forged = found.latest is None
    if len(sizes) > READ_CHECKPOINTS:
        text = f"{READ_CHECKPOINTS} of {len(sizes):,} checkpoints in {mirror.url} were read"
        verdicts.note(Question.APPEND_ONLY, text)
    return found


def _settled(mirror: Mirror, where: str, keys: list[VerifierKey], size: int) -> bytes | None:
    """Read `checkpoint`, and again if somebody may be publishing: it is written after the rest."""
    for _attempt in range(_AGAIN):
        signed = mirror.latest()
        known = Signed(mirror)
        if signed is not None and size:
            _open(known, where, signed, keys, Verdicts(), None)
        if size <= (known.largest.size if known.largest else 0):
            break
        time.sleep(_PAUSE_SECONDS)
    return signed


def chosen(sizes: list[int]) -> list[int]:
    """Return the sizes whose checkpoints are read: all, or an even choice and the newest."""
    if len(sizes) <= READ_CHECKPOINTS:
        return sizes
    evenly = READ_CHECKPOINTS - NEWEST_CHECKPOINTS
    old = sizes[:-NEWEST_CHECKPOINTS]
    return [old[number * len(old) // evenly] for number in range(evenly)] + sizes[
        -NEWEST_CHECKPOINTS:
    ]


def judge_history(
    signed: Signed,
    size: int,
    roots: Mapping[int, bytes],
    verdicts: Verdicts,
    first_difference: Callable[[int], tuple[str, int] | None],
) -> None:
    """Hold every checkpoint against a tree of `size` entries with these roots.

    A checkpoint that is larger than the tree fails `current`, one that is not its beginning
    `append-only`. `first_difference` names how and where the entries below a size differ.
    """
    url = signed.mirror.url
    wrong: int | None = None
    read = signed.former | signed.checkpoints
    for where, checkpoint in sorted(read.items(), key=lambda item: item[1].size):
        verdicts.asked(Question.APPEND_ONLY)
        if checkpoint.size <= size and roots[checkpoint.size] != checkpoint.root and wrong is None:
            wrong = checkpoint.size
            verdict, position = first_difference(wrong) or ("FORKED", wrong)
            message = f"{verdict}: not the beginning that was signed in {where}"
            hint = RECOVER_HINT[verdict]
            verdicts.doubt(Question.APPEND_ONLY, message, position, url, hint)
    largest = signed.largest
    if largest is None:
        return
    verdicts.asked(Question.CURRENT)
    if largest.size > size:
        differs = first_difference(size)
        if differs is None or differs[0] == "MISSING":
            message = f"TRUNCATED: {size:,} events; the store signed {largest.size:,}"
            verdicts.doubt(Question.CURRENT, message, size, url, RECOVER_HINT["TRUNCATED"])
        if differs is not None and wrong is None:
            verdict = "MISSING" if differs[0] == "MISSING" else "FORKED"
            message = f"{verdict}: not the beginning of the store's {largest.size:,} events"
            hint = RECOVER_HINT[verdict]
            verdicts.doubt(Question.APPEND_ONLY, message, differs[1], url, hint)


def judge_latest(signed: Signed, size: int | None, verdicts: Verdicts) -> None:
    """See whether `checkpoint` is the newest that was signed.

    `size` is that of the journal itself, where it is at hand: what it has can still be published.
    """
    largest, latest = signed.largest, signed.latest
    if largest is None or signed.is_forged:
        return
    held = latest.size if latest else 0
    if held >= largest.size:
        return
    text = f"`checkpoint` is of {held:,} events, and a larger one of {largest.size:,} was signed"
    if size is not None and size >= largest.size:
        verdicts.note(Question.CURRENT, f"{signed.mirror.url}: {text}")
        return
    verdicts.doubt(Question.CURRENT, f"ROLLED BACK: {text}", held, signed.mirror.url, LOST_HINT)


def _is_of_before(
    found: Signed, where: str, signed: bytes, former: Sequence[VerifierKey], size: int
) -> bool:
    """Whether a key that came before signed a checkpoint; then it is only to be held against."""
    if not former:
        return False
    try:
        checkpoint = open_checkpoint(
            signed, former, journal_id=found.mirror.journal_id, where=where
        )
    except IntegrityError:
        return False
    if checkpoint.size != size:
        return False
    found.former[where] = checkpoint
    return True


def _open(
    found: Signed,
    where: str,
    signed: bytes,
    keys: list[VerifierKey],
    verdicts: Verdicts,
    size: int | None,
) -> Checkpoint | None:
    verdicts.asked(Question.AUTHENTIC)
    try:
        checkpoint = open_checkpoint(signed, keys, journal_id=found.mirror.journal_id, where=where)
    except IntegrityError as error:
        verdicts.doubt(Question.AUTHENTIC, error.message, size, where, error.hint)
        return None
    if size is not None and checkpoint.size != size:
        message = f"{where} is the checkpoint of {checkpoint.size:,} events"
        verdicts.doubt(Question.AUTHENTIC, message, size, where, SIGNED_HINT)
        return None
    found.checkpoints[where] = checkpoint
    found.notes[where] = signed
    return checkpoint
