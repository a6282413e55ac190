"""Windows' refusals, raised here: a file that somebody has open is not renamed or deleted there."""

import errno
import os
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


def without_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the system tell no numbers of files, as of some drives on a network."""

    def forgetting(real: Callable[..., os.stat_result]) -> Callable[..., os.stat_result]:
        def call(*arguments: Any, **named: Any) -> os.stat_result:
            found = real(*arguments, **named)
            times = {f"st_{each}time_ns": getattr(found, f"st_{each}time_ns") for each in "amc"}
            return os.stat_result((found[0], 0, *found[2:]), times)

        return call

    for method in ("stat", "lstat"):
        monkeypatch.setattr(Path, method, forgetting(getattr(Path, method)))
