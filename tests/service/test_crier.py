"""Claims about who is told what, out of how it goes."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from junmai_svc.service.daemon.jobs import Job, JobKind
from junmai_svc.service.daemon.lock import StandingNote
from junmai_svc.service.daemon.standing_notes import noted, standings_in
from junmai_svc.service.notify.crier import Crier
from junmai_svc.service.notify.notices import REMIND, Trouble
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
    heard.crier.flush()
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
    heard.crier.flush()
    heard.crier.flush()
    [(title, text)] = heard.told
    assert title == "junmai-svc: 3 failed"
    assert len(text.splitlines()) == 3


def test_a_restart_neither_repeats_what_was_told_nor_forgets_to_tell_its_end(heard: Heard) -> None:
    heard.crier.went_wrong("backup of a", Trouble.FAILED, "why", NOON)
    heard.crier.flush()
    for _ in range(3):
        left = msgspec.json.encode(noted(heard.crier.standings()))
        before = standings_in(msgspec.json.decode(left, type=dict[str, StandingNote]))
        heard.crier = Crier(
            lambda title, text: heard.told.append((title, text)), heard.pings.append, REMIND, before
        )
        heard.crier.went_wrong("backup of a", Trouble.FAILED, "why", NOON + timedelta(minutes=5))
        heard.crier.flush()
    assert [title for title, _ in heard.told] == ["junmai-svc: backup of a failed"]
    heard.crier.went_well("backup of a", NOON + timedelta(minutes=9))
    heard.crier.flush()
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
    heard.crier.forget_others({"backup of b"})
    heard.crier.ended(job("backup"), settled=True)
    assert heard.pings == ["success"]


def test_a_reminder_comes_after_the_configured_time(heard: Heard) -> None:
    heard.crier.remind = timedelta(hours=2)
    for hours in range(5):
        when = NOON + timedelta(hours=hours)
        heard.crier.went_wrong("backup of a", Trouble.FAILED, "why", when)
        heard.crier.flush()
    assert len(heard.told) == 3
