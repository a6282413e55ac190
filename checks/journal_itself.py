"""What a journal's file shows of itself: its entries, head, triggers, rows and open streams."""

from collections.abc import Callable

from junmai_svc.checks.proof import Question, Verdicts
from junmai_svc.storage.journal.events import split_stream
from junmai_svc.storage.journal.examining import Examination
from junmai_svc.storage.journal.folding import digest_of, encoded
from junmai_svc.storage.journal.journal_file import JournalFile
from junmai_svc.storage.journal.tables import TRIGGERS

DAMAGE_HINT = (
    "Keep the file as it is for inspection. `junmai-svc audit recover` puts it right from a store,"
    " or says where the two differ."
)
REBUILD_HINT = "They only repeat what the events tell: `junmai-svc audit rebuild` makes them anew."
ABANDONED_HINT = "The next command that records something closes it as abandoned."


def judge_file(file: JournalFile, examined: Examination, verdicts: Verdicts) -> None:
    """Hold entries, triggers, head and kept rows against each other, for `intact`."""
    where = str(file.path)
    verdicts.asked(Question.INTACT)
    verdicts.troubles(Question.INTACT, examined.damage, where, DAMAGE_HINT)
    for name in file.triggers():
        message = (
            f"the journal is no longer append-only: {name} is missing or changed"
            if name in TRIGGERS
            else f"somebody gave the journal a trigger that is none of its own: {name}"
        )
        verdicts.doubt(Question.INTACT, message, None, where, DAMAGE_HINT)
    size, root = file.head()
    if size != examined.size:
        message = f"the head counts {size:,} events; there are {examined.size:,}"
        at = min(size, examined.size)
        verdicts.doubt(Question.INTACT, message, at, where, DAMAGE_HINT)
    elif root != examined.tree.root and not examined.damage.total:
        message = "the head's tree is not that of the entries"
        verdicts.doubt(Question.INTACT, message, None, where, DAMAGE_HINT)
    kept = file.projection(examined.size)
    if kept is not None and not examined.damage.total:
        told = {place: encoded(row) for place, row in examined.rows.items()}
        if digest_of(kept) != digest_of(told):
            message = "the rows kept of runs and snapshots are not what the events tell"
            verdicts.doubt(Question.INTACT, message, None, where, REBUILD_HINT)


def judge_streams(
    examined: Examination, where: str, is_alive: Callable[[str], bool], verdicts: Verdicts
) -> None:
    """Look for gaps in streams, and for runs that did not end; `is_alive` tells it of a run."""
    verdicts.asked(Question.COMPLETE)
    verdicts.troubles(Question.COMPLETE, examined.gaps, where, DAMAGE_HINT)
    for stream in examined.open_streams():
        category, run = split_stream(stream)
        if is_alive(run):
            verdicts.note(Question.COMPLETE, f"the {category} {run} is going on")
        else:
            message = f"the {category} {run} has not ended, and its process is gone"
            hint = DAMAGE_HINT if examined.damage.total else ABANDONED_HINT
            verdicts.doubt(Question.COMPLETE, message, examined.begun(stream), where, hint)
