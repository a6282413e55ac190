"""What `audit verify --json` says, question by question."""

from typing import Any

QUESTIONS = ("authentic", "intact", "append-only", "current", "complete", "objects")
OK = dict.fromkeys(QUESTIONS, "ok")


def answers(said: dict[str, Any]) -> dict[str, str]:
    """Return the answer to each question."""
    return {each["verdict"]: each["answer"] for each in said["verdicts"]}


def verdict(said: dict[str, Any], question: str) -> dict[str, Any]:
    """Return all that is said to one question."""
    (found,) = (each for each in said["verdicts"] if each["verdict"] == question)
    return found  # type: ignore[no-any-return]


def findings(said: dict[str, Any], question: str) -> str:
    """Return what fails one question."""
    return " ".join(found["message"] for found in verdict(said, question)["findings"])


def notes(said: dict[str, Any]) -> str:
    """Return all notes."""
    return " ".join(note for each in said["verdicts"] for note in each["notes"])
