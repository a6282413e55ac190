"""Repacking: packs that are mostly dead are rewritten; every snapshot stays what it is."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from random import Random
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.contracts.memory import LIKE_A_DISK, LIKE_S3, At, Fault, Killed, Place
from tests.storage.snapshots.blocks.machines import (
    BEGIN,
    DAY,
    HOUR,
    Clock,
    Machine,
    Turns,
    each_pausing_once,
    image_of,
    listed,
    name_of,
)

from junmai_svc.storage.backends.base import Capabilities
from junmai_svc.storage.errors import JunmaiError
from junmai_svc.storage.snapshots.blocks import collecting, filling, reading, surveying
from junmai_svc.storage.snapshots.blocks.packs import PackRef
from junmai_svc.storage.snapshots.blocks.places import MAPS, PACKS, PENDING_MAPS
from junmai_svc.storage.snapshots.blocks.repacking import MOST_MOVED, PackUse, choose
from junmai_svc.storage.snapshots.blocks.sealing import Seal
from junmai_svc.storage.snapshots.blocks.surveying import survey

A, B, C = (name_of(number) for number in range(3))


def use(live: int, blocks: int = 100, size: int = 1_000, name: str = "") -> PackUse:
    return PackUse(PackRef(name or f"{live}", size, blocks), live)


def chosen(*uses: PackUse) -> list[str]:
    return [pack.name for pack in choose(uses)]


def test_half_dead_packs_are_rewritten_as_routine() -> None:
    good = use(100, size=100_000)
    assert chosen(use(50), use(51), good) == ["50"]


def test_a_fifth_is_enough_where_the_store_is_dead_over_15_percent() -> None:
    assert chosen(use(80), use(81), use(100)) == []
    assert chosen(use(80), use(81), use(100), use(40, size=3_000)) == ["40", "80"]


def test_the_most_dead_are_rewritten_first_and_no_more_than_fit_in_memory() -> None:
    many = [use(30_000 - number, 65_536, name=f"{number}") for number in range(12)]
    assert chosen(*many)[0] == "11"
    assert sum(30_000 - int(name) for name in chosen(*many)) <= MOST_MOVED
    assert chosen() == []


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def place(clock: Clock) -> Place:
    return Place(LIKE_S3, clock)


@pytest.fixture
def machine(place: Place, quick_folder: Path, seal: Seal) -> Machine:
    return Machine(place, quick_folder / "machine", seal=seal)


def half_dead(machine: Machine, clock: Clock) -> dict[str, bytes]:
    """A pack of 600 blocks of which 200 are needed, by two snapshots."""
    machine.backup(A, image_of(range(600)))
    kept = image_of(range(100, 300))
    other = image_of([*range(100, 299), 9_999])
    machine.backup(B, kept)
    machine.backup(C, other)
    machine.drop(A)
    clock.advance(2 * HOUR)
    return {B: kept, C: other}


def size_of(place: Place, prefix: str) -> int:
    return sum(len(held.content) for name, held in place.objects.items() if name.startswith(prefix))


def test_a_mostly_dead_pack_gives_its_room_back(
    machine: Machine, place: Place, clock: Clock
) -> None:
    kept = half_dead(machine, clock)
    machine.collect()
    before = size_of(place, PACKS)
    maps = {name for name in place.objects if name.startswith(MAPS)}
    done = machine.images.repack(None)
    assert (done.maps, len(done.packs), done.problems) == (2, 1, ())
    assert {name for name in place.objects if name.startswith(MAPS)} == maps
    machine.collect()
    assert size_of(place, PACKS) < before / 2
    for name, content in kept.items():
        assert machine.restore(name) == content
    assert machine.images.repack(None).maps == 0


def test_the_next_backup_finds_the_moved_blocks(
    machine: Machine, place: Place, clock: Clock
) -> None:
    """The cached map names packs that are gone: nothing is stored twice all the same."""
    kept = half_dead(machine, clock)
    machine.images.repack(None)
    machine.collect()
    packs = {name for name in place.objects if name.startswith(PACKS)}
    machine.backup(A, kept[C])
    assert {name for name in place.objects if name.startswith(PACKS)} == packs
    assert machine.restore(A) == kept[C]


def test_a_restore_that_has_read_the_old_map_reads_the_new_one(
    place: Place, machine: Machine, clock: Clock, quick_folder: Path
) -> None:
    kept = half_dead(machine, clock)
    passed: list[str] = []

    def meanwhile(verb: str, name: str) -> None:
        if verb == "get_range" and name.startswith(PACKS) and not passed:
            passed.append(name)
            clock.advance(5 * HOUR)
            assert machine.images.repack(None).maps == 2
            assert machine.collect().deleted

    reader = Machine(place, quick_folder / "reader", seal=machine.seal, pause=meanwhile)
    assert reader.restore(B) == kept[B]
    assert passed


def test_maps_that_build_on_another_stay_true_whichever_is_replaced(
    machine: Machine, place: Place, clock: Clock, quick_folder: Path
) -> None:
    """A repacker that dies between the two leaves an old and a new version side by side."""
    blocks = [*range(1_000)]
    machine.backup(A, image_of(range(2_500)))
    Random(1).shuffle(blocks)  # noqa: S311  # to be repeated, not to be secret
    machine.backup(B, image_of(blocks))
    changed = [77_777, *blocks[1:]]
    machine.backup(C, image_of(changed))
    found = survey(machine.backend, machine.seal)
    assert found.maps[found.finals[C]].base == found.finals[B]
    machine.drop(A)
    clock.advance(2 * HOUR)
    before = dict(place.objects)
    deaths = 0
    for step in range(0, 60, 3):
        place.objects = dict(before)
        folder = quick_folder / f"{step}"
        dying = Machine(place, folder, seal=machine.seal, faults=At({step: Fault.KILL}))
        try:
            dying.images.repack(None)
            machine.collect()
        except Killed:
            deaths += 1
        assert machine.restore(B) == image_of(blocks)
        assert machine.restore(C) == image_of(changed)
    assert 5 < deaths < 20


def test_a_locked_map_keeps_its_packs_and_is_told_with_its_date(
    place: Place, clock: Clock, quick_folder: Path, seal: Seal
) -> None:
    until = BEGIN + 30 * DAY
    machine = Machine(place, quick_folder / "m", seal=seal)
    machine.backup(A, image_of(range(600)))
    kept = machine.backup(B, image_of(range(100)))
    machine.backend.retain(f"maps/{kept.manifest.map}", until, enough=until)
    machine.drop(A)
    clock.advance(2 * HOUR)
    done = machine.images.repack(None)
    assert [each.until for each in done.locked] == [until]
    machine.collect()
    assert machine.restore(B) == image_of(range(100))
    clock.advance(31 * DAY)
    machine.images.repack(None)
    machine.collect()
    assert machine.restore(B) == image_of(range(100))


def test_a_damaged_pack_is_left_and_told(machine: Machine, place: Place, clock: Clock) -> None:
    half_dead(machine, clock)
    large = max(
        (name for name in place.objects if name.startswith(PACKS)),
        key=lambda name: len(place.objects[name].content),
    )
    content = bytearray(place.objects[large].content)
    content[50] ^= 1
    machine.backend.put(large, bytes(content))
    clock.advance(2 * HOUR)
    done = machine.images.repack(None)
    assert large.rpartition("/")[2] in done.problems[0].message
    assert large not in machine.collect().deleted


@pytest.mark.parametrize("fault", [Fault.KILL, Fault.LOSE])
def test_a_repacker_that_dies_at_any_step_costs_nothing(
    fault: Fault, quick_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (filling, surveying, collecting, reading):
        monkeypatch.setattr(module, "FETCHES", 1)
    step = 0
    while True:
        clock = Clock()
        place = Place(LIKE_S3 if step % 2 else LIKE_A_DISK, clock)
        machine = Machine(place, quick_folder / f"machine {step}")
        kept = half_dead(machine, clock)
        faults = At({step: fault})
        dying = Machine(place, quick_folder / f"dying {step}", faults=faults)
        with suppress(Killed, JunmaiError):
            dying.images.repack(None)
            dying.collect()
        for name, content in kept.items():
            assert machine.restore(name) == content
        assert machine.restore(machine.backup(A, kept[B]).name) == kept[B]
        clock.advance(2 * DAY)
        for _ in range(4):
            machine.images.tidy()
            machine.images.repack(None)
            machine.collect()
            clock.advance(20 * DAY)
        assert {name.split("/")[0] for name in place.objects} == {"maps", "packs", "snapshots"}
        for name, content in kept.items():
            assert machine.restore(name) == content
        if faults.count <= step:
            break
        step += 1 if fault is Fault.KILL else 3
    assert step > 30


@pytest.mark.parametrize("honours", [LIKE_S3, LIKE_A_DISK], ids=["copies", "renames"])
@pytest.mark.parametrize("first", ["repacker", "pruner"])
def test_a_repacker_and_a_pruner_may_pause_at_any_step_for_the_other_to_go_on(
    first: str, honours: Capabilities, quick_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hours pass after a new pack was put, and a day after a new version of the map."""
    for module in (filling, surveying, collecting, reading):
        monkeypatch.setattr(module, "FETCHES", 1)
    kept = image_of(range(4))

    def play(script: list[tuple[str, int]]) -> dict[str, int]:
        folder = quick_folder / uuid4().hex
        folder.mkdir()
        clock = Clock()
        place = Place(honours, clock, slow_copies=True)
        turns = Turns(Random(0), script=script)  # noqa: S311  # it draws nothing
        steps: dict[str, int] = {}

        def then(verb: str, name: str) -> None:
            if verb == "put" and name.startswith(PACKS):
                clock.advance(2 * HOUR)
            if verb == "put" and name.startswith(PENDING_MAPS):
                clock.advance(25 * HOUR)

        repacker, pruner = (
            Machine(place, folder / who, pause=turns.counting(who, steps, then))
            for who in ("repacker", "pruner")
        )
        repacker.backup(A, image_of(range(20)))
        repacker.backup(B, kept)
        repacker.drop(A)
        clock.advance(2 * HOUR)

        def prune() -> None:
            for _ in range(2):
                pruner.images.tidy()
                assert pruner.collect().problems == ()

        raised = turns.run({"repacker": lambda: repacker.images.repack(None), "pruner": prune})
        assert raised == {}
        assert Machine(place, folder / "looker").restore(B) == kept, script
        return steps

    each_pausing_once(first, "pruner" if first == "repacker" else "repacker", play, every=5)


