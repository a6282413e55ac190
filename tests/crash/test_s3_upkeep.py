"""Prune, copy, repair and another key on S3, killed before and after a request: nothing is lost.

Of the many requests that change something a share is tried; all where JUNMAI_EVERY_MOMENT is set.
"""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from moto.s3.models import s3_backends
from tests.contracts import s3_server
from tests.contracts.faulty_server import Plan, in_front_of
from tests.crash import program
from tests.crash.program import EVERY_MOMENT
from tests.crash.scene import Scene
from tests.crash.test_stores import CHANGES, KILLED, killed_at
from tests.crash.upkeep import CARES, Care, Place, make_stores

from junmai_svc.service.stores import Named

MOMENTS = 3

pytestmark = pytest.mark.skipif(
    os.name != "posix", reason="needs POSIX signals, which Windows lacks"
)


@dataclass(frozen=True)
class Bucket(Place):
    """Stores in a bucket of a server on this machine."""

    bucket: str
    server: str

    def named(self, store: str, key: str | None = None) -> Named:
        """A prefix of the bucket."""
        key_file = self.scene.folder / key if key else None
        return Named(f"s3://{self.bucket}/{store}", endpoint_url=self.server, key_file=key_file)

    def count(self, store: str, folder: str) -> int:
        """How many objects are below a prefix of a store."""
        return len(objects(self.server, self.bucket, f"{store}/{folder}/"))


def objects(server: str, bucket: str, prefix: str) -> list[dict[str, Any]]:
    pages = s3_server.client_of(server).get_paginator("list_objects_v2")
    found = pages.paginate(Bucket=bucket, Prefix=prefix)
    return [each for page in found for each in page.get("Contents", ())]


def copied(server: str, bucket: str, prefix: str, target: str, new_prefix: str) -> None:
    """Copy objects, two hours old, as what is young is not deleted."""
    for each in objects(server, bucket, prefix):
        s3_server.client_of(server).copy_object(
            Bucket=target,
            Key=new_prefix + each["Key"].removeprefix(prefix),
            CopySource={"Bucket": bucket, "Key": each["Key"]},
        )
    for account in s3_backends.values():
        for backend in account.values():
            if target in backend.buckets:
                for key in backend.buckets[target].keys.values():
                    key.last_modified = datetime.now(UTC).replace(tzinfo=None) - timedelta(hours=2)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patched:
        for name, value in s3_server.ENVIRONMENT.items():
            program.set_variable(patched, name, value)
        for name in s3_server.FOREIGN:
            patched.delenv(name, raising=False)
        with s3_server.running() as url:
            yield url


@pytest.fixture(scope="module")
def like(server: str, tmp_path_factory: pytest.TempPathFactory) -> Bucket:
    """A scene whose bucket has a store of an old and a new snapshot, and one that is damaged."""
    scratch = tmp_path_factory.mktemp("upkeep")
    with pytest.MonkeyPatch.context() as patched:
        program.set_variable(patched, "XDG_CACHE_HOME", str(scratch / "cache"))
        bucket = s3_server.make_bucket(server)
        made = Bucket(Scene(scratch / "scene"), scratch, bucket, server)
        make_stores(made)
    for name in ("whole", "damaged"):
        copied(server, bucket, "store/", bucket, f"{name}/")
    client = s3_server.client_of(server)
    largest = max(objects(server, bucket, "damaged/packs/"), key=lambda each: each["Size"])["Key"]
    content = bytearray(client.get_object(Bucket=bucket, Key=largest)["Body"].read())
    content[1_000] ^= 1
    client.put_object(Bucket=bucket, Key=largest, Body=bytes(content))
    return made


def of_its_own(like: Bucket, folder: Path) -> Bucket:
    """The same scene with a bucket of its own."""
    bucket = s3_server.make_bucket(like.server)
    copied(like.server, like.bucket, "", bucket, "")
    return Bucket(Scene(folder, like=like.scene.folder), folder.parent, bucket, like.server)


def arguments(care: Care, place: Bucket, url: str) -> tuple[str, ...]:
    """The command, for the server by another URL."""
    return care.arguments(replace(place, server=url))


@pytest.mark.parametrize("name", CARES)
def test_upkeep_that_was_killed_at_a_request_lost_nothing_and_ends_well_the_next_time(
    name: str,
    like: Bucket,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    subtests: pytest.Subtests,
) -> None:
    program.set_variable(monkeypatch, "XDG_CACHE_HOME", str(tmp_path / "cache"))
    care, undisturbed, plan = CARES[name], of_its_own(like, tmp_path / "undisturbed"), Plan()
    with in_front_of(like.server, plan) as url:
        undisturbed.scene.run_well(*arguments(care, undisturbed, url))
    care.at_the_end(undisturbed)
    changes = [each for each in plan.requests if each.method in CHANGES]
    every = [(at, after) for at in range(1, len(changes) + 1) for after in (False, True)]
    killed = 0
    chosen = every if EVERY_MOMENT else program.spread(every, MOMENTS)
    for at, after in chosen:
        with subtests.test(request=at, after=after):
            place = of_its_own(like, tmp_path / f"{at} {after}")
            told = partial(arguments, care, place)
            ended = killed_at(at, like.server, told, tmp_path, after=after)
            killed += ended == KILLED
            care.after(place)
            place.scene.run_well(*care.arguments(place))
            care.at_the_end(place)
            shutil.rmtree(place.scene.folder)
    assert 2 * killed > len(chosen)
