"""Repair: good blocks are saved, lost ones found where they are, the rest is told."""

from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from random import Random
from uuid import uuid4

import pytest
from tests.contracts.memory import LIKE_S3, At, Fault, Killed, Place
from tests.storage.snapshots.blocks.machines import (
    BEGIN,
    DAY,
    HOUR,
    Clock,
    Machine,
    Turns,
    each_pausing_once,
    image_of,
    name_of,
)

from junmai_svc.checks.block_store import examine_packs, findings, look
from junmai_svc.storage.errors import IntegrityError, JunmaiError
from junmai_svc.storage.snapshots.blocks import collecting, filling, reading, surveying
from junmai_svc.storage.snapshots.blocks.places import (
    MAPS,
    MARKS,
    PACKS,
    PENDING_MAPS,
    QUARANTINE,
)
from junmai_svc.storage.snapshots.blocks.repairing import Mended, Repair
from junmai_svc.storage.snapshots.blocks.sealing import Seal

A, B, C = (name_of(number) for number in range(3))
BLOCKS = range(600)
FIRST, SECOND = image_of(BLOCKS), image_of([*range(599), 7_777])


@pytest.fixture
def place() -> Place:
    return Place(LIKE_S3, Clock())


@pytest.fixture
def machine(place: Place, quick_folder: Path, seal: Seal) -> Machine:
    """Two snapshots: a pack of three frames that both need, and a small one."""
    machine = Machine(place, quick_folder / "machine", seal=seal)
    machine.backup(A, FIRST)
    machine.backup(B, SECOND)
    return machine


def packs(place: Place) -> list[str]:
    """The packs, the largest first."""
    named = [name for name in place.objects if name.startswith(PACKS)]
    return sorted(named, key=lambda name: len(place.objects[name].content), reverse=True)


def damage(machine: Machine, name: str, at: int) -> None:
    content = bytearray(machine.backend.get(name, 1 << 24))
    content[at] ^= 1
    machine.backend.put(name, bytes(content))


def repaired(machine: Machine, *offered: bytes, folder: Path | None = None) -> Mended:
    """Look at every byte and repair, with these images at hand."""
    before = look(machine.images)
    damages = examine_packs(machine.images, before, before.stored, None)
    work = Repair(machine.images, damages, before.bad_maps, None)
    work.begin()
    image = (folder or machine.folder) / "offered"
    for content in offered:
        image.write_bytes(content)
        checksum = sha256(content).hexdigest()
        maps = [
            n for n in before.bad_maps if before.manifests[before.maps[n][0]].checksum == checksum
        ]
        work.offer(image, checksum, maps)
    return work.finish()


def damaged(machine: Machine) -> list[str]:
    """The snapshots that a full look finds damaged."""
    before = look(machine.images)
    found = examine_packs(machine.images, before, before.stored, None)
    told = findings(machine.images, before, found, look(machine.images))
    return sorted({hit.snapshot for finding in told for hit in finding.hits})


def test_good_blocks_are_saved_and_found_ones_are_put_in_place(
    machine: Machine, place: Place
) -> None:
    large, _small = packs(place)
    damage(machine, large, 40)
    assert damaged(machine) == [A, B]
    done = repaired(machine, FIRST)
    assert (done.saved, done.found, done.lost) == (344, 256, 0)
    assert done.quarantined == (large.rpartition("/")[2],)
    assert f"{QUARANTINE}{done.quarantined[0]}" in place.objects
    assert large not in place.objects
    assert (machine.restore(A), machine.restore(B)) == (FIRST, SECOND)
    assert damaged(machine) == []
    assert not [name for name in place.objects if name.startswith("state/")]


def test_blocks_of_any_other_image_help_where_their_digests_agree(
    machine: Machine, place: Place
) -> None:
    """As those of the live database, which has changed since."""
    damage(machine, packs(place)[0], 40)
    done = repaired(machine, image_of([5_000, *reversed(range(1, 256))]))
    assert (done.found, done.lost) == (255, 1)
    with pytest.raises(IntegrityError):
        machine.restore(A)
    assert damaged(machine) == [A, B]
    found = look(machine.images)
    told = findings(machine.images, found, examine_packs(machine.images, found, (), None), found)
    assert {hit.ranges for finding in told for hit in finding.hits} == {(range(4096),)}


def test_nothing_is_taken_that_is_not_what_was_lost(machine: Machine, place: Place) -> None:
    damage(machine, packs(place)[0], 40)
    done = repaired(machine, image_of(range(9_000, 9_600)))
    assert (done.saved, done.found, done.lost) == (344, 0, 256)


def test_what_the_next_backup_stores_again_mends_what_is_old(
    machine: Machine, place: Place
) -> None:
    damage(machine, packs(place)[0], 40)
    assert repaired(machine).lost == 256
    machine.backup(C, SECOND)
    assert machine.restore(C) == SECOND
    done = repaired(machine)
    assert (done.found, done.lost) == (256, 0)
    for name, content in ((A, FIRST), (B, SECOND), (C, SECOND)):
        assert machine.restore(name) == content
    assert damaged(machine) == []


