"""What a place really honours, found out by trying it: nothing is claimed that was not seen.

Servers that speak S3 answer 200 to conditions and locks that they ignore, so each is judged by what
is there afterwards. Everything is tried on objects of its own below `state/probe/`.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from uuid import uuid4

from junmai_svc.storage.backends.base import Backend, Capabilities, RetainedError
from junmai_svc.storage.errors import AccessDeniedError, UsageError

FOLDER = "state/probe"
LOCK_SECONDS = 6.0

_FIRST, _SECOND = b"first", b"second"


def probe(
    backend: Backend,
    lock_seconds: float = LOCK_SECONDS,
    sleep: Callable[[float], None] = time.sleep,
) -> Capabilities:
    """Return what was seen to be honoured, to be kept and handed to `trusting`.

    Where locks are honoured it takes `lock_seconds`, the life of the one that it tries. On return
    its objects are gone, except where the place locks every object by a rule of its own.

    Raises:
        JunmaiError: as `put`, `get`, `stat` and `delete`; nothing is then known.
    """
    # Locks first: where they are, everything that is put needs a checksum, elsewhere it may harm.
    locking = backend.trusting(Capabilities(object_lock=True))
    locks = locking.capabilities().object_lock and _keeps_the_locked(locking, lock_seconds, sleep)
    versions = _keeps_versions(backend.trusting(Capabilities(object_lock=locks)))
    # A folder that a trial has made by now can say more than one that is not there.
    conditional = backend.trusting(Capabilities(conditional_put=True, object_lock=locks))
    possible = conditional.capabilities()
    return Capabilities(
        conditional_put=possible.conditional_put and _keeps_the_first(conditional),
        atomic_rename=possible.atomic_rename,
        object_lock=locks,
        versioning=versions,
    )


@contextmanager
def _trial(backend: Backend) -> Iterator[str]:
    name = f"{FOLDER}/{uuid4().hex}"
    try:
        yield name
    finally:
        with suppress(RetainedError):
            backend.delete(name)


def _keeps_the_first(backend: Backend) -> bool:
    """Whether the second of two puts of an absent name is told so and changes nothing."""
    with _trial(backend) as name:
        try:
            told = (
                backend.put(name, _FIRST, if_absent=True),
                backend.put(name, _SECOND, if_absent=True),
            )
        except UsageError:  # it refuses the condition
            return False
        return told == (True, False) and backend.get(name, len(_SECOND)) == _FIRST


def _keeps_versions(backend: Backend) -> bool:
    """Whether each of two puts makes a version of its own."""
    with _trial(backend) as name:
        backend.put(name, _FIRST)
        first = backend.stat(name).version
        backend.put(name, _SECOND)
        return first is not None and backend.stat(name).version not in (None, first)


def _keeps_the_locked(backend: Backend, seconds: float, sleep: Callable[[float], None]) -> bool:
    """Whether an object that is put with a lock shows it, and can't be deleted while it lasts."""
    with _trial(backend) as name:
        try:
            backend.put(name, _FIRST)
            # By the clock of the place, as ours may be wrong.
            until = backend.stat(name).modified + timedelta(seconds=seconds)
            begun = time.monotonic()
            backend.put(name, _SECOND, retain_until=until)
        except (UsageError, AccessDeniedError):  # it knows no locks, or we may not set any
            return False
        if backend.stat(name).retain_until is None:
            return False
        try:
            backend.delete(name, despite_retention=True)
        except AccessDeniedError:
            there = backend.get(name, len(_SECOND)) == _SECOND
            # That the lock was the reason, its end must show: `_trial` deletes.
            sleep(max(0.0, begun + seconds + 1 - time.monotonic()))
            return there
        return False
