"""Claims about what the daemon remembers."""

from datetime import UTC, datetime, timedelta

from junmai_svc.service.daemon.job_memory import JobOutcome, Memory
from junmai_svc.service.daemon.jobs import Job, JobKind, Outcome, Part
from junmai_svc.service.daemon.lock import Note
from junmai_svc.service.schedule import parse
from junmai_svc.storage.errors import StorageUnavailableError

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
ONE, OTHER = Part("one"), Part("other")


def job(kind: JobKind) -> Job:
    return Job(kind, kind, parse("every 1h"), (ONE, OTHER))


def failed(part: Part) -> Outcome:
    return Outcome(part, 1.0, StorageUnavailableError("no answer"))


def test_a_backup_that_was_never_taken_everywhere_is_waited_for_by_nobody() -> None:
    memory = Memory(NOON)
    memory.note(job("backup"), Outcome(ONE, 1.0), NOON)
    assert memory.waiting_since(job("backup"), NOON) is None
    memory.note(job("backup"), Outcome(OTHER, 1.0), NOON + HOUR)
    assert memory.waiting_since(job("backup"), NOON + 2 * HOUR) == NOON


def test_anything_else_waits_since_it_was_first_heard_of() -> None:
    memory = Memory(NOON)
    assert memory.waiting_since(job("drill"), NOON) == NOON
    assert memory.waiting_since(job("drill"), NOON + HOUR) == NOON
    for part in (ONE, OTHER):
        memory.note(job("drill"), Outcome(part, 1.0), NOON + HOUR)
    assert memory.waiting_since(job("drill"), NOON + 2 * HOUR) == NOON + HOUR


def test_failures_are_counted_until_it_goes_well() -> None:
    memory = Memory(NOON)
    for hours in range(3):
        memory.note(job("backup"), failed(ONE), NOON + hours * HOUR)
    [course] = memory.courses()
    assert (course.failures, course.outcome) == (3, JobOutcome.FAILED)
    assert "no answer" in course.message
    memory.note(job("backup"), Outcome(ONE, 1.0), NOON + 4 * HOUR)
    [course] = memory.courses()
    assert (course.failures, course.message, course.counts[JobOutcome.FAILED]) == (0, "", 3)


def test_what_was_done_by_hand_is_news_only_where_it_is_newer_than_all_that_is_known() -> None:
    memory = Memory(NOON)
    assert memory.learn("one", NOON)
    assert not memory.learn("one", NOON - HOUR)
    memory.note(job("backup"), failed(ONE), NOON + 2 * HOUR)
    assert not memory.learn("one", NOON + HOUR)
    assert memory.learn("one", NOON + 3 * HOUR)
    assert memory.succeeded("one") == NOON + 3 * HOUR


def test_what_is_remembered_can_be_noted_and_the_courses_handed_out_are_copies() -> None:
    memory = Memory(NOON)
    memory.note(job("backup"), Outcome(ONE, 1.0), NOON)
    memory.courses()[0].counts[JobOutcome.MISSED] += 5
    assert memory.courses()[0].counts[JobOutcome.MISSED] == 0
    note = memory.noted_in(Note(pid=7), {"backup": NOON + HOUR, "drill": None})
    assert (note.pid, note.succeeded, note.waiting) == (7, {"one": NOON.isoformat()}, {})
    assert note.next == {"backup": (NOON + HOUR).isoformat(), "drill": None}
    assert note.courses["one"].outcome == "succeeded"