@pytest.mark.parametrize("forgotten", [False, True])
def test_a_pack_that_is_gone_is_mended_where_its_digests_are_known_or_by_the_very_image(
    machine: Machine, place: Place, quick_folder: Path, forgotten: bool
) -> None:
    """This machine's index knows them; another machine needs the same image."""
    large, _small = packs(place)
    machine.backend.delete(large)
    other = image_of([1, *range(599)])
    if forgotten:
        stranger = Machine(place, quick_folder / "stranger", seal=machine.seal)
        assert repaired(stranger, other).lost == 600
        assert repaired(stranger, FIRST).lost == 0
    else:
        assert repaired(machine, other).lost == 1
        assert repaired(machine, FIRST).lost == 0
    assert (machine.restore(A), machine.restore(B)) == (FIRST, SECOND)


def test_a_pack_without_its_footer_is_mended_by_the_very_image(
    machine: Machine, place: Place, quick_folder: Path
) -> None:
    damage(machine, packs(place)[0], -3)
    stranger = Machine(place, quick_folder / "stranger", seal=machine.seal)
    done = repaired(stranger, SECOND)
    assert done.lost == 1
    assert machine.restore(B) == SECOND
    assert damaged(machine) == [A]


def test_a_pack_whose_blocks_are_all_good_under_a_wrong_hash_is_written_anew(
    machine: Machine, place: Place
) -> None:
    large, _small = packs(place)
    damage(machine, large, 0)
    done = repaired(machine)
    assert (done.saved, done.lost, len(done.quarantined)) == (600, 0, 1)
    assert (machine.restore(A), machine.restore(B)) == (FIRST, SECOND)


def test_a_damaged_pack_that_nothing_needs_goes_to_quarantine(
    machine: Machine, place: Place
) -> None:
    _large, small = packs(place)
    machine.drop(B)
    damage(machine, small, 20)
    done = repaired(machine)
    assert (done.saved, done.lost) == (0, 0)
    assert done.quarantined == (small.rpartition("/")[2],)


def test_a_pack_whose_name_is_taken_in_quarantine_goes_there_under_another(
    machine: Machine, place: Place
) -> None:
    _large, small = packs(place)
    name = small.rpartition("/")[2]
    machine.drop(B)
    machine.backend.put(f"{QUARANTINE}{name}", b"what was damaged then")
    damage(machine, small, 20)
    broken = place.objects[small].content
    [aside] = repaired(machine).quarantined
    assert place.objects[f"{QUARANTINE}{aside}"].content == broken
    assert place.objects[f"{QUARANTINE}{name}"].content == b"what was damaged then"
    assert small not in place.objects
    again = repaired(machine)
    assert (again.quarantined, again.left) == ((), ())


@pytest.mark.parametrize("cached", [True, False])
@pytest.mark.parametrize("how", ["gone", "damaged"])
def test_maps_are_put_back_from_the_cache_or_made_anew_from_their_image(
    machine: Machine, quick_folder: Path, how: str, cached: bool
) -> None:
    name = look(machine.images).manifests[B].map
    if how == "gone":
        machine.backend.delete(f"{MAPS}{name}")
    else:
        damage(machine, f"{MAPS}{name}", 30)
    who = machine
    if not cached:
        who = Machine(machine.backend.place, quick_folder / "stranger", seal=machine.seal)
        assert repaired(who, FIRST).rebuilt == ()
    done = repaired(who, *([] if cached else [SECOND]))
    assert done.rebuilt == (name,)
    assert (machine.restore(A), machine.restore(B)) == (FIRST, SECOND)
    assert damaged(machine) == []


def test_a_writer_that_has_its_eye_on_a_damaged_pack_stores_its_blocks_anew(
    machine: Machine, place: Place, quick_folder: Path
) -> None:
    """It comes between the repair's first look and its end, and its snapshot restores."""
    damage(machine, packs(place)[0], 40)
    other = Machine(place, quick_folder / "other", seal=machine.seal)
    step = 0
    stored: list[str] = []

    def meanwhile(verb: str, _name: str) -> None:
        nonlocal step
        step += verb in {"put", "replace", "copy", "rename"}
        if step == 3 and not stored:
            stored.append(C)
            other.backup(C, SECOND)

    machine.backend._pause = meanwhile
    repaired(machine, FIRST)
    machine.backend._pause = None
    assert stored
    for name, content in ((A, FIRST), (B, SECOND), (C, SECOND)):
        assert machine.restore(name) == content


