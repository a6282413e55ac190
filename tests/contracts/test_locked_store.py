"""A sealed store under object lock, over real HTTP, and somebody with its credentials."""

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.contracts import s3_server
from tests.contracts.memory import LIKE_S3
from tests.harness.published import Scene
from tests.harness.stores import fetched, image_of, stored

from junmai_svc.service.configuration.file import load
from junmai_svc.service.keys import NewSecret, change_key, init_store
from junmai_svc.service.publish import publish_to
from junmai_svc.service.stores import Named, open_store, place_of
from junmai_svc.storage.backends.base import RetainedError
from junmai_svc.storage.snapshots import description
from junmai_svc.storage.snapshots.description import COPY
from junmai_svc.storage.snapshots.objects import ObjectStore

IMAGE = image_of(*range(20))


def now() -> datetime:
    return datetime.now(UTC)


def test_whoever_steals_the_credentials_deletes_nothing_that_a_snapshot_needs(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(description, "probe", lambda _: LIKE_S3)  # it takes seconds
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    bucket = s3_server.make_bucket(server, lockable=True)
    configuration = tmp_path / "junmai.toml"
    configuration.write_text(
        f'[stores.far]\nurl = "s3://{bucket}/x"\nendpoint_url = "{server}"\n'
        f'region = "{s3_server.REGION}"\nlock_days = 1\nencryption_key_file = "a.key"\n'
    )
    loaded = load(configuration, {})
    a, b = (tmp_path / f"{name}.key" for name in "ab")
    with closing(place_of(loaded, Named("far")).backend):
        init_store(place_of(loaded, Named("far")), NewSecret(a, make=True), now())
        change_key(place_of(loaded, Named("far")), NewSecret(b, make=True), now())
    named = Named("far", key_file=b)
    store = open_store(loaded, named, now)
    assert isinstance(store, ObjectStore)
    snapshot = stored(store, IMAGE)
    store.put_details(b"a plan")
    scene = Scene(tmp_path)
    scene.run(steps=2)
    with scene.journal() as journal:
        publish_to(journal, store)
    # Only what is put over and over is not locked, and a copy of what is locked.
    names = {each.name for each in store.backend.list()} - {COPY}
    names = {name for name in names if not name.endswith("/checkpoint")}
    assert {"store.json", "packs", "maps", "snapshots", "details", "journal"} == {
        name.split("/")[0] for name in names
    }
    for name in names:
        with pytest.raises(RetainedError):
            store.backend.delete(name)
    # Neither does a new version of the key leave the other one to be deleted.
    client = s3_server.client_of(server)
    told = client.list_object_versions(Bucket=bucket, Prefix="x/store.json")["Versions"]
    assert len(told) == 2
    for each in told:
        found = client.head_object(Bucket=bucket, Key=each["Key"], VersionId=each["VersionId"])
        assert found["ObjectLockRetainUntilDate"] > now()
    assert fetched(open_store(loaded, named, now), snapshot.name, tmp_path) == IMAGE
    store.backend.close()
