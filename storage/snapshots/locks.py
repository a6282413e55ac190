"""Locks that last: what the newest snapshots need stays locked as long as they do.

An object is locked as it is put, and is needed for longer than that where blocks are shared. So
before a snapshot is published, the locks of all that it needs are extended where less than half of
their time is left. Until when each lasts is remembered on this machine, as asking would cost a
request for each pack with each backup.
"""

from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime

from junmai_svc.storage.backends.base import Backend
from junmai_svc.storage.errors import NotFoundError
from junmai_svc.storage.snapshots.cache import StoreCache

AT_ONCE = 8


def extend_locks(
    backend: Backend,
    cache: StoreCache,
    names: Collection[str],
    until: datetime | None,
    fresh: Collection[str] = (),
) -> None:
    """See to it that objects stay locked for at least half of the time up to `until` (UTC).

    `fresh` are those that were just put with a lock until then. What is gone is passed over. With
    None, and where locks are not honoured, nothing is done.

    Raises:
        JunmaiError: a lock can't be extended.
    """
    now = datetime.now(UTC)
    if until is None or until <= now or not backend.capabilities().object_lock:
        return
    enough = now + (until - now) / 2
    before = {name: end for name, end in cache.locks().items() if end > now}
    known = before | dict.fromkeys(fresh, until)

    def retain(name: str) -> None:
        with suppress(NotFoundError):
            known[name] = backend.retain(name, until, enough=enough)

    short = sorted(name for name in names if known.get(name, now) < enough)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(retain, short))
    if known != before:
        cache.keep_locks(known)
