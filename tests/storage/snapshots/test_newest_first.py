"""The newest snapshot is found by few manifests, and is the one that reading all of them finds."""

from datetime import datetime, timedelta
from pathlib import Path, PurePath, PurePosixPath

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.contracts.memory import MemoryBackend, Place
from tests.harness.stores import NOON, manifest_for, object_store, stored

from junmai_svc.storage.errors import NotFoundError
from junmai_svc.storage.snapshots.base import Snapshot
from junmai_svc.storage.snapshots.choosing import newest
from junmai_svc.storage.snapshots.manifest import STAMP, Reason, encode
from junmai_svc.storage.snapshots.newest_first import newest_first
from junmai_svc.storage.snapshots.objects import ObjectStore

MINUTE = timedelta(minutes=1)
PATHS = ("/srv/one.db", "/srv/two.db", "/other/one.db", "one.db")
OWN = PurePosixPath("/srv/one.db")

snapshots_of = st.lists(
    st.tuples(
        st.integers(0, 40), st.sampled_from(PATHS), st.sampled_from([*Reason]), st.integers(0, 3)
    ),
    max_size=30,
)


def made(given_: list[tuple[int, str, Reason, int]]) -> dict[str, Snapshot]:
    """Snapshots by their names, as they would be stored: times in names are cut to seconds."""
    found: dict[str, Snapshot] = {}
    for tenths, path, reason, again in given_:
        when = NOON + tenths * timedelta(milliseconds=100)
        name = f"{PurePath(path).stem}_backup_{when:{STAMP}}_{again + 2}"
        found[name] = Snapshot(manifest_for(b"", name, when, path, reason))
    return found


def outcome(
    snapshots: list[Snapshot], database: PurePath | None, at: datetime | None
) -> str | None:
    try:
        return newest(snapshots, database, "store", at).name
    except NotFoundError as error:
        return error.message


@given(
    snapshots_of,
    st.sampled_from([OWN, PurePosixPath("/srv/two.db"), PurePosixPath("/new/one.db"), None]),
    st.none() | st.integers(0, 40).map(lambda tenths: NOON + tenths * timedelta(milliseconds=100)),
)
def test_it_is_the_one_that_reading_all_finds(
    given_: list[tuple[int, str, Reason, int]], database: PurePath | None, at: datetime | None
) -> None:
    found = made(given_)
    ordered = sorted(found.values(), key=lambda each: (each.manifest.taken, each.name))[::-1]
    lazily = newest_first(found, found.get, at)
    assert outcome([*lazily], database, at) == outcome(ordered, database, at)
    lazily = newest_first(found, found.get)
    assert [each.name for each in lazily] == [each.name for each in ordered]


@pytest.fixture
def read() -> list[str]:
    """The manifests that were read from the store."""
    return []


@pytest.fixture
def store(tmp_path: Path, read: list[str]) -> ObjectStore:
    """What a bare machine sees: a store with hourly snapshots, and those of another database."""

    def note(verb: str, name: str) -> None:
        if verb == "get" and name.startswith("snapshots/"):
            read.append(name)

    place = Place()
    full = object_store(MemoryBackend(place), tmp_path / "a machine")
    for number in range(12):
        stored(full, b"%d" % number, NOON + number * MINUTE, "/srv/one.db")
        stored(full, b"%d" % number, NOON + number * MINUTE, "/srv/two.db")
    return object_store(MemoryBackend(place, pause=note), tmp_path / "a bare machine")


def test_latest_costs_few_manifests(store: ObjectStore, read: list[str]) -> None:
    found = store.find("latest", OWN)
    assert found.manifest.taken == NOON + 11 * MINUTE
    assert found.manifest.original_path == str(OWN)
    assert len(read) <= 3  # two databases have one of that second


def test_a_time_long_ago_costs_few_manifests(store: ObjectStore, read: list[str]) -> None:
    found = store.find("latest", OWN, NOON + 5 * MINUTE + timedelta(seconds=30))
    assert found.manifest.taken == NOON + 5 * MINUTE
    assert len(read) <= 3  # two databases have one of that second


def test_what_was_taken_for_undoing_costs_few_more(store: ObjectStore, read: list[str]) -> None:
    stored(store, b"undo", NOON + 70 * MINUTE, str(OWN), Reason.PRE_RESTORE)
    read.clear()
    assert store.find("latest", OWN).manifest.taken == NOON + 11 * MINUTE
    assert len(read) <= 7


def test_where_no_manifest_has_the_path_all_are_read_before_one_is_taken(
    store: ObjectStore,
) -> None:
    with pytest.raises(NotFoundError, match=r"/srv/one\.db, /srv/two\.db"):
        store.find("latest", PurePosixPath("/elsewhere/three.db"))
    found = store.find("latest", PurePosixPath("/elsewhere/two.db"))
    assert found.manifest.original_path == "/srv/two.db"
    stored(store, b"", NOON - MINUTE, "/elsewhere/one.db")
    with pytest.raises(NotFoundError, match=r"/elsewhere/one\.db, /srv/one\.db"):
        store.find("latest", PurePosixPath("/new/one.db"))


def test_a_name_that_tells_a_later_time_than_its_manifest_is_not_the_newest(
    store: ObjectStore,
) -> None:
    """As one that was copied by hand may."""
    old = store.snapshots()[0][-1]
    name = f"one_backup_{NOON + 99 * MINUTE:{STAMP}}"
    lying = msgspec.structs.replace(old.manifest, name=name, original_path=str(OWN))
    store.backend.put(f"snapshots/{name}.json", encode(lying))
    assert store.find("latest", OWN).manifest.taken == NOON + 11 * MINUTE


def test_a_manifest_that_can_not_be_used_hides_no_other(store: ObjectStore) -> None:
    store.backend.put(f"snapshots/{store.find('latest', OWN).name}.json", b"{")
    assert store.find("latest", OWN).manifest.taken == NOON + 10 * MINUTE
