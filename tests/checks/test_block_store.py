"""A look at a store of blocks: all damage is found and named by what it hits, nothing else is."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.contracts.memory import LIKE_S3, Place
from tests.storage.snapshots.blocks.machines import HOUR, Clock, Machine, image_of, name_of

from junmai_svc.checks.block_store import Structure, examine_packs, findings, look
from junmai_svc.checks.store_report import StoreFinding, merged
from junmai_svc.storage.snapshots.blocks.map_format import StoredMap, encode
from junmai_svc.storage.snapshots.blocks.places import MAPS, PACKS, manifest_object
from junmai_svc.storage.snapshots.blocks.runs import Runs
from junmai_svc.storage.snapshots.manifest import encode as encode_manifest

A, B, C = (name_of(number) for number in range(3))
FIRST = image_of(range(600))
SECOND = image_of([*range(599), 7_777])


@pytest.fixture
def place() -> Place:
    return Place(LIKE_S3, Clock())


@pytest.fixture
def machine(place: Place, tmp_path: Path) -> Machine:
    """Two snapshots: a pack of three frames, which both need, and one for the second's last."""
    machine = Machine(place, tmp_path / "machine")
    machine.backup(A, FIRST)
    machine.backup(B, SECOND)
    return machine


def checked(machine: Machine, *, read: bool = True) -> list[StoreFinding]:
    before = look(machine.images)
    chosen = before.stored if read else ()
    damages = examine_packs(machine.images, before, chosen, None)
    return list(findings(machine.images, before, damages, look(machine.images)))


def packs(place: Place) -> list[str]:
    """The packs, the largest first."""
    named = [name for name in place.objects if name.startswith(PACKS)]
    return sorted(named, key=lambda name: len(place.objects[name].content), reverse=True)


def change(machine: Machine, name: str, how: Callable[[bytes], bytes]) -> None:
    machine.backend.put(name, how(machine.backend.get(name, 1 << 24)))


def flipped(at: int) -> Callable[[bytes], bytes]:
    return lambda content: content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


def test_a_whole_store_has_no_findings(machine: Machine) -> None:
    assert checked(machine) == []


def test_every_byte_is_read_only_where_that_is_asked_for(machine: Machine, place: Place) -> None:
    large, _small = packs(place)
    change(machine, large, flipped(30))
    assert checked(machine, read=False) == []
    [finding] = checked(machine)
    assert (finding.what, finding.name) == ("pack", large)
    first, second = finding.hits
    assert (first.snapshot, first.ranges) == (A, (range(256 * 4096),))
    assert (second.snapshot, second.ranges, second.size) == (B, first.ranges, 256 * 4096)
    assert first.database == "junmai.db"


def test_a_ticker_hears_of_all_bytes(machine: Machine) -> None:
    structure, steps = look(machine.images), list[int]()
    examine_packs(machine.images, structure, structure.stored, steps.append)
    assert sum(steps) == sum(structure.stored.values())


@pytest.mark.parametrize(
    "damage",
    [lambda content: content[:-1], lambda content: content + b"x", lambda _: b"", flipped(-5)],
    ids=["cut", "longer", "empty", "footer"],
)
def test_packs_of_the_wrong_size_or_without_a_footer_are_found_without_reading_them(
    machine: Machine, place: Place, damage: Callable[[bytes], bytes]
) -> None:
    _large, small = packs(place)
    change(machine, small, damage)
    [finding] = checked(machine, read=False)
    assert finding.name == small
    [hit] = finding.hits
    assert (hit.snapshot, hit.ranges) == (B, (range(599 * 4096, 600 * 4096),))


def test_a_pack_that_is_gone_is_found(machine: Machine, place: Place) -> None:
    large, _small = packs(place)
    machine.backend.delete(large)
    [finding] = checked(machine, read=False)
    assert "is gone" in finding.problem
    assert [hit.size for hit in finding.hits] == [600 * 4096, 599 * 4096]


