"""Claims about a hold beside a prune: whichever way they take turns, no promise is broken."""

from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from tests.contracts.memory import LIKE_A_DISK, LIKE_S3, MemoryBackend, Place
from tests.harness.stores import NOON, image_of, names, object_store, stored
from tests.storage.snapshots.blocks.machines import TO_ITS_END, Clock, Turns

from junmai_svc.storage.backends.base import Capabilities
from junmai_svc.storage.errors import IntegrityError, NotFoundError, StorageUnavailableError
from junmai_svc.storage.files import write_durably
from junmai_svc.storage.snapshots.base import Released, SnapshotStore
from junmai_svc.storage.snapshots.dropping import DROPPING, GONE
from junmai_svc.storage.snapshots.store import FileStore

IMAGE = image_of(1)


def play(folder: Path, honours: Capabilities, layout: str, script: list[tuple[str, int]]) -> int:
    """Hold a snapshot and delete it, step by step as the script says; return the steps of both."""
    place = Place(honours)
    snapshot = stored(object_store(MemoryBackend(place), folder / "maker", layout), IMAGE)
    turns = Turns(Random(0), script=script)  # noqa: S311
    steps = {"hold": 0, "prune": 0}
    deleted: list[bool] = []

    def store(who: str) -> SnapshotStore:
        pause = turns.counting(who, steps, lambda *_: None)
        return object_store(MemoryBackend(place, pause=pause), folder / who, layout)

    holder, pruner = store("hold"), store("prune")
    raised = turns.run(
        {
            "hold": lambda: holder.hold(snapshot.name),
            "prune": lambda: deleted.append(pruner.delete_unless_held(snapshot.name)),
        }
    )
    is_there = snapshot.name in names(object_store(MemoryBackend(place), folder / "r", layout))
    assert "prune" not in raised
    assert is_there is not deleted[0]
    if "hold" in raised:
        assert isinstance(raised["hold"], NotFoundError | StorageUnavailableError)
    else:
        assert is_there, script
    assert not [name for name in place.objects if name.startswith(DROPPING)]
    return max(steps.values())


@pytest.mark.parametrize("layout", ["blocks", "file"])
@pytest.mark.parametrize("honours", [LIKE_S3, LIKE_A_DISK], ids=["S3", "disk"])
def test_what_is_said_to_be_held_is_there_whichever_way_the_two_take_turns(
    tmp_path: Path, honours: Capabilities, layout: str
) -> None:
    for first, second in (("hold", "prune"), ("prune", "hold")):
        longest = play(tmp_path, honours, layout, [(first, TO_ITS_END), (second, TO_ITS_END)])
        assert longest >= 4
        for pause in range(longest + 1):
            for other in range(longest + 1):
                ends = [(first, TO_ITS_END), (second, TO_ITS_END)]
                play(tmp_path, honours, layout, [(first, pause), (second, other), *ends])


@pytest.fixture(params=["folder", "objects"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> SnapshotStore:
    if request.param == "folder":
        return FileStore(tmp_path / "store")
    return object_store(MemoryBackend(Place(LIKE_S3)), tmp_path / "cache")


def test_a_hold_that_outlived_its_snapshot_can_be_lifted(store: SnapshotStore) -> None:
    name = stored(store, IMAGE).name
    store.hold(name)
    for manifest in (f"{name}.json", f"snapshots/{name}.json"):
        store.backend.delete(manifest)
    store.backend.delete(f"{name}.db")
    assert store.held() == {name}
    assert store.release(f"{name}.db") == Released(name, is_gone=True)
    assert store.held() == frozenset()
    with pytest.raises(NotFoundError):
        store.release(name)


def test_the_hold_of_a_damaged_snapshot_can_be_lifted(store: SnapshotStore) -> None:
    name = stored(store, IMAGE).name
    store.hold(name)
    place = f"{name}.json" if isinstance(store, FileStore) else f"snapshots/{name}.json"
    store.backend.put(place, b"{")
    assert store.release(name) == Released(name)
    assert store.held() == frozenset()
    with pytest.raises(IntegrityError):
        store.release(name)


def test_while_somebody_deletes_it_nobody_is_told_that_it_is_held(store: SnapshotStore) -> None:
    snapshot = stored(store, IMAGE)
    store.backend.put(f"{DROPPING}{snapshot.name}/somebody", b"")
    with pytest.raises(StorageUnavailableError, match="being deleted"):
        store.hold(snapshot.name)
    # As it was put, it counts all the same where the other one has not looked yet.
    assert store.delete_unless_held(snapshot.name) is False
    store.backend.delete(f"{DROPPING}{snapshot.name}/somebody")
    store.hold(snapshot.name)


def test_the_mark_of_one_who_died_goes_in_the_end(tmp_path: Path) -> None:
    clock = Clock()
    place = Place(LIKE_S3, now=clock)
    store = object_store(MemoryBackend(place), tmp_path)
    snapshot = stored(store, IMAGE)
    store.backend.put(f"{DROPPING}{snapshot.name}/somebody", b"")
    store.tidy()
    with pytest.raises(StorageUnavailableError):
        store.hold(snapshot.name)
    clock.advance(GONE + timedelta(hours=1))
    store.tidy()
    store.hold(snapshot.name)


def test_a_snapshot_that_goes_between_the_hold_and_the_look_is_not_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FileStore(tmp_path)
    snapshot = stored(store, IMAGE, NOON)

    def late(path: Path, content: bytes, what: str) -> None:
        assert store.delete_unless_held(snapshot.name)
        write_durably(path, content, what)

    monkeypatch.setattr("junmai_svc.storage.snapshots.store.write_durably", late)
    with pytest.raises(NotFoundError):
        store.hold(snapshot.name)
    assert store.held() == frozenset()