Action = tuple[str, int]
BACKUP = st.tuples(st.just("backup"), st.lists(st.integers(0, 50), min_size=1, max_size=30))
OTHER = st.tuples(
    st.sampled_from(["drop", "collect", "repack", "wait", "other"]), st.integers(0, 9)
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(actions=st.lists(BACKUP | OTHER, max_size=15), copies=st.booleans())
def test_after_any_sequence_every_snapshot_restores_and_nothing_old_is_left_over(
    actions: list[tuple[str, list[int] | int]], copies: bool, quick_folder: Path
) -> None:
    clock = Clock()
    place = Place(LIKE_S3 if copies else LIKE_A_DISK, clock)
    folder = quick_folder / uuid4().hex
    folder.mkdir()
    one, two = Machine(place, folder / "one"), Machine(place, folder / "two")
    kept: dict[str, bytes] = {}
    do: dict[str, Callable[[Machine], object]] = {
        "collect": lambda who: who.collect(),
        "repack": lambda who: who.images.repack(None),
        "wait": lambda _: clock.advance(2 * HOUR),
    }
    for number, (verb, what) in enumerate(actions):
        who = two if number % 3 == 0 else one
        if verb in {"backup", "other"}:
            content = image_of(what) if isinstance(what, list) else image_of([what] * 3)
            stored = who.backup(name_of(number), content, f"{verb}.db")
            kept[stored.name] = content
        elif verb == "drop":
            assert isinstance(what, int)
            for name in sorted(kept)[what : what + 1]:
                who.drop(name)
                del kept[name]
        else:
            do[verb](who)
        clock.advance(timedelta(minutes=1))
    assert set(listed(place)) == kept.keys()
    for name, content in kept.items():
        assert two.restore(name) == content
    clock.advance(2 * DAY)
    one.collect()
    one.images.repack(None)
    one.collect()
    for name, content in kept.items():
        assert two.restore(name) == content
    alive = survey(one.backend, one.seal).alive()
    assert {name for name in place.objects if name.startswith((MAPS, PACKS))} == alive
