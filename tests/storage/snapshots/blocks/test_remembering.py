"""A small change is stored without asking what the store holds, and never at a snapshot's cost."""

from datetime import timedelta
from pathlib import Path

import pytest
from tests.contracts.memory import Place
from tests.storage.snapshots.blocks.machines import Machine, image_of, name_of

from junmai_svc.storage.snapshots.blocks import collecting, repacking
from junmai_svc.storage.snapshots.blocks.distrusting import NOBODY
from junmai_svc.storage.snapshots.blocks.places import MAPS, PACKS, mark_object
from junmai_svc.storage.snapshots.blocks.remembering import MOST_UNKNOWN

FIRST, SECOND, THIRD = (name_of(number) for number in range(3))
BLOCKS = [*range(1_000)]


@pytest.fixture
def place() -> Place:
    return Place()


@pytest.fixture
def machine(place: Place, tmp_path: Path) -> Machine:
    """A machine whose last snapshot of the database is in the store."""
    made = Machine(place, tmp_path / "one")
    made.backup(FIRST, image_of(BLOCKS))
    made.backend.history.clear()
    return made


def listings(machine: Machine) -> int:
    return sum(verb == "list" for verb, _name, _fault in machine.backend.history)


def packs(place: Place) -> list[str]:
    return [name for name in place.objects if name.startswith(PACKS)]


def changed(count: int, offset: int = 0) -> bytes:
    """The image with other blocks at its beginning."""
    return image_of([*range(10_000 + offset, 10_000 + offset + count), *BLOCKS[count:]])


def test_a_small_change_is_stored_with_the_look_before_the_commit_alone(
    machine: Machine, place: Place
) -> None:
    machine.backup(SECOND, changed(4))
    assert listings(machine) == 3  # marks, packs and maps
    assert machine.restore(SECOND) == changed(4)
    assert len(packs(place)) == 2


def test_a_large_change_is_not_stored_again_where_another_machine_did(
    machine: Machine, place: Place, tmp_path: Path
) -> None:
    image = changed(2 * MOST_UNKNOWN)
    Machine(place, tmp_path / "two").backup(SECOND, image)
    before = packs(place)
    machine.backup(THIRD, image)
    assert packs(place) == before
    assert machine.restore(THIRD) == image


@pytest.mark.parametrize("kind", [PACKS, MAPS])
@pytest.mark.parametrize("how", ["marked", "found damaged", "gone", "of another size"])
def test_what_became_of_the_last_snapshot_meanwhile_costs_an_attempt_and_no_block(
    machine: Machine, place: Place, kind: str, how: str
) -> None:
    [name] = [each for each in place.objects if each.startswith(kind)]
    if how in {"marked", "found damaged"}:
        who = {"marked": "a pruner", "found damaged": NOBODY}[how]
        machine.backend.put(mark_object(who, name), b"")
    elif how == "gone":
        machine.backend.delete(name)
    else:
        machine.backend.put(name, b"short")
    machine.backup(SECOND, changed(4))
    assert machine.restore(SECOND) == changed(4)
    machine.backend.history.clear()
    machine.backup(THIRD, changed(8))  # by then it is known, and no second attempt is made
    assert listings(machine) == 3
    assert machine.restore(THIRD) == changed(8)


def test_packs_that_were_rewritten_by_another_machine_are_missed_once(
    machine: Machine, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (collecting, repacking):
        monkeypatch.setattr(module, "YOUNG", timedelta(days=-1))
    machine.backup(SECOND, image_of(BLOCKS[:300]))
    machine.drop(FIRST)
    other = Machine(place, tmp_path / "two")
    other.collect()
    assert other.images.repack(None).maps == 1
    assert [name for name in other.collect().deleted if name.startswith(PACKS)]
    machine.backup(THIRD, image_of([*BLOCKS[:299], 20_000]))
    assert machine.restore(THIRD) == image_of([*BLOCKS[:299], 20_000])
    assert machine.restore(SECOND) == image_of(BLOCKS[:300])


def test_an_index_that_is_gone_is_filled_before_it_is_asked(machine: Machine, place: Place) -> None:
    machine.images.cache.index.unlink()
    before = packs(place)
    machine.backup(SECOND, image_of(BLOCKS[::-1]))
    assert packs(place) == before
