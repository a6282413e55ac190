"""Giving memory back works here, or does nothing."""

import sys
from pathlib import Path

import pytest

from junmai_svc.service.daemon.heap import give_back


def resident() -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))


def test_it_never_fails() -> None:
    give_back()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_what_was_freed_between_pieces_in_use_goes_back() -> None:
    import ctypes

    libc = ctypes.CDLL(None)
    if not hasattr(libc, "malloc_trim"):
        pytest.skip("this C library has no malloc_trim")
    libc.malloc.restype = ctypes.c_void_p
    libc.free.argtypes = [ctypes.c_void_p]
    size, count = 4_000, 20_000
    pieces = [libc.malloc(size) for _ in range(count)]
    for piece in pieces:
        ctypes.memset(piece, 1, size)
    last = pieces.pop()
    for piece in pieces:
        libc.free(piece)
    before = resident()
    give_back()
    assert before - resident() > size * count / 1024 / 2
    libc.free(last)
