"""Two stores, two machines and everything that can happen to them, against a plain model.

Each step is drawn; a failure is printed as a program, and comes again with the printed blob or
`--hypothesis-seed`: names and nonces are no chance here, and what threads do is done in order.

What must hold after every step: the stores list exactly what the model has, and each snapshot
restores byte for byte, or is named as damaged and depends on what was damaged. Once a check or a
restore has seen the damage, every snapshot that is stored restores.

Listings show at once what was put, as places promise: without that no commit protocol holds, and no
lag is drawn.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)
from tests.contracts.memory import (
    LIKE_A_DISK,
    LIKE_S3,
    At,
    Fault,
    Faults,
    Killed,
    MemoryBackend,
    NoFaults,
    Place,
)
from tests.harness.stores import NOON, fetched, image_of, object_store, sealed, stored

from junmai_svc.service.check import EVERYTHING, examine
from junmai_svc.service.context import Context
from junmai_svc.service.copy import Which, copy
from junmai_svc.service.repair import Sources, repair
from junmai_svc.storage.backends.base import Capabilities
from junmai_svc.storage.errors import IntegrityError, JunmaiError
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.snapshots.blocks import packing
from junmai_svc.storage.snapshots.blocks.images import BlockImages
from junmai_svc.storage.snapshots.blocks.places import (
    PENDING,
    manifest_object,
    map_object,
    pack_object,
)
from junmai_svc.storage.snapshots.objects import ObjectStore

PLACES = st.sampled_from(["near", "far"])
MACHINES = st.sampled_from(["desk", "server"])
DATABASES = st.sampled_from(["data/junmai.db", "data/other.db"])
IMAGES = st.builds(
    lambda blocks, tail: image_of(*blocks, tail=b"t" * tail),
    st.lists(st.integers(0, 9), max_size=6),
    st.integers(0, 3),
)
SECONDS = st.integers(0, 3)
WHERE = st.integers(0, 30)
ENDS = [Fault.KILL, Fault.KILL_AFTER, Fault.FAIL, Fault.LOSE]
DEATHS = st.sampled_from([*ENDS, Fault.TEAR])
MISHAPS = st.sampled_from([*ENDS, Fault.TEAR, Fault.FLIP])


@dataclass
class Kept:
    """What the model knows of a place: images by name, what is held, what was damaged.

    `damaged` are objects with what they held before, `lost` what a repair could not mend. `told`
    says that somebody has seen all the damage that there is, `sure` are snapshots that must restore
    as they were stored since, `torn` are objects that were only written in part.
    """

    place: Place
    images: dict[str, bytes] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)
    needs: dict[str, set[str]] = field(default_factory=dict)
    damaged: dict[str, bytes] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)
    told: bool = True
    sure: set[str] = field(default_factory=set)
    torn: dict[str, bytes] = field(default_factory=dict)

    def may_fail(self, name: str) -> bool:
        """Whether a snapshot depends on something that was damaged."""
        if name in self.sure:
            return False
        return name in self.lost or bool(self.needs[name] & self.damaged.keys())

    @property
    def has_torn(self) -> bool:
        """Whether anything is there that was only written in part, by whatever name."""
        return bool({*self.torn.values()} & {held.content for held in self.place.objects.values()})


def at_once(
    _pool: ThreadPoolExecutor, do: Callable[..., object], /, *given: Any, **named: Any
) -> Future[object]:
    """Do in the caller's thread what threads would do in any order."""
    future: Future[object] = Future()
    try:
        future.set_result(do(*given, **named))
    except BaseException as error:  # noqa: BLE001  # as the pool does
        future.set_exception(error)
    return future


