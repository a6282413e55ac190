"""The page of results: what was measured, on what, and what of it missed its target."""

import os
import platform
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from tests.bench.figures import BY_HAND, Figure, Size
from tests.bench.measure import Usage
from tests.bench.workload import TABLES

INTRODUCTION = """\
# Benchmarks

Written by `python -m tests.bench --write`. Whole processes, medians of three runs in turn, all of
it in one go: trust the ratios within this page, never an absolute time. The baseline copies the
rows by hand and proves nothing. `migrate` takes a backup, checks it in full and hashes it, copies,
compares every value, checks the target and digests all tables.
"""

MEANING = {True: "yes", False: "**no**", None: ""}


def rows_in(database: Path) -> int:
    """Return the number of rows in all tables of a database."""
    with closing(sqlite3.connect(database)) as opened:
        counts = (opened.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in TABLES)
        return sum(counts)


def page(figures: Sequence[Figure], taken: Mapping[str, Usage], sizes: Sequence[Size]) -> str:
    """Return the whole page in Markdown."""
    head = ("what", "measured", "target", "met")
    lines = _table(head, ((f.what, f.measured, f.target, MEANING[f.met]) for f in figures))
    missed = "; ".join(figure.what for figure in figures if figure.met is False)
    return "\n".join(
        [
            INTRODUCTION,
            *lines,
            "",
            f"Missed: {missed}." if missed else "Every target is met.",
            "",
            f"## Processes, {sizes[-1].rows:,} rows",
            "",
            *_processes(taken),
            "",
            "## The whole migrate by size",
            "",
            *_sizes(sizes),
            "",
            _machine(),
            "",
        ]
    )


def _processes(taken: Mapping[str, Usage]) -> list[str]:
    base = taken[BY_HAND]
    return _table(
        ("process", "CPU s", "to by hand", "wall s", "to by hand", "peak MiB"),
        (
            (
                name,
                f"{used.cpu_seconds:.2f}",
                f"{used.cpu_seconds / base.cpu_seconds:.2f}",
                f"{used.wall_seconds:.2f}",
                f"{used.wall_seconds / base.wall_seconds:.2f}",
                f"{used.peak_mib:.0f}",
            )
            for name, used in taken.items()
        ),
    )


def _sizes(sizes: Sequence[Size]) -> list[str]:
    return _table(
        ("rows", "CPU s", "CPU µs a row", "peak MiB"),
        (
            (
                f"{size.rows:,}",
                f"{size.usage.cpu_seconds:.2f}",
                f"{size.usage.cpu_seconds / size.rows * 1e6:.1f}",
                f"{size.usage.peak_mib:.0f}",
            )
            for size in sizes
        ),
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(cells)} |" for cells in lines]


def _machine() -> str:
    versions = f"Python {platform.python_version()} and SQLite {sqlite3.sqlite_version}"
    place = f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs ({_processor()})"
    return f"Measured on {datetime.now(UTC):%Y-%m-%d} with {versions} on {place}."


def _processor() -> str:
    """The processor's name, where the system tells it."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"
