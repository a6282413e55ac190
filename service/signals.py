"""SIGINT and SIGTERM become InterruptedRunError, wherever the run is.

Between bytecodes the handler raises; inside a long SQLite statement it can't, so it is remembered
for the progress handler, which ends the statement (`storage.interruption`). Where only
all or nothing leaves things as they should be, the signal waits (`unbroken`); and once the new
database is being switched in, it comes too late (`ignore_from_here`). What the next command makes
good is only cut short (`abandonable`).
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from junmai_svc.storage import interruption
from junmai_svc.storage.errors import InterruptedRunError


@dataclass
class _State(threading.local):
    """`unbroken` counts the blocks that a signal has to wait for, `waiting` is one that waits.

    Handlers run in the main thread, so each thread has a state of its own: a block in another one
    makes nothing wait.
    """

    unbroken: int = 0
    waiting: int | None = None
    too_late: bool = False


_state = _State()


@contextmanager
def interruptible() -> Iterator[None]:
    """Handle the signals that ask a run to stop, for the length of the block.

    Only the first one raises: what follows is cleaning up, which a second one must not tear.

    Raises:
        InterruptedRunError: a signal arrived.
    """
    asked = [signal.SIGINT, signal.SIGTERM]
    asked += [getattr(signal, name) for name in ("SIGBREAK",) if hasattr(signal, name)]

    def stop(signum: int, _frame: FrameType | None) -> None:
        if _state.too_late or interruption.received() is not None:
            return
        interruption.remember(signum)
        if _state.unbroken:
            _state.waiting = signum
        else:
            raise InterruptedRunError(signum)

    _state.waiting, _state.too_late = None, False
    before = {number: signal.signal(number, stop) for number in asked}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        interruption.remember(None)
        _state.waiting, _state.too_late = None, False


@contextmanager
def unbroken() -> Iterator[None]:
    """Let a signal wait until the block, a short one, has come to its end.

    Raises:
        InterruptedRunError: a signal arrived meanwhile; what the block did is done.
    """
    _state.unbroken += 1
    try:
        yield
    finally:
        _state.unbroken -= 1
    if _state.waiting is not None and not _state.unbroken:
        signum, _state.waiting = _state.waiting, None
        raise InterruptedRunError(signum)


@dataclass
class Abandonable:
    """A block that a signal may end; `signum` says which one did."""

    signum: int | None = None


@contextmanager
def abandonable() -> Iterator[Abandonable]:
    """Let a signal end the block and nothing else: what comes after it is the very end of the run.

    For what may take long although the run is done, and which the next run makes good. A signal
    ends it even where it would come too late for the run.
    """
    this = Abandonable()
    before, _state.too_late = _state.too_late, False
    try:
        yield this
    except InterruptedRunError as error:
        this.signum = error.signum
        # In another thread it is not ours to forget: the daemon's others have to see it too.
        if threading.current_thread() is threading.main_thread():
            interruption.remember(None)
    finally:
        _state.too_late = before or this.signum is not None


def ignore_from_here() -> None:
    """Ignore signals for the rest of the run: what it does next is quick and is the very end."""
    _state.too_late = True
