"""Whole processes measured: CPU seconds and peak memory as the kernel counted them at their end."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
KIB_PER_UNIT = 1 / 1024 if sys.platform == "darwin" else 1  # macOS counts memory in bytes


@dataclass(frozen=True)
class Usage:
    """What one process took: seconds of both kinds and its peak resident memory."""

    cpu_seconds: float
    wall_seconds: float
    peak_mib: float


def usage_of(*arguments: str | Path) -> Usage:
    """Run this Python with some arguments to its end and return what that took.

    Raises:
        RuntimeError: it failed; what it printed is on stderr.
    """
    command = [sys.executable, *map(str, arguments)]
    begun = time.monotonic()
    # An installation has its modules compiled; compiling them takes longer than starting.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, env=environment)
    _, status, used = os.wait4(process.pid, 0)
    wall = time.monotonic() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command} ended with exit code {process.returncode}")
    return Usage(used.ru_utime + used.ru_stime, wall, used.ru_maxrss * KIB_PER_UNIT / 1024)


def alternated(runs: int, kinds: Mapping[str, Callable[[], Usage]]) -> dict[str, Usage]:
    """Run each kind so many times, in turn, and return the medians of each.

    In turn, so that whatever else the machine does meets all kinds alike.
    """
    taken: dict[str, list[Usage]] = {name: [] for name in kinds}
    for _run in range(runs):
        for name, run in kinds.items():
            taken[name].append(run())
    return {name: _median(usages) for name, usages in taken.items()}


def _median(usages: Sequence[Usage]) -> Usage:
    return Usage(
        statistics.median(usage.cpu_seconds for usage in usages),
        statistics.median(usage.wall_seconds for usage in usages),
        statistics.median(usage.peak_mib for usage in usages),
    )
