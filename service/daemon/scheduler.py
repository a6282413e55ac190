"""The daemon's heart: jobs on their schedules, through APScheduler, and what becomes of each time.

Every due time is accounted for: its job is done, or failed, missed or skipped, which the journal
says. Jobs live in memory and are built from the configuration, so two schedulers can never share
them. All times are in UTC.
"""

import random
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from apscheduler.events import (
    EVENT_JOB_MAX_INSTANCES,
    EVENT_JOB_MISSED,
    EVENT_JOB_SUBMITTED,
    JobEvent,
)
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.schedulers.base import BaseScheduler
from apscheduler.triggers.base import BaseTrigger

from junmai_svc.service.daemon.job_memory import JobOutcome, Memory
from junmai_svc.service.daemon.job_policy import (
    TOLD_AFTER,
    Recurring,
    first_run,
    is_passing,
    may_be_down,
    missed_between,
    overdue_at,
    problem_of,
    retry_after,
)
from junmai_svc.service.daemon.jobs import Job, Outcome, Part, run_parts
from junmai_svc.service.daemon.stopping import Stop
from junmai_svc.service.logs import log
from junmai_svc.service.notify.notices import Cause, Trouble

# More than one, so that a store that does not answer keeps nobody else waiting.
WORKERS = 4
MISFIRE_SECONDS = 3_600
# A wake-up that is so late was slept through: the system's timers stand still meanwhile.
OVERSLEPT = timedelta(seconds=2)
HELD_UP = "the one before was still running"

Record = Callable[[str, Mapping[str, Any]], None]


class Teller(Protocol):
    """Who hears how it went with each subject."""

    def began(self, job: Job) -> None:
        """Hear that a job begins."""

    def went_well(self, subject: str, now: datetime) -> None:
        """Hear that it went well."""

    def went_wrong(
        self,
        subject: str,
        trouble: Trouble,
        text: str,
        now: datetime,
        cause: Cause = Cause.OTHER,
    ) -> None:
        """Hear that it went wrong, and why, or is overdue."""

    def ended(self, job: Job, *, settled: bool) -> None:
        """Hear that a job ended, after its subjects; not settled: it is soon tried again."""


class ScheduleTrigger(BaseTrigger):  # type: ignore[misc]  # APScheduler has no types
    """A schedule as APScheduler asks for it: always the next time from now on.

    What lies between is counted by us; APScheduler would walk through it one by one.
    """

    def __init__(self, schedule: Recurring) -> None:
        self._schedule = schedule

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        """Return the first due time after both."""
        after = now if previous_fire_time is None else max(previous_fire_time, now)
        return self._schedule.next_after(after.astimezone(UTC))


def background_scheduler() -> BaseScheduler:
    """Return a scheduler that runs jobs in a few threads of this process."""
    return BackgroundScheduler(timezone=UTC, executors={"default": ThreadPoolExecutor(WORKERS)})


@dataclass
class _Course:
    """How it goes with one job: the parts to be tried again, at `again_at` and after so many tries.

    `skipped` counts the due times since `skipped_since` at which it was still running.
    """

    job: Job
    again: tuple[Part, ...] = ()
    again_at: datetime | None = None
    tries: int = 0
    running: bool = False
    skipped: int = 0
    skipped_since: datetime | None = None


