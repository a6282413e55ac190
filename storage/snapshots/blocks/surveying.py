"""What the manifests of a store lead to: maps and the maps they build on, and their packs.

Everything is read from the store itself, in the one order in which nothing can slip through:

    list the pending manifests and versions of maps, then the tombstones, and read all of these
    -> list the final manifests and read them -> read the maps that all of these name

What was pending and is gone when it is read has become final, which is listed later; or has become
a tombstone, which is read in its place; or was taken back, and leads to nothing.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

from junmai_svc.storage.backends.base import Backend
from junmai_svc.storage.errors import IntegrityError, JunmaiError, NotFoundError
from junmai_svc.storage.snapshots.blocks.map_format import LARGEST_MAP, decode
from junmai_svc.storage.snapshots.blocks.packs import PackRef
from junmai_svc.storage.snapshots.blocks.places import (
    EXPIRED,
    EXPIRED_MAPS,
    MANIFEST_SUFFIX,
    PENDING,
    PENDING_MAPS,
    SNAPSHOTS,
    manifest_object,
    map_object,
    pack_object,
)
from junmai_svc.storage.snapshots.blocks.sealing import Seal
from junmai_svc.storage.snapshots.manifest import LARGEST_MANIFEST
from junmai_svc.storage.snapshots.opening import open_manifest

FETCHES = 8

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Leads:
    """What a map names itself: packs, and the map that it builds on or nothing."""

    packs: tuple[PackRef, ...] = ()
    base: str = ""


@dataclass
class Survey:
    """Who names which map, and what the maps lead to. `problems` say what could not be read.

    `finals` are maps by snapshot, `waiting` those that pending manifests name, `versions` what
    pending versions of maps lead to.
    """

    finals: dict[str, str] = field(default_factory=dict)
    waiting: set[str] = field(default_factory=set)
    versions: list[Leads] = field(default_factory=list)
    maps: dict[str, Leads] = field(default_factory=dict)
    problems: list[JunmaiError] = field(default_factory=list)

    def alive(self, dropped: Collection[str] = ()) -> set[str]:
        """Return all objects that anything leads to, but for these snapshots."""
        kept = {name for snapshot, name in self.finals.items() if snapshot not in dropped}
        return led_to(kept | self.waiting, self.versions, self.maps)


def led_to(names: Iterable[str], versions: Iterable[Leads], maps: Mapping[str, Leads]) -> set[str]:
    """Return the objects that these maps and versions of maps lead to, themselves among them.

    Of a map that others build on, all packs count, also those that none of the others needs.
    """
    reached: set[str] = set()
    waiting = [*names]
    for leads in versions:
        reached |= {pack_object(pack.name) for pack in leads.packs}
        waiting += [leads.base] if leads.base else []
    while waiting:
        name = waiting.pop()
        if map_object(name) in reached:
            continue
        leads = maps.get(name, Leads())
        reached.add(map_object(name))
        reached |= {pack_object(pack.name) for pack in leads.packs}
        waiting += [leads.base] if leads.base else []
    return reached


def survey(backend: Backend, seal: Seal) -> Survey:
    """Read who leads to what; damaged manifests and maps become problems of the survey.

    Raises:
        JunmaiError: the store can't be listed or read.
    """
    found = Survey()
    with ThreadPoolExecutor(FETCHES) as pool:
        each = _Reading(backend, seal, found, pool)
        each.pendings()
        each.pending_maps()
        each.finals()
        each.maps()
    return found


def read_leads(backend: Backend, seal: Seal, name: str) -> Leads:
    """Return what a map names, read from the store.

    Raises:
        NotFoundError: it is not there.
        IntegrityError: it is damaged.
        JunmaiError: the store can't be read.
    """
    return _leads(backend.get(map_object(name), LARGEST_MAP), name, seal)


def _leads(content: bytes, name: str, seal: Seal) -> Leads:
    stored = decode(content, name, seal)
    return Leads(stored.packs, stored.base)


@dataclass(frozen=True)
class _Reading:
    backend: Backend
    seal: Seal
    found: Survey
    pool: ThreadPoolExecutor

    def pendings(self) -> None:
        def read(pending: tuple[str, bytes]) -> str:
            place, content = pending
            where = f"{PENDING}{place} in {self.backend.url}"
            name = place.rpartition("/")[2]
            return open_manifest(content, name, where, self.seal, "blocks").map

        waiting = self._waiting(PENDING, EXPIRED, LARGEST_MANIFEST)
        self.found.waiting |= {name for _, name in self._read(read, waiting)}

    def pending_maps(self) -> None:
        def read(pending: tuple[str, bytes]) -> Leads:
            name, content = pending
            return _leads(content, name.rpartition("/")[2], self.seal)

        waiting = self._waiting(PENDING_MAPS, EXPIRED_MAPS, LARGEST_MAP)
        self.found.versions += [leads for _, leads in self._read(read, waiting)]

    def finals(self) -> None:
        def read(snapshot: str) -> str | None:
            place = manifest_object(snapshot)
            try:
                content = self.backend.get(place, LARGEST_MANIFEST)
            except NotFoundError:
                return None  # deleted meanwhile
            where = f"{place} in {self.backend.url}"
            return open_manifest(content, snapshot, where, self.seal, "blocks").map

        listed = [
            each.name.removeprefix(SNAPSHOTS).removesuffix(MANIFEST_SUFFIX)
            for each in self.backend.list(SNAPSHOTS)
            if each.name.endswith(MANIFEST_SUFFIX)
        ]
        for snapshot, name in self._read(read, listed):
            if name is not None:
                self.found.finals[snapshot] = name

    def maps(self) -> None:
        """Read the maps that are named, then those that they build on."""
        named = {*self.found.finals.values(), *self.found.waiting}
        named |= {leads.base for leads in self.found.versions if leads.base}
        while wanted := sorted(named - self.found.maps.keys()):
            for name, leads in self._read(self._map, wanted):
                self.found.maps[name] = leads
            for name in wanted:  # what could not be read is not asked for again
                self.found.maps.setdefault(name, Leads())
            named = {self.found.maps[name].base for name in wanted} - {""}

    def _map(self, name: str) -> Leads:
        try:
            return read_leads(self.backend, self.seal, name)
        except NotFoundError as error:
            if not self._is_final(name):
                return Leads()
            raise IntegrityError(
                f"Map {name} in {self.backend.url} is gone", "Check the store and repair it."
            ) from error

    def _is_final(self, name: str) -> bool:
        """Whether a snapshot needs the map, and has not been deleted since its manifest was read.

        A pending manifest whose map is gone becomes no snapshot: its writer will see it.
        """
        for snapshot, own in self.found.finals.items():
            bases = {self.found.maps[own].base} if own in self.found.maps else set()
            if name in {own, *bases}:
                with suppress(NotFoundError):
                    self.backend.stat(manifest_object(snapshot))
                    return True
        return False

    def _waiting(self, pending: str, expired: str, limit: int) -> list[tuple[str, bytes]]:
        """What is pending or was expired, by name; tombstones are listed last."""
        places = [(pending, each.name) for each in self.backend.list(pending)]
        places += [(expired, each.name) for each in self.backend.list(expired)]

        def read(place: tuple[str, str]) -> tuple[str, bytes] | None:
            name = place[1].removeprefix(place[0])
            for prefix in (place[0], expired):
                with suppress(NotFoundError):
                    return name, self.backend.get(f"{prefix}{name}", limit)
            return None

        return [each for _, each in self._read(read, places) if each is not None]

    def _read(self, read: Callable[[T], R], wanted: Iterable[T]) -> Iterator[tuple[T, R]]:
        """What was read of each; what is damaged becomes a problem."""

        def attempt(each: T) -> tuple[T, R] | IntegrityError:
            try:
                return each, read(each)
            except IntegrityError as problem:
                return problem

        for outcome in self.pool.map(attempt, wanted):
            if isinstance(outcome, IntegrityError):
                self.found.problems.append(outcome)
            else:
                yield outcome
