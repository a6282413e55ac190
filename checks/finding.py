"""What a check found: data, never an exception. A check that could not run raises instead."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum


class Verdict(StrEnum):
    """`KNOWN` marks what was already so in the source: reported, but no failure of the copy."""

    OK = "ok"
    KNOWN = "known"
    FAILED = "failed"


@dataclass(frozen=True)
class Finding:
    """One difference or violation. Values are renderings for people, cut to a bounded length.

    `known` is true where the source already had it. `hint` is the corrective action. `message` says
    in a few words what is wrong, the fields before it where. `of_row` is false where nothing of a
    row is in it: then all of it may be kept on record.
    """

    check: str
    table: str = ""
    key: str = ""
    column: str = ""
    expected: str = ""
    actual: str = ""
    hint: str = ""
    known: bool = False
    message: str = "Difference"
    of_row: bool = True

    def recorded(self) -> str:
        """Return the finding as one sentence without any key or value of a row."""
        told = replace(self, key="", expected="", actual="") if self.of_row else self
        return told.describe()

    def describe(self) -> str:
        """Return the finding as one sentence without its hint."""
        column = f"column {self.column}" if self.column else ""
        place = ", ".join(part for part in (self.table, self.key, column) if part)
        text = f"{self.message} in {place}" if place else self.message
        if not self.expected and not self.actual:
            return text
        return f"{text}: expected {self.expected or 'nothing'}, found {self.actual or 'nothing'}"


@dataclass(frozen=True)
class CheckResult:
    """The outcome of one check on one subject (a table, or the database where `table` is empty).

    `total` and `known` count all that was found, exactly; `findings` shows a bounded number of
    them. `counts` carries the check's figures, such as rows compared.
    """

    check: str
    table: str = ""
    total: int = 0
    known: int = 0
    findings: tuple[Finding, ...] = ()
    counts: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def subject(self) -> str:
        """The check and its table, as events name it."""
        return f"{self.check} {self.table}".strip()

    @property
    def verdict(self) -> Verdict:
        """OK without findings, KNOWN where all of them were in the source already, else FAILED."""
        if self.total == 0:
            return Verdict.OK
        return Verdict.KNOWN if self.known == self.total else Verdict.FAILED


@dataclass(frozen=True)
class Report:
    """Everything that one verification looked at."""

    results: tuple[CheckResult, ...]

    @property
    def passed(self) -> bool:
        """True where no result failed; what the source already had does not fail it."""
        return all(result.verdict is not Verdict.FAILED for result in self.results)

    @property
    def findings(self) -> Sequence[Finding]:
        """All findings shown, in the order of the checks."""
        return [finding for result in self.results for finding in result.findings]
