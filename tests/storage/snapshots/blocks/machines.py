"""Machines that use one store of blocks in memory, and a schedule by which they take turns."""

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from random import Random
from uuid import uuid4

from tests.contracts.memory import Faults, MemoryBackend, Place
from tests.storage.snapshots.blocks.scratch import STORE_ID

from junmai_svc.storage.backends.base import Backend
from junmai_svc.storage.snapshots.base import Snapshot
from junmai_svc.storage.snapshots.blocks.images import BlockImages
from junmai_svc.storage.snapshots.blocks.places import SNAPSHOTS
from junmai_svc.storage.snapshots.blocks.sealing import Seal, Unsealed
from junmai_svc.storage.snapshots.cache import StoreCache
from junmai_svc.storage.snapshots.garbage import Collected
from junmai_svc.storage.snapshots.manifest import STAMP, Manifest, Reason
from junmai_svc.storage.snapshots.objects import ObjectStore

BEGIN = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@dataclass
class Clock:
    """The clock of a place."""

    now: datetime = BEGIN

    def __call__(self) -> datetime:
        """The time."""
        return self.now

    def advance(self, by: timedelta) -> None:
        """Let time pass."""
        self.now += by


class Machine:
    """A machine with a cache of its own; `backend` goes over the place in memory."""

    def __init__(
        self,
        place: Place,
        folder: Path,
        *,
        backend: Backend | None = None,
        seal: Seal | None = None,
        faults: Faults | None = None,
        pause: Callable[[str, str], None] | None = None,
        retain_until: Callable[[], datetime | None] = lambda: None,
    ) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.backend = MemoryBackend(place, faults, pause=pause)
        self.seal = seal or Unsealed()
        cache = StoreCache(folder / "cache", STORE_ID)
        used: Backend = backend or self.backend
        self.images = BlockImages(used, self.seal, cache)
        self.store = ObjectStore(used, self.images, self.seal, cache, retain_until)

    def backup(self, name: str, content: bytes, database: str = "junmai.db") -> Snapshot:
        """Store an image under a name; it may get another one where that is taken."""
        image = self.folder / f"image {uuid4().hex}"
        image.write_bytes(content)
        manifest = Manifest(
            original_path=database,
            backup_path="",
            timestamp=BEGIN.strftime(STAMP),
            checksum=sha256(content).hexdigest(),
            file_size=len(content),
            format=1,
            name=name,
            created_at=BEGIN.isoformat(),
            reason=Reason.MANUAL,
        )
        try:
            return self.store.put(image, manifest)
        finally:
            image.unlink()

    def restore(self, name: str) -> bytes:
        """Return the image of a snapshot."""
        path = self.folder / f"restored {uuid4().hex}"
        try:
            self.store.fetch(self.store.find(name), path)
            return path.read_bytes()
        finally:
            path.unlink(missing_ok=True)

    def drop(self, name: str) -> None:
        """Delete a snapshot's manifest."""
        self.store.delete_unless_held(name)

    def collect(self) -> Collected:
        """Delete what nothing leads to, as a prune does that dropped snapshots, maybe all."""
        return self.images.collect(emptied=True)


def name_of(number: int) -> str:
    """A snapshot's name."""
    return f"junmai_backup_20261123_{number:06}"


def image_of(blocks: Sequence[int]) -> bytes:
    """An image of blocks that are told apart by a number."""
    return b"".join(b"%4096d" % number for number in blocks)


def listed(place: Place) -> list[str]:
    """The names of the snapshots that there are."""
    return [
        name.removeprefix(SNAPSHOTS).removesuffix(".json")
        for name in sorted(place.objects)
        if name.startswith(SNAPSHOTS)
    ]


Then = Callable[[str, str], None]
TO_ITS_END = 1_000


def each_pausing_once(
    first: str,
    second: str,
    play: Callable[[list[tuple[str, int]]], dict[str, int]],
    every: int = 1,
) -> None:
    """Play the scripts in which one works up to a step, the other up to one, then both end.

    Of the pairs of steps only `every` so many-th is played, which all steps have a part in.
    """
    longest: dict[str, int] = {}
    for order in ((first, second), (second, first)):
        steps = play([(who, TO_ITS_END) for who in order])
        longest |= {who: max(number, longest.get(who, 0)) for who, number in steps.items()}
    assert min(longest.values()) >= 9
    for pause in range(longest[first] + 1):
        for other in range(-pause % every, longest[second] + 1, every):
            play([(first, pause), (second, other), (first, TO_ITS_END), (second, TO_ITS_END)])


@dataclass
class Turns:
    """Programs in threads of which one runs at a time: who goes on after each step is drawn.

    `staying` is how likely one goes on for another step: what goes wrong only where somebody
    pauses at one step for long is found by long turns.

    With the same seed the same happens again, as long as each has one thread at work.
    """

    random: Random
    between: Callable[[], None] = lambda: None
    staying: float = 0.0
    # Where given: who is at work, for how many steps, one after the other; then to their ends.
    script: list[tuple[str, int]] = field(default_factory=list)
    living: list[str] = field(default_factory=list)
    current: str = ""
    condition: threading.Condition = field(default_factory=threading.Condition)

    def pause(self, who: str) -> Callable[[str, str], None]:
        """What a program's backend calls before each step."""

        def pause(_verb: str, _name: str) -> None:
            with self.condition:
                if who not in self.living:
                    return
                self.between()
                self._draw()
                self.condition.wait_for(lambda: self.current == who)

        return pause

    def run(self, programs: Mapping[str, Callable[[], object]]) -> dict[str, BaseException]:
        """Run all programs to their ends; return what they raised, by name."""
        raised: dict[str, BaseException] = {}

        def play(who: str) -> None:
            with self.condition:
                self.condition.wait_for(lambda: self.current == who)
            try:
                programs[who]()
            except BaseException as error:  # noqa: BLE001  # told to whoever runs it
                raised[who] = error
            with self.condition:
                self.living.remove(who)
                self._draw()

        self.living = [*programs]
        threads = [threading.Thread(target=play, args=(who,)) for who in programs]
        for thread in threads:
            thread.start()
        with self.condition:
            self._draw()
        for thread in threads:
            thread.join()
        return raised

    def counting(self, who: str, steps: dict[str, int], then: Then) -> Callable[[str, str], None]:
        """A `pause` that counts a program's steps and tells `then` of the one that came before."""
        inner = self.pause(who)
        last = [("", "")]
        steps[who] = 0

        def pause(verb: str, name: str) -> None:
            if who in self.living:
                steps[who] += 1
                then(*last[0])
                last[0] = (verb, name)
            inner(verb, name)

        return pause

    def _draw(self) -> None:
        while self.script:
            who, steps = self.script.pop(0)
            if who in self.living and steps:
                self.script.insert(0, (who, steps - 1))
                self.current = who
                self.condition.notify_all()
                return
        if self.current in self.living and self.random.random() < self.staying:
            return
        self.current = ""
        with suppress(IndexError):
            self.current = self.random.choice(self.living)
        self.condition.notify_all()
