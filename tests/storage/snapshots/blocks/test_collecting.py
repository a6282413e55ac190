"""Collecting: what nothing leads to goes, what anything leads to stays, whoever is at work."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from random import Random
from uuid import uuid4

import pytest
from tests.contracts.memory import (
    LIKE_A_DISK,
    LIKE_S3,
    At,
    Fault,
    Killed,
    MemoryBackend,
    Place,
)
from tests.storage.snapshots.blocks.machines import (
    BEGIN,
    DAY,
    HOUR,
    TO_ITS_END,
    Clock,
    Machine,
    Turns,
    each_pausing_once,
    image_of,
    listed,
    name_of,
)

from junmai_svc.storage.backends.base import Capabilities
from junmai_svc.storage.errors import JunmaiError, NotFoundError
from junmai_svc.storage.snapshots.blocks import collecting, filling, reading, surveying
from junmai_svc.storage.snapshots.blocks.places import (
    EXPIRED,
    MAPS,
    MARKS,
    PACKS,
    PENDING,
    manifest_object,
    mark_object,
)
from junmai_svc.storage.snapshots.blocks.sealing import Seal
from junmai_svc.storage.snapshots.blocks.surveying import survey

A, B, C = (name_of(number) for number in range(3))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def place(clock: Clock) -> Place:
    return Place(LIKE_S3, clock)


@pytest.fixture
def machine(place: Place, quick_folder: Path, seal: Seal) -> Machine:
    return Machine(place, quick_folder / "machine", seal=seal)


def names(place: Place, prefix: str) -> list[str]:
    return [name for name in sorted(place.objects) if name.startswith(prefix)]


def test_what_only_a_dropped_snapshot_led_to_goes(
    machine: Machine, place: Place, clock: Clock
) -> None:
    first, second = image_of(range(300)), image_of(range(1_000, 1_300))
    machine.backup(A, first)
    machine.backup(B, second)
    before = {name: len(held.content) for name, held in place.objects.items()}
    machine.drop(A)
    clock.advance(2 * HOUR)
    planned = machine.images.garbage((), clock())
    done = machine.collect()
    assert done.deleted == planned.objects
    assert sorted(name.split("/")[0] for name in done.deleted) == ["maps", "packs"]
    assert done.freed == sum(before[name] for name in done.deleted)
    assert machine.restore(B) == second
    assert names(place, "state/") == []


def test_a_plan_tells_what_dropping_would_free_and_deletes_nothing(
    machine: Machine, place: Place, clock: Clock
) -> None:
    machine.backup(A, image_of(range(300)))
    machine.backup(B, image_of(range(1_000, 1_300)))
    clock.advance(2 * HOUR)
    before = dict(place.objects)
    planned = machine.images.garbage([A], clock())
    assert place.objects == before
    machine.drop(A)
    assert machine.collect().deleted == planned.objects


def test_blocks_that_two_snapshots_share_stay_with_the_other(
    machine: Machine, place: Place, clock: Clock
) -> None:
    machine.backup(A, image_of(range(600)))
    changed = image_of([*range(599), 9_999])
    machine.backup(B, changed)
    machine.drop(A)
    clock.advance(2 * HOUR)
    packs = names(place, PACKS)
    machine.collect()
    assert names(place, PACKS) == packs
    assert machine.restore(B) == changed


def test_the_map_that_another_builds_on_stays(machine: Machine, place: Place, clock: Clock) -> None:
    blocks = [*range(3_000)]
    machine.backup(A, image_of(blocks))
    Random(1).shuffle(blocks)  # noqa: S311  # to be repeated, not to be secret
    machine.backup(B, image_of(blocks))
    blocks[5] = 20_000
    machine.backup(C, image_of(blocks))
    found = survey(machine.backend, machine.seal)
    assert found.maps[found.finals[C]].base == found.finals[B]
    machine.drop(A)
    machine.drop(B)
    clock.advance(2 * HOUR)
    machine.collect()
    assert names(place, MAPS) == sorted(f"{MAPS}{found.finals[each]}" for each in (B, C))
    assert machine.restore(C) == image_of(blocks)


def test_what_is_young_is_left(machine: Machine, place: Place, clock: Clock) -> None:
    machine.backup(A, image_of(range(300)))
    machine.drop(A)
    clock.advance(timedelta(minutes=50))
    assert machine.collect().deleted == {}
    clock.advance(timedelta(minutes=20))
    machine.collect()
    assert place.objects == {}


@pytest.mark.parametrize("prefix", [MAPS, "snapshots/"])
@pytest.mark.parametrize("damage", ["cut", "flipped", "gone"])
def test_where_anything_can_not_be_read_nothing_goes(
    machine: Machine, place: Place, clock: Clock, prefix: str, damage: str
) -> None:
    machine.backup(A, image_of(range(300)))
    machine.backup(B, image_of(range(1_000, 1_300)))
    machine.drop(A)
    survivor = survey(machine.backend, machine.seal).finals[B]
    [name] = names(place, prefix) if prefix != MAPS else [f"{MAPS}{survivor}"]
    content = place.objects[name].content
    if damage == "gone":
        machine.backend.delete(name)
    else:
        cut, flipped = content[:-3], content[:30] + bytes([content[30] ^ 64]) + content[31:]
        machine.backend.put(name, cut if damage == "cut" else flipped)
    clock.advance(2 * HOUR)
    before = dict(place.objects)
    done = machine.collect()
    if prefix == "snapshots/" and damage == "gone":
        assert not listed(place)  # it is a dropped snapshot then
        return
    assert done.deleted == {}
    assert any(survivor in each.message or B in each.message for each in done.problems)
    assert place.objects == before


def test_a_pending_of_a_day_is_expired_and_protects_an_hour_more(
    machine: Machine, place: Place, clock: Clock
) -> None:
    machine.backup(A, image_of(range(300)))
    manifest = machine.backend.get(f"snapshots/{A}.json", 1 << 20)
    machine.backend.put(f"{PENDING}{A}", manifest)
    machine.drop(A)
    clock.advance(DAY - HOUR)
    machine.images.tidy()
    assert names(place, PENDING)
    clock.advance(2 * HOUR)
    machine.images.tidy()
    assert (names(place, PENDING), names(place, EXPIRED)) == ([], [f"{EXPIRED}{A}"])
    assert place.objects[f"{EXPIRED}{A}"].content == manifest
    assert machine.collect().deleted == {}
    clock.advance(2 * HOUR)
    machine.images.tidy()
    machine.collect()
    assert place.objects == {}


def test_marks_of_others_go_with_their_packs_and_not_before(
    machine: Machine, place: Place, clock: Clock
) -> None:
    machine.backup(A, image_of(range(300)))
    [pack] = names(place, PACKS)
    machine.backend.put(mark_object("dead pruner", pack), b"")
    machine.backend.put(mark_object("dead pruner", f"{PACKS}00/{'0' * 64}"), b"")
    machine.images.tidy()
    clock.advance(100 * DAY)
    machine.images.tidy()
    assert names(place, MARKS) == [mark_object("dead pruner", pack)]
    machine.drop(A)
    machine.collect()
    machine.images.tidy()
    assert place.objects == {}


def test_a_mark_of_a_dead_pruner_stops_no_backup(machine: Machine, place: Place) -> None:
    """Also where the database has not changed, and pack and map of the last image are marked."""
    image = image_of(range(300))
    machine.backup(A, image)
    for name in [*names(place, PACKS), *names(place, MAPS)]:
        machine.backend.put(mark_object("dead pruner", name), b"")
    machine.backup(B, image)
    machine.backup(C, image)
    assert len(names(place, PACKS)) == 2
    for each in (A, B, C):
        assert machine.restore(each) == image


def test_a_map_that_is_gone_stops_no_backup_of_what_has_not_changed(
    machine: Machine, clock: Clock
) -> None:
    image = image_of(range(300))
    machine.backup(A, image)
    machine.drop(A)
    clock.advance(2 * HOUR)
    machine.collect()
    machine.backup(B, image)
    assert machine.restore(B) == image


def test_locked_objects_are_left_with_all_they_lead_to_and_told_with_their_date(
    place: Place, clock: Clock, quick_folder: Path, seal: Seal
) -> None:
    until = BEGIN + 30 * DAY
    machine = Machine(place, quick_folder / "m", seal=seal, retain_until=lambda: until)
    machine.backup(A, image_of(range(300)))
    del place.objects[f"snapshots/{A}.json"]
    clock.advance(2 * HOUR)
    before = dict(place.objects)
    done = machine.collect()
    assert done.deleted == {}
    assert [each.until for each in done.locked] == [until, until]
    assert place.objects == before
    clock.advance(31 * DAY)
    assert len(machine.collect().deleted) == 2


def test_a_map_that_turns_out_to_be_locked_keeps_its_packs(
    place: Place, clock: Clock, quick_folder: Path, seal: Seal
) -> None:
    """Where nobody knows of locks beforehand, the refusal tells."""
    machine = Machine(place, quick_folder / "m", seal=seal)
    machine.backup(A, image_of(range(300)))
    machine.drop(A)
    [name] = names(place, MAPS)
    machine.backend.put(name, place.objects[name].content, retain_until=BEGIN + DAY)
    clock.advance(2 * HOUR)
    blind = machine.backend.trusting(Capabilities(conditional_put=True))
    done = collecting.collect(blind, seal, emptied=True)
    assert (done.deleted, [each.name for each in done.locked]) == ({}, [name])
    assert names(place, PACKS)


@pytest.mark.parametrize("jump", [400 * DAY, -400 * DAY])
def test_a_wrong_clock_costs_no_snapshot(machine: Machine, clock: Clock, jump: timedelta) -> None:
    first, second = image_of(range(300)), image_of(range(200, 500))
    machine.backup(A, first)
    clock.advance(jump)
    machine.backup(B, second)
    for _ in range(3):
        machine.images.tidy()
        machine.collect()
        clock.advance(HOUR)
    clock.advance(-jump)
    machine.images.tidy()
    machine.collect()
    assert (machine.restore(A), machine.restore(B)) == (first, second)


@pytest.mark.parametrize("fault", [Fault.KILL, Fault.LOSE])
def test_a_pruner_that_dies_at_any_step_leaves_what_the_next_one_ends(
    quick_folder: Path, fault: Fault, one_thread: None
) -> None:
    del one_thread
    step = 0
    while True:
        clock = Clock()
        place = Place(LIKE_S3, clock)
        machine = Machine(place, quick_folder / f"machine {step}")
        kept = image_of(range(100, 400))
        machine.backup(A, image_of(range(300)))
        machine.backup(B, kept)
        machine.backup(C, image_of(range(300)))
        stale = machine.backend.get(f"snapshots/{C}.json", 1 << 20)
        machine.drop(C)
        machine.backend.put(f"{PENDING}{C}", stale)
        clock.advance(25 * HOUR)
        machine.drop(A)
        faults = At({step: fault})
        dying = MemoryBackend(place, faults)
        with suppress(Killed, JunmaiError):
            collecting.tidy(dying)
            collecting.collect(dying, machine.seal)
        assert machine.restore(B) == kept
        assert machine.backup(A, kept)
        clock.advance(2 * DAY)
        for _ in range(3):
            machine.images.tidy()
            machine.collect()
            clock.advance(20 * DAY)
        assert {name.split("/")[0] for name in place.objects} == {"maps", "packs", "snapshots"}
        alive = survey(machine.backend, machine.seal).alive()
        assert {*names(place, MAPS), *names(place, PACKS)} == alive
        if faults.count <= step:  # it never came so far
            break
        step += 1
    assert step > 20


@pytest.fixture
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """One thread at work for each, so that a seed tells everything."""
    for module in (filling, surveying, collecting, reading):
        monkeypatch.setattr(module, "FETCHES", 1)


def two_at_work(
    within: Path, script: list[tuple[str, int]], honours: Capabilities
) -> dict[str, int]:
    """Let a writer and a pruner work by a script; return how many steps each came to.

    The last snapshot was dropped long ago, so that the writer wants what the pruner deletes; and a
    day passes right after the writer has put its pending.
    """
    folder = within / uuid4().hex
    folder.mkdir()
    clock = Clock()
    place = Place(honours, clock, slow_copies=True)
    turns = Turns(Random(0), script=script)  # noqa: S311  # it draws nothing
    steps: dict[str, int] = {}
    marking: list[int] = []

    def then(verb: str, name: str) -> None:
        if verb == "put" and name.startswith(PENDING):
            clock.advance(25 * HOUR)
        if verb == "put" and name.startswith(MARKS):
            marking.append(steps["pruner"] - 1)

    writer, pruner = (
        Machine(place, folder / who, pause=turns.counting(who, steps, then))
        for who in ("writer", "pruner")
    )
    image = image_of(range(10))
    writer.backup(A, image)
    writer.drop(A)
    clock.advance(2 * HOUR)

    def prune() -> None:
        pruner.images.tidy()
        assert pruner.collect().problems == ()

    raised = turns.run({"writer": lambda: writer.backup(B, image), "pruner": prune})
    assert raised == {}
    assert listed(place) == [B]
    assert Machine(place, folder / "looker").restore(B) == image, script
    return steps | ({"before marking": marking[0]} if marking else {})


@pytest.mark.parametrize("honours", [LIKE_S3, LIKE_A_DISK], ids=["copies", "renames"])
@pytest.mark.parametrize("first", ["writer", "pruner"])
def test_each_may_pause_at_any_step_for_the_other_to_go_on(
    first: str, honours: Capabilities, quick_folder: Path, one_thread: None
) -> None:
    del one_thread

    def play(script: list[tuple[str, int]]) -> dict[str, int]:
        steps = two_at_work(quick_folder, script, honours)
        return {who: steps[who] for who in ("writer", "pruner")}

    each_pausing_once(first, "pruner" if first == "writer" else "writer", play)


@pytest.mark.parametrize("honours", [LIKE_S3, LIKE_A_DISK], ids=["copies", "renames"])
def test_a_writer_may_come_between_a_pruners_first_look_and_its_marks(
    honours: Capabilities, quick_folder: Path, one_thread: None
) -> None:
    """The pruner has decided what to mark; then each works up to a step, and then to its end."""
    del one_thread
    script = [("pruner", TO_ITS_END), ("writer", TO_ITS_END)]
    longest = two_at_work(quick_folder, script, honours)
    for pause in range(longest["writer"] + 1):
        for other in range(longest["pruner"] - longest["before marking"] + 1):
            script = [
                ("pruner", longest["before marking"]),
                ("writer", pause),
                ("pruner", other),
                ("writer", TO_ITS_END),
                ("pruner", TO_ITS_END),
            ]
            two_at_work(quick_folder, script, honours)


class Round:
    """Writers, pruners and a restore at once on one store, by a seed."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.random = random = Random(seed)  # noqa: S311  # to be repeated, not to be secret
        self.clock = Clock()
        honours = random.choice([LIKE_S3, LIKE_A_DISK])
        self.place = Place(honours, self.clock, slow_copies=random.random() < 0.5)
        self.turns = Turns(random, self.time_passes, random.choice([0.0, 0.8, 0.95]))
        self.landing = 0
        self.machines = {
            who: Machine(self.place, folder / who, pause=self.turns.pause(who))
            for who in ("one", "two", "pruner", "other", "reader")
        }
        for machine in self.machines.values():
            self.watch(machine)
        self.images: dict[str, bytes] = {}
        self.blocks = list(range(40))
        self.patience = random.choice([0.0, 0.0, 0.1])

    def watch(self, machine: Machine) -> None:
        """Count the copies that are under way: time does not pass for more than theirs."""
        inner = machine.backend._pause
        assert inner is not None

        def pause(verb: str, name: str) -> None:
            self.landing += verb == "land"
            inner(verb, name)
            self.landing -= verb == "land"

        machine.backend._pause = pause

    def time_passes(self) -> None:
        """Let somebody pause for hours or days, now and then."""
        if self.random.random() < self.patience and not self.landing:
            self.clock.advance(self.random.choice([HOUR, 2 * HOUR, 2 * DAY]))

    def image(self) -> bytes:
        """The database as it is now: some blocks change, some come back."""
        for _ in range(self.random.choice([0, 0, 1, 4])):
            self.blocks[self.random.randrange(len(self.blocks))] = self.random.randrange(60)
        return image_of(self.blocks)

    def write(self, who: str, number: int) -> Callable[[], None]:
        """Back up what the database is now."""
        content = self.image()

        def write() -> None:
            stored = self.machines[who].backup(name_of(number), content)
            self.images[stored.name] = content

        return write

    def prepare(self) -> None:
        """Take a few snapshots one after the other."""
        for number in range(self.random.randrange(1, 5)):
            self.write(self.random.choice(["one", "two"]), number)()
            self.clock.advance(self.random.choice([timedelta(), HOUR]))
        self.clock.advance(self.random.choice([timedelta(), 2 * HOUR, 2 * DAY]))

    def prune(self, who: str, dropped: list[str]) -> Callable[[], None]:
        """Drop some snapshots, collect, repack and collect."""

        def prune() -> None:
            machine = self.machines[who]
            for _ in range(2):
                machine.images.tidy()
                for name in dropped:
                    machine.drop(name)
                    self.images.pop(name, None)
                assert machine.collect().problems == ()
                machine.images.repack(None)

        return prune

    def read(self, name: str) -> Callable[[], None]:
        """Restore a snapshot, which has to work unless somebody drops it."""
        content = self.images.get(name)

        def read() -> None:
            try:
                assert self.machines["reader"].restore(name) == content
            except (NotFoundError, JunmaiError):
                assert name not in self.images, "a snapshot that nobody dropped was not restored"

        return read

    def play(self) -> None:
        """Let all of them be at work at once."""
        self.prepare()
        names = sorted(self.images)
        chosen = [name for name in names if self.random.random() < 0.7]
        # Dropped before: a writer then finds its last image's map and packs, which nothing needs.
        for name in chosen[1:]:
            self.machines["other"].drop(name)
            del self.images[name]
        programs = {
            "one": self.write("one", 10),
            "pruner": self.prune("pruner", chosen),
            "two": self.write("two", 11),
            "other": self.prune("other", chosen[:1]),
            "reader": self.read(self.random.choice(sorted(self.images) or names)),
        }
        some = list(programs)[: self.random.choice([2, 3, 5])]
        raised = self.turns.run({who: programs[who] for who in some})
        for who, error in raised.items():
            # Whoever is sent back again and again gives up and says so.
            if "it is being pruned all the time" not in str(error):
                raise AssertionError(who) from error


