"""A process that is killed at any step leaves whole objects, and every one that it had stored."""

import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from junmai_svc.storage.backends.local import LocalBackend

LIMIT = 1 << 20
PROGRAM = """
import sys
from pathlib import Path
from junmai_svc.storage.backends.local import LocalBackend

def done(step):
    print(step, flush=True)

backend = LocalBackend(Path(sys.argv[1]))
backend.put("state/pending", b"first", if_absent=True)
done("put")
backend.rename("state/pending", "final")
done("renamed")
backend.put("final", b"second")
done("replaced")
print("deleting", flush=True)
backend.delete("final")
done("deleted")
"""
# What may be there after the last step that was told, with its content.
PENDING, FINAL, REPLACED = ("state/pending", b"first"), ("final", b"first"), ("final", b"second")
ALLOWED: dict[str, list[set[tuple[str, bytes]]]] = {
    "": [set(), {PENDING}],
    "put": [{PENDING}, {PENDING, FINAL}, {FINAL}],
    "renamed": [{FINAL}, {REPLACED}],
    "replaced": [{REPLACED}],
    "deleting": [{REPLACED}, set()],
    "deleted": [set()],
}


def run_killed(folder: Path, call: str, number: int) -> tuple[bool, str]:
    """Kill the program at the n-th call; return whether it was, and the last step it told."""
    done = subprocess.run(
        [
            *("strace", "-f", "-o", os.devnull, "-e", f"trace={call}"),
            *("-e", f"inject={call}:signal=KILL:when={number}"),
            *(sys.executable, "-c", PROGRAM, str(folder)),
        ],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    return done.returncode != 0, (["", *done.stdout.split()])[-1]


@pytest.mark.parametrize(
    ("call", "at_least"),
    [("fsync", 10), ("/^rename", 1), ("/^link", 2), ("/^unlink", 3), ("write", 4)],
)
def test_killed_at_any_step_a_folder_holds_what_was_told(
    tmp_path: Path, call: str, at_least: int
) -> None:
    if shutil.which("strace") is None and os.environ.get("CI") != "true":
        pytest.skip("needs strace")
    kills = 0
    while True:
        backend = LocalBackend(tmp_path / f"store {kills}")
        killed, told = run_killed(backend.folder, call, kills + 1)
        found = {(stat.name, backend.get(stat.name, LIMIT)) for stat in backend.list()}
        assert found in ALLOWED[told], f"killed at {call} {kills + 1}"
        if not killed:
            break
        kills += 1
        # The next process goes on as if nothing had been, and clears up.
        if PENDING in found:
            assert backend.rename("state/pending", "final") is True
        assert backend.put("final", b"again") is True
        backend.sweep(datetime.now(UTC) + timedelta(days=1))
        files = [path.name for path in backend.folder.rglob("*") if path.is_file()]
        assert files == ["final"]
    assert told == "deleted"
    assert kills >= at_least
