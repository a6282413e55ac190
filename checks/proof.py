"""The verdicts on a journal: six questions, each answered for itself, with the first position.

authentic     everything that is signed was signed by a key that is trusted
intact        every entry is what its hash says, and all of them are what was signed
append-only   what was signed earlier is the beginning of what is there now
current       nothing that was published is missing at the end
complete      the streams have no gaps, and what was begun was ended
objects       the snapshots are there, and each is explained by an event
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from junmai_svc.storage.journal.troubles import SHOWN, Troubles


class Question(StrEnum):
    """What is asked."""

    AUTHENTIC = "authentic"
    INTACT = "intact"
    APPEND_ONLY = "append-only"
    CURRENT = "current"
    COMPLETE = "complete"
    OBJECTS = "objects"


class Answer(StrEnum):
    """UNCHECKED where there was nothing to compare with, or not all of it could be had."""

    OK = "ok"
    FAILED = "failed"
    UNCHECKED = "unchecked"


@dataclass(frozen=True)
class Doubt:
    """One thing that fails a question; `position` is the first one concerned, if there is one."""

    message: str
    position: int | None = None
    where: str = ""
    hint: str = ""


@dataclass(frozen=True)
class Verdict:
    """The answer to one question; `doubts` are the first of `total`, `notes` fail nothing.

    `extent` says how much was looked at, where that is not all.
    """

    question: Question
    answer: Answer
    total: int = 0
    doubts: tuple[Doubt, ...] = ()
    notes: tuple[str, ...] = ()
    extent: str = ""

    @property
    def position(self) -> int | None:
        """The first position concerned."""
        known = [doubt.position for doubt in self.doubts if doubt.position is not None]
        return min(known, default=None)


@dataclass
class Verdicts:
    """Verdicts as they come together."""

    _asked: set[Question] = field(default_factory=set)
    _doubts: dict[Question, list[Doubt]] = field(default_factory=dict)
    _totals: dict[Question, int] = field(default_factory=dict)
    _notes: dict[Question, list[str]] = field(default_factory=dict)
    _open: set[Question] = field(default_factory=set)
    _extents: dict[Question, tuple[int, int, str]] = field(default_factory=dict)

    def asked(self, question: Question) -> None:
        """Something was there to compare with: without a doubt the answer is OK."""
        self._asked.add(question)

    def doubt(
        self,
        question: Question,
        message: str,
        position: int | None = None,
        where: str = "",
        hint: str = "",
    ) -> None:
        """Fail a question."""
        self.asked(question)
        self._totals[question] = self._totals.get(question, 0) + 1
        self._doubts.setdefault(question, []).append(Doubt(message, position, where, hint))

    def troubles(self, question: Question, troubles: Troubles, where: str, hint: str) -> None:
        """Fail a question for each trouble, if there is any."""
        for trouble in troubles.first:
            self.doubt(question, trouble.text, trouble.position, where, hint)
        more = troubles.total - len(troubles.first)
        self._totals[question] = self._totals.get(question, 0) + more

    def note(self, question: Question, text: str) -> None:
        """Add what a person should know and what fails nothing."""
        self._notes.setdefault(question, []).append(text)

    def unanswered(self, question: Question, text: str = "") -> None:
        """Somebody could not be asked: without a doubt the answer is UNCHECKED."""
        self._open.add(question)
        if text:
            self.note(question, text)

    def covered(self, question: Question, some: int, whole: int, what: str) -> None:
        """Add to how much was looked at: `some` of a `whole` number of `what`."""
        before = self._extents.get(question, (0, 0, what))
        self._extents[question] = (before[0] + some, before[1] + whole, what)

    def given(self, questions: Iterable[Question] = Question) -> tuple[Verdict, ...]:
        """Return the verdicts in their order."""
        return tuple(self._of(question) for question in questions)

    def _of(self, question: Question) -> Verdict:
        total = self._totals.get(question, 0)
        answer = Answer.FAILED if total else Answer.OK
        if not total and (question in self._open or question not in self._asked):
            answer = Answer.UNCHECKED
        doubts = self._doubts.get(question, [])
        # The first position is the one that tells; those without one come last.
        doubts.sort(key=lambda doubt: (doubt.position is None, doubt.position or 0))
        notes = tuple(self._notes.get(question, ()))
        some, whole, what = self._extents.get(question, (0, 0, ""))
        extent = f"{some:,} of {whole:,} {what}" if whole else ""
        return Verdict(question, answer, total, tuple(doubts[:SHOWN]), notes, extent)
