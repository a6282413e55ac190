"""A backend in memory, whose faults are chosen by a seed, so that every failure can be replayed.

A `Place` holds the objects; any number of `MemoryBackend` use it, each with faults of its own, as
several machines use one bucket. Without faults it keeps every promise of `Backend`. The same seed
and the same calls in the same order give the same faults; `MemoryBackend.history` tells them.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from random import Random
from threading import RLock
from typing import Protocol, Self

from junmai_svc.storage.backends.base import (
    Capabilities,
    RetainedError,
    Stat,
    Tick,
    file_exists,
    too_large,
    too_short,
)
from junmai_svc.storage.backends.failures import translated
from junmai_svc.storage.backends.names import check_name, check_prefix
from junmai_svc.storage.errors import NotFoundError, StorageUnavailableError

LIKE_A_DISK = Capabilities(conditional_put=True, atomic_rename=True)
LIKE_S3 = Capabilities(conditional_put=True, object_lock=True, versioning=True)


class Fault(Enum):
    """What can go wrong with one operation."""

    FAIL = "nothing is done, and the caller is told so"
    LOSE = "it is done, but the answer is lost"
    TEAR = (
        "half of the bytes are there, and the caller gets an error"  # a place that breaks its word
    )
    FLIP = "one byte is read wrong"
    KILL = "the process dies before it"
    KILL_AFTER = "the process dies right after it"


class Killed(BaseException):
    """The process died; nothing of it goes on, so nothing may catch this but a test."""


class Faults(Protocol):
    """Which operation goes wrong, and how."""

    def next(self, verb: str, name: str) -> Fault | None:
        """Return the fault of the operation that comes now."""
        ...

    def lag(self) -> int:
        """Return after how many more operations of the place a change shows in listings."""
        ...


class NoFaults:
    """Everything goes well."""

    def next(self, verb: str, name: str) -> Fault | None:
        """Return the fault of the operation that comes now."""
        del verb, name
        return None

    def lag(self) -> int:
        """Return after how many operations a change shows in listings."""
        return 0


@dataclass
class Seeded:
    """Faults at random by a seed: `rates` are probabilities, `lag_up_to` bounds the delay."""

    seed: int
    rates: Mapping[Fault, float]
    lag_up_to: int = 0
    _random: Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = Random(self.seed)  # noqa: S311  # to be repeated, not to be secret

    def next(self, verb: str, name: str) -> Fault | None:
        """Return the fault of the operation that comes now."""
        del verb, name
        drawn = self._random.random()
        for fault, rate in self.rates.items():
            if drawn < rate:
                return fault
            drawn -= rate
        return None

    def lag(self) -> int:
        """Return after how many operations a change shows in listings."""
        return self._random.randint(0, self.lag_up_to)


@dataclass
class At:
    """Faults at the operations with the given numbers, counted from 0."""

    faults: Mapping[int, Fault]
    count: int = 0

    def next(self, verb: str, name: str) -> Fault | None:
        """Return the fault of the operation that comes now."""
        del verb, name
        self.count += 1
        return self.faults.get(self.count - 1)

    def lag(self) -> int:
        """Return after how many operations a change shows in listings."""
        return 0


@dataclass(frozen=True)
class Held:
    """An object; a copy that a rename made is equal to its source."""

    content: bytes
    modified: datetime
    version: str
    retain_until: datetime | None
    mark: object


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Place:
    """Objects in memory; `honours` says what it really does, whoever believes what.

    With `slow_copies` what a rename has read lands a step later, whatever became of it meanwhile.
    """

    honours: Capabilities = LIKE_S3
    now: Callable[[], datetime] = _now
    objects: dict[str, Held] = field(default_factory=dict)
    slow_copies: bool = False
    operations: int = 0
    # Names whose latest change listings do not show before the number of operations is reached.
    lagging: dict[str, tuple[int, Held | None]] = field(default_factory=dict)
    lock: RLock = field(default_factory=RLock)

    def change(self, name: str, held: Held | None, lag: int) -> None:
        """Put or, with None, remove an object; listings follow after `lag` operations."""
        before = self.objects.get(name)
        if held is None:
            self.objects.pop(name, None)
        else:
            self.objects[name] = held
        if lag:
            self.lagging[name] = (self.operations + lag, before)

    def listed(self) -> dict[str, Held]:
        """The objects as listings show them now."""
        shown = dict(self.objects)
        for name, (due, before) in self.lagging.items():
            if due > self.operations:
                shown.pop(name, None)
                if before is not None:
                    shown[name] = before
        return shown


class MemoryBackend:
    """One user of a place. `pause` is called before each step, for tests that interleave."""

    def __init__(
        self,
        place: Place | None = None,
        faults: Faults | None = None,
        seen: Capabilities | None = None,
        pause: Callable[[str, str], None] | None = None,
    ) -> None:
        self.place = Place() if place is None else place
        self.history: list[tuple[str, str, Fault | None]] = []
        self._faults = NoFaults() if faults is None else faults
        self._seen = self.place.honours if seen is None else seen
        self._pause = pause

    @property
    def url(self) -> str:
        """A name for messages."""
        return "memory:"

    def capabilities(self) -> Capabilities:
        """Return what this user believes of the place."""
        return replace(self._seen, atomic_rename=self.place.honours.atomic_rename)

    def trusting(self, seen: Capabilities) -> Self:
        """Return another user of the place, with the same faults."""
        other = type(self)(self.place, self._faults, seen, self._pause)
        other.history = self.history
        return other

    def put(
        self,
        name: str,
        content: bytes | Path,
        *,
        if_absent: bool = False,
        retain_until: datetime | None = None,
    ) -> bool:
        """See `Backend.put`."""
        check_name(name)
        with translated(f"store {name} in {self.url}"):
            body = content if isinstance(content, bytes) else content.read_bytes()
        conditional = if_absent and self._seen.conditional_put
        if if_absent and not conditional:
            with self._step("look", name):
                if name in self.place.objects:
                    return False
        until = retain_until if self._seen.object_lock else None
        with self._step("put", name) as fault:
            if conditional and self.place.honours.conditional_put and name in self.place.objects:
                return False
            torn = body[: len(body) // 2] if fault is Fault.TEAR else body
            self._store(name, torn, until, object())
        return True

    def get(self, name: str, limit: int) -> bytes:
        """See `Backend.get`."""
        with self._step("get", name) as fault:
            held = self._existing(name)
            if len(held.content) > limit:
                raise too_large(name, self.url, limit)
            return self._read(held.content, fault)

    def get_range(self, name: str, offset: int, length: int) -> bytes:
        """See `Backend.get_range`."""
        with self._step("get_range", name) as fault:
            content = self._existing(name).content
            if offset + length > len(content):
                raise too_short(name, self.url, offset + length)
            return self._read(content[offset : offset + length], fault)

    def fetch(self, name: str, path: Path, limit: int, tick: Tick | None = None) -> str:
        """See `Backend.fetch`."""
        with self._step("fetch", name) as fault, translated(f"copy {name} to {path}"):
            content = self._existing(name).content
            if len(content) > limit:
                raise too_large(name, self.url, limit)
            content = self._read(content, fault)
            try:
                with path.open("xb") as file:
                    file.write(content)
            except FileExistsError:
                raise file_exists(path) from None
        if tick is not None:
            tick(len(content))
        return hashlib.sha256(content).hexdigest()

    def stat(self, name: str) -> Stat:
        """See `Backend.stat`."""
        with self._step("stat", name):
            held = self._existing(name)
            version = held.version if self.place.honours.versioning else None
            return Stat(name, len(held.content), held.modified, version, held.retain_until)

    def list(self, *prefixes: str) -> Iterator[Stat]:
        """See `Backend.list`; each prefix is a step of its own, as a page is."""
        for prefix in sorted(prefixes or [""]):
            check_prefix(prefix)
            with self._step("list", prefix):
                shown = sorted(self.place.listed().items())
            for name, held in shown:
                if name.startswith(prefix):
                    yield Stat(name, len(held.content), held.modified)

    def delete(self, name: str, *, despite_retention: bool = False) -> None:
        """See `Backend.delete`."""
        check_name(name)
        with self._step("delete", name):
            held = self.place.objects.get(name)
            until = held.retain_until if held else None
            honoured = self.place.honours.object_lock or not despite_retention
            if until is not None and until > self.place.now() and honoured:
                raise RetainedError(f"{name} is locked until {until}", "Wait.", until)
            self.place.change(name, None, self._faults.lag())

    def rename(self, source: str, target: str, *, retain_until: datetime | None = None) -> bool:
        """See `Backend.rename`; two steps where the place has no atomic one."""
        check_name(target)
        until = retain_until if self._seen.object_lock else None
        if self.place.honours.atomic_rename:
            with self._step("rename", source):
                return self._land(self._existing(source), target, until) and self._remove(source)
        with self._step("copy", source):
            read = self._existing(source)
            if not self.place.slow_copies and not self._land(read, target, until):
                return False
        if self.place.slow_copies:
            with self._step("land", target):
                if not self._land(read, target, until):
                    return False
        with self._step("delete", source):
            return self._remove(source)

    def replace(
        self,
        source: str,
        target: str,
        *,
        retain_until: datetime | None = None,
        despite_retention: bool = False,
    ) -> None:
        """See `Backend.replace`; two steps where the place has no atomic rename."""
        check_name(target)
        until = retain_until if self._seen.object_lock else None
        covers = despite_retention and self._seen.versioning
        if self.place.honours.atomic_rename:
            with self._step("replace", source):
                self._replace(self._existing(source), target, until, covers)
                self._remove(source)
            return
        with self._step("copy", source):
            read = self._existing(source)
            if not self.place.slow_copies:
                self._replace(read, target, until, covers)
        if self.place.slow_copies:
            with self._step("land", target):
                self._replace(read, target, until, covers)
        with self._step("delete", source):
            self._remove(source)

    def retain(self, name: str, until: datetime, *, enough: datetime) -> datetime:
        """See `Backend.retain`."""
        with self._step("retain", name):
            held = self._existing(name)
            before = held.retain_until
            if not self._seen.object_lock or (before is not None and before >= enough):
                return before or until
            self.place.objects[name] = replace(held, retain_until=until)
            return until

    def sweep(self, before: datetime) -> int:
        """Find nothing, as nothing is ever half done here."""
        del before
        with self._step("sweep", ""):
            return 0

    def close(self) -> None:
        """Do nothing."""

    def _step(self, verb: str, name: str) -> "_Step":
        return _Step(self, verb, name)

    def _existing(self, name: str) -> Held:
        held = self.place.objects.get(check_name(name))
        if held is None:
            raise NotFoundError(f"{name} is not in {self.url}", "Check the store's address.")
        return held

    def _store(self, name: str, body: bytes, until: datetime | None, mark: object) -> None:
        version = f"v{self.place.operations}"
        held = Held(body, self.place.now(), version, until, mark)
        self.place.change(name, held, self._faults.lag())

    def _land(self, held: Held, target: str, until: datetime | None) -> bool:
        there = self.place.objects.get(target)
        if there is not None:
            return there.mark is held.mark  # of a rename that was interrupted here
        self._store(target, held.content, until, held.mark)
        return True

    def _replace(self, held: Held, target: str, until: datetime | None, covers: bool) -> None:
        there = self.place.objects.get(target)
        locked = there.retain_until if there else None
        if locked is not None and locked > self.place.now() and not covers:
            raise RetainedError(f"{target} is locked until {locked}", "Wait.", locked)
        self._store(target, held.content, until, held.mark)

    def _remove(self, source: str) -> bool:
        self.place.change(source, None, self._faults.lag())
        return True

    @staticmethod
    def _read(content: bytes, fault: Fault | None) -> bytes:
        if fault is Fault.FLIP and content:
            middle = len(content) // 2
            return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
        return content


class _Step:
    """One step that happens at one instant, with its fault before or after it."""

    def __init__(self, backend: MemoryBackend, verb: str, name: str) -> None:
        self.backend, self.verb, self.name = backend, verb, name
        self.fault: Fault | None = None

    def __enter__(self) -> Fault | None:
        if self.backend._pause is not None:
            self.backend._pause(self.verb, self.name)
        self.backend.place.lock.acquire()
        self.backend.place.operations += 1
        self.fault = self.backend._faults.next(self.verb, self.name)
        self.backend.history.append((self.verb, self.name, self.fault))
        if self.fault in (Fault.FAIL, Fault.KILL):
            self.backend.place.lock.release()
            raise self._raised()
        return self.fault

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.backend.place.lock.release()
        if kind is None and self.fault in (Fault.LOSE, Fault.TEAR, Fault.KILL_AFTER):
            raise self._raised()

    def _raised(self) -> BaseException:
        if self.fault in (Fault.KILL, Fault.KILL_AFTER):
            return Killed(f"{self.verb} {self.name}")
        return StorageUnavailableError(
            f"Can't {self.verb} {self.name} in {self.backend.url}: {self.fault}",
            "It is a test; replay it by its seed.",
        )
