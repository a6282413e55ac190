"""Messages on their way: whatever becomes of one, it never stops or delays a backup.

They wait in a short queue and are sent from a thread of their own, each within a bounded time.
"""

import queue
import threading
import time
from collections.abc import Callable

from junmai_svc.service.logs import log
from junmai_svc.service.notify.beside import send_beside
from junmai_svc.service.notify.sending import Addresses, Ping, ping
from junmai_svc.storage.errors import JunmaiError

WAITING_MOST = 100


class Messenger:
    """Sends in a thread of its own what the daemon has to say; what can't be sent is logged."""

    def __init__(self, addresses: Addresses) -> None:
        self._addresses = addresses
        self._waiting: queue.Queue[Callable[[], None] | None] = queue.Queue(WAITING_MOST)
        self._thread: threading.Thread | None = None

    def replace(self, addresses: Addresses) -> None:
        """Send to these from now on."""
        self._addresses = addresses

    def tell(self, title: str, text: str) -> None:
        """Send a message to people, soon."""
        if urls := self._addresses.urls:
            self._put(lambda: send_beside(urls, title, text))

    def ping(self, kind: Ping) -> None:
        """Ping the watching service, soon."""
        if url := self._addresses.ping:
            self._put(lambda: ping(url, kind))

    def close(self, seconds: float) -> None:
        """Send what waits, for so long at most."""
        if self._thread is not None:
            deadline = time.monotonic() + seconds
            while not self._waiting.empty() and time.monotonic() < deadline:
                time.sleep(0.02)
            self._put(None)
            self._thread.join(max(0.0, deadline - time.monotonic()))

    def _put(self, act: Callable[[], None] | None) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="messages", daemon=True)
            self._thread.start()
        try:
            self._waiting.put_nowait(act)
        except queue.Full:
            log().warning("message.dropped", waiting=WAITING_MOST)

    def _work(self) -> None:
        while (act := self._waiting.get()) is not None:
            try:
                act()
            except JunmaiError as problem:
                log().warning("message.failed", problem=problem.message)
            except Exception as error:  # noqa: BLE001  # of a library that is not ours
                # Its text and its traceback may hold an address.
                log().warning("message.failed", problem=type(error).__name__)
