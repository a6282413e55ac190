"""Claims about what a replay works on: in plain copies, of which a crash leaves none for good."""

import subprocess
import sys
from pathlib import Path

from tests.harness.program import PATIENCE, Program, environment

KILLED = 137
# The program, which dies where a part of it is first called.
DYING = """
import importlib, os, sys
module = importlib.import_module(sys.argv[1])
setattr(module, sys.argv[2], lambda *a, **k: os._exit(137))
from junmai_svc.service.cli import main
sys.argv = ["junmai-svc", *sys.argv[3:]]
main()
"""
CALLS = {
    "replay": ("replay.reexecution", "examine", ("replay", "RUN", "--execute")),
    "drill": ("drill", "examine", ("drill", "STORE")),
    "verify": ("verify", "pair_tables", ("verify", "--source", "SOURCE", "--target", "TARGET")),
}


def test_what_killed_runs_looked_at_is_removed_by_the_next(
    program: Program, source: Path, tmp_path: Path
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    env = environment({"TMPDIR": str(scratch), "TEMP": str(scratch), "TMP": str(scratch)})
    run = program("migrate", "--source", source, "--json").json
    known = {"RUN": run["run"], "STORE": str(source.parent / "backups")}
    known |= {"SOURCE": str(source), "TARGET": run["target"]}
    journal = source.with_name("journal.db")
    for module, part, arguments in CALLS.values():
        command = [sys.executable, "-c", DYING, f"junmai_svc.service.{module}", part]
        command += ["--journal", str(journal), *(known.get(each, each) for each in arguments)]
        died = subprocess.run(command, env=env, cwd=tmp_path, timeout=PATIENCE, check=False)
        assert died.returncode == KILLED
        (folder,) = scratch.iterdir()  # what the one before had left is gone
        assert list(folder.iterdir())
        if sys.platform != "win32":
            assert folder.stat().st_mode & 0o077 == 0
    program("--journal", journal, "backup", "--source", source)
    assert not list(scratch.iterdir())
