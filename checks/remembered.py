"""What is remembered of a journal outside its entries: what each store held, and older checkpoints.

The journal remembers how much it published at each address; manifests and pins hold checkpoints.
"""

from collections.abc import Iterable, Mapping, Sequence

from junmai_svc.checks.mirrored import LOST_HINT, RECOVER_HINT, Signed
from junmai_svc.checks.proof import Question, Verdicts
from junmai_svc.checks.stored_objects import Listing
from junmai_svc.storage.errors import IntegrityError
from junmai_svc.storage.journal.addresses import is_same_place
from junmai_svc.storage.journal.checkpoint import Checkpoint, open_checkpoint
from junmai_svc.storage.journal.examining import Examination
from junmai_svc.storage.journal.keys import VerifierKey


def require_remembered(signed: Signed, published: Mapping[str, int], verdicts: Verdicts) -> None:
    """A store that held more than it does now was emptied or put back."""
    before = _published_to(signed, published)
    newest = signed.largest if signed.is_forged else signed.latest
    held = newest.size if newest else 0
    if held < before:
        what = "ROLLED BACK" if signed.largest else "EMPTIED"
        message = f"{what}: {before:,} events were published there, `checkpoint` is of {held:,}"
        verdicts.doubt(Question.CURRENT, message, held, signed.mirror.url, LOST_HINT)


def _published_to(signed: Signed, published: Mapping[str, int]) -> int:
    here = signed.mirror.backend.url
    sizes = (size for address, size in published.items() if is_same_place(address, here))
    return max(sizes, default=0)


def note_not_asked(published: Mapping[str, int], asked: Iterable[str], verdicts: Verdicts) -> None:
    """Note each address where something was published and that was not among those asked."""
    known = [*asked]
    for address, size in sorted(published.items()):
        if not any(is_same_place(address, other) for other in known):
            text = f"{size:,} events were published in {address}, which was not asked"
            verdicts.note(Question.CURRENT, text)
    if not known and not published:
        text = "nothing was published yet, so there is nothing to compare the journal with"
        verdicts.note(Question.CURRENT, text)


def note_behind(signed: Signed, size: int, verdicts: Verdicts) -> None:
    """Note how much of a journal a store does not hold yet."""
    held = signed.largest.size if signed.largest else 0
    if held < size:
        count = "1 event is" if size - held == 1 else f"{size - held:,} events are"
        text = f"{count} not yet published in {signed.mirror.backend.url}"
        verdicts.note(Question.CURRENT, text)


def embedded(
    listings: Sequence[Listing], trusted: Sequence[VerifierKey], journal_id: str
) -> dict[str, Checkpoint]:
    """The checkpoints in manifests that a trusted key signed; one by another says nothing here."""
    found: dict[str, Checkpoint] = {}
    for listing in listings:
        for snapshot in listing.good:
            text = snapshot.manifest.checkpoint
            if text is None:
                continue
            where = f"the manifest of {snapshot.name} in {listing.store.url}"
            try:
                found[where] = open_checkpoint(
                    text.encode(), trusted, journal_id=journal_id, where=where
                )
            except IntegrityError:
                continue
    return found


def judge_remembered(
    others: Mapping[str, Checkpoint], examined: Examination, verdicts: Verdicts
) -> None:
    """Hold older checkpoints, by where they were found, against the entries."""
    for where, checkpoint in others.items():
        verdicts.asked(Question.APPEND_ONLY)
        if checkpoint.size > examined.size:
            message = f"TRUNCATED: {examined.size:,} events; {checkpoint.size:,} had been signed"
            hint = RECOVER_HINT["TRUNCATED"]
            verdicts.doubt(Question.CURRENT, message, examined.size, where, hint)
        elif examined.tree.roots[checkpoint.size] != checkpoint.root:
            message = f"REWRITTEN below position {checkpoint.size:,}: it was signed otherwise"
            hint = RECOVER_HINT["REWRITTEN"]
            verdicts.doubt(Question.APPEND_ONLY, message, None, where, hint)