@pytest.mark.parametrize("damage", [None, flipped(40), lambda _: b"x" * 100])
def test_a_map_that_can_not_be_used_costs_its_snapshots_whole(
    machine: Machine, damage: Callable[[bytes], bytes] | None
) -> None:
    name = f"{MAPS}{look(machine.images).manifests[A].map}"
    if damage is None:
        machine.backend.delete(name)
    else:
        change(machine, name, damage)
    by_name = {finding.name: finding for finding in checked(machine, read=False)}
    [hit] = [hit for hit in by_name[name].hits if hit.snapshot == A]
    assert hit.ranges == (range(len(FIRST)),)


def test_a_map_of_another_image_is_found(machine: Machine) -> None:
    manifests = look(machine.images).manifests
    other = machine.images.map(manifests[B].map)
    from_one = [(pack + 1, first, length) for pack, first, length in other.runs]
    stored = StoredMap(other.image, other.digest, other.size, "", other.packs, Runs())
    for run in from_one:
        stored.runs.append(*run)
    name = manifests[A].map
    machine.backend.put(f"{MAPS}{name}", encode(stored, name, machine.seal))
    found = checked(machine, read=False)
    assert any(f"another image than {A}" in finding.problem for finding in found)


def test_a_manifest_that_can_not_be_used_is_found(machine: Machine) -> None:
    change(machine, manifest_object(A), lambda content: content[:-20])
    [finding] = checked(machine, read=False)
    assert (finding.what, finding.name) == ("manifest", manifest_object(A))
    assert [(hit.snapshot, hit.size) for hit in finding.hits] == [(A, 0)]


@pytest.mark.parametrize("changes", [{"file_size": 7}, {"checksum": "0" * 64}])
def test_a_manifest_of_another_image_than_its_map_s_is_blamed_and_no_other(
    machine: Machine, changes: dict[str, Any]
) -> None:
    good = look(machine.images).manifests[A]
    false = msgspec.structs.replace(good, name=C, **changes)
    machine.backend.put(manifest_object(C), encode_manifest(false))
    [finding] = checked(machine)
    assert (finding.what, finding.name) == ("manifest", manifest_object(C))
    assert [hit.snapshot for hit in finding.hits] == [C]


def test_damage_in_what_nothing_needs_is_found_as_writers_may_use_it(
    machine: Machine, place: Place
) -> None:
    _large, small = packs(place)
    machine.drop(B)
    change(machine, small, flipped(20))
    [finding] = checked(machine)
    assert (finding.name, finding.hits) == (small, ())


def test_what_is_dropped_and_collected_meanwhile_is_no_damage(machine: Machine) -> None:
    before = look(machine.images)
    machine.drop(A)
    machine.drop(B)
    clock = machine.backend.place.now
    assert isinstance(clock, Clock)
    clock.advance(2 * HOUR)
    assert machine.collect().deleted
    damages = examine_packs(machine.images, before, before.stored, None)
    assert damages
    assert list(findings(machine.images, before, damages, look(machine.images))) == []


def test_what_lies_among_the_packs_and_is_none_is_told_and_not_read(machine: Machine) -> None:
    strange = [f"{PACKS}ab/{'ab' * 31}", f"{PACKS}00/{'ab' * 32}", f"{PACKS}readme.txt"]
    for name in strange:
        machine.backend.put(name, b"x")
    assert sorted(look(machine.images).foreign) == sorted(strange)
    assert checked(machine) == []
    assert machine.backup(name_of(2), FIRST)


def test_an_empty_store_is_whole(tmp_path: Path) -> None:
    machine = Machine(Place(LIKE_S3), tmp_path / "machine")
    assert look(machine.images) == Structure()
    assert checked(machine) == []


def test_ranges_are_merged() -> None:
    given = [range(5, 9), range(4), range(4, 5), range(20, 30), range(22, 25), range(50, 50)]
    assert list(merged(given)) == [range(9), range(20, 30)]
