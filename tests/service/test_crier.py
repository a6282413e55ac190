"""Claims about who is told what, out of how it goes."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from junmai_svc.service.daemon.jobs import Job, JobKind
from junmai_svc.service.daemon.lock import NoticeNote, StandingNote
from junmai_svc.service.daemon.standing_notes import (
    held_in,
    held_noted,
    noted,
    standings_in,
)
from junmai_svc.service.notify.crier import Crier
from junmai_svc.service.notify.notices import REMIND, Cause, Trouble
from junmai_svc.service.schedule import parse

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


class Heard:
    """What was told and pinged."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []
        self.pings: list[str] = []
        self.crier = Crier(lambda title, text: self.told.append((title, text)), self.pings.append)


@pytest.fixture
def heard() -> Heard:
    return Heard()


def job(kind: JobKind) -> Job:
    return Job(kind, kind, parse("every 1h"), ())


def test_a_good_backup_is_a_ping_at_its_start_and_one_after_it(heard: Heard) -> None:
    heard.crier.began(job("backup"))
    heard.crier.went_well("backup of a", NOON)
    heard.crier.ended(job("backup"), settled=True)
    heard.crier.flush(NOON)
    assert heard.pings == ["start", "success"]
    assert heard.told == []


def test_one_address_stands_for_all_backups_so_a_good_one_hides_no_bad_one(heard: Heard) -> None:
    heard.crier.went_wrong("backup of a", Trouble.FAILED, "why", NOON)
    heard.crier.went_well("backup of b", NOON)
    heard.crier.ended(job("backup"), settled=True)
    assert heard.pings == ["fail"]


def test_what_is_soon_tried_again_is_neither_good_nor_bad(heard: Heard) -> None:
    heard.crier.ended(job("backup"), settled=False)
    assert heard.pings == []


def test_other_jobs_are_not_pinged(heard: Heard) -> None:
    heard.crier.began(job("prune"))
    heard.crier.ended(job("prune"), settled=True)
    assert heard.pings == []


def test_what_fails_together_is_told_in_one_message(heard: Heard) -> None:
    for name in "abc":
        heard.crier.went_wrong(f"backup of {name}", Trouble.FAILED, "The disk is full", NOON)
    heard.crier.flush(NOON)
    heard.crier.flush(NOON)
    [(title, text)] = heard.told
    assert title == "junmai-svc: 3 failed"
    assert len(text.splitlines()) == 3


def test_a_restart_neither_repeats_what_was_told_nor_forgets_to_tell_its_end(heard: Heard) -> None:
    heard.crier.went_wrong("backup of a", Trouble.FAILED, "why", NOON)
    heard.crier.flush(NOON)
    for _ in range(3):
        left = msgspec.json.encode(noted(heard.crier.standings()))
        before = standings_in(msgspec.json.decode(left, type=dict[str, StandingNote]))
        heard.crier = Crier(
            lambda title, text: heard.told.append((title, text)), heard.pings.append, REMIND, before
        )
        heard.crier.went_wrong("backup of a", Trouble.FAILED, "why", NOON + timedelta(minutes=5))
        heard.crier.flush(NOON)
    assert [title for title, _ in heard.told] == ["junmai-svc: backup of a failed"]
    heard.crier.went_well("backup of a", NOON + timedelta(minutes=9))
    heard.crier.flush(NOON)
    assert heard.told[-1][0] == "junmai-svc: backup of a recovered"


@pytest.mark.parametrize(
    "note",
    [
        StandingNote(trouble="bad", told=["failed"], told_at=NOON.isoformat()),
        StandingNote(trouble="failed", told=["worse"], told_at=NOON.isoformat()),
        StandingNote(trouble="failed", told=["failed"], told_at="yesterday"),
        StandingNote(trouble="failed", told=["failed"], told_at="2026-11-23T12:00:00"),
    ],
)
def test_a_standing_that_can_not_be_is_none(note: StandingNote) -> None:
    assert standings_in({"backup of a": note}) == {}


def test_what_is_configured_no_more_is_forgotten(heard: Heard) -> None:
    heard.crier.went_wrong("backup of a", Trouble.FAILED, "why", NOON)
    heard.crier.configured({"backup of b": None})
    heard.crier.ended(job("backup"), settled=True)
    assert heard.pings == ["success"]


def test_a_reminder_comes_after_the_configured_time(heard: Heard) -> None:
    heard.crier.remind = timedelta(hours=2)
    for hours in range(5):
        when = NOON + timedelta(hours=hours)
        heard.crier.went_wrong("backup of a", Trouble.FAILED, "why", when)
        heard.crier.flush(NOON)
    assert len(heard.told) == 3


MINUTE = timedelta(minutes=1)
STORES = {f"backup of {name} in nas": "nas" for name in "abc"} | {"check in nas": "nas"}


def restarted(heard: Heard) -> Crier:
    """Return the crier that a daemon has after this one was killed."""
    old = heard.crier
    standings = msgspec.json.encode(noted(old.standings()))
    held = msgspec.json.encode(held_noted(old.held()))
    made = Crier(
        lambda title, text: heard.told.append((title, text)),
        heard.pings.append,
        REMIND,
        standings_in(msgspec.json.decode(standings, type=dict[str, StandingNote])),
        old.spoken(),
        held_in(msgspec.json.decode(held, type=list[NoticeNote])),
    )
    made.configured(STORES)
    return made


