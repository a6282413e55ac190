"""A migration halted in the middle: the moment is seen by the file that it has just made."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.harness.program import Program

can_halt = pytest.mark.skipif(sys.platform == "win32", reason="Windows can't halt a process")

# Patterns of the staged files, below the folder of the source.
BACKING_UP = "backups/.*.partial"
COPYING = ".*.new.db.*.partial"

# So many photos make a migration that is there long enough to be caught.
PHOTOS = 20_000


def halted(program: Program, source: Path, moment: str) -> subprocess.Popen[str]:
    """Start a migration of `source`, which must be large, and halt it as soon as a file is there.

    SIGCONT lets it go on.
    """
    running = program.start("migrate", "--source", source, "--json")
    while not any(source.parent.glob(moment)):
        assert running.poll() is None, "it ended before it was seen"
        time.sleep(0.0005)
    running.send_signal(signal.SIGSTOP)
    return running
