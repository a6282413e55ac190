"""What is measured, in the order of the table, with the target that each figure has to meet."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.measure import ROOT, Usage, alternated, usage_of

RUNS = 3
STARTS = 21
APPENDS = 1_000

BY_HAND = "by hand: ATTACH, INSERT..SELECT, indexes"
COPY = "copy alone"
VERIFY = "exact verification alone"
MIGRATE = "whole migrate"

PROGRAM = ("-m", "junmai_svc.service")
NOT_FOR_HELP = ("boto3", "peewee", "apscheduler", "jinja2", "prometheus_client")


@dataclass(frozen=True)
class Figure:
    """One line of the table; `met` is None where there is nothing to meet."""

    what: str
    measured: str
    target: str
    met: bool | None


@dataclass(frozen=True)
class Size:
    """A whole migrate at one size."""

    rows: int
    usage: Usage


def at_most(what: str, measured: float, limit: float, unit: str = "") -> Figure:
    """Return the figure of something that should be small."""
    return Figure(what, f"{measured:.2f}{unit}", f"at most {limit:g}{unit}", measured <= limit)


def processes(source: Path, folder: Path) -> dict[str, Usage]:
    """Return the medians of the four whole processes, run in turn."""
    by_hand, copied = folder / "by_hand.db", folder / "copied.db"
    return alternated(
        RUNS,
        {
            BY_HAND: lambda: fresh(by_hand, "-m", "tests.bench.by_hand", source, by_hand),
            COPY: lambda: fresh(copied, "-m", "tests.bench.steps", "copy", source, copied),
            VERIFY: lambda: usage_of("-m", "tests.bench.steps", "verify", source, copied),
            MIGRATE: lambda: migration(source, folder / "migrate"),
        },
    )


def fresh(target: Path, *arguments: str | Path) -> Usage:
    """Return the usage of a process that makes a file which was not there."""
    target.unlink(missing_ok=True)
    return usage_of(*arguments)


def migration(source: Path, folder: Path) -> Usage:
    """Return the usage of the program's `migrate`, with its backup, into a folder of its own."""
    folder.mkdir()
    common = ("--journal", folder / "journal.db", "--log-file", folder / "log")
    used = usage_of(
        *(*PROGRAM, *common, "migrate", "--source", source),
        *("--target", folder / "new.db", "--backup-dir", folder / "backups"),
    )
    shutil.rmtree(folder)
    return used


def speed(taken: dict[str, Usage]) -> Iterator[Figure]:
    """Give the ratios of CPU seconds to those of the copy by hand."""
    by_hand = taken[BY_HAND].cpu_seconds
    rate = by_hand / taken[COPY].cpu_seconds
    what = "copy: rows per CPU second, to those by hand"
    yield Figure(what, f"{rate:.2f}", "at least 0.9", rate >= 0.9)
    verify, migrate = taken[VERIFY], taken[MIGRATE]
    what = "exact verification: CPU seconds, to those by hand"
    yield at_most(what, verify.cpu_seconds / by_hand, 0.65)
    yield at_most(
        "whole migrate: CPU seconds, to those by hand", migrate.cpu_seconds / by_hand, 3.6
    )


def memory(sizes: Sequence[Size]) -> Iterator[Figure]:
    """Give the peak memory of `migrate` and how it grows with the rows."""
    largest, before = sizes[-1], sizes[-2]
    what = f"peak memory of migrate at {largest.rows:,} rows"
    yield at_most(what, largest.usage.peak_mib, 100, " MiB")
    what = f"peak memory at {largest.rows:,} rows, to that at {before.rows:,}"
    yield at_most(what, largest.usage.peak_mib / before.usage.peak_mib, 1.25)


def start() -> Iterator[Figure]:
    """Give the CPU time that --version takes, and whether --help stays clear of heavy modules."""
    taken = alternated(
        STARTS,
        {
            "bare": lambda: usage_of("-c", "pass"),
            "version": lambda: usage_of(*PROGRAM, "--version"),
        },
    )
    above = (taken["version"].cpu_seconds - taken["bare"].cpu_seconds) * 1_000
    yield at_most("--version: CPU above the bare interpreter's", above, 45, " ms")
    imported = imports_of(*PROGRAM, "--help")
    found = [name for name in NOT_FOR_HELP if name in imported]
    what = f"--help imports none of {', '.join(NOT_FOR_HELP)}"
    yield Figure(what, ", ".join(found) or "none", "none", not found)


def imports_of(*arguments: str) -> set[str]:
    """Return the names of all modules that this Python imports to run some arguments."""
    command = [sys.executable, "-X", "importtime", *arguments]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return set(re.findall(r"^import time:.*\|\s*(\S+)$", run.stderr, re.MULTILINE))


def appends(folder: Path) -> Iterator[Figure]:
    """Give the journal's durable appends beside bare SQLite's, as medians of runs in turn."""
    taken: dict[str, list[tuple[float, float]]] = {"journal": [], "bare": []}
    for run in range(RUNS):
        for kind, spent in taken.items():
            place = folder / f"{kind}{run}"
            place.mkdir()
            command = [sys.executable, "-m", "tests.bench.appends", kind, str(place), str(APPENDS)]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
            wall, cpu = map(float, done.stdout.split())
            spent.append((wall, cpu))
    middle = {kind: sorted(spent)[RUNS // 2] for kind, spent in taken.items()}
    journal, bare = (1 / middle[kind][0] for kind in ("journal", "bare"))
    yield Figure(
        "journal: durable appends a second, and bare SQLite's",
        f"{journal:,.0f} and {bare:,.0f}",
        "",
        None,
    )
    rate = journal / bare
    what = "journal: durable appends, to bare SQLite's"
    yield Figure(what, f"{rate:.2f}", "at least 0.7", rate >= 0.7)
    yield at_most("journal: CPU of one append", middle["journal"][1] * 1_000, 0.9, " ms")
