"""Memory that a job has used and freed, given back to the system.

glibc keeps what lies between pieces that are still in use, so that a process that lives for years
would keep the size of its largest job, and a little more for each one; malloc_trim(3) gives it back
in a millisecond. Elsewhere the system's own allocator does so.
"""

import ctypes
import sys
from functools import cache


def give_back() -> None:
    """Give freed memory back to the system, where there is a call for that."""
    trim = _trim()
    if trim is not None:
        trim(0)


@cache
def _trim() -> "ctypes._FuncPointer | None":
    if sys.platform != "linux":
        return None
    found: ctypes._FuncPointer | None = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return found  # musl has none
