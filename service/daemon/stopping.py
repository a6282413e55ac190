"""The orderly stop of the daemon: a flag that jobs see at safe points, raised by the first signal.

Handlers run in the main thread while jobs run in others, so the handler only leaves a note. A job
sees it where its progress is told (`Stoppable`), and a long SQLite statement in its progress
handler; both end the use case as any error would, with everything staged removed.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from junmai_svc.service.progress import Tick, Unit
from junmai_svc.storage import interruption
from junmai_svc.storage.errors import InterruptedRunError


class Stop:
    """Whether the daemon was asked to stop, by which signal, and whether to read its files anew.

    Attributes are only assigned and read, which no signal can tear.
    """

    def __init__(self) -> None:
        self.signum: int | None = None
        self.hung_up = False

    def check(self) -> None:
        """Do nothing as long as nobody asked.

        Raises:
            InterruptedRunError: somebody did.
        """
        if self.signum is not None:
            raise InterruptedRunError(self.signum)


class Stoppable:
    """Progress that shows nothing: each step and each advance of one is a point to stop at."""

    def __init__(self, stop: Stop) -> None:
        self._stop = stop

    @contextmanager
    def step(self, label: str, total: int, unit: Unit) -> Iterator[Tick | None]:
        """Yield what to call with each advance.

        Raises:
            InterruptedRunError: the daemon is to stop.
        """
        del label, total, unit
        self._stop.check()
        thread = threading.get_ident()

        def tick(_amount: int) -> None:
            # A watcher beside the step may call this too; it has nothing to end.
            if threading.get_ident() == thread:
                self._stop.check()

        yield tick


@contextmanager
def listening(stop: Stop, at_once: Callable[[int], None] | None = None) -> Iterator[None]:
    """Note the signals that ask the daemon to stop, or to read its configuration again.

    The first SIGINT, SIGTERM or (Windows) SIGBREAK asks; the second one ends the process at once,
    as power loss would: the next start closes what is open. SIGHUP asks for the configuration.
    """
    end = at_once or _end

    def ask(signum: int, _frame: FrameType | None) -> None:
        if stop.signum is not None:
            end(signum)
            return
        stop.signum = signum
        interruption.remember(signum)

    def hang_up(_signum: int, _frame: FrameType | None) -> None:
        stop.hung_up = True

    asked = [signal.SIGINT, signal.SIGTERM]
    asked += [getattr(signal, name) for name in ("SIGBREAK",) if hasattr(signal, name)]
    before = {number: signal.signal(number, ask) for number in asked}
    if sys.platform != "win32":
        before[signal.SIGHUP] = signal.signal(signal.SIGHUP, hang_up)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        interruption.remember(None)


def _end(signum: int) -> None:
    os._exit(128 + signum)
