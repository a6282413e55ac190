"""SIGINT and SIGTERM become InterruptedRunError, wherever the run is.

Between bytecodes the handler raises; inside a long SQLite statement it can't, so it is remembered
for the progress handler, which ends the statement (`storage.databases.interruption`).
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from junmai_svc.storage.databases import interruption
from junmai_svc.storage.errors import InterruptedRunError


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
        if interruption.received() is None:
            interruption.remember(signum)
            raise InterruptedRunError(signum)

    before = {number: signal.signal(number, stop) for number in asked}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        interruption.remember(None)
