"""Who is told what, out of how it goes with each subject; see `service.notify.notices` for when.

Notices are gathered for a moment, so that many that fail together make one message.
"""

import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from junmai_svc.service.daemon.jobs import Job
from junmai_svc.service.logs import log
from junmai_svc.service.notify.notices import (
    REMIND,
    Notice,
    Standing,
    Trouble,
    after_success,
    after_trouble,
    as_message,
)
from junmai_svc.service.notify.sending import Ping

RECOVERED = "All is well again."


class Crier:
    """Keeps the standing of every subject; shared by the daemon's threads.

    `standings` are those that the daemon before this one left.
    """

    def __init__(
        self,
        tell: Callable[[str, str], None],
        ping: Callable[[Ping], None],
        remind: timedelta = REMIND,
        standings: Mapping[str, Standing] | None = None,
    ) -> None:
        self.remind = remind
        self._tell, self._ping = tell, ping
        self._standings = dict(standings or {})
        self._waiting: list[Notice] = []
        self._lock = threading.Lock()

    def began(self, job: Job) -> None:
        """Ping that backups begin."""
        if job.kind == "backup":
            self._ping("start")

    def went_well(self, subject: str, now: datetime) -> None:
        """Take note that it went well."""
        with self._lock:
            standing = self._standings.get(subject, Standing())
            self._keep(subject, *after_success(standing, subject, RECOVERED, now))

    def went_wrong(self, subject: str, trouble: Trouble, text: str, now: datetime) -> None:
        """Take note that it went wrong or is overdue."""
        with self._lock:
            standing = self._standings.get(subject, Standing())
            self._keep(subject, *after_trouble(standing, subject, trouble, text, now, self.remind))

    def ended(self, job: Job, *, settled: bool) -> None:
        """Ping that all backups are well, or that one is not: one address stands for them all.

        A job that is not `settled`, as it is soon tried again, says neither.
        """
        if job.kind == "backup" and settled:
            with self._lock:
                wrong = any(each.trouble is not None for each in self._standings.values())
            self._ping("fail" if wrong else "success")

    def forget_others(self, subjects: set[str]) -> None:
        """Forget the subjects that are configured no more."""
        with self._lock:
            self._standings = {k: v for k, v in self._standings.items() if k in subjects}

    def standings(self) -> dict[str, Standing]:
        """Return the standings in which people have heard anything, or something is wrong."""
        with self._lock:
            return {k: v for k, v in self._standings.items() if v != Standing()}

    def flush(self) -> None:
        """Send what has gathered, in one message."""
        with self._lock:
            notices, self._waiting = self._waiting, []
        if notices:
            self._tell(*as_message(notices))

    def _keep(self, subject: str, standing: Standing, notice: Notice | None) -> None:
        self._standings[subject] = standing
        if notice is not None:
            log().info("notice", subject=subject, state=notice.state, text=notice.text)
            self._waiting.append(notice)
