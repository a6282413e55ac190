"""Messages on their way: whatever becomes of one, it never stops or delays a backup.

They are sent from a thread of their own, each within a bounded time. A message that can't be
delivered is kept and tried again, less and less often; a ping is not, as the next one says more.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from junmai_svc.service.context import now
from junmai_svc.service.logs import log
from junmai_svc.service.notify.beside import send_beside
from junmai_svc.service.notify.sending import Addresses, Ping, ping
from junmai_svc.storage.errors import JunmaiError

WAITING_MOST = 100
FIRST_RETRY_SECONDS = 30.0
LONGEST_RETRY_SECONDS = 900.0

Message = tuple[str, str]  # title and text


@dataclass(frozen=True)
class Undelivered:
    """Since when messages can't be delivered, and why; the last try said so."""

    since: datetime
    problem: str


class Messenger:
    """Sends in a thread of its own what the daemon has to say; what can't be sent is logged.

    `unsent` are messages that the daemon before this one did not get to deliver.
    """

    def __init__(self, addresses: Addresses, unsent: Iterable[Message] = ()) -> None:
        self._addresses = addresses
        self._messages: deque[Message] = deque(maxlen=WAITING_MOST)
        self._pings: deque[Ping] = deque()
        self._undelivered: Undelivered | None = None
        self._failures = 0
        self._not_before = 0.0
        self._busy = self._closed = False
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        for title, text in unsent:
            self.tell(title, text)

    def replace(self, addresses: Addresses) -> None:
        """Send to these from now on, and what waits at once."""
        with self._changed:
            self._addresses, self._not_before = addresses, 0.0
            if not addresses.urls:
                self._messages.clear()
                self._undelivered = None
            self._changed.notify_all()

    def tell(self, title: str, text: str) -> None:
        """Send a message to people, soon."""
        if not self._addresses.urls:
            return
        with self._changed:
            if len(self._messages) == WAITING_MOST:  # the oldest goes
                log().warning("message.dropped", waiting=WAITING_MOST)
            self._messages.append((title, text))
            self._wake()

    def ping(self, kind: Ping) -> None:
        """Ping the watching service, soon."""
        if not self._addresses.ping:
            return
        with self._changed:
            if len(self._pings) >= WAITING_MOST:
                log().warning("message.dropped", waiting=WAITING_MOST)
                return
            self._pings.append(kind)
            self._wake()

    def unsent(self) -> list[Message]:
        """Return the messages that were not delivered yet, oldest first."""
        with self._changed:
            return list(self._messages)

    def undelivered(self) -> Undelivered | None:
        """Return since when messages can't be delivered; None where the last one was."""
        with self._changed:
            return self._undelivered

    def close(self, seconds: float) -> None:
        """Send what waits, for so long at most."""
        if self._thread is None:
            return
        deadline = time.monotonic() + seconds
        with self._changed:
            self._changed.wait_for(lambda: not self._busy and self._next() is None, seconds)
            self._closed = True
            self._changed.notify_all()
        self._thread.join(max(0.0, deadline - time.monotonic()))

    def _wake(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="messages", daemon=True)
            self._thread.start()
        self._changed.notify_all()

    def _next(self) -> Callable[[], None] | None:
        """What is to be sent now; pings first, as they take less time and mean less later."""
        if self._pings:
            return self._ping
        if self._messages and time.monotonic() >= self._not_before:
            return self._message
        return None

    def _work(self) -> None:
        while True:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                while not self._closed and self._next() is None:
                    wait = self._not_before - time.monotonic() if self._messages else None
                    self._changed.wait(max(0.01, wait) if wait is not None else None)
                act = self._next()
                if self._closed or act is None:
                    return
                self._busy = True
            act()

    def _ping(self) -> None:
        with self._changed:
            kind, url = self._pings.popleft(), self._addresses.ping
        if url:
            _problem_of(lambda: ping(url, kind))

    def _message(self) -> None:
        with self._changed:
            if not self._messages:
                return
            message, urls = self._messages[0], self._addresses.urls
        problem = _problem_of(lambda: send_beside(urls, *message))
        with self._changed:
            if problem is None:
                if self._messages and self._messages[0] is message:
                    self._messages.popleft()
                self._undelivered, self._failures, self._not_before = None, 0, 0.0
                return
            since = self._undelivered.since if self._undelivered else now()
            self._undelivered = Undelivered(since, problem)
            wait = min(FIRST_RETRY_SECONDS * 2**self._failures, LONGEST_RETRY_SECONDS)
            self._failures = min(self._failures + 1, 10)
            if urls == self._addresses.urls:  # other ones are tried at once
                self._not_before = time.monotonic() + wait


def _problem_of(act: Callable[[], None]) -> str | None:
    """Do it and return what went wrong, which is logged, or None."""
    try:
        act()
    except JunmaiError as problem:
        text = problem.message
    except Exception as error:  # noqa: BLE001  # of a library that is not ours
        # Its text and its traceback may hold an address.
        text = type(error).__name__
    else:
        return None
    log().warning("message.failed", problem=text)
    return text
