"""Claims about what the daemon looks at for its page, its metrics and its health."""

import threading
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from tests.daemon.installation import HEAD, NEVER_SOON, Installation
from tests.harness.program import Program

from junmai_svc.service.configuration.file import Loaded, load
from junmai_svc.service.context import now
from junmai_svc.service.daemon.job_building import build_jobs
from junmai_svc.service.daemon.job_memory import Memory
from junmai_svc.service.daemon.job_targets import Surroundings
from junmai_svc.service.daemon.jobs import run_parts
from junmai_svc.service.daemon.observing import AGAIN, AGAIN_AFTER_FAILURE, Observer, is_stale
from junmai_svc.service.daemon.run import Inside
from junmai_svc.service.progress import Silent
from junmai_svc.service.status.fold import fold_status
from junmai_svc.service.status.observation import Listing, Observation

SECOND = timedelta(seconds=1)


def loaded_of(installation: Installation) -> Loaded:
    loaded = load(installation.configuration, {})
    assert loaded is not None
    return loaded


@dataclass
class Watching:
    """A daemon's jobs and observer, without its clock."""

    installation: Installation
    memory: Memory = field(default_factory=lambda: Memory(now()))

    def __post_init__(self) -> None:
        loaded = loaded_of(self.installation)
        journal = self.installation.journal
        self.jobs = build_jobs(Surroundings(loaded, journal, Silent()))
        self.observer = Observer(Inside(lambda: loaded, self.memory, dict, journal))

    def back_up(self) -> None:
        """Do all jobs once."""
        for job in self.jobs:
            for outcome in run_parts(job, job.parts):
                assert outcome.error is None, outcome.error
                self.memory.note(job, outcome, now())

    def look_round(self) -> None:
        """Look where it is time, and wait for all looks."""
        self.observer.look_round()
        for thread in threading.enumerate():
            if thread.name == "look":
                thread.join()

    def seen(self) -> Observation:
        """What the first question is answered from."""
        return self.observer.observe()


def test_the_daemon_looks_by_itself_and_whoever_asks_first_is_told_how_it_is(
    installation: Installation,
) -> None:
    installation.configure(NEVER_SOON)
    watching = Watching(installation)
    watching.look_round()
    watching.back_up()
    watching.look_round()
    seen = watching.seen()
    assert len(seen.listings[0].snapshots) == 1
    assert fold_status(seen).healthy


def test_a_backup_by_hand_is_seen_by_the_next_round(installation: Installation) -> None:
    installation.configure(NEVER_SOON)
    watching = Watching(installation)
    watching.look_round()
    program = installation.program
    program("--config", installation.configuration, "backup", "--source", installation.source)
    begun = watching.memory.started  # before the store was looked at
    assert watching.memory.learn("backup of junmai in local", begun, now())
    watching.look_round()
    assert len(watching.seen().listings[0].snapshots) == 1


def test_a_store_that_can_not_be_listed_is_told_of_and_looked_at_again(
    installation: Installation,
) -> None:
    installation.configure(NEVER_SOON, head=HEAD.replace('layout = "file"', 'layout = "blocks"'))
    watching = Watching(installation)
    installation.store.write_text("no folder")
    watching.look_round()
    assert watching.seen().listings[0].problem


@pytest.mark.parametrize("layout", ["file", "blocks"])
@pytest.mark.parametrize("mount_point_stays", [False, True])
def test_a_store_whose_disk_is_not_mounted_is_never_said_to_be_empty(
    installation: Installation, layout: str, mount_point_stays: bool
) -> None:
    installation.configure(NEVER_SOON, head=HEAD.replace('"file"', f'"{layout}"'))
    watching = Watching(installation)
    watching.back_up()
    watching.look_round()
    installation.store.rename(installation.folder / "unplugged")
    if mount_point_stays:
        installation.store.mkdir()
    for part in (part for job in watching.jobs for part in job.parts):
        watching.memory.learn(part.subject, now(), now())  # so it is time to look
    watching.look_round()
    [listing] = watching.seen().listings
    assert "not there any more" in (listing.problem or "")
    assert len(listing.snapshots) == 1


@pytest.mark.parametrize(
    ("looked", "problem", "changed", "stale"),
    [
        (None, None, None, True),
        (AGAIN - SECOND, None, None, False),
        (AGAIN, None, None, True),
        (AGAIN_AFTER_FAILURE, "no answer", None, True),
        (10 * SECOND, "no answer", None, False),
        (10 * SECOND, None, 5 * SECOND, True),
        (10 * SECOND, None, 15 * SECOND, False),
        (-timedelta(days=30), None, None, True),  # the clock went back
    ],
)
def test_a_store_is_looked_at_again_after_a_change_or_a_while(
    looked: timedelta | None, problem: str | None, changed: timedelta | None, stale: bool
) -> None:
    moment = now()
    listing = Listing("local", moment - looked if looked is not None else None, problem=problem)
    assert is_stale(listing, moment - changed if changed is not None else None, moment) is stale


def test_one_database_is_never_taken_for_another_of_its_name(installation: Installation) -> None:
    folder = installation.folder
    more = """
[[databases]]
name = "beta"
path = "other/junmai.db"
"""
    installation.configure(NEVER_SOON, more=more)
    (folder / "other").mkdir()
    (folder / "other" / "junmai.db").write_bytes(installation.source.read_bytes())
    by_hand = Program(installation.source.parent)
    by_hand("--config", "../junmai.toml", "backup", "--source", "junmai.db", "--store", "local")
    watching = Watching(installation)
    watching.look_round()
    [snapshot] = watching.seen().listings[0].snapshots
    assert snapshot.database == "junmai"
