"""The real program in a process of its own: alone, watched, or with a fault that strace makes.

strace starts the very Python that runs the tests, so that the calls it sees are the program's.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest

PROGRAM = (sys.executable, "-m", "junmai_svc.service")
# No .pyc is written, or the first run would make other calls than the next.
# What the program takes from its variables is not for whoever runs the tests to say.
_OWN = {name: value for name, value in os.environ.items() if not name.startswith("JUNMAI_")}
ENVIRONMENT = {**_OWN, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUTF8": "1"}
SECONDS = 120
# A run of every one takes a quarter of an hour or more.
EVERY_MOMENT = bool(os.environ.get("JUNMAI_EVERY_MOMENT"))
T = TypeVar("T")

STRACE = ("strace", "-f", "-qq")
# Stopped at the traced calls only, a run is as quick as without it; but no signal arrives then.
WITHOUT_SIGNALS = (*STRACE, "--seccomp-bpf")

SYNCS = ("fsync", "fdatasync")
NAMES = ("rename", "renameat", "renameat2", "link", "linkat", "unlink", "unlinkat")

# In the paths of what is published of a journal.
PUBLISHED = "/journal/"

_LINE = re.compile(r"^(?P<thread>\d+) +(?P<name>\w+)\((?P<rest>.*)$")


def set_variable(patched: pytest.MonkeyPatch, name: str, value: str) -> None:
    """Set a variable for whoever runs the tests, and for the programs that they start."""
    patched.setenv(name, value)
    patched.setitem(ENVIRONMENT, name, value)


@dataclass(frozen=True)
class Ended:
    """How the program ended; a negative code is the signal that killed it."""

    code: int
    out: str
    err: str

    @property
    def message(self) -> str:
        """What a person reads of an error on stderr: neither the log nor warnings before it."""
        passed_over = ("{", "Warning: ")
        return "\n".join(n for n in self.err.splitlines() if not n.startswith(passed_over))


@dataclass(frozen=True)
class Call:
    """One system call of a run: the `number`th (from 1) of its name; `detail` is as strace shows.

    `detail` holds the path of each file and what the call returned.
    """

    name: str
    number: int
    detail: str

    @property
    def worked(self) -> bool:
        """Whether the call did what it was to do."""
        return " = -1 " not in self.detail

    @property
    def returned(self) -> int:
        """What it returned."""
        return int(self.detail.rpartition(" = ")[2].split()[0])

    @property
    def offset(self) -> int:
        """Where in its file it wrote, where that is its last argument."""
        return int(self.detail.rpartition(")")[0].rpartition(", ")[2])

    def __str__(self) -> str:
        return f"{self.name} {self.number}: {self.detail}"


def run(folder: Path, *arguments: str) -> Ended:
    """Run the program in a folder to its end."""
    return _ended([*PROGRAM, *arguments], folder)


def calls(
    folder: Path, names: Sequence[str], *arguments: str, publishing: bool = False
) -> list[Call]:
    """Run the program undisturbed and return its system calls of these names that name files here.

    Those that publish the journal, which come when the work is done, are among them if asked for.

    Raises:
        AssertionError: it failed.
    """
    trace = folder / "trace"
    watching = ["-y", "-s", "0", "-o", str(trace), "-e", f"trace={_known(names)}"]
    ended = _ended([*WITHOUT_SIGNALS, *watching, *PROGRAM, *arguments], folder)
    assert ended.code == 0, ended.err
    found = _parsed(trace.read_text(encoding="utf-8", errors="replace").splitlines())
    trace.unlink()
    return [
        call
        for call in found
        if (f"<{folder}" in call.detail or f'"{folder}' in call.detail)
        and (publishing or PUBLISHED not in call.detail)
    ]


def run_with(fault: str, folder: Path, *arguments: str) -> Ended:
    """Run the program with a fault in strace's words, such as `fsync:error=EIO:when=3`.

    `fault` may name several, separated by spaces.
    """
    faults = fault.split()
    names = ",".join(one.partition(":")[0] for one in faults)
    strace = STRACE if any(":signal=" in one for one in faults) else WITHOUT_SIGNALS
    injected = ["-e", f"trace={names}"]
    for one in faults:
        injected += ["-e", f"inject={one}"]
    return _ended([*strace, "-o", os.devnull, *injected, *PROGRAM, *arguments], folder)


def kill_at(call: Call, folder: Path, *arguments: str) -> Ended:
    """Run the program and kill it where it is about to make a call."""
    return run_with(f"{call.name}:signal=KILL:when={call.number}", folder, *arguments)


def moments(calls: Sequence[Call], count: int) -> list[Call]:
    """Return so many of the calls, evenly spread; all where JUNMAI_EVERY_MOMENT is set."""
    return list(calls) if EVERY_MOMENT else spread(calls, count)


def spread(calls: Sequence[T], count: int) -> list[T]:
    """Return so many of the calls, evenly from the first to the last."""
    if len(calls) <= count:
        return list(calls)
    if count == 1:
        return [calls[len(calls) // 2]]
    return [calls[round(at * (len(calls) - 1) / (count - 1))] for at in range(count)]


def _ended(command: Sequence[str], folder: Path) -> Ended:
    done = subprocess.run(
        command,
        # Not in it, or Python would look for modules there.
        cwd=folder.parent,
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        timeout=SECONDS,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def _known(names: Sequence[str]) -> str:
    # A question mark: no error where this machine's kernel has no such call.
    return ",".join(f"?{name}" for name in names)


def _parsed(lines: Iterable[str]) -> list[Call]:
    counts: dict[tuple[str, str], int] = {}
    found = []
    for line in lines:
        matched = _LINE.match(line)
        if matched is not None:
            name = matched["name"]
            # strace counts the calls of each thread apart.
            key = (matched["thread"], name)
            counts[key] = counts.get(key, 0) + 1
            found.append(Call(name, counts[key], matched["rest"]))
    return found
