"""What was found damaged: no machine builds on it, until it was mended or seen to be sound."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random

import pytest
from tests.contracts.memory import LIKE_S3, MemoryBackend, Place
from tests.storage.snapshots.blocks.machines import HOUR, Clock, Machine, image_of, name_of

from junmai_svc.storage.backends.base import Backend
from junmai_svc.storage.errors import AccessDeniedError, IntegrityError, NotFoundError
from junmai_svc.storage.snapshots.blocks import map_format
from junmai_svc.storage.snapshots.blocks.distrusting import NOBODY, distrust, distrusted, trust
from junmai_svc.storage.snapshots.blocks.examining import examine_pack
from junmai_svc.storage.snapshots.blocks.maps import encode_map
from junmai_svc.storage.snapshots.blocks.places import (
    MAPS,
    PACKS,
    PENDING,
    map_object,
    mark_object,
)

IMAGE = image_of(range(600))
CHANGED = image_of([*range(599), 7_777])
FIRST, SECOND, THIRD = (name_of(number) for number in range(3))


@pytest.fixture
def place() -> Place:
    return Place(LIKE_S3, Clock())


@pytest.fixture
def machine(place: Place, tmp_path: Path) -> Machine:
    machine = Machine(place, tmp_path / "machine")
    machine.backup(FIRST, IMAGE)
    return machine


def only(place: Place, kind: str) -> str:
    [name] = [name for name in place.objects if name.startswith(kind)]
    return name


def flip(place: Place, name: str, at: int = 100) -> bytes:
    """Turn a bit of an object; return what it was."""
    before = place.objects[name].content
    MemoryBackend(place).put(name, before[:at] + bytes([before[at] ^ 1]) + before[at + 1 :])
    return before


def fail_to_restore(machine: Machine, name: str) -> None:
    with pytest.raises(IntegrityError):
        machine.restore(name)


def lose_cache(machine: Machine) -> None:
    shutil.rmtree(machine.folder / "cache")


def wrong_place(machine: Machine) -> None:
    """A map that names other blocks than those of its image, by whatever accident."""
    name = machine.store.find(FIRST).manifest.map
    image_map = machine.images.map(name)
    image_map.runs.firsts[0] += 1
    image_map.runs.lengths[0] -= 1
    image_map.runs.append(0, 0, 1)
    content = encode_map(image_map, None, machine.seal)[1]
    machine.backend.put(f"{MAPS}{name}", content)
    machine.images.cache.keep_map(name, content)


@pytest.mark.parametrize("image", [IMAGE, CHANGED], ids=["unchanged", "changed"])
@pytest.mark.parametrize("seen_by", ["it", "another"])
@pytest.mark.parametrize("then", [lambda _: None, lose_cache], ids=["", "cache lost"])
def test_after_a_restore_that_failed_the_next_backup_restores(
    place: Place,
    machine: Machine,
    tmp_path: Path,
    image: bytes,
    seen_by: str,
    then: Callable[[Machine], None],
) -> None:
    flip(place, only(place, PACKS))
    other = Machine(place, tmp_path / "other")
    fail_to_restore(machine if seen_by == "it" else other, FIRST)
    then(machine)
    machine.backup(SECOND, image)
    assert other.restore(SECOND) == image


@pytest.mark.parametrize("at", [3, 20])
def test_a_map_that_can_not_be_read_is_not_built_on(
    place: Place, machine: Machine, at: int
) -> None:
    flip(place, only(place, MAPS), at)
    fail_to_restore(machine, FIRST)
    for name, image in ((SECOND, IMAGE), (THIRD, CHANGED)):
        machine.backup(name, image)
        assert machine.restore(name) == image


def test_a_map_of_wrong_places_is_not_built_on(place: Place, machine: Machine) -> None:
    wrong_place(machine)
    fail_to_restore(machine, FIRST)
    assert distrusted(machine.backend) == {only(place, MAPS)}
    machine.backup(SECOND, IMAGE)
    assert machine.restore(SECOND) == IMAGE


@pytest.mark.parametrize("kind", [PACKS, MAPS])
@pytest.mark.parametrize("image", [IMAGE, CHANGED], ids=["unchanged", "changed"])
def test_what_has_another_size_is_not_built_on_though_nobody_has_looked(
    place: Place, machine: Machine, kind: str, image: bytes
) -> None:
    MemoryBackend(place).put(only(place, kind), b"")
    machine.backup(SECOND, image)
    assert machine.restore(SECOND) == image


@pytest.mark.parametrize("kind", [PACKS, MAPS])
def test_what_has_another_size_is_not_said_to_be_there_again(
    place: Place, machine: Machine, kind: str
) -> None:
    known = machine.store.find(FIRST).manifest
    MemoryBackend(place).put(only(place, kind), b"")
    with pytest.raises(NotFoundError):
        machine.images.again(known, known, None)


def test_an_image_known_to_be_damaged_is_not_said_to_be_there_again(
    place: Place, machine: Machine
) -> None:
    known = machine.store.find(FIRST).manifest
    flip(place, only(place, PACKS))
    fail_to_restore(machine, FIRST)
    with pytest.raises(NotFoundError):
        machine.images.again(known, known, None)


class ReadOnly(MemoryBackend):
    """A place that refuses what would change it."""

    refusing = False

    def put(self, *given: object, **named: object) -> bool:
        """Refuse."""
        if self.refusing:
            raise AccessDeniedError("No", "Ask.")
        return super().put(*given, **named)  # type: ignore[arg-type]


def test_damage_seen_in_a_store_that_only_can_be_read_is_known_to_this_machine(
    place: Place, tmp_path: Path
) -> None:
    backend = ReadOnly(place)
    used: Backend = backend
    machine = Machine(place, tmp_path / "machine", backend=used)
    machine.backup(FIRST, IMAGE)
    flip(place, only(place, PACKS))
    backend.refusing = True
    fail_to_restore(machine, FIRST)
    backend.refusing = False
    assert distrusted(backend) == frozenset()
    known = machine.store.find(FIRST).manifest
    with pytest.raises(NotFoundError):
        machine.images.again(known, known, None)
    machine.backup(SECOND, IMAGE)
    assert machine.restore(SECOND) == IMAGE


def test_what_is_sound_after_all_is_built_on_again(place: Place, machine: Machine) -> None:
    pack = only(place, PACKS)
    before = flip(place, pack)
    fail_to_restore(machine, FIRST)
    MemoryBackend(place).put(pack, before)
    trust(machine.backend, machine.images.cache, [pack])
    assert distrusted(machine.backend) == frozenset()
    again = machine.backup(SECOND, IMAGE)
    assert [name for name in place.objects if name.startswith(PACKS)] == [pack]
    assert machine.restore(again.name) == IMAGE


def test_a_byte_that_was_only_read_wrong_makes_nobody_doubt(
    place: Place, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack = only(place, PACKS)
    before, read, turn = flip(place, pack), machine.images.read_range, iter(range(1_000))

    def once(name: str, offset: int, length: int) -> bytes:
        if next(turn) == 0:
            return read(name, offset, length)
        MemoryBackend(place).put(pack, before)
        return read(name, offset, length)

    monkeypatch.setattr(machine.images, "read_range", once)
    fail_to_restore(machine, FIRST)
    assert distrusted(machine.backend) == frozenset()


def test_a_mark_of_damage_goes_with_its_pack_and_stops_no_pruner(
    place: Place, machine: Machine, tmp_path: Path
) -> None:
    pack = only(place, PACKS)
    flip(place, pack)
    fail_to_restore(machine, FIRST)
    assert mark_object(NOBODY, pack) in place.objects
    machine.images.tidy()
    assert mark_object(NOBODY, pack) in place.objects
    machine.backup(SECOND, IMAGE)
    machine.drop(FIRST)
    assert isinstance(place.now, Clock)
    place.now.advance(2 * HOUR)
    assert pack in machine.images.collect().deleted
    machine.images.tidy()
    assert mark_object(NOBODY, pack) not in place.objects
    assert Machine(place, tmp_path / "new").restore(SECOND) == IMAGE


def test_damage_is_told_once(place: Place, machine: Machine) -> None:
    pack = only(place, PACKS)
    flip(place, pack)
    size = len(place.objects[pack].content)
    damage = examine_pack(pack.rpartition("/")[2], size, machine.images.read_range, machine.seal)
    assert damage is not None
    distrust(machine.backend, machine.images.cache, [damage], [])
    before = [verb for verb, *_ in machine.backend.history if verb == "put"]
    distrust(machine.backend, machine.images.cache, [damage], [])
    assert [verb for verb, *_ in machine.backend.history if verb == "put"] == before


def test_a_place_that_the_cache_has_wrong_is_not_believed(machine: Machine) -> None:
    """The rows of the index are moved by one: the blocks are stored anew."""
    with closing(sqlite3.connect(machine.images.cache.index)) as index:
        index.execute("UPDATE blocks SET location = location + (1 << 23)")
        index.commit()
    machine.images.cache.forget_last()
    machine.backup(SECOND, IMAGE)
    assert machine.restore(SECOND) == IMAGE


def test_a_map_that_was_replaced_since_is_no_damage(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another machine has rewritten packs: what the next map builds on has other bytes."""
    numbers = Random(1).sample(range(600), 600)  # noqa: S311  # the same each time
    whole = machine.backup(SECOND, image_of(numbers)).manifest.map
    machine.backup(THIRD, image_of([*numbers[:-1], 7_777]))
    monkeypatch.setattr(map_format, "_LEVEL", 1)
    content = encode_map(machine.images.map(whole), None, machine.seal)[1]
    assert len(content) != len(machine.backend.get(map_object(whole), 1 << 20))
    machine.backend.put(map_object(whole), content)
    begun = len(machine.backend.history)
    fourth = machine.backup(name_of(4), image_of([*numbers[:-1], 8_888]))
    assert machine.images.map(fourth.manifest.map).base == whole
    done = [(verb, name) for verb, name, _ in machine.backend.history[begun:]]
    assert done.count(("put", f"{PENDING}{fourth.name}")) == 1
