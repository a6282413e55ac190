"""Claims about what the daemon does for the stores, done once each in this process."""

from pathlib import Path

import pytest
from tests.daemon.installation import Installation

from junmai_svc.service.configuration.file import load
from junmai_svc.service.daemon.job_building import build_jobs
from junmai_svc.service.daemon.job_targets import Surroundings
from junmai_svc.service.daemon.jobs import Job, Outcome, run_parts
from junmai_svc.service.progress import Silent
from junmai_svc.storage.errors import IntegrityError, NotFoundError

STORES = """
[journal]
url = "sqlite:///data/journal.db"
[stores.local]
url = "data/backups"
layout = "file"
[stores.blocks]
url = "data/blocks"
layout = "blocks"
[cache]
folder = "cache"
[check]
sample = "100%"
"""
KINDS = ["backup junmai", "prune", "drill", "check", "publish"]


@pytest.fixture
def jobs(installation: Installation) -> dict[str, Job]:
    """All jobs of an installation with two stores, by id."""
    installation.configure(head=STORES)
    loaded = load(installation.configuration, {})
    assert loaded is not None
    around = Surroundings(loaded, installation.journal, Silent())
    return {job.id: job for job in build_jobs(around)}


def done(job: Job) -> list[Outcome]:
    return run_parts(job, job.parts)


def test_each_job_has_a_part_for_each_store_and_all_go_well(jobs: dict[str, Job]) -> None:
    assert list(jobs) == KINDS
    for kind in KINDS:
        outcomes = done(jobs[kind])
        assert [each.part.store for each in outcomes] == ["local", "blocks"], kind
        assert [each.error for each in outcomes] == [None, None], kind


def test_where_nothing_was_written_since_the_blocks_get_a_manifest_only(
    jobs: dict[str, Job], installation: Installation
) -> None:
    def packs() -> list[Path]:
        return sorted((installation.folder / "data" / "blocks" / "packs").rglob("*"))

    done(jobs["backup junmai"])
    before = packs()
    done(jobs["backup junmai"])
    assert packs() == before
    assert len(list((installation.folder / "data" / "blocks" / "snapshots").iterdir())) == 2


def test_damage_that_a_check_or_a_drill_finds_is_a_failure_of_that_store_alone(
    jobs: dict[str, Job], installation: Installation
) -> None:
    done(jobs["backup junmai"])
    [pack] = [p for p in (installation.folder / "data/blocks/packs").rglob("*") if p.is_file()]
    content = bytearray(pack.read_bytes())
    content[len(content) // 2] ^= 0xFF
    pack.chmod(0o644)
    pack.write_bytes(content)
    for kind in ("check", "drill"):
        local, blocks = done(jobs[kind])
        assert local.error is None, kind
        assert isinstance(blocks.error, IntegrityError), kind


def test_before_the_first_backup_there_is_nothing_to_drill_with(jobs: dict[str, Job]) -> None:
    for outcome in done(jobs["drill"]):
        assert isinstance(outcome.error, NotFoundError)
