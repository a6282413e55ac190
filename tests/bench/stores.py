"""A store of blocks over a day of hourly backups, beside restic and borg where they are installed.

The figures count whole processes: start-up, image, quick_check, storing, the journal and its
publication. What quick_check may add to a design measured without it is in the targets.
"""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import median

from tests.bench.figures import PROGRAM, Figure, at_most
from tests.bench.measure import ROOT, Usage, usage_of

HOURS = 24
QUICK_CHECK = 0.6  # CPU seconds
MEGA = 1_000_000
PASSWORD = "of the benchmark"  # noqa: S105  # restic has no repository without one


@dataclass(frozen=True)
class Taken:
    """One backup: what the process took and how many bytes the store grew by."""

    usage: Usage
    grown: int


@dataclass(frozen=True)
class Day:
    """All that is done to one store: the first backup, one of a changed database, 24 hourly."""

    first: Taken
    changed: Taken
    hourly: tuple[Taken, ...]

    @property
    def hour(self) -> float:
        """CPU seconds of an hourly backup, the median."""
        return median(each.usage.cpu_seconds for each in self.hourly)

    @property
    def day(self) -> float:
        """What all hourly ones added, in MB."""
        return sum(each.grown for each in self.hourly) / MEGA


def figures(source: Path, folder: Path) -> Iterator[Figure]:
    """Give the figures of the block store on a database that is changed meanwhile.

    `source` is copied; every tool sees the same changes in the same order.
    """
    database, store = folder / "day.db", folder / "blocks"
    tools: dict[str, Callable[[], Usage]] = {"junmai": lambda: _backup(database, store, folder)}
    places = {"junmai": store}
    for name, begin, run in (_restic(database, folder), _borg(database, folder)):
        if shutil.which(name) is not None:
            begin()
            tools[name], places[name] = run, folder / name
    shutil.copyfile(source, database)
    days = _days(database, tools, places)
    own = days.pop("junmai")
    unchanged = _unchanged(database, store, folder)
    yield from _storing(own)
    start_up = _program(folder, "history").cpu_seconds
    above = unchanged.usage.cpu_seconds - start_up
    yield at_most("store, unchanged: CPU above start-up", above, 0.05, " s")
    yield at_most("store, unchanged: new KB", unchanged.grown / 1_000, 5, " KB")
    yield from _reading(store, folder)
    for name in ("restic", "borg"):
        yield _other(name, days.get(name), own)


def _storing(own: Day) -> Iterator[Figure]:
    first, changed = own.first, own.changed
    limit = 3.5 + QUICK_CHECK
    yield at_most("store, first backup: CPU", first.usage.cpu_seconds, limit, " s")
    yield at_most("store, first backup: size", first.grown / MEGA, 114, " MB")
    yield at_most("store, first backup: peak memory", first.usage.peak_mib, 100, " MiB")
    limit = 1.4 + QUICK_CHECK
    yield at_most("store, 1% changed: CPU", changed.usage.cpu_seconds, limit, " s")
    yield at_most("store, 1% changed: new", changed.grown / MEGA, 7.2, " MB")
    yield at_most("store, hourly: CPU", own.hour, 1.0 + QUICK_CHECK, " s")
    yield at_most(f"store, {HOURS} hourly: new in all", own.day, 16.5, " MB")


def _reading(store: Path, folder: Path) -> Iterator[Figure]:
    options = ("--store", store, "--to", folder / "restored.db")
    restored = _program(folder, "restore", "latest", *options)
    yield at_most("store, restore: CPU", restored.cpu_seconds, 1.2 + QUICK_CHECK, " s")
    everything = _program(folder, "check", store, "--read-data")
    yield at_most("store, every byte read: CPU", everything.cpu_seconds, 1.2 + 0.3, " s")


def _other(name: str, day: Day | None, own: Day) -> Figure:
    what = f"store, {name}: first and hourly CPU, {HOURS} hourly in all"
    if day is None:
        return Figure(what, "not installed", "", None)
    first = f"{day.first.usage.cpu_seconds:.2f} s, {day.hour:.2f} s"
    return Figure(what, f"{first}, {day.day:,.1f} MB: {day.day / own.day:.0f} times", "", None)


