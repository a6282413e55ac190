"""Deleting what nothing leads to, while others write, without locks: the pruner's half.

    expire what was pending for too long
    -> find what nothing leads to, and mark it under an id of one's own
    -> look again (see `surveying`) -> delete what still nothing leads to -> take one's marks away

A writer puts its pending before it lists the marks, a pruner lists pendings after it has put its
marks: of the two, one sees the other. It holds however long either pauses, so no age below is
needed for safety, save one: a tombstone is removed an hour after the pending was, as a rename that
copies may come to its end meanwhile. What is young is left alone to spare writers the work.

The model in tests/storage/snapshots/blocks/test_commit_protocol_model.py tries all interleavings.
It knows no objects that can't be deleted and no young ones, so these count as led to from the
beginning, with all that they lead to: of a map that stays nothing is taken away.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta
from uuid import uuid4

from junmai_svc.storage.backends.base import Backend, RetainedError, Stat
from junmai_svc.storage.errors import IntegrityError, NotFoundError
from junmai_svc.storage.snapshots.blocks.map_format import LARGEST_MAP
from junmai_svc.storage.snapshots.blocks.places import (
    EXPIRED,
    EXPIRED_MAPS,
    MAPS,
    MARKS,
    PACKS,
    PENDING,
    PENDING_MAPS,
    mark_object,
)
from junmai_svc.storage.snapshots.blocks.sealing import Seal
from junmai_svc.storage.snapshots.blocks.surveying import (
    FETCHES,
    Leads,
    led_to,
    read_leads,
    survey,
)
from junmai_svc.storage.snapshots.garbage import (
    CLOCKS,
    STALE,
    YOUNG,
    Collected,
    Garbage,
    Locked,
    let_go,
    let_trials_go,
    time_of,
)

# How long a copy on the server's side may be under way.
COPYING = timedelta(hours=1)
# A pruner that has paused for longer is not coming back.
GONE = timedelta(days=30)

Objects = Mapping[str, Stat]


def garbage(backend: Backend, seal: Seal, dropped: Collection[str], when: datetime) -> Garbage:
    """Return what nothing would lead to without some snapshots; only looks.

    `when` (UTC) is about what the place's clock says.

    Raises:
        JunmaiError: the store can't be read.
    """
    found = survey(backend, seal)
    if found.problems:
        return Garbage(problems=tuple(found.problems))
    objects = _objects(backend)
    dead, _locked = _dead(backend, seal, objects, found.alive(dropped), when)
    if dead and not found.finals:
        return Garbage(problems=(_no_manifest(backend, len(dead)),))
    return Garbage({name: objects[name].size for name in sorted(dead)})


def tidy(backend: Backend) -> datetime:
    """Expire what was pending for too long; remove tombstones and marks that have had their time.

    Returns the time in UTC by the place's clock.

    Raises:
        JunmaiError: the store can't be read or written.
    """
    now = time_of(backend)
    for pending, expired in ((PENDING, EXPIRED), (PENDING_MAPS, EXPIRED_MAPS)):
        for found in backend.list(pending):
            if now - found.modified > STALE:
                _expire(backend, found, f"{expired}{found.name.removeprefix(pending)}")
        # After the pendings: one that is still there gets a tombstone that is young.
        for found in backend.list(expired):
            if now - found.modified > COPYING:
                let_go(backend, found.name)
    for found in backend.list(CLOCKS):
        if now - found.modified > YOUNG:
            let_go(backend, found.name)
    let_trials_go(backend)
    _sweep_marks(backend, now)
    return now


def collect(backend: Backend, seal: Seal, *, emptied: bool = False) -> Collected:
    """Delete the packs and maps that nothing leads to; return what became of them.

    It may be interrupted at any step, and several may be at it. Where there is no manifest at all,
    something may hide them all, and nothing is deleted; unless the caller says that it has
    `emptied` the store itself, of snapshots that were there.

    Raises:
        JunmaiError: the store can't be read or written; marks may stay, for another pruner to
            remove once what they mark is gone.
    """
    now = time_of(backend)
    found = survey(backend, seal)
    if found.problems:
        return Collected(problems=tuple(found.problems))
    objects = _objects(backend)
    dead, locked = _dead(backend, seal, objects, found.alive(), now)
    if not dead:
        return Collected(locked=locked)
    if not found.finals and not emptied:
        return Collected(locked=locked, problems=(_no_manifest(backend, len(dead)),))
    me = str(uuid4())
    marks = [mark_object(me, name) for name in sorted(dead)]
    with ThreadPoolExecutor(FETCHES) as pool:
        _each(pool.map(lambda mark: backend.put(mark, b""), marks))
    again = survey(backend, seal)
    kept = [*locked]
    deleted: dict[str, int] = {}
    if not again.finals and not emptied:
        again.problems.append(_no_manifest(backend, len(dead)))
    if not again.problems:
        gone, retained = _delete(backend, seal, dead - again.alive())
        kept += retained
        deleted = {name: objects[name].size for name in gone}
    # Only now, and not where an error came between: a deletion may then still be under way.
    with ThreadPoolExecutor(FETCHES) as pool:
        _each(pool.map(lambda mark: let_go(backend, mark), marks))
    return Collected(deleted, tuple(kept), tuple(again.problems))


def unreachable(objects: Objects, alive: Collection[str], before: datetime) -> set[str]:
    """Return the objects that nothing leads to and that were last put before a time. Pure."""
    return {
        name for name, found in objects.items() if name not in alive and found.modified < before
    }


def _dead(
    backend: Backend, seal: Seal, objects: Objects, alive: set[str], now: datetime
) -> tuple[set[str], tuple[Locked, ...]]:
    """What may be deleted, and what a lock keeps although nothing leads to it."""
    before = now - YOUNG
    young = {name for name, each in objects.items() if each.modified >= before} - alive
    alive = alive | _with_what_it_leads_to(backend, seal, young)
    dead = unreachable(objects, alive, before)
    locked = _locked(backend, dead, now) if backend.capabilities().object_lock else ()
    if locked:
        dead -= _with_what_it_leads_to(backend, seal, {each.name for each in locked})
    return dead, locked


def _no_manifest(backend: Backend, count: int) -> IntegrityError:
    return IntegrityError(
        f"{backend.url} has {count:,} packs and maps, but not one manifest that leads to any",
        "Find out where its snapshots/ went; `junmai-svc copy` brings back what another store has."
        " If there never was one, the next backup ends this.",
    )


def _with_what_it_leads_to(backend: Backend, seal: Seal, names: Iterable[str]) -> set[str]:
    """Some objects that stay, with all that the maps among them lead to."""
    waiting = [name for name in names if name.startswith(MAPS)]
    maps: dict[str, Leads] = {}
    while waiting:
        name = waiting.pop().removeprefix(MAPS)
        if name in maps:
            continue
        maps[name] = Leads()
        # Nobody can restore by a map that is damaged or gone.
        with suppress(NotFoundError, IntegrityError):
            maps[name] = read_leads(backend, seal, name)
        waiting += [f"{MAPS}{maps[name].base}"] if maps[name].base else []
    return {*names} | led_to(maps, (), maps)


def _locked(backend: Backend, names: Collection[str], now: datetime) -> tuple[Locked, ...]:
    def look(name: str) -> Locked | None:
        try:
            found = backend.stat(name)
        except NotFoundError:
            return None
        until = found.retain_until
        if found.held:
            return Locked(name, None)
        return Locked(name, until) if until is not None and until > now else None

    with ThreadPoolExecutor(FETCHES) as pool:
        return tuple(each for each in pool.map(look, sorted(names)) if each is not None)


def _delete(backend: Backend, seal: Seal, dead: set[str]) -> tuple[list[str], list[Locked]]:
    """Delete objects, maps before what they lead to: one that turns out to be locked keeps it."""
    deleted: list[str] = []
    locked: list[Locked] = []
    stays: set[str] = set()
    # Maps that build on others first.
    maps = {name for name in dead if name.startswith(MAPS)}
    bases = maps & _bases(backend, seal, maps)
    for group in (maps - bases, bases, dead - maps):
        for name in sorted(group - stays):
            try:
                backend.delete(name)
            except RetainedError as problem:
                locked.append(Locked(name, problem.retain_until))
                stays |= _with_what_it_leads_to(backend, seal, {name})
            else:
                deleted.append(name)
    return deleted, locked


def _bases(backend: Backend, seal: Seal, maps: Iterable[str]) -> set[str]:
    found = set()
    for name in maps:
        with suppress(NotFoundError, IntegrityError):
            base = read_leads(backend, seal, name.removeprefix(MAPS)).base
            found |= {f"{MAPS}{base}"} if base else set()
    return found


def _expire(backend: Backend, found: Stat, tombstone: str) -> None:
    """Put a tombstone in the place of a pending, with the same content, so it protects the same."""
    try:
        content = backend.get(found.name, LARGEST_MAP)
    except NotFoundError:
        return
    # A tombstone of something else still has its time to stand.
    with suppress(NotFoundError):
        if backend.get(tombstone, LARGEST_MAP) != content:
            return
    # Put anew where it is there: its hour begins when the pending goes.
    backend.put(tombstone, content)
    with suppress(NotFoundError):
        if backend.stat(found.name).modified == found.modified:
            let_go(backend, found.name)


def _sweep_marks(backend: Backend, now: datetime) -> None:
    """Remove the marks of anybody whose object is gone.

    A mark whose object is there stays, however old it is: its pruner may only have paused, after it
    decided and before it deletes, and the mark is what keeps writers from using the object. That
    another prune deletes the object under its own mark is what ends it. As a pack's name never
    comes back, its mark is of no use then; a map may be put again by whoever is just rewriting
    packs, so its mark has to be old as well.
    """
    marks = list(backend.list(MARKS))
    if not marks:
        return
    there = {each.name for kind in (PACKS, MAPS) for each in backend.list(kind)}
    for mark in marks:
        name = mark.name.removeprefix(MARKS).partition("/")[2]
        if name not in there and (name.startswith(PACKS) or now - mark.modified > GONE):
            let_go(backend, mark.name)


def _objects(backend: Backend) -> dict[str, Stat]:
    return {each.name: each for kind in (MAPS, PACKS) for each in backend.list(kind)}


def _each(done: Iterator[object]) -> None:
    """Wait for all, and raise what one of them raised."""
    for _ in done:
        pass
