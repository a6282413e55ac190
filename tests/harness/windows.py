"""Windows' refusals, raised here: a file that somebody has open is not renamed or deleted there."""

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def in_use(winerror: int, path: Path) -> PermissionError:
    """What Windows says of a file that somebody has open, or (5) that is to be replaced."""
    error = PermissionError(errno.EACCES, "It is being used by another process", str(path))
    error.winerror = winerror  # type: ignore[attr-defined]  # only Windows has it
    return error


def refuse(
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    times: int,
    winerror: int = 32,
    which: Callable[[Path], bool] = lambda _path: True,
) -> list[Path]:
    """Let a method of Path fail so often, as of a file in use; return what it was called for."""
    real = getattr(Path, method)
    refused: list[Path] = []

    def call(path: Path, *arguments: Any, **named: Any) -> Any:
        if which(path) and len(refused) < times:
            refused.append(path)
            raise in_use(winerror, path)
        return real(path, *arguments, **named)

    monkeypatch.setattr(Path, method, call)
    return refused


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long it would have been waited, instead of waiting."""
    waited: list[float] = []
    monkeypatch.setattr("junmai_svc.storage.files.time.sleep", waited.append)
    return waited
