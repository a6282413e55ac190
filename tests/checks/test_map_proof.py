"""Maps are proven by the footers of their packs: a wrong one is found, damage is not told twice."""

from pathlib import Path

import pytest
from tests.contracts.memory import LIKE_S3, Place
from tests.storage.snapshots.blocks.machines import Machine, image_of, name_of

from junmai_svc.checks.block_store import Structure, examine_packs, look
from junmai_svc.checks.map_proof import prove_maps
from junmai_svc.storage.snapshots.blocks.maps import encode_map
from junmai_svc.storage.snapshots.blocks.places import PACKS, map_object
from junmai_svc.storage.snapshots.blocks.proving import Digests

A, B = name_of(0), name_of(1)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Two snapshots; the blocks of the second are those of the first, and one more."""
    machine = Machine(Place(LIKE_S3), tmp_path / "machine")
    machine.backup(A, image_of(range(600)))
    machine.backup(B, image_of([*range(599), 7_777]))
    return machine


def map_of(machine: Machine, snapshot: str) -> str:
    return machine.store.find(snapshot).manifest.map


def proven(machine: Machine, *, kept: bool = True) -> tuple[set[str], set[str]]:
    """The maps that give their images, and those that give others."""
    structure = look(machine.images)
    if not kept:
        structure.read.clear()
    with Digests() as digests:
        damages = examine_packs(machine.images, structure, structure.stored, None, digests)
        good, wrong = prove_maps(machine.images, structure, structure.maps, damages, digests)
    return set(good), set(wrong)


def largest_pack(machine: Machine) -> str:
    listed = machine.backend.list(PACKS)
    return max(listed, key=lambda each: each.size).name


@pytest.mark.parametrize("kept", [True, False])
def test_good_maps_are_proven(machine: Machine, *, kept: bool) -> None:
    assert proven(machine, kept=kept) == ({map_of(machine, A), map_of(machine, B)}, set())


def test_maps_are_kept_from_a_look_while_there_is_room(machine: Machine) -> None:
    structure = look(machine.images)
    assert structure.read == {n: machine.images.map(n) for n in structure.maps}
    first = structure.read[map_of(machine, A)]
    small = Structure(room=len(first.runs))
    small.keep(first)
    small.keep(structure.read[map_of(machine, B)])
    assert [*small.read] == [first.name]


@pytest.mark.parametrize("snapshot", [A, B])
def test_a_map_with_one_wrong_place_is_found(machine: Machine, snapshot: str) -> None:
    names = {map_of(machine, A), map_of(machine, B)}
    wrong = machine.images.map(map_of(machine, snapshot))
    wrong.runs.lengths[0] -= 1
    last = wrong.runs.firsts[0] + wrong.runs.lengths[0]
    wrong.runs.packs.insert(1, wrong.runs.packs[0])
    wrong.runs.firsts.insert(1, last - 1)
    wrong.runs.lengths.insert(1, 1)
    machine.backend.put(map_object(wrong.name), encode_map(wrong, None, machine.seal)[1])
    assert proven(machine) == (names - {wrong.name}, {wrong.name})


@pytest.mark.parametrize("where", ["frame", "digests", "end"])
def test_damage_of_a_pack_makes_no_map_wrong(machine: Machine, where: str) -> None:
    name = largest_pack(machine)
    content = bytearray(machine.backend.get(name, 1 << 24))
    content[{"frame": 30, "digests": -(28 + 12 + 32 * 600), "end": -5}[where]] ^= 1
    machine.backend.put(name, bytes(content))
    good, wrong = proven(machine)
    assert wrong == set()
    # Where only the bytes of blocks are damaged, it is seen all the same that the places are right.
    assert bool(good) == (where == "frame")


def test_a_pack_that_is_gone_proves_nothing(machine: Machine) -> None:
    machine.backend.delete(largest_pack(machine))
    assert proven(machine) == (set(), set())