@pytest.mark.parametrize("seeds", [range(start, start + 50) for start in range(0, 200, 50)])
def test_every_listed_snapshot_restores_whoever_was_at_work(
    seeds: range, quick_folder: Path, one_thread: None
) -> None:
    del one_thread
    for seed in seeds:
        folder = quick_folder / f"{seed}"
        folder.mkdir()
        each = Round(seed, folder)
        each.play()
        looker = Machine(each.place, folder / "looker")
        assert {*listed(each.place)} == each.images.keys(), f"seed {seed}"
        for name, content in each.images.items():
            assert looker.restore(name) == content, f"seed {seed}, {name}"
        each.clock.advance(2 * DAY)
        for _ in range(3):
            looker.images.tidy()
            looker.collect()
            each.clock.advance(2 * HOUR)
        alive = survey(looker.backend, looker.seal).alive()
        left = {*names(each.place, MAPS), *names(each.place, PACKS)}
        assert left == alive, f"seed {seed}"
        assert not names(each.place, PENDING)


def test_where_no_manifest_is_left_nothing_is_deleted_but_by_whoever_dropped_them(
    machine: Machine, place: Place, clock: Clock
) -> None:
    machine.backup(A, image_of(range(300)))
    hidden = place.objects.pop(manifest_object(A))
    clock.advance(2 * HOUR)
    before = dict(place.objects)
    planned, done = machine.images.garbage((), clock()), machine.images.collect()
    assert (planned.objects, done.deleted) == ({}, {})
    for problems in (planned.problems, done.problems):
        assert [problem.message for problem in problems] == [
            f"{machine.backend.url} has 2 packs and maps, but not one manifest that leads to any"
        ]
    assert place.objects == before
    place.objects[manifest_object(A)] = hidden
    machine.drop(A)
    assert len(machine.images.collect(emptied=True).deleted) == 2


def test_manifests_that_go_while_a_pruner_is_at_work_stop_it(
    place: Place, quick_folder: Path, clock: Clock
) -> None:
    def hide(_verb: str, name: str) -> None:
        if name.startswith(MARKS):
            place.objects.pop(manifest_object(B), None)

    machine = Machine(place, quick_folder / "machine")
    machine.backup(A, image_of(range(300)))
    machine.backup(B, image_of(range(1_000, 1_300)))
    machine.drop(A)
    clock.advance(2 * HOUR)
    done = Machine(place, quick_folder / "pruner", pause=hide).images.collect()
    assert (done.deleted, len(done.problems)) == ({}, 1)
