"""A daemon in simulated time: APScheduler's own decisions, on a clock that jumps between them.

Nothing is replaced but the clock (by time-machine), the threads and the waiting between two looks.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import time_machine
from apscheduler.executors.base import BaseExecutor, run_job
from apscheduler.schedulers.base import BaseScheduler

from junmai_svc.service.context import now
from junmai_svc.service.daemon.job_memory import Memory
from junmai_svc.service.daemon.jobs import Job
from junmai_svc.service.daemon.scheduler import Daemon
from junmai_svc.service.daemon.stopping import Stop
from junmai_svc.service.notify.notices import Cause, Trouble

LOOK = timedelta(seconds=30)


class InTurn(BaseExecutor):  # type: ignore[misc]  # APScheduler has no types
    """Runs what was submitted when it is told to, in the caller's thread."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting: list[tuple[Any, Any]] = []

    def _do_submit_job(self, job: Any, run_times: Any) -> None:
        self._waiting.append((job, run_times))

    def run(self) -> None:
        """Run all that waits."""
        waiting, self._waiting = self._waiting, []
        for job, run_times in waiting:
            self._run_job_success(job.id, run_job(job, "default", run_times, self._logger.name))


class Stepped(BaseScheduler):  # type: ignore[misc]  # APScheduler has no types
    """A scheduler without a thread: it looks for what is due when it is told to."""

    def wakeup(self) -> None:
        """Need no waking."""

    def shutdown(self, wait: bool = True) -> None:
        """End it."""
        super().shutdown(wait)

    def process(self) -> float | None:
        """Submit what is due and return the seconds until something is."""
        return self._process_jobs()  # type: ignore[no-any-return]


@dataclass
class Heard:
    """Keeps what the daemon said."""

    events: list[tuple[datetime, str, dict[str, Any]]] = field(default_factory=list)
    well: list[tuple[datetime, str]] = field(default_factory=list)
    wrong: list[tuple[datetime, str, Trouble, str]] = field(default_factory=list)

    def record(self, name: str, data: Any) -> None:
        """Hear of an event."""
        self.events.append((now(), name, dict(data)))

    def began(self, job: Job) -> None:
        """Hear that a job begins."""
        del job

    def went_well(self, subject: str, when: datetime) -> None:
        """Hear of a success."""
        self.well.append((when, subject))

    def went_wrong(
        self,
        subject: str,
        trouble: Trouble,
        text: str,
        when: datetime,
        cause: Cause = Cause.OTHER,
    ) -> None:
        """Hear of a trouble."""
        del cause
        self.wrong.append((when, subject, trouble, text))

    def ended(self, job: Job, *, settled: bool) -> None:
        """Hear that a job ended."""
        del job, settled

    def total(self, name: str, job: str | None = None) -> int:
        """Return how many due times events of that name speak of."""
        return sum(
            int(data.get("count", 1))
            for _, what, data in self.events
            if what == name and job in {None, data["job"]}
        )


class World:
    """A machine with a clock that can be set, sleep and run on; times are UTC."""

    def __init__(self, traveller: time_machine.Traveller, heard: Any | None = None) -> None:
        self._traveller = traveller
        self.heard = heard if heard is not None else Heard()
        self.started = now()
        self.boot(Memory(self.started))

    def boot(self, memory: Memory) -> None:
        """Start a daemon that has that memory, as a process does."""
        self.memory = memory
        self._executor = InTurn()
        self.scheduler = Stepped(timezone=UTC, executors={"default": self._executor})
        self.stop = Stop()
        self.daemon = Daemon(
            self.scheduler, self.stop, self.heard.record, self.heard, now, memory, lambda: 0.5
        )

    def run(self, length: timedelta, each: Callable[[], None] | None = None) -> None:
        """Let time go on: from one due time, or look round, to the next."""
        until = now() + length
        looked = now()
        while True:
            wait = self.scheduler.process()
            self._executor.run()
            if now() - looked >= LOOK:
                looked = now()
                self.daemon.look_round()
                if each is not None:
                    each()
            # The wait that was computed before the jobs ran may be too long for a retry.
            wait = self.scheduler.process() if wait is None or wait > 0 else wait
            self._executor.run()
            step = LOOK if wait is None else min(LOOK, timedelta(seconds=max(wait, 0.001)))
            if now() + step > until:
                self.set(until)
                return
            self.set(now() + step)

    def set(self, when: datetime) -> None:
        """Set the clock."""
        self._traveller.move_to(when, tick=False)

    def sleep(self, length: timedelta) -> None:
        """Let the clock run on while nothing else does."""
        self.set(now() + length)
