"""Soak: the daemon backs up every 2 s beside a writer every 2 ms, for as long as is asked.

    python -m tests.soak --minutes 30

At the end: no due time is unaccounted for, memory and file descriptors stayed flat, no snapshot is
damaged and every one restores to what SQLite finds sound. It ends with 1 where any of that is not
so. Linux only, as it reads /proc.
"""

import argparse
import json
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tests.daemon.installation import HEAD, Installation

from junmai_svc.service.configuration.file import load
from junmai_svc.service.context import now
from junmai_svc.service.stores import Named, open_store
from junmai_svc.storage.databases.failures import translated
from junmai_svc.storage.journal.journal import Journal

EVERY = 2
WARM_UP = 0.25  # of the samples, until caches and pools have their size
MOST_GROWTH = 4.0  # MiB
MOST_MORE_FILES = 3
STORES = """
[stores.blocks]
url = "data/blocks"
layout = "blocks"
[cache]
folder = "data/cache"
"""
WRITER = """
import random, sqlite3, sys, time
database = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
database.execute("PRAGMA journal_mode = WAL")
while True:
    database.execute(
        "UPDATE photos SET ai_score = ? WHERE id = ?",
        (random.randint(1, 5), random.randint(1, 2000)),
    )
    time.sleep(0.002)
"""


@dataclass(frozen=True)
class Sample:
    """What the daemon used at one moment."""

    seconds: float
    mebibytes: float
    files: int
    threads: int
    cpu: float


def sample(pid: int, begun: float) -> Sample:
    """Look at a process through /proc."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    resident = next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))
    threads = next(line.split()[1] for line in status.splitlines() if line.startswith("Threads"))
    files = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    cpu = (int(fields[11]) + int(fields[12])) / 100
    return Sample(time.monotonic() - begun, int(resident) / 1024, files, int(threads), cpu)


def flat(samples: Sequence[Sample]) -> list[str]:
    """Say what grew: the last quarter is compared with the one after the warm-up."""
    warm = samples[int(len(samples) * WARM_UP) :]
    part = max(1, len(warm) // 3)
    early, late = warm[:part], warm[-part:]
    said = []
    grown = min(each.mebibytes for each in late) - max(each.mebibytes for each in early)
    if grown > MOST_GROWTH:
        said.append(f"memory grew by {grown:.1f} MiB")
    more = min(each.files for each in late) - max(each.files for each in early)
    if more > MOST_MORE_FILES:
        said.append(f"{more} more files are open")
    return said


def accounted(installation: Installation, begun: datetime, ended: datetime) -> list[str]:
    """Say whether due times are missing: each was done, or recorded as what became of it."""
    counts = {"done": 0, "missed": 0, "skipped": 0, "failed": 0}
    names = {"jobs_missed": "missed", "job_skipped": "skipped", "job_failed": "failed"}
    with Journal.open(
        installation.journal, create=False, actor="a@b", clock=now, tool_version="0"
    ) as journal:
        for event in journal.read():
            _, category, name, _ = event.type.split(".")
            if (category, name) == ("backup", "verified"):
                counts["done"] += 1
            elif category == "daemon" and name in names:
                counts[names[name]] += int(event.data.get("count", 1))
    due = int(ended.timestamp() // EVERY) - int(begun.timestamp() // EVERY)
    known = sum(counts.values())
    print(f"due {due}, accounted for {known}: {counts}")  # noqa: T201
    # The first one is taken at the start; the last one may have been stopped.
    return [] if abs(known - due) <= 2 else [f"{due - known} due times are unaccounted for"]


def restored(installation: Installation) -> list[str]:
    """Say which snapshots do not restore."""
    loaded = load(installation.configuration, {})
    said = []
    for name in ("local", "blocks"):
        store = open_store(loaded, Named(name), now)
        with translated("read", store.url):
            good, bad = store.snapshots()
            said += [f"{each.manifest}: {each.problem}" for each in bad]
            for snapshot in good:
                said += _restored(store, snapshot, installation.folder / "restored.db")
        print(f"{len(good)} snapshots of {name} restored")  # noqa: T201
        if not good:
            said.append(f"{name} has no snapshot")
    return said


def _restored(store: object, snapshot: object, path: Path) -> list[str]:
    store.fetch(snapshot, path)  # type: ignore[attr-defined]  # proven by its hash, else it raises
    with closing(sqlite3.connect(path)) as database:
        [(found,)] = database.execute("PRAGMA quick_check").fetchall()
    path.unlink()
    return [] if found == "ok" else [f"{snapshot}: {found}"]


def soak(minutes: float, folder: Path) -> list[str]:
    """Do all of it in a folder and return what went wrong."""
    installation = Installation(folder, photos=2_000)
    installation.configure(f"every {EVERY}s", head=HEAD + STORES)
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(installation.source)])
    begun, since = now(), time.monotonic()
    running = installation.start()
    samples: list[Sample] = []
    try:
        while time.monotonic() - since < minutes * 60:
            time.sleep(1)
            samples.append(sample(running.pid, since))
            if len(samples) % 30 == 0:
                print(json.dumps(samples[-1].__dict__), flush=True)  # noqa: T201
        if writer.poll() is not None:
            return ["the writer ended"]
    finally:
        running.send_signal(signal.SIGTERM)
        running.communicate(timeout=60)
        ended = now()
        writer.kill()
        writer.wait()
    said = [] if running.returncode == 0 else [f"the daemon ended with {running.returncode}"]
    return said + flat(samples) + accounted(installation, begun, ended) + restored(installation)


def main() -> int:
    """Soak and say what went wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak")
    parser.add_argument("--minutes", type=float, default=30.0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="junmai-soak-") as folder:
        said = soak(arguments.minutes, Path(folder))
    print("\n".join(said) or "nothing went wrong")  # noqa: T201
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main())