def test_after_a_message_of_a_store_further_ones_wait_and_go_as_one_over_a_kill_too(
    heard: Heard,
) -> None:
    heard.crier.configured(STORES)
    for minutes, name in enumerate("abc"):
        when = NOON + minutes * MINUTE
        subject = f"backup of {name} in nas"
        heard.crier.went_wrong(subject, Trouble.FAILED, "It is full.", when, Cause.PASSING)
        heard.crier.flush(when)
    assert len(heard.told) == 1
    heard.crier = restarted(heard)
    heard.crier.flush(NOON + 9 * MINUTE)
    assert len(heard.told) == 1
    heard.crier.flush(NOON + 10 * MINUTE)
    heard.crier.flush(NOON + 30 * MINUTE)
    [_, (title, text)] = heard.told
    assert title == "junmai-svc: 2 failed"
    assert "backup of b" in text
    assert "backup of c" in text


def test_what_needs_somebody_waits_for_nothing(heard: Heard) -> None:
    heard.crier.configured(STORES)
    heard.crier.went_wrong("backup of a in nas", Trouble.FAILED, "full", NOON, Cause.PASSING)
    heard.crier.flush(NOON)
    heard.crier.went_wrong("check in nas", Trouble.FAILED, "It is damaged.", NOON, Cause.OTHER)
    heard.crier.flush(NOON + MINUTE)
    assert heard.told[-1] == ("junmai-svc: check in nas failed", "It is damaged.")


def test_a_daemon_that_ends_says_what_it_held_back(heard: Heard) -> None:
    heard.crier.configured(STORES)
    for name in "ab":
        heard.crier.went_wrong(f"backup of {name} in nas", Trouble.OVERDUE, "late", NOON)
        heard.crier.flush(NOON)
    heard.crier.flush(NOON, everything=True)
    assert heard.told[-1][0] == "junmai-svc: backup of b in nas overdue"


def test_what_was_told_within_its_store_is_told_by_itself_once_the_store_explains_it_no_more(
    heard: Heard,
) -> None:
    heard.crier.configured(STORES)
    for name in "abc":
        subject = f"backup of {name} in nas"
        heard.crier.went_wrong(subject, Trouble.FAILED, "No answer.", NOON, Cause.DOWN)
    heard.crier.flush(NOON)
    heard.crier = restarted(heard)
    heard.crier.went_wrong("backup of b in nas", Trouble.FAILED, "Damaged.", NOON, Cause.OTHER)
    heard.crier.flush(NOON + MINUTE)
    heard.crier.went_well("backup of a in nas", NOON + 20 * MINUTE)
    heard.crier.flush(NOON + 20 * MINUTE)
    assert [title for title, _ in heard.told] == [
        "junmai-svc: store nas down",
        "junmai-svc: backup of b in nas failed",
        "junmai-svc: 2 recovered",
    ]
    assert "Not made good yet: backup of c in nas." in heard.told[-1][1]


def test_a_store_that_comes_and_goes_promises_no_end_of_what_was_never_told(heard: Heard) -> None:
    heard.crier.configured(STORES)
    subject, when = "backup of a in nas", NOON
    for _ in range(30):
        heard.crier.went_wrong(subject, Trouble.FAILED, "No answer.", when, Cause.DOWN)
        heard.crier.flush(when)
        heard.crier.went_well(subject, when + MINUTE)
        heard.crier.flush(when + MINUTE)
        when += 2 * MINUTE
    assert len(heard.told) <= 4
    heard.crier.flush(when, everything=True)
    lines = "\n".join(f"{title}\n{text}" for title, text in heard.told)
    assert lines.count("store nas down") == lines.count("store nas recovered") <= 2


def test_a_clock_that_goes_back_holds_nothing_back_for_long(heard: Heard) -> None:
    heard.crier.configured(STORES)
    for name, when in (("a", NOON), ("b", NOON - timedelta(days=30))):
        heard.crier.went_wrong(f"backup of {name} in nas", Trouble.OVERDUE, "late", when)
        heard.crier.flush(when)
    assert len(heard.told) == 2


@pytest.mark.parametrize("cause", list(Cause))
def test_an_end_that_was_held_back_is_not_told_of_what_is_wrong_again(
    heard: Heard, cause: Cause
) -> None:
    heard.crier.configured(STORES)
    subject = "backup of a in nas"
    heard.crier.went_wrong(subject, Trouble.FAILED, "why", NOON, cause)
    heard.crier.flush(NOON)
    heard.crier.went_well(subject, NOON + MINUTE)
    heard.crier.flush(NOON + MINUTE)
    heard.crier = restarted(heard)
    heard.crier.went_wrong(subject, Trouble.FAILED, "why", NOON + 2 * MINUTE, cause)
    heard.crier.flush(NOON + 50 * MINUTE)
    assert len(heard.told) == 1
    heard.crier.went_well(subject, NOON + 51 * MINUTE)
    heard.crier.flush(NOON + 51 * MINUTE, everything=True)
    assert f"{subject} recovered" in "\n".join(heard.told[-1])
    assert len(heard.told) == 2
