"""Claims about a store whose disk is gone while the daemon runs: it is missed, never begun anew."""

import shutil
from collections.abc import Iterator

import pytest
from tests.contracts import s3_server
from tests.daemon.installation import HEAD, NEVER_SOON, Installation

from junmai_svc.service.configuration.file import load
from junmai_svc.service.daemon.job_building import build_jobs
from junmai_svc.service.daemon.job_targets import Surroundings
from junmai_svc.service.daemon.jobs import run_parts
from junmai_svc.service.daemon.known_stores import is_down
from junmai_svc.service.progress import Silent
from junmai_svc.storage.errors import StorageUnavailableError

OTHER = '[stores.other]\nurl = "other"\n'


def backed_up(installation: Installation) -> dict[str, BaseException | None]:
    """Back up once, as the daemon does, and return how it ended for each store."""
    loaded = load(installation.configuration, {})
    assert loaded is not None
    [job] = build_jobs(Surroundings(loaded, installation.journal, Silent()))
    return {each.part.store or "": each.error for each in run_parts(job, job.parts)}


@pytest.fixture(params=["file", "blocks"])
def layout(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("mount_point_stays", [False, True])
def test_a_disk_that_is_not_mounted_is_missed_and_other_stores_go_on(
    installation: Installation, layout: str, mount_point_stays: bool
) -> None:
    head = HEAD.replace('layout = "file"', f'layout = "{layout}"')
    installation.configure(NEVER_SOON, head=head + OTHER)
    assert backed_up(installation) == {"local": None, "other": None}  # new ones are made
    store, away = installation.store, installation.folder / "unplugged"
    store.rename(away)
    if mount_point_stays:
        store.mkdir()
    for _ in range(2):
        found = backed_up(installation)
        assert isinstance(found["local"], StorageUnavailableError)
        assert "may not be mounted" in found["local"].message
        assert found["other"] is None
    assert (list(store.iterdir()) if mount_point_stays else store.exists()) in ([], False)
    shutil.rmtree(store, ignore_errors=True)
    away.rename(store)
    assert backed_up(installation) == {"local": None, "other": None}


UPKEEP = "\n".join(
    f'[{kind}]\nschedule = "1 0 1 1 *"' for kind in ("prune", "drill", "check", "publish")
)
NO_UPKEEP = HEAD[HEAD.index("[prune]") :]


@pytest.mark.parametrize("mount_point_stays", [False, True])
def test_nothing_goes_well_in_a_store_whose_disk_is_not_mounted(
    installation: Installation, layout: str, mount_point_stays: bool
) -> None:
    head = HEAD.replace(NO_UPKEEP, UPKEEP).replace('layout = "file"', f'layout = "{layout}"')
    installation.configure(NEVER_SOON, head=head)
    loaded = load(installation.configuration, {})
    assert loaded is not None
    jobs = build_jobs(Surroundings(loaded, installation.journal, Silent()))
    assert [each.error for job in jobs for each in run_parts(job, job.parts)] == [None] * 5
    installation.store.rename(installation.folder / "unplugged")
    if mount_point_stays:
        installation.store.mkdir()
    for job in jobs:
        for each in run_parts(job, job.parts):
            assert isinstance(each.error, StorageUnavailableError), each
            assert "may not be mounted" in each.error.message
    assert not installation.store.exists() or list(installation.store.iterdir()) == []


def test_a_backup_by_hand_begins_it_anew(installation: Installation, layout: str) -> None:
    installation.configure(NEVER_SOON, head=HEAD.replace('"file"', f'"{layout}"'))
    assert backed_up(installation) == {"local": None}
    shutil.rmtree(installation.store)
    assert backed_up(installation)["local"] is not None
    by_hand = ("backup", "--source", installation.source, "--store", "local")
    installation.program("--config", installation.configuration, *by_hand)
    assert backed_up(installation) == {"local": None}


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, str]]:
    for name, value in s3_server.ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    with s3_server.running() as url:
        yield url, s3_server.make_bucket(url)


def test_a_bucket_without_its_store_is_missed_too(
    installation: Installation, bucket: tuple[str, str]
) -> None:
    url, name = bucket
    address = f'"s3://{name}/junmai"\nendpoint_url = "{url}"\nregion = "us-east-1"'
    head = HEAD.replace('"data/backups"', address).replace('"file"', '"blocks"')
    installation.configure(NEVER_SOON, head=head)
    assert backed_up(installation) == {"local": None}
    assert backed_up(installation) == {"local": None}
    client = s3_server.client_of(url)
    for each in client.list_objects_v2(Bucket=name)["Contents"]:
        client.delete_object(Bucket=name, Key=each["Key"])
    found = backed_up(installation)["local"]
    assert isinstance(found, StorageUnavailableError)
    assert client.list_objects_v2(Bucket=name).get("Contents", []) == []


def test_a_store_that_is_not_there_is_down_and_one_that_is_damaged_is_not(
    installation: Installation, layout: str
) -> None:
    installation.configure(NEVER_SOON, head=HEAD.replace('"file"', f'"{layout}"'))
    assert backed_up(installation) == {"local": None}
    loaded = load(installation.configuration, {})
    assert loaded is not None
    assert not is_down(loaded, "local")
    away = installation.folder / "unplugged"
    installation.store.rename(away)
    assert is_down(loaded, "local")
    installation.store.mkdir()
    assert is_down(loaded, "local")
    (installation.store / "store.json").write_text("{")
    assert not is_down(loaded, "local")