def _days(
    database: Path, tools: Mapping[str, Callable[[], Usage]], places: Mapping[str, Path]
) -> dict[str, Day]:
    """Back up with each tool after each step."""
    taken: dict[str, list[Taken]] = {name: [] for name in tools}
    for step in range(HOURS + 2):
        if step:
            _change(database, step, share=0.01 if step == 1 else 0.0005)
        for name, run in tools.items():
            before = _size(places[name])
            usage = run()
            taken[name].append(Taken(usage, _size(places[name]) - before))
    return {name: Day(each[0], each[1], tuple(each[2:])) for name, each in taken.items()}


def _change(database: Path, step: int, share: float) -> None:
    """Change a share of the photos at random and append some."""
    drawn = Random(step)  # noqa: S311  # the same rows each time, no secret
    with closing(sqlite3.connect(database)) as opened:
        (count,) = opened.execute("SELECT max(id) FROM photos").fetchone()
        for number in drawn.sample(range(1, count + 1), int(count * share)):
            opened.execute(
                "UPDATE photos SET ai_score = ? WHERE id = ?", (drawn.randint(1, 5), number)
            )
        more = 1_000 if step == 1 else 200
        opened.execute("CREATE TEMP TABLE new AS SELECT * FROM photos LIMIT ?", (more,))
        opened.execute(
            "UPDATE new SET id = ? + rowid, file_path = file_path || ?", (count, f" {step}")
        )
        opened.execute("INSERT INTO photos SELECT * FROM new")
        opened.commit()


def _unchanged(database: Path, store: Path, folder: Path) -> Taken:
    """One more backup of a database that has rested; the one before it sees it rest."""
    before = os.stat(database).st_ctime  # noqa: PTH116  # the time of the last change
    os.utime(database, (before - 60, before - 60))
    subprocess.run(["sleep", "2.5"], check=True)
    _backup(database, store, folder)
    size = _size(store / "snapshots") + _size(store / "packs") + _size(store / "maps")
    usage = _backup(database, store, folder)
    after = _size(store / "snapshots") + _size(store / "packs") + _size(store / "maps")
    return Taken(usage, after - size)


def _backup(database: Path, store: Path, folder: Path) -> Usage:
    return _program(folder, "backup", "--source", database, "--store", store)


def _program(folder: Path, *arguments: str | Path) -> Usage:
    os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
    common = ("--journal", folder / "store.journal.db", "--log-file", folder / "store.log")
    return usage_of(*PROGRAM, *common, *arguments)


def _restic(database: Path, folder: Path) -> tuple[str, Callable[[], None], Callable[[], Usage]]:
    common = ["restic", "--quiet", "--repo", str(folder / "restic"), "--cache-dir"]
    common += [str(folder / "restic-cache")]
    os.environ["RESTIC_PASSWORD"] = PASSWORD
    return (
        "restic",
        lambda: _run([*common, "init"]),
        lambda: _copied(database, folder, [*common, "backup"]),
    )


def _borg(database: Path, folder: Path) -> tuple[str, Callable[[], None], Callable[[], Usage]]:
    os.environ["BORG_BASE_DIR"] = str(folder / "borg-base")
    create = ["borg", "create", "--chunker-params", "fixed,65536", f"{folder / 'borg'}::{{now}}"]
    return (
        "borg",
        lambda: _run(["borg", "init", "--encryption", "none", str(folder / "borg")]),
        lambda: _copied(database, folder, create),
    )


def _copied(database: Path, folder: Path, command: list[str]) -> Usage:
    """Another tool's backup of a consistent copy; the copy is SQLite's own work and not counted."""
    copy = folder / "consistent.db"
    with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target, pages=-1)
    program = "import os, sys; os.execvp(sys.argv[1], sys.argv[1:])"
    return usage_of("-c", program, *command, str(copy))


def _run(command: list[str]) -> None:
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def _size(place: Path) -> int:
    return sum(path.stat().st_size for path in place.rglob("*") if path.is_file())
