"""The faults of the place in memory are what they are named, and come back with their seed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.contracts.memory import (
    LIKE_A_DISK,
    LIKE_S3,
    At,
    Fault,
    Killed,
    MemoryBackend,
    Place,
    Seeded,
)

from junmai_svc.storage.errors import NotFoundError, StorageUnavailableError

LIMIT = 1 << 20
EVERY_FAULT = dict.fromkeys(Fault, 0.1)


def faulty(fault: Fault, operation: int = 0) -> tuple[MemoryBackend, MemoryBackend]:
    """A user who meets with one fault, and another who looks at the same place."""
    place = Place(LIKE_S3)
    return MemoryBackend(place, At({operation: fault})), MemoryBackend(place)


@pytest.mark.parametrize(
    ("fault", "raised", "there"),
    [
        (Fault.FAIL, StorageUnavailableError, None),
        (Fault.LOSE, StorageUnavailableError, b"content!"),
        (Fault.TEAR, StorageUnavailableError, b"cont"),
        (Fault.KILL, Killed, None),
        (Fault.KILL_AFTER, Killed, b"content!"),
    ],
)
def test_a_put_meets_with_a_fault(
    fault: Fault, raised: type[BaseException], there: bytes | None
) -> None:
    user, other = faulty(fault)
    with pytest.raises(raised):
        user.put("name", b"content!")
    if there is None:
        with pytest.raises(NotFoundError):
            other.get("name", LIMIT)
    else:
        assert other.get("name", LIMIT) == there
    assert user.history == [("put", "name", fault)]


def test_a_flip_damages_one_reading_and_not_the_object() -> None:
    user, other = faulty(Fault.FLIP, 1)
    user.put("name", b"content")
    assert user.get("name", LIMIT) != b"content"
    assert user.get("name", LIMIT) == other.get("name", LIMIT) == b"content"


@pytest.mark.parametrize(
    ("honours", "left"), [(LIKE_S3, ["final", "pending"]), (LIKE_A_DISK, ["final"])]
)
def test_a_rename_can_die_between_its_steps_where_it_has_two(
    honours: object, left: list[str]
) -> None:
    place = Place(LIKE_S3 if honours is LIKE_S3 else LIKE_A_DISK)
    user = MemoryBackend(place, At({1: Fault.KILL_AFTER}))
    user.put("pending", b"content")
    with pytest.raises(Killed):
        user.rename("pending", "final")
    assert sorted(place.objects) == left
    if "pending" in left:
        assert MemoryBackend(place).rename("pending", "final") is True
    assert list(place.objects) == ["final"]


def test_listings_follow_late_and_catch_up() -> None:
    place = Place(LIKE_S3)
    user = MemoryBackend(place, Seeded(1, {}, lag_up_to=3))
    late = 0
    for number in range(50):
        user.put(f"name {number:02}", b"")
        assert user.get(f"name {number:02}", LIMIT) == b""
        late += len(list(user.list())) < len(place.objects)
    assert late > 0
    for _ in range(3):
        list(user.list())
    assert [found.name for found in user.list()] == sorted(place.objects)


def ran(seed: int, calls: list[tuple[str, int]]) -> list[tuple[str, str, Fault | None]]:
    user = MemoryBackend(Place(LIKE_S3), Seeded(seed, EVERY_FAULT, lag_up_to=2))
    for verb, number in calls:
        try:
            if verb == "put":
                user.put(f"{number}", b"content")
            elif verb == "delete":
                user.delete(f"{number}")
            else:
                list(user.list())
        except (StorageUnavailableError, Killed):
            pass
    return user.history


@given(
    st.integers(),
    st.lists(st.tuples(st.sampled_from(["put", "delete", "list"]), st.integers(0, 3))),
)
def test_the_same_seed_brings_the_same_faults(seed: int, calls: list[tuple[str, int]]) -> None:
    assert ran(seed, calls) == ran(seed, calls)


def test_every_fault_comes_at_about_its_rate() -> None:
    faults = Seeded(7, EVERY_FAULT)
    drawn = [faults.next("put", "name") for _ in range(2_000)]
    for fault in Fault:
        assert 100 < drawn.count(fault) < 300
    assert 600 < drawn.count(None) < 1_000


def test_a_pause_comes_before_every_step() -> None:
    steps: list[str] = []
    user = MemoryBackend(Place(LIKE_S3), pause=lambda verb, name: steps.append(f"{verb} {name}"))
    user.put("a", b"")
    user.rename("a", "b")
    assert steps == ["put a", "copy a", "delete a"]
