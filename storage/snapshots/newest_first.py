"""Snapshots newest first, of which only so many manifests are read as somebody asks for.

The time in a name says when its manifest is read; where they differ the manifest decides, as long
as it was read. So one whose name is too old may come late, and never hides another.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from junmai_svc.storage.snapshots.base import Snapshot
from junmai_svc.storage.snapshots.manifest import NAME, STAMP

READERS = 8
_MOST_AT_ONCE = 64
_SECOND = timedelta(seconds=1)
# Of a name without a time: it is read first, as anything may be in it.
_UNKNOWN = datetime(9999, 1, 1, tzinfo=UTC)

Read = Callable[[str], Snapshot | None]


def newest_first(
    names: Iterable[str], read: Read, at: datetime | None = None
) -> Iterator[Snapshot]:
    """Yield the snapshots of these names, newest first; `read` gives None for what is none.

    Those whose names tell a later time than `at` (UTC) come after all others. The stem in a name
    says nothing: a database may have been backed up by a link of another name. `read` is called by
    several threads.
    """
    wanted: list[tuple[datetime, str]] = []
    others: list[tuple[datetime, str]] = []
    for name in names:
        time = _time_in(name)
        early = at is None or time is None or time <= at
        (wanted if early else others).append((time or _UNKNOWN, name))
    with ThreadPoolExecutor(READERS) as pool:
        for group in (wanted, others):
            yield from _in_order(sorted(group, reverse=True), read, pool)


def _in_order(
    names: Sequence[tuple[datetime, str]], read: Read, pool: ThreadPoolExecutor
) -> Iterator[Snapshot]:
    held: list[Snapshot] = []
    begin, count = 0, 1
    while begin < len(names):
        batch = [name for _time, name in names[begin : begin + count]]
        begin, count = begin + count, min(2 * count, _MOST_AT_ONCE)
        held += [each for each in pool.map(read, batch) if each is not None]
        held.sort(key=lambda each: (each.manifest.taken, each.name))
        # All that is still to be read was taken in this second or before.
        until = names[begin][0] + _SECOND if begin < len(names) else None
        while held and (until is None or held[-1].manifest.taken >= until):
            yield held.pop()


def _time_in(name: str) -> datetime | None:
    """The time that a name tells, if it does."""
    found = NAME.fullmatch(name)
    if found is None:
        return None
    try:
        return datetime.strptime(found["stamp"], STAMP).replace(tzinfo=UTC)
    except ValueError:
        return None
