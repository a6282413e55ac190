"""Claims about locks: what snapshots need stays locked as long as they do, and costs little."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.contracts.memory import LIKE_S3, MemoryBackend, Place
from tests.harness.stores import NOON, fetched, image_of, object_store, stored

from junmai_svc.storage.snapshots.description import (
    NAME,
    Description,
    Honours,
    keep_description,
    replace_description,
)
from junmai_svc.storage.snapshots.objects import ObjectStore

HOUR = timedelta(hours=1)
FIRST, CHANGED = image_of(*range(600)), image_of(*range(599), 7_000)
MADE = Description(
    format=1,
    id="7a6f4b3e-2c1d-4e5f-8a9b-0c1d2e3f4a5b",
    layout="blocks",
    honours=Honours(conditional_put=True, object_lock=True, versioning=True),
)


def in_days(days: float) -> datetime:
    return datetime.now(UTC) + timedelta(days=days)


class Locking:
    """A store whose objects are locked until a time that a test says, and its machines."""

    def __init__(self, folder: Path, layout: str = "blocks") -> None:
        self.folder, self.layout = folder, layout
        self.place = Place(LIKE_S3)
        self.until: datetime | None = in_days(10)
        self.backend = MemoryBackend(self.place)
        keep_description(MemoryBackend(self.place), MADE, self.until)

    def store(self, machine: str = "one") -> ObjectStore:
        """The store as a machine with a cache of its own has it."""
        return object_store(
            self.backend, self.folder / machine, self.layout, retain_until=lambda: self.until
        )

    def ends(self) -> dict[str, datetime | None]:
        """Until when each object is locked, by its name, all that is for passing use left out."""
        found = self.place.objects.items()
        return {name: held.retain_until for name, held in found if not name.startswith("state/")}

    def asked(self, verb: str) -> int:
        """How often the place was asked for something."""
        return sum(each[0] == verb for each in self.backend.history)


@pytest.fixture(params=["blocks", "file"])
def locking(request: pytest.FixtureRequest, tmp_path: Path) -> Locking:
    return Locking(tmp_path, request.param)


def test_all_that_a_snapshot_needs_is_locked_the_stores_description_too(locking: Locking) -> None:
    stored(locking.store(), FIRST)
    locking.store().put_details(b"a plan")
    assert NAME in locking.ends()
    assert set(locking.ends().values()) == {locking.until}


def test_another_key_is_locked_as_the_first_one_was(locking: Locking) -> None:
    replace_description(MemoryBackend(locking.place), MADE, in_days(20))
    end = locking.ends()[NAME]
    assert end is not None
    assert end > in_days(19)


def test_what_a_later_snapshot_needs_stays_locked_for_its_time(tmp_path: Path) -> None:
    locking = Locking(tmp_path)
    first = stored(locking.store(), FIRST)
    locking.until = in_days(30)
    second = stored(locking.store(), CHANGED, NOON + HOUR)
    ends = locking.ends()
    assert any(name.startswith("packs/") for name in ends)
    assert ends.pop(f"snapshots/{first.name}.json") != locking.until
    if ends[f"maps/{first.manifest.map}"] != locking.until:  # the other map does not build on it
        del ends[f"maps/{first.manifest.map}"]
    assert set(ends.values()) == {locking.until}
    assert fetched(locking.store(), second, tmp_path) == CHANGED


def test_one_more_snapshot_of_the_same_image_extends_the_locks_too(tmp_path: Path) -> None:
    locking = Locking(tmp_path)
    first = stored(locking.store(), FIRST)
    locking.until = in_days(30)
    assert locking.store().again(first, first.manifest) is not None
    ends = locking.ends()
    del ends[f"snapshots/{first.name}.json"]
    assert set(ends.values()) == {locking.until}


def test_a_lock_of_which_half_is_left_costs_no_request(tmp_path: Path) -> None:
    locking = Locking(tmp_path)
    stored(locking.store(), FIRST)
    asked = locking.asked("retain")
    for hours in range(1, 4):
        locking.until = in_days(10 + hours / 24)
        stored(locking.store(), CHANGED, NOON + hours * HOUR)
    assert locking.asked("retain") == asked
    # Another machine has to ask once, and changes nothing.
    before = locking.ends()
    stored(locking.store("two"), CHANGED, NOON + 4 * HOUR)
    once = locking.asked("retain")
    assert once > asked
    stored(locking.store("two"), CHANGED, NOON + 5 * HOUR)
    assert locking.asked("retain") == once
    after = locking.ends()
    assert {name: after[name] for name in before} == before


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"store.json": "never"}'])
def test_what_is_remembered_of_locks_may_be_damaged(tmp_path: Path, damage: bytes) -> None:
    locking = Locking(tmp_path)
    stored(locking.store(), FIRST)
    [path] = tmp_path.rglob("locks.json")
    path.write_bytes(damage)
    locking.until = in_days(30)
    stored(locking.store(), CHANGED, NOON + HOUR)
    assert locking.ends()[NAME] == locking.until
