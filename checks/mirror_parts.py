"""Whether a store still has what it signed: the entries, the tree and the keys of a journal.

The owner has all of it; who has only the store needs every part.
"""

from junmai_svc.checks.mirrored import Signed
from junmai_svc.checks.proof import Question, Verdicts
from junmai_svc.storage.journal.examining import Examination
from junmai_svc.storage.journal.flaws import missing_parts, wrong_keys, wrong_parts
from junmai_svc.storage.journal.journal_file import JournalFile
from junmai_svc.storage.journal.troubles import Troubles

MEND_HINT = (
    "Who has only the store can't verify it. `junmai-svc audit checkpoint --publish --repair`"
    " writes it anew from this journal."
)


def judge_parts(
    signed: Signed,
    file: JournalFile,
    examined: Examination,
    verdicts: Verdicts,
    *,
    read_data: bool,
) -> None:
    """Look for all parts of a journal's copy; with `read_data` each is held against the journal.

    Raises:
        JunmaiError: the store can't be read.
    """
    largest, mirror = signed.largest, signed.mirror
    if largest is None:
        return
    size = largest.size
    if read_data and examined.tree.roots.get(size) == largest.root:
        flaws = [flaw for flaw, _right in wrong_parts(mirror, size, file.pairs)]
    else:
        flaws = [*missing_parts(mirror, size)]
    found = Troubles()
    for flaw in flaws:
        found.add(flaw.position, f"{flaw.path} can't be used: {flaw.problem}")
    verdicts.troubles(Question.INTACT, found, mirror.url, MEND_HINT)
    for path, problem, _right in wrong_keys(mirror, file.keys(size)):
        message = f"{path} can't be used: {problem}"
        verdicts.doubt(Question.AUTHENTIC, message, None, mirror.url, MEND_HINT)