@dataclass
class Daemon:
    """The jobs and the scheduler that runs them.

    `record` writes an event into the daemon's own stream; `memory` holds when each subject went
    well last, as far as anybody knows; `store_is_down` looks whether a store is there at all.
    """

    scheduler: BaseScheduler
    stop: Stop
    record: Record
    teller: Teller
    clock: Callable[[], datetime]
    memory: Memory
    jitter: Callable[[], float] = random.random
    store_is_down: Callable[[str], bool] = lambda _store: False
    _courses: dict[str, _Course] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def start(self, jobs: Iterable[Job]) -> None:
        """Begin to run jobs on their schedules; what is due by now runs at once."""
        self.scheduler.add_listener(self._submitted, EVENT_JOB_SUBMITTED)
        self.scheduler.add_listener(self._missed, EVENT_JOB_MISSED)
        self.scheduler.add_listener(self._held_up, EVENT_JOB_MAX_INSTANCES)
        self.scheduler.start(paused=True)
        for job, since, now in self.replace(jobs):
            self._record_missed(job, since, now, "nobody was there")
        self.scheduler.resume()

    def replace(self, jobs: Iterable[Job]) -> list[tuple[Job, datetime, datetime]]:
        """Run these jobs from now on; what is running goes on to its end.

        Returned are those that are late, since when, and now.
        """
        now = self.clock()
        late = []
        with self._lock:
            self.scheduler.remove_all_jobs()
            before, self._courses = self._courses, {}
            for job in jobs:
                course = before.get(job.id, _Course(job))
                course.job, course.again, course.again_at, course.tries = job, (), None, 0
                self._courses[job.id] = course
                last = self.memory.waiting_since(job, now)
                due = first_run(job.schedule, last, now)
                if last is not None and due <= now:
                    late.append((job, last, now))
                self._add(job, due)
        return late

    def _add(self, job: Job, due: datetime) -> None:
        self.scheduler.add_job(
            self._run,
            ScheduleTrigger(job.schedule),
            args=(job.id,),
            id=job.id,
            name=job.id,
            next_run_time=due,
            misfire_grace_time=MISFIRE_SECONDS,
            coalesce=True,
            max_instances=1,
        )

    def close(self, seconds: float, sleep: Callable[[float], None]) -> bool:
        """Take no more work, wait for what is running, and tell whether it all ended in time."""
        if self.scheduler.running:
            self.scheduler.shutdown(wait=False)
        waited = 0.0
        while (busy := self.running()) and waited < seconds:
            sleep(0.05)
            waited += 0.05
        return not busy

    def running(self) -> list[str]:
        """Return the ids of the jobs that are running."""
        with self._lock:
            return [id_ for id_, course in self._courses.items() if course.running]

    def look_round(self) -> None:
        """Mend what a sleep or a changed clock left, and tell what is overdue."""
        now = self.clock()
        overslept = False
        for course in self._all():
            planned = self._planned(course.job.id)
            if planned is None:
                continue
            due = course.job.schedule.next_after(now)
            if planned > due:  # the clock went back
                self._plan(course.job.id, due)
            overslept = overslept or now - planned > OVERSLEPT
            if course.job.kind == "backup":
                self._tell_overdue(course.job, now)
        if overslept:
            self.scheduler.wakeup()

    def planned(self) -> dict[str, datetime | None]:
        """Return when each job runs next."""
        return {course.job.id: self._planned(course.job.id) for course in self._all()}

    def jobs(self) -> list[Job]:
        """Return the jobs that are scheduled."""
        return [course.job for course in self._all()]

    def _all(self) -> list[_Course]:
        with self._lock:
            return list(self._courses.values())

    def _planned(self, job_id: str) -> datetime | None:
        found = self.scheduler.get_job(job_id)
        return found.next_run_time if found is not None else None

    def _plan(self, job_id: str, when: datetime) -> None:
        # A configuration that was just read may have taken it away.
        with suppress(JobLookupError):
            self.scheduler.modify_job(job_id, next_run_time=when)

    def _tell_overdue(self, job: Job, now: datetime) -> None:
        started = self.memory.started
        for part in job.parts:
            last = self.memory.succeeded(part.subject)
            if now > overdue_at(job.schedule, last, started, job.overdue_after):
                text = f"There is none since the daemon began, {started:%Y-%m-%d %H:%M} UTC."
                if last is not None:
                    text = f"The last good one is from {last:%Y-%m-%d %H:%M} UTC."
                self.teller.went_wrong(part.subject, Trouble.OVERDUE, text, now)

    def _run(self, job_id: str) -> None:
        """Do a job, in a thread of the scheduler's."""
        now = self.clock()
        with self._lock:
            course = self._courses.get(job_id)
            if course is None or self.stop.signum is not None:
                return
            course.running = True
            job = course.job
            if course.again_at is not None and job.schedule.next_after(course.again_at) <= now:
                # The regular time came meanwhile, as in a sleep: all parts have their turn.
                course.again, course.again_at, course.tries = (), None, 0
            parts = course.again or job.parts
        try:
            self.teller.began(job)
            self._conclude(course, job, run_parts(job, parts))
        finally:
            course.running = False
            settled = not course.again or course.tries == TOLD_AFTER
            self.teller.ended(job, settled=settled and self.stop.signum is None)
            self._record_skipped(course)

    def _conclude(self, course: _Course, job: Job, outcomes: list[Outcome]) -> None:
        """Decide what becomes of each part: done, to be tried again, or failed."""
        if self.stop.signum is not None:
            outcomes = [each for each in outcomes if each.error is None]
        now = self.clock()
        for each in outcomes:
            self.memory.note(job, each, now)
            if each.error is None:
                self.teller.went_well(each.part.subject, now)
        failed = [each for each in outcomes if each.error is not None]
        passing = [each for each in failed if each.error is not None and is_passing(each.error)]
        course.tries += 1
        due = job.schedule.next_after(now) - now
        wait = retry_after(course.tries, due, self.jitter) if passing else None
        # Whoever is still tried after that was told of it.
        last = course.tries == TOLD_AFTER or (wait is None and course.tries < TOLD_AFTER)
        for each in failed:
            if last or each not in passing:
                self._fail(job, each, course.tries, now)
        if wait is None:
            course.again, course.again_at, course.tries = (), None, 0
        else:
            course.again, course.again_at = tuple(each.part for each in passing), now + wait
            log().info("job.again", job=job.id, seconds=round(wait.total_seconds(), 1))
            self._plan(job.id, now + wait)

    def _fail(self, job: Job, outcome: Outcome, tries: int, now: datetime) -> None:
        assert outcome.error is not None  # noqa: S101  # only failures come here
        problem = problem_of(outcome.error)
        self.record(
            "job_failed",
            {
                "job": job.id,
                "subject": outcome.part.subject,
                "error": type(outcome.error).__name__,
                "message": problem,
                "tries": tries,
            },
        )
        cause = self._cause(outcome.part, outcome.error)
        self.teller.went_wrong(outcome.part.subject, Trouble.FAILED, problem, now, cause)

    def _cause(self, part: Part, error: BaseException) -> Cause:
        """Say why a part failed; a store that may be down is looked at."""
        if part.store is not None and may_be_down(error) and self.store_is_down(part.store):
            return Cause.DOWN
        return Cause.PASSING if is_passing(error) else Cause.OTHER

    def _submitted(self, event: JobEvent) -> None:
        """Count the due times that passed while a job waited for its turn."""
        course = self._courses.get(event.job_id)
        if course is not None:
            since = event.scheduled_run_times[0].astimezone(UTC)
            self._record_missed(course.job, since, self.clock(), "it came late")

    def _missed(self, event: JobEvent) -> None:
        """Take at once what came so late that APScheduler gave it up."""
        now = self.clock()
        course = self._courses.get(event.job_id)
        # A second try is no due time; those between it and now were counted by `_submitted`.
        if course is not None and course.again_at is None:
            since = event.scheduled_run_time.astimezone(UTC).isoformat()
            data = {"job": event.job_id, "since": since, "count": 1}
            self.record("jobs_missed", {**data, "reason": "it came too late, and is done now"})
            self.memory.count(course.job, JobOutcome.MISSED)
        self._plan(event.job_id, now)

    def _held_up(self, event: JobEvent) -> None:
        """Count a due time at which the job was still running; told when that ends."""
        with self._lock:
            course = self._courses.get(event.job_id)
            if course is None:
                return
            course.skipped += 1
            if course.skipped_since is None:
                course.skipped_since = event.scheduled_run_times[0].astimezone(UTC)
        self.memory.count(course.job, JobOutcome.OVERLAPPED)

    def _record_skipped(self, course: _Course) -> None:
        with self._lock:
            count, since = course.skipped, course.skipped_since
            course.skipped, course.skipped_since = 0, None
        if since is not None:
            data = {"job": course.job.id, "since": since.isoformat(), "count": count}
            self.record("job_skipped", {**data, "reason": HELD_UP})

    def _record_missed(self, job: Job, since: datetime, now: datetime, reason: str) -> None:
        count = missed_between(job.schedule, since, now)
        if count:
            data = {"job": job.id, "since": since.isoformat(), "count": count, "reason": reason}
            self.record("jobs_missed", data)
            self.memory.count(job, JobOutcome.MISSED, count)