class Stores(RuleBasedStateMachine):
    """The rules."""

    @initialize(near=st.sampled_from([LIKE_A_DISK, LIKE_S3]), images=st.tuples(IMAGES, IMAGES))
    def begin(self, near: Capabilities, images: tuple[bytes, bytes]) -> None:
        """Make two places with a snapshot each: one near, one far away and sealed."""
        self.folder = Path(tempfile.mkdtemp(prefix="junmai-machine-"))
        self.patched = pytest.MonkeyPatch()
        chance = Random(1)  # noqa: S311  # to be repeated
        self.patched.setattr(os, "urandom", chance.randbytes)
        self.patched.setattr(packing, "urandom", chance.randbytes)
        self.patched.setattr(ThreadPoolExecutor, "submit", at_once)
        self.time = NOON
        self.kept = {
            "near": Kept(Place(near, lambda: self.time)),
            "far": Kept(Place(LIKE_S3, lambda: self.time)),
        }
        self.journal = Journal.open(
            self.folder / "journal.db",
            create=True,
            actor="a@b",
            clock=lambda: datetime.now(UTC),
            tool_version="0",
        )
        for place, image in zip(self.kept, images, strict=True):
            self.learn(place, stored(self.store(place), image).name, image)

    def store(
        self,
        place: str,
        machine: str = "desk",
        faults: Faults | None = None,
        pause: Callable[[str, str], None] | None = None,
    ) -> ObjectStore:
        """Open a store as a machine sees it."""
        backend = MemoryBackend(self.kept[place].place, faults or NoFaults(), pause=pause)
        seal = sealed() if place == "far" else None
        return object_store(backend, self.folder / machine / place, seal=seal)

    def learn(self, place: str, name: str, image: bytes) -> None:
        """Put into the model what has become a snapshot."""
        kept, store = self.kept[place], self.store(place, "nobody")
        assert isinstance(store.images, BlockImages)
        if name not in kept.images and kept.told:
            kept.sure.add(name)
        kept.images[name] = image
        if name in kept.lost:
            return
        kept.needs[name] = {manifest_object(name)}
        with suppress(IntegrityError):  # of a map that was damaged before
            kept.needs[name].add(map_object(store.find(name).manifest.map))
            image_map = store.images.map(store.find(name).manifest.map)
            kept.needs[name] |= {map_object(image_map.base)} if image_map.base else set()
            kept.needs[name] |= {pack_object(pack.name) for pack in image_map.packs}

    def look(self, place: str, images: dict[str, bytes]) -> None:
        """Put into the model what a run that failed has stored all the same.

        `images` says by the beginning of a name what it was about to store.
        """
        good, _bad = self.store(place, "nobody").snapshots()
        for snapshot in good:
            if snapshot.name not in self.kept[place].images:
                [image] = (
                    [images[snapshot.name]]
                    if snapshot.name in images
                    else {image for stem, image in images.items() if snapshot.name.startswith(stem)}
                )
                self.learn(place, snapshot.name, image)

    @contextmanager
    def may_die(self, place: str, images: dict[str, bytes]) -> Iterator[None]:
        """Look afterwards what came of it; whatever is raised must be one of ours."""
        try:
            yield
        except (Killed, JunmaiError):
            self.look(place, images)

    def note_torn(self, place: str, store: ObjectStore) -> None:
        """Put into the model what a run wrote only in part."""
        kept, backend = self.kept[place], store.backend
        assert isinstance(backend, MemoryBackend)
        for verb, name, fault in backend.history:
            if (verb, fault) == ("put", Fault.TEAR) and name in kept.place.objects:
                kept.torn[name] = kept.place.objects[name].content

    @rule(place=PLACES, machine=MACHINES, image=IMAGES, database=DATABASES, second=SECONDS)
    def backup(self, place: str, machine: str, image: bytes, database: str, second: int) -> None:
        """A machine takes a backup, maybe in the same second as another one did."""
        when = NOON + timedelta(seconds=second)
        snapshot = stored(self.store(place, machine), image, when, database)
        assert snapshot.name not in self.kept[place].images
        self.learn(place, snapshot.name, image)

    @rule(place=PLACES, machine=MACHINES, image=IMAGES, database=DATABASES, at=WHERE, fault=MISHAPS)
    def dying_backup(
        self, place: str, machine: str, image: bytes, database: str, at: int, fault: Fault
    ) -> None:
        """A backup dies or fails at one of its operations."""
        store = self.store(place, machine, At({at: fault}))
        # In a second that no other backup has, so that what it left can be told.
        when = NOON + timedelta(seconds=100 + len(self.kept[place].images))
        stem = f"{Path(database).stem}_backup_{when:%Y%m%d_%H%M%S}"
        while any(name.startswith(stem) for name in self.kept[place].images):
            when += timedelta(seconds=1000)
            stem = f"{Path(database).stem}_backup_{when:%Y%m%d_%H%M%S}"
        with self.may_die(place, {stem: image}):
            self.learn(place, stored(store, image, when, database).name, image)
        self.note_torn(place, store)

    @rule(place=PLACES, images=st.tuples(IMAGES, IMAGES), at=WHERE, second=SECONDS)
    def two_writers(self, place: str, images: tuple[bytes, bytes], at: int, second: int) -> None:
        """While one machine takes a backup, another one takes another from beginning to end."""
        when, steps, faster = NOON + timedelta(seconds=second), [0], self.store(place, "server")

        def pause(_verb: str, _name: str) -> None:
            steps[0] += 1
            if steps[0] == at:
                made = stored(faster, images[1], when)
                self.learn(place, made.name, images[1])

        slower = self.store(place, "desk", pause=pause)
        snapshot = stored(slower, images[0], when)
        assert snapshot.name not in self.kept[place].images
        self.learn(place, snapshot.name, images[0])

    @rule(to=PLACES, at=st.none() | st.integers(0, 60), fault=DEATHS)
    def copying(self, to: str, at: int | None, fault: Fault) -> None:
        """All that one store has and the other lacks is copied, or a part where it dies."""
        of = self.other(to)
        faults = At({} if at is None else {at: fault})
        source, target = self.store(of), self.store(to, "desk", faults)
        one, other = (Context(self.journal, (store,)) for store in (source, target))
        before = set(self.kept[to].images)
        with self.may_die(to, self.kept[of].images):
            done = copy(one, other, Which())
            self.look(to, self.kept[of].images)
            missed = {each.name for each in done.not_copied} | {
                each.name for each in done.plan.refused
            }
            if done.stopped is None:
                assert set(self.kept[of].images) - set(self.kept[to].images) <= missed
            else:
                assert at is not None
            for name in missed:
                differs = self.kept[to].images.get(name) != self.kept[of].images.get(name)
                damaged = self.is_damaged(of, name) or self.is_damaged(to, name)
                # A backup that died over the name holds it until a prune a day later.
                held = f"{PENDING}{name}" in self.kept[to].place.objects
                assert damaged or differs or held or at is not None
        self.note_torn(to, target)
        assert before <= set(self.kept[to].images)

    def is_damaged(self, place: str, name: str) -> bool:
        """Whether a snapshot of a place depends on what was damaged there."""
        kept = self.kept[place]
        return name in kept.images and kept.may_fail(name)

    def chosen(self, place: str, number: int) -> str:
        """One of the names that the model has."""
        return sorted(self.kept[place].images)[number % len(self.kept[place].images)]

    def has_some(self) -> bool:
        """Whether each place has a snapshot, so that one can be chosen."""
        return all(kept.images for kept in self.kept.values())

    @precondition(has_some)
    @rule(place=PLACES, machine=MACHINES, number=WHERE)
    def drop(self, place: str, machine: str, number: int) -> None:
        """A snapshot is dropped unless it is held."""
        self.dropped(place, machine, self.chosen(place, number))

    def dropped(self, place: str, machine: str, name: str) -> None:
        """Drop a snapshot unless it is held."""
        kept = self.kept[place]
        gone = self.store(place, machine).delete_unless_held(name)
        assert gone == (name not in kept.held)
        if gone:
            self.forget(place, name)
            kept.damaged.pop(manifest_object(name), None)

    @precondition(has_some)
    @rule(place=PLACES, machine=MACHINES, number=WHERE, held=st.booleans())
    def hold(self, place: str, machine: str, number: int, held: bool) -> None:
        """A snapshot is held, or released."""
        name, kept, store = self.chosen(place, number), self.kept[place], self.store(place, machine)
        if manifest_object(name) in kept.damaged:
            return
        (store.hold if held else store.release)(name)
        (kept.held.add if held else kept.held.discard)(name)
        assert store.held() == kept.held

    @precondition(has_some)
    @rule(place=PLACES, machine=MACHINES, number=WHERE)
    def restore(self, place: str, machine: str, number: int) -> None:
        """A snapshot comes back byte for byte, or is named as damaged."""
        self.require(place, self.chosen(place, number), machine)

    @precondition(has_some)
    @rule(place=PLACES, machine=MACHINES, number=WHERE, at=st.integers(0, 6), fault=MISHAPS)
    def restore_with_a_mishap(
        self, place: str, machine: str, number: int, at: int, fault: Fault
    ) -> None:
        """What comes out all the same is right; a byte that was read wrong is no lasting damage."""
        name = self.chosen(place, number)
        with suppress(Killed, JunmaiError):
            content = fetched(self.store(place, machine, At({at: fault})), name, self.folder)
            assert content == self.kept[place].images[name]

    def require(self, place: str, name: str, machine: str) -> None:
        """Restore a snapshot and judge what comes."""
        kept = self.kept[place]
        try:
            assert fetched(self.store(place, machine), name, self.folder) == kept.images[name]
        except IntegrityError as error:
            assert kept.may_fail(name), error  # noqa: PT017  # the error itself is judged
            kept.told = True

    @precondition(has_some)
    @rule(place=PLACES, number=WHERE, at=st.integers(0, 10_000), bit=st.integers(0, 7))
    def damage(self, place: str, number: int, at: int, bit: int) -> None:
        """A bit of an object that something depends on is turned, or it is as it was again."""
        kept = self.kept[place]
        kept.told = bool(kept.damaged)
        if kept.damaged:
            for name, whole in kept.damaged.items():
                MemoryBackend(kept.place).put(name, whole)
            kept.damaged.clear()
            for name, image in list(kept.images.items()):
                self.learn(place, name, image)
            return
        objects = sorted(
            name
            for name in kept.place.objects
            if name.startswith(("packs/", "maps/", "snapshots/"))
        )
        name = objects[number % len(objects)]
        content = bytearray(kept.place.objects[name].content)
        kept.sure -= {each for each in kept.images if name in kept.needs[each]}
        kept.damaged[name] = bytes(content)
        content[at % len(content)] ^= 1 << bit
        MemoryBackend(kept.place).put(name, bytes(content))

    @rule(place=PLACES, machine=MACHINES, keep=st.integers(0, 2), hours=st.sampled_from([0, 2, 30]))
    def prune(self, place: str, machine: str, keep: int, hours: int) -> None:
        """All but the last few go, later what nothing leads to, and packs are rewritten."""
        for name in sorted(self.kept[place].images)[: -keep or None]:
            self.dropped(place, machine, name)
        self.time += timedelta(hours=hours)
        store = self.store(place, machine)
        self.collected(place, store)
        if not self.kept[place].damaged:
            store.repack()
            for name, image in list(self.kept[place].images.items()):
                self.learn(place, name, image)

    @rule(place=PLACES, image=IMAGES, database=DATABASES, at=WHERE, second=SECONDS)
    def backup_meanwhile(
        self, place: str, image: bytes, database: str, at: int, second: int
    ) -> None:
        """While a pruner pauses, somebody takes a backup, maybe of what is about to be deleted."""
        when, steps, writer = NOON + timedelta(seconds=second), [0], self.store(place, "server")

        def pause(_verb: str, _name: str) -> None:
            steps[0] += 1
            if steps[0] == at:
                self.learn(place, stored(writer, image, when, database).name, image)

        self.time += timedelta(hours=2)
        self.collected(place, self.store(place, "desk", pause=pause))

    @rule(place=PLACES, machine=MACHINES, at=WHERE, fault=MISHAPS)
    def dying_collect(self, place: str, machine: str, at: int, fault: Fault) -> None:
        """A pruner dies or fails at one of its operations."""
        store = self.store(place, machine, At({at: fault}))
        with self.may_die(place, {}):
            self.collected(place, store, read_wrong=fault is Fault.FLIP)
        self.note_torn(place, store)

    @rule(place=PLACES, image=IMAGES, at=WHERE, second=SECONDS, hours=st.sampled_from([0, 2, 30]))
    def collect_meanwhile(self, place: str, image: bytes, at: int, second: int, hours: int) -> None:
        """While a machine takes a backup and pauses, another one prunes from beginning to end."""
        when, steps, pruner = NOON + timedelta(seconds=second), [0], self.store(place, "server")

        def pause(_verb: str, _name: str) -> None:
            steps[0] += 1
            if steps[0] == at:
                self.time += timedelta(hours=hours)
                self.collected(place, pruner)

        snapshot = stored(self.store(place, "desk", pause=pause), image, when)
        assert snapshot.name not in self.kept[place].images
        self.learn(place, snapshot.name, image)

    def collected(self, place: str, store: ObjectStore, *, read_wrong: bool = False) -> None:
        """Prune a place and make sure that what a snapshot needs is there."""
        kept = self.kept[place]
        try:
            store.tidy()
            done = store.collect(emptied=True)
            assert not done.problems or kept.damaged or kept.has_torn or read_wrong
        finally:
            needed = {name for each in kept.images.keys() - kept.lost for name in kept.needs[each]}
            assert needed <= kept.place.objects.keys()
            for name in kept.damaged.keys() - kept.place.objects.keys():
                del kept.damaged[name]

    @rule(place=PLACES, machine=MACHINES)
    def check(self, place: str, machine: str) -> None:
        """A check of every byte names what can't be restored, and nothing that depends on none."""
        kept, store = self.kept[place], self.store(place, machine)
        report = examine(Context(self.journal, (store,)), store, EVERYTHING)
        failing = {name for name in kept.images if not self.comes_back(place, name, machine)}
        assert all(kept.may_fail(name) for name in failing)
        assert failing.isdisjoint(report.sound)
        assert set(report.sound) <= set(kept.images)
        for name in report.damaged:
            assert kept.may_fail(name)
        if not kept.damaged and not kept.lost:
            found = {each.name for each in report.findings}
            # Where the last manifest went and nothing was collected yet, something may hide them.
            assert not found or kept.has_torn or (found == {"all manifests"} and not kept.images)
            assert set(report.sound) == set(kept.images)
        kept.told = True

    @rule(place=PLACES, machine=MACHINES, at=st.integers(0, 60), fault=MISHAPS)
    def dying_check(self, place: str, machine: str, at: int, fault: Fault) -> None:
        """A check dies or fails: whom it has told by then builds on nothing that is damaged."""
        store = self.store(place, machine, At({at: fault}))
        with self.may_die(place, {}):
            examine(Context(self.journal, (store,)), store, EVERYTHING)

    @rule(place=PLACES, machine=MACHINES)
    def repair(self, place: str, machine: str) -> None:
        """What is damaged is mended from the other place; what is said to be sound comes back."""
        store, other = (self.store(each, machine) for each in (place, self.other(place)))
        could_fail = {name for name in self.kept[place].images if self.kept[place].may_fail(name)}
        done = repair(Context(self.journal, (store,)), Sources(other))
        self.mended(place, machine, could_fail)
        assert self.kept[place].lost.isdisjoint(done.after.sound)
        self.kept[place].told = True

    @rule(place=PLACES, machine=MACHINES, at=st.integers(0, 80), fault=DEATHS)
    def dying_repair(self, place: str, machine: str, at: int, fault: Fault) -> None:
        """A repair dies or fails midway: what depended on no damage comes back all the same."""
        could_fail = {name for name in self.kept[place].images if self.kept[place].may_fail(name)}
        other, faults = self.store(self.other(place), machine), At({at: fault})
        store = self.store(place, machine, faults)
        with suppress(Killed, JunmaiError):
            repair(Context(self.journal, (store,)), Sources(other))
        self.note_torn(place, store)
        self.mended(place, machine, could_fail)

    def mended(self, place: str, machine: str, could_fail: set[str]) -> None:
        """Put into the model what a repair has come to."""
        kept, store = self.kept[place], self.store(place, machine)
        listed = {snapshot.name for snapshot in store.snapshots()[0]}
        # A manifest that could not be mended is put aside: its snapshot can't be asked for.
        for name in [each for each in kept.images if each not in listed]:
            assert name in could_fail
            if manifest_object(name) not in kept.place.objects:
                self.forget(place, name)
        kept.damaged = {
            name: whole
            for name, whole in kept.damaged.items()
            if name in kept.place.objects and kept.place.objects[name].content != whole
        }
        for name in could_fail & listed:
            self.may_be_theirs(place, name, machine)
        back = {name for name in kept.images if self.comes_back(place, name, machine)}
        kept.lost = kept.images.keys() - back
        assert kept.lost <= could_fail
        for name in back:
            self.learn(place, name, kept.images[name])

    def may_be_theirs(self, place: str, name: str, machine: str) -> None:
        """Where both places have a name, for two images, a repair may take the other's.

        A journal that tells which image it was, as none does here, would not let it.
        """
        theirs = self.kept[self.other(place)].images.get(name)
        with suppress(IntegrityError):
            if theirs == fetched(self.store(place, machine), name, self.folder):
                self.kept[place].images[name] = theirs

    @staticmethod
    def other(place: str) -> str:
        """The other of the two places."""
        return "near" if place == "far" else "far"

    def forget(self, place: str, name: str) -> None:
        """Take a snapshot that is gone out of the model."""
        kept = self.kept[place]
        del kept.images[name]
        del kept.needs[name]
        kept.held.discard(name)
        kept.lost.discard(name)
        kept.sure.discard(name)

    def comes_back(self, place: str, name: str, machine: str) -> bool:
        """Whether a snapshot can be restored; if so it is byte for byte what it was."""
        try:
            content = fetched(self.store(place, machine), name, self.folder)
        except IntegrityError:
            return False
        assert content == self.kept[place].images[name]
        return True

    @rule(machine=MACHINES)
    def lose_cache(self, machine: str) -> None:
        """Somebody deletes a machine's cache."""
        shutil.rmtree(self.folder / machine, ignore_errors=True)

    @invariant()
    def lists_what_the_model_has(self) -> None:
        """Each store lists what the model has, and names what it can't read."""
        for place, kept in getattr(self, "kept", {}).items():
            good, bad = self.store(place, "looking").snapshots()
            listed = {snapshot.name for snapshot in good}
            assert listed <= set(kept.images)
            unlisted = {manifest_object(name) for name in set(kept.images) - listed}
            assert unlisted == {each.manifest for each in bad}
            assert unlisted <= kept.damaged.keys()

    def teardown(self) -> None:
        """In the end every snapshot is restored by a machine that has never seen the store."""
        if not hasattr(self, "kept"):
            return
        try:
            for place, kept in self.kept.items():
                for name in kept.images:
                    self.require(place, name, "a new machine")
        finally:
            self.patched.undo()
            self.journal.close()
            shutil.rmtree(self.folder, ignore_errors=True)


TestStores = pytest.mark.timeout(300)(Stores.TestCase)
TestStores.settings = settings(
    max_examples=30,
    stateful_step_count=25,
    deadline=None,
    print_blob=True,
    # Making a failure small takes minutes; `Phase.shrink` does it where somebody wants it.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
