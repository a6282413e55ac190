"""Claims about the catalogue and the life of a stream."""

import re

import pytest

from junmai_svc.storage.errors import JournalConflictError, UsageError
from junmai_svc.storage.journal import events
from junmai_svc.storage.journal.events import Role, StreamState, event_type, state_of
from junmai_svc.storage.journal.uuid7 import uuid7

CATEGORIES = [*events.OPERATIONS, "journal", "database"]


def test_every_type_is_named_by_category_name_and_version() -> None:
    for type_, kind in events.CATALOGUE.items():
        assert re.fullmatch(r"junmai\.[a-z]+\.[a-z_]+\.v[0-9]+", type_)
        assert type_ == kind.type == event_type(kind.category, kind.name)
        assert events.kind_of(type_) is kind


@pytest.mark.parametrize("category", CATEGORIES)
def test_every_category_has_exactly_one_start(category: str) -> None:
    starts = [
        kind
        for kind in events.CATALOGUE.values()
        if kind.category == category and kind.role is Role.START
    ]
    assert starts == [events.STARTS[category]]


@pytest.mark.parametrize("category", events.OPERATIONS)
def test_every_operation_can_fail_and_be_abandoned(category: str) -> None:
    for name in ("failed", "abandoned"):
        assert events.CATALOGUE[event_type(category, name)].role is Role.TERMINAL


def test_the_state_of_a_stream_follows_its_events() -> None:
    requested, started, verified = (
        event_type("migration", name) for name in ("requested", "started", "verified")
    )
    assert state_of([]) is StreamState.NEW
    assert state_of([requested]) is StreamState.OPEN
    assert state_of([requested, started]) is StreamState.OPEN
    assert state_of([requested, started, verified]) is StreamState.ENDED
    assert state_of([event_type("database", "lease_taken")]) is StreamState.LASTING
    assert state_of([event_type("journal", "opened")]) is StreamState.LASTING


def test_types_of_a_newer_version_are_understood_as_far_as_they_are_known() -> None:
    assert state_of(["junmai.backup.verified.v2"]) is StreamState.ENDED
    assert state_of(["junmai.backup.pondered.v1"]) is StreamState.OPEN
    assert events.kind_of("junmai.backup.pondered.v1") is None


def test_what_may_come_next_in_a_stream() -> None:
    stream = events.stream_name("backup", uuid7())
    started, stored, verified = (
        event_type("backup", name) for name in ("started", "stored", "verified")
    )
    events.require_next(stream, None, started)
    events.require_next(stream, started, verified)
    with pytest.raises(UsageError, match="can't begin with"):
        events.require_next(stream, None, stored)
    with pytest.raises(JournalConflictError, match="begun already"):
        events.require_next(stream, started, started)
    with pytest.raises(JournalConflictError, match=r"ended with junmai\.backup\.verified\.v1"):
        events.require_next(stream, verified, stored)
    with pytest.raises(UsageError, match="can't be recorded in the stream"):
        events.require_next(stream, started, event_type("restore", "staged"))
    with pytest.raises(UsageError, match="can't be recorded in the stream"):
        events.require_next(stream, started, "junmai.backup.verified.v2")


@pytest.mark.parametrize(
    "stream",
    ["", "backup", "backup/", "lunch/0190163d-8694-739b-aea5-966c26f8ad91", "backup/../../etc"],
)
def test_a_stream_is_a_known_category_and_a_uuid(stream: str) -> None:
    with pytest.raises(UsageError):
        events.split_stream(stream)


def test_an_event_that_the_catalogue_has_not_is_refused() -> None:
    with pytest.raises(UsageError, match="no event pondered of backup"):
        event_type("backup", "pondered")
