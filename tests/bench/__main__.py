"""Measure the program against its baselines in one run and print, or write, the table.

`python -m tests.bench [--photos N] [--write]`; POSIX only, as the kernel's figures are.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.bench import figures, stores, table
from tests.bench.figures import Figure, Size
from tests.bench.measure import ROOT, usage_of
from tests.bench.proof_figures import proof

PHOTOS = 350_000
BENCHMARKS = ROOT / "docs" / "benchmarks.md"


def measure(folder: Path, photos: int) -> str:
    """Measure everything in an empty folder and return the page."""
    sources = [_workload(folder, photos // part) for part in (100, 10, 1)]
    _say("by hand, copy, verification, migrate; three times in turn")
    taken = figures.processes(sources[-1], folder)
    _say("migrate at smaller sizes")
    usages = [figures.migration(source, folder / "migrate") for source in sources[:-1]]
    usages.append(taken[figures.MIGRATE])
    sizes = [Size(table.rows_in(s), used) for s, used in zip(sources, usages, strict=True)]
    _say("start and journal")
    found: list[Figure] = [
        *figures.speed(taken),
        *figures.memory(sizes),
        *figures.start(),
        *figures.appends(folder),
        *proof(folder),
    ]
    _say("a store over a day")
    found += stores.figures(sources[-1], folder)
    _say("requests of S3")
    from tests.bench import requests  # a server makes this process large

    found += requests.figures(folder / "requests")
    return table.page(found, taken, sizes)


def _workload(folder: Path, photos: int) -> Path:
    """A database of so many photos, made in a process of its own: this one has to stay small."""
    _say(f"a database of {photos:,} photos")
    path = folder / f"{photos}.db"
    usage_of("-m", "tests.bench.workload", path, str(photos))
    return path


def _say(what: str) -> None:
    sys.stderr.write(f"{what} ...\n")


def main() -> None:
    """Run as the arguments say."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--photos", type=int, default=PHOTOS, help="size of the database")
    parser.add_argument("--write", action="store_true", help=f"rewrite {BENCHMARKS.name}")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="junmai-bench-") as folder:
        page = measure(Path(folder), arguments.photos)
    sys.stdout.write(page)
    if arguments.write:
        BENCHMARKS.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
