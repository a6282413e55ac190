"""What the daemon remembers of its jobs: when each subject went well last, and how it goes.

Times of success outlive the process, in a note beside the journal, so that a restart knows what is
due. It is a memory for schedules only: what was really stored is in the stores and in the journal.
"""

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from msgspec import structs

from junmai_svc.service.daemon.job_policy import problem_of
from junmai_svc.service.daemon.jobs import Job, JobKind, Outcome, Part
from junmai_svc.service.daemon.lock import CourseNote, Note


class JobOutcome(StrEnum):
    """How a scheduled job ended, or why it did not begin."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    MISSED = "missed"
    OVERLAPPED = "overlapped"


@dataclass
class Course:
    """How it goes with one part of a job; `failures` counts those since the last success."""

    kind: JobKind
    job: str
    part: Part
    outcome: JobOutcome | None = None
    finished: datetime | None = None
    seconds: float | None = None
    message: str = ""
    failures: int = 0
    counts: Counter[JobOutcome] = field(default_factory=Counter)


class Memory:
    """The memory of one daemon that `started` at a time; shared by its threads."""

    def __init__(self, started: datetime, times: Mapping[str, datetime] | None = None) -> None:
        self.started = started
        self._waiting = dict(times or {})
        self._succeeded: dict[str, datetime] = {}
        self._heard: dict[str, datetime] = {}
        self._courses: dict[str, Course] = {}
        self._lock = threading.Lock()

    def learn(self, subject: str, when: datetime, heard: datetime | None = None) -> bool:
        """Hear from outside that a subject went well at a time, and tell whether that is news.

        It is none where it is older than what is known already. `heard` is now, where the daemon
        was running when it happened.
        """
        with self._lock:
            course = self._courses.get(subject)
            times = [self._succeeded.get(subject), course.finished if course else None]
            if any(known is not None and when <= known for known in times):
                return False
            self._succeeded[subject] = when
            if heard is not None:
                self._heard[subject] = heard
            return True

    def note(self, job: Job, outcome: Outcome, now: datetime) -> None:
        """Remember how a part ended."""
        with self._lock:
            course = self._course(job, outcome.part)
            course.finished, course.seconds = now, outcome.seconds
            self._heard[outcome.part.subject] = now
            if outcome.error is None:
                course.outcome, course.message, course.failures = JobOutcome.SUCCEEDED, "", 0
                self._succeeded[outcome.part.subject] = now
                if job.kind != "backup":
                    self._waiting[outcome.part.subject] = now
            else:
                course.outcome = JobOutcome.FAILED
                course.message = problem_of(outcome.error)
                course.failures += 1
            course.counts[course.outcome] += 1

    def count(self, job: Job, outcome: JobOutcome, number: int = 1) -> None:
        """Remember that a job was not begun so many times."""
        with self._lock:
            for part in job.parts:
                self._course(job, part).counts[outcome] += number

    def succeeded(self, subject: str) -> datetime | None:
        """Return when a subject went well last, None where it never did."""
        with self._lock:
            return self._succeeded.get(subject)

    def heard(self, subject: str) -> datetime | None:
        """Return when this daemon heard last how a subject went, None where it did not."""
        with self._lock:
            return self._heard.get(subject)

    def waiting_since(self, job: Job, now: datetime) -> datetime | None:
        """Return since when a job waits for its next time: the oldest of its parts.

        None for a backup that was never taken. Anything else that was never done waits since it was
        first heard of, so that a new installation does not begin with everything at once, and a
        machine that is off at night still comes to it.
        """
        with self._lock:
            for part in job.parts:
                if job.kind != "backup":
                    self._waiting.setdefault(part.subject, now)
            found = [
                self._succeeded.get(part.subject)
                if job.kind == "backup"
                else self._waiting[part.subject]
                for part in job.parts
            ]
        known = [when for when in found if when is not None]
        return min(known) if known and len(known) == len(found) else None

    def courses(self) -> list[Course]:
        """Return how it goes with each part that was ever due."""
        with self._lock:
            return [replace(each, counts=Counter(each.counts)) for each in self._courses.values()]

    def noted_in(self, note: Note, planned: Mapping[str, datetime | None]) -> Note:
        """Return the note with what is remembered now, and when each job runs next."""
        courses = {each.part.subject: _noted(each) for each in self.courses()}
        with self._lock:
            succeeded = {name: when.isoformat() for name, when in self._succeeded.items()}
            waiting = {name: when.isoformat() for name, when in self._waiting.items()}
        following = {job: when.isoformat() if when else None for job, when in planned.items()}
        return structs.replace(
            note, succeeded=succeeded, waiting=waiting, next=following, courses=courses
        )

    def _course(self, job: Job, part: Part) -> Course:
        return self._courses.setdefault(part.subject, Course(job.kind, job.id, part))


def _noted(course: Course) -> CourseNote:
    return CourseNote(
        job=course.job,
        outcome=course.outcome.value if course.outcome else None,
        finished=course.finished.isoformat() if course.finished else None,
        failures=course.failures,
        message=course.message,
    )
