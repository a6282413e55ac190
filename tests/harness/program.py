"""The real program in a process of its own: what it says, how it ends, and that it never falls."""

import atexit
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SERVICE = "junmai_svc.service"
REPLACED_TOOL = "data_migration_tool"
BUG = 1
# Longer than anything a test asks for may take; the slowest wait for a lock is five seconds.
PATIENCE = 120.0

# Where caches go by default: nothing of a test's may stay in its user's own.
_CACHE = tempfile.mkdtemp(prefix="junmai-cache-")
atexit.register(shutil.rmtree, _CACHE, ignore_errors=True)
CACHE = dict.fromkeys(("XDG_CACHE_HOME", "LOCALAPPDATA"), _CACHE)

# Root without CAP_DAC_OVERRIDE (1) and CAP_DAC_READ_SEARCH (2), dropped by PR_CAPBSET_DROP (24),
# may do with a file what its mode says; see capabilities(7).
_RESTRAIN = """
import ctypes, os, sys
if os.geteuid() == 0:
    for capability in (1, 2):
        assert ctypes.CDLL(None).prctl(24, capability, 0, 0, 0) == 0
os.execv(sys.argv[1], sys.argv[1:])
"""


@dataclass(frozen=True)
class Outcome:
    """How one call ended: its exit code and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one object that --json prints on stdout."""
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found

    @property
    def message(self) -> str:
        """What a person reads on stderr, without the log."""
        lines = self.err.splitlines()
        return "\n".join(line for line in lines if not line.startswith("{"))

    @property
    def log(self) -> list[dict[str, Any]]:
        """The JSON lines of the log that went to stderr."""
        return [json.loads(line) for line in self.err.splitlines() if line.startswith("{")]


def command(*arguments: str | Path, module: str = SERVICE) -> list[str]:
    """Return the command line that starts the program."""
    return [sys.executable, "-m", module, *map(str, arguments)]


def environment(changes: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return an environment in which nothing of the caller's terminal shows through."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("JUNMAI_")}
    for name in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TERM"):
        own.pop(name, None)
    return own | {"PYTHONUTF8": "1", **CACHE} | dict(changes or {})


def judged(code: int, out: str, err: str) -> Outcome:
    """Return an outcome after making sure that no bug showed: no traceback, no exit code 1."""
    outcome = Outcome(code, out, err)
    assert "Traceback" not in out + err, outcome.message
    assert code != BUG, f"{outcome.message}\n{err[-3000:]}"
    return outcome


class Program:
    """The program as started in one folder; `restrained` holds root to the files' modes too."""

    def __init__(self, folder: Path, *, restrained: bool = False) -> None:
        self.folder = folder
        self._before = [sys.executable, "-c", _RESTRAIN] if restrained else []
        self._started: list[subprocess.Popen[str]] = []

    def __call__(
        self,
        *arguments: str | Path,
        module: str = SERVICE,
        code: int | None = 0,
        env: Mapping[str, str] | None = None,
    ) -> Outcome:
        """Run it to its end; it must end with `code` unless that is None."""
        return self.end(self.start(*arguments, module=module, env=env), code=code)

    def tool(self, *arguments: str | Path, code: int | None = 0) -> Outcome:
        """Run the replaced tool's command line."""
        return self(*arguments, module=REPLACED_TOOL, code=code)

    def start(
        self,
        *arguments: str | Path,
        module: str = SERVICE,
        env: Mapping[str, str] | None = None,
    ) -> subprocess.Popen[str]:
        """Start it and return the running process, which `end` waits for."""
        running = subprocess.Popen(
            [*self._before, *command(*arguments, module=module)],
            cwd=self.folder,
            env=environment(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="surrogateescape",
        )
        self._started.append(running)
        return running

    def end(self, running: subprocess.Popen[str], code: int | None = 0) -> Outcome:
        """Wait for a started process and return how it ended."""
        out, err = running.communicate(timeout=PATIENCE)
        outcome = judged(running.returncode, out, err)
        assert code is None or outcome.code == code, f"{outcome.code}: {outcome.message}\n{out}"
        return outcome

    def close(self) -> None:
        """Kill what is still running."""
        for running in self._started:
            if running.poll() is None:
                running.kill()
                running.communicate()
