"""Identifiers that sort by the time of their making (UUID version 7, RFC 9562 section 5.7).

Within one process each is greater than the one before, also within one millisecond and when the
clock goes back (section 6.2, method 2: the random part counts up by a random step).
"""

import secrets
import threading
import time
import uuid

_RANDOM_BITS = 74
_STEP_BITS = 32
_VERSION = 0x7 << 76
_VARIANT = 0b10 << 62

_lock = threading.Lock()
_last = 0


def uuid7() -> str:
    """Return a new identifier in its usual form: 36 lower-case characters."""
    global _last  # noqa: PLW0603  # "greater than the last one" is a promise about the whole process
    fresh = time.time_ns() // 1_000_000 << _RANDOM_BITS | secrets.randbits(_RANDOM_BITS)
    with _lock:
        if fresh >> _RANDOM_BITS <= _last >> _RANDOM_BITS:
            fresh = _last + 1 + secrets.randbits(_STEP_BITS)
        _last = fresh
    return str(uuid.UUID(int=_laid_out(fresh)))


def _laid_out(value: int) -> int:
    """Return 48 bits of time and 74 random ones with the version and variant bits between them."""
    milliseconds, random = value >> _RANDOM_BITS, value & (1 << _RANDOM_BITS) - 1
    return milliseconds << 80 | _VERSION | (random >> 62) << 64 | _VARIANT | random & (1 << 62) - 1
