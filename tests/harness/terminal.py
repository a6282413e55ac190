"""The program on a pseudo-terminal, as a person sees it."""

import os
import select
import subprocess
import time
from pathlib import Path

from tests.harness.program import PATIENCE, Outcome, command, environment, judged


def on_terminal(folder: Path, *arguments: str | Path, width: int = 100) -> Outcome:
    """Run the program with stderr on a terminal of its own and stdout in a pipe."""
    import pty

    ours, theirs = pty.openpty()
    # stdin is the terminal too, so that nothing takes it for a pipe.
    running = subprocess.Popen(
        command(*arguments),
        cwd=folder,
        env=environment({"TERM": "xterm-256color", "COLUMNS": str(width)}),
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
    )
    os.close(theirs)
    seen = _read(ours, running)
    assert running.stdout is not None
    out = running.stdout.read()
    running.stdout.close()
    return judged(running.wait(timeout=PATIENCE), out.decode(), seen.decode())


def _read(terminal: int, running: subprocess.Popen[bytes]) -> bytes:
    """All that is written to a terminal until the program has ended."""
    seen = b""
    deadline = time.monotonic() + PATIENCE
    try:
        while time.monotonic() < deadline:
            readable, _, _ = select.select([terminal], [], [], 0.05)
            if readable:
                seen += os.read(terminal, 65536)
            elif running.poll() is not None:
                break
    except OSError:  # Linux says so when the other side is closed
        pass
    finally:
        os.close(terminal)
    return seen