@pytest.mark.parametrize("first", ["repairer", "writer"])
def test_a_repair_and_a_writer_may_pause_at_any_step_for_the_other_to_go_on(
    first: str, quick_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The writer wants good blocks of the damaged pack; whatever is listed in the end restores."""
    for module in (filling, surveying, collecting, reading):
        monkeypatch.setattr(module, "FETCHES", 1)
    # Two frames, of which the first is damaged; the writer needs blocks of the second.
    old, new = image_of(range(300)), image_of(range(256, 300))

    def play(script: list[tuple[str, int]]) -> dict[str, int]:
        folder = quick_folder / uuid4().hex
        folder.mkdir()
        place = Place(LIKE_S3, Clock(), slow_copies=True)
        turns = Turns(Random(0), script=script)  # noqa: S311  # it draws nothing
        steps: dict[str, int] = {}
        repairer, writer = (
            Machine(place, folder / who, pause=turns.counting(who, steps, lambda *_: None))
            for who in ("repairer", "writer")
        )
        repairer.backup(A, old)
        damage(repairer, packs(place)[0], 40)
        done = {
            "repairer": lambda: repaired(repairer, old),
            "writer": lambda: writer.backup(B, new),
        }
        assert turns.run(done) == {}
        looker = Machine(place, folder / "looker")
        assert (looker.restore(A), looker.restore(B)) == (old, new), script
        return steps

    each_pausing_once(first, "writer" if first == "repairer" else "repairer", play, every=7)


@pytest.mark.parametrize("versioning", [True, False])
def test_a_locked_map_gets_a_new_version_where_the_old_one_is_kept_underneath(
    place: Place, quick_folder: Path, seal: Seal, *, versioning: bool
) -> None:
    """Elsewhere it stays, and with it the damaged pack, of which it names good blocks."""
    place.honours = replace(place.honours, versioning=versioning)
    until = BEGIN + 9 * DAY
    machine = Machine(place, quick_folder / "m", seal=seal, retain_until=lambda: until)
    only_good = image_of(range(256, 600))
    machine.backup(A, FIRST)
    machine.backup(B, only_good)
    [large] = packs(place)
    held = place.objects[large]
    content = bytearray(held.content)
    content[40] ^= 1
    place.objects[large] = replace(held, content=bytes(content))
    done = repaired(machine, FIRST)
    pack = large.rpartition("/")[2]
    assert machine.restore(B) == only_good
    if versioning:
        assert (done.maps, done.quarantined, done.left) == (2, (pack,), ())
        assert machine.restore(A) == FIRST
    else:
        assert (done.maps, done.quarantined, done.left) == (0, (), (pack,))


def test_a_damaged_pack_stays_where_a_new_version_of_a_map_is_about_to_name_it(
    machine: Machine, place: Place
) -> None:
    """Somebody is just rewriting packs, and has paused."""
    large, _small = packs(place)
    damage(machine, large, 40)
    name = look(machine.images).manifests[A].map
    pending = f"{PENDING_MAPS}somebody/{name}"
    machine.backend.put(pending, machine.backend.get(f"{MAPS}{name}", 1 << 20))
    assert repaired(machine, FIRST).left == (large.rpartition("/")[2],)
    assert (machine.restore(A), machine.restore(B)) == (FIRST, SECOND)
    machine.backend.delete(pending)
    assert len(repaired(machine).quarantined) == 1
    assert (machine.restore(A), machine.restore(B)) == (FIRST, SECOND)


@pytest.mark.parametrize("fault", [Fault.KILL, Fault.LOSE])
def test_a_repair_that_dies_at_any_step_can_be_done_again(
    fault: Fault, quick_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (filling, surveying, collecting, reading):
        monkeypatch.setattr(module, "FETCHES", 1)
    first, second = image_of(range(20)), image_of([*range(19), 77])
    step = 0
    while True:
        clock = Clock()
        place = Place(LIKE_S3, clock)
        machine = Machine(place, quick_folder / f"machine {step}")
        machine.backup(A, first)
        machine.backup(B, second)
        damage(machine, packs(place)[0], 40)
        faults = At({})
        dying = Machine(place, quick_folder / f"dying {step}", faults=faults)
        before = look(dying.images)
        damages = examine_packs(dying.images, before, before.stored, None)
        offered = quick_folder / "image"
        offered.write_bytes(first)
        faults.count, faults.faults = 0, {step: fault}
        with suppress(Killed, JunmaiError):
            work = Repair(dying.images, damages, (), None)
            work.begin()
            work.offer(offered, sha256(first).hexdigest())
            work.finish()
        repaired(machine, first)
        assert (machine.restore(A), machine.restore(B)) == (first, second)
        assert damaged(machine) == []
        clock.advance(2 * DAY)
        for _ in range(3):
            machine.images.tidy()
            machine.collect()
            clock.advance(20 * DAY)
        assert not [name for name in place.objects if name.startswith(MARKS)]
        assert (machine.restore(A), machine.restore(B)) == (first, second)
        if faults.count <= step:
            break
        step += 1
    assert step > 30


def test_the_next_backup_stores_a_lost_block_again(machine: Machine, place: Place) -> None:
    """The database has not changed, and its last map names the pack that was put aside."""
    damage(machine, packs(place)[0], 40)
    assert repaired(machine).lost == 256
    clock = place.now
    assert isinstance(clock, Clock)
    clock.advance(2 * HOUR)
    stored = machine.backup(C, SECOND)
    assert stored.manifest.new_bytes
    assert machine.restore(C) == SECOND
