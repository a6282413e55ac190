"""A week of an installation, simulated: the real use cases, files and journal, a moving clock."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import time_machine
from tests.daemon.installation import Installation
from tests.daemon.simulation import Heard, World
from tests.harness.databases import change
from tests.harness.small_disk import LARGE_ENOUGH, small_disk

from junmai_svc.service.configuration.file import load
from junmai_svc.service.context import now
from junmai_svc.service.daemon.job_building import build_jobs
from junmai_svc.service.daemon.job_targets import Surroundings
from junmai_svc.service.notify.notices import Trouble
from junmai_svc.service.progress import Silent
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.journal.projection import Run, fold_runs
from junmai_svc.storage.journal.soundness import fold_soundness
from junmai_svc.storage.snapshots.store import FileStore

MONDAY = datetime(2026, 10, 19, 0, 30, tzinfo=UTC)  # the clocks change on Sunday the 25th
DAY = timedelta(days=1)

WEEK = """
[journal]
url = "sqlite:///data/journal.db"
[stores.local]
url = "data/backups"
layout = "file"
[retention]
keep_within = "1d"
keep_daily = 7
[prune]
schedule = "30 3 * * *"
[drill]
schedule = "0 4 * * sun"
[check]
schedule = ""
[publish]
schedule = ""
"""


@contextmanager
def installed(installation: Installation, head: str, schedule: str) -> Iterator[World]:
    """Run a daemon of the installation's configuration in simulated time."""
    installation.configure(schedule, head=head)
    with time_machine.travel(MONDAY, tick=False) as traveller:
        world = World(traveller)
        loaded = load(installation.configuration, {})
        assert loaded is not None
        world.daemon.start(build_jobs(Surroundings(loaded, installation.journal, Silent())))
        yield world


def recorded(installation: Installation) -> tuple[list[Run], dict[str, datetime]]:
    with Journal.open(
        installation.journal, create=False, actor="a@b", clock=now, tool_version="0"
    ) as journal:
        return fold_runs(journal.read()), fold_soundness(journal.read()).proven_in(
            str(installation.store)
        )


def test_a_week_of_hourly_backups_with_prune_and_drill(
    quick_installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    installation = quick_installation
    monkeypatch.setenv("TZ", "Europe/Berlin")
    with installed(installation, WEEK, "0 * * * *") as world:
        world.run(7 * DAY)
        ended = now()
    assert isinstance(world.heard, Heard)
    assert world.heard.events == []
    assert world.heard.wrong == []
    runs, proven = recorded(installation)
    kinds = [run.kind for run in runs]
    assert kinds.count("backup") == 7 * 24 + 1
    assert kinds.count("drill") == 1
    assert {run.status for run in runs} == {"verified", "completed", "proven"}
    kept, bad = FileStore(installation.store).snapshots()
    assert bad == []
    # A day of them (since the last prune, 21 hours more), one for each day before, and the proven.
    assert 24 <= len(kept) <= 24 + 21 + 7 + 1
    days = {snapshot.manifest.taken.date() for snapshot in kept}
    assert len(days) >= 7
    assert proven.keys() <= {snapshot.name for snapshot in kept}
    assert ended - kept[0].manifest.taken < timedelta(hours=1)


def test_a_disk_that_is_full_for_half_a_day_loses_nothing_and_goes_on_with_room(
    quick_installation: Installation, tmp_path: Path
) -> None:
    installation = quick_installation
    with small_disk(tmp_path) as (place, resize):
        head = WEEK.replace('"data/backups"', f'"{place.as_posix()}/backups"')
        with installed(installation, head, "0 * * * *") as world:
            world.run(timedelta(hours=2))
            store = FileStore(place / "backups")
            before = {snapshot.name for snapshot in store.snapshots()[0]}
            resize(600)
            change(installation.source, "CREATE TABLE filler AS SELECT randomblob(900000) AS x")
            world.run(DAY / 2)
            assert {snapshot.name for snapshot in store.snapshots()[0]} == before
            assert isinstance(world.heard, Heard)
            assert world.heard.total("job_failed") == 12
            troubles = {trouble for _, _, trouble, _ in world.heard.wrong}
            assert troubles == {Trouble.FAILED, Trouble.OVERDUE}
            resize(LARGE_ENOUGH)
            world.run(timedelta(minutes=20))  # it is tried every quarter of an hour
            assert len(store.snapshots()[0]) == len(before) + 1
            assert list(store.folder.glob(".*")) == []
