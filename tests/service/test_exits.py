"""Claims about exit codes: one table, complete, and the one that the README shows."""

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from junmai_svc.service import exits
from junmai_svc.service.exits import exit_code
from junmai_svc.storage import errors
from junmai_svc.storage.errors import InterruptedRunError, JunmaiError

README = Path(__file__).parents[2] / "README.md"

CODES: dict[type[JunmaiError], int] = {
    errors.UsageError: 2,
    errors.PlanError: 2,
    errors.NotFoundError: 10,
    errors.LockedError: 11,
    errors.AccessDeniedError: 12,
    errors.IntegrityError: 20,
    errors.ChecksumError: 20,
    errors.MigrationFailedError: 21,
    errors.JournalConflictError: 22,
    errors.StorageUnavailableError: 30,
    errors.NoSpaceError: 31,
}


def kinds(parent: type[JunmaiError] = JunmaiError) -> Iterator[type[JunmaiError]]:
    for kind in parent.__subclasses__():
        yield kind
        yield from kinds(kind)


@pytest.mark.parametrize("kind", CODES, ids=lambda kind: kind.__name__)
def test_each_error_has_its_code(kind: type[JunmaiError]) -> None:
    assert exit_code(kind("message", "hint")) == CODES[kind]


def test_no_error_of_the_tree_is_without_a_code() -> None:
    here = {kind for kind in kinds() if kind.__module__ == errors.__name__}
    assert here == {*CODES}


def test_an_interruption_is_told_as_shells_tell_it() -> None:
    assert exit_code(InterruptedRunError(signal.SIGINT)) == 130
    assert exit_code(InterruptedRunError(signal.SIGTERM)) == 143
    assert exit_code(InterruptedRunError(21)) == 149  # SIGBREAK, which only Windows has


@pytest.mark.parametrize("error", [KeyError("bug"), KeyboardInterrupt(), JunmaiError("vague")])
def test_what_is_not_in_the_table_is_a_bug(error: BaseException) -> None:
    assert exit_code(error) == exits.BUG == 1


def test_the_readme_shows_the_same_table() -> None:
    rows = re.findall(r"^\| (\d+(?:, \d+)*) \| ", README.read_text(encoding="utf-8"), re.MULTILINE)
    shown = {int(code) for row in rows for code in row.split(", ")}
    assert shown == {exits.DONE, exits.BUG, exits.FINDINGS, 130, 143, 149, *CODES.values()}
