"""Claims about stories: every event has words, whatever its data holds."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from junmai_svc.service.story import count, name_of, span, told
from junmai_svc.storage.journal.entry import Event
from junmai_svc.storage.journal.events import CATALOGUE

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
FIELDS = [
    *("source", "target", "image", "snapshot", "checksum", "tables", "carried", "rules", "checks"),
    *("failed", "known", "details", "table", "rows", "microseconds", "message", "error", "hint"),
    *(
        "found",
        "after",
        "size",
        "mode",
        "of",
        "of_kind",
        "reasons",
        "snapshots",
        "findings",
        "kept",
    ),
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


def event(type_: str, data: dict[str, Any]) -> Event:
    return Event(
        position=1,
        id="id",
        stream="x/y",
        version=1,
        type=type_,
        time=NOON,
        data=data,
        correlation="",
        causation=None,
        actor="",
        entry=b"",
        leaf_hash=b"",
    )


@given(st.sampled_from(sorted(CATALOGUE)), st.dictionaries(st.sampled_from(FIELDS), JSON))
def test_no_data_of_any_event_is_too_odd_to_be_told(type_: str, data: dict[str, Any]) -> None:
    assert isinstance(told(event(type_, data)), str)


@pytest.mark.parametrize(
    ("type_", "data", "words"),
    [
        (
            "migration.planned",
            {"tables": ["a", "b"], "carried": ["table x"]},
            "Decided what to do: 2 tables; 1 of the source's own things carried over",
        ),
        (
            "migration.planned",
            {"tables": ["a"], "rules": {"a.n": "0", "a.m": "1"}},
            "Decided what to do: 1 table; filled by rule: a.m, a.n",
        ),
        ("migration.table_copied", {"table": "photos", "rows": 1}, "photos: 1 row"),
        (
            "migration.table_copied",
            {"table": "photos", "rows": 2000, "microseconds": 1_500_000},
            "photos: 2,000 rows in 1.5 s",
        ),
        (
            "migration.constraints_checked",
            {"checks": 9, "failed": {"rows photos": 2}},
            "1 check failed: rows photos (2)",
        ),
        (
            "migration.constraints_checked",
            {"checks": 9, "failed": {}, "known": {"foreign_keys jobs": 1}},
            "All 9 checks passed; 1 found what the source has too",
        ),
        ("migration.constraints_checked", {"checks": 9, "details": "ab"}, "Ran 9 checks"),
        (
            "migration.failed",
            {"message": "no space", "hint": "Free some."},
            "Failed: no space. Free some",
        ),
        (
            "migration.abandoned",
            {"found": "partial", "after": "junmai.migration.table_copied.v1"},
            "The run died after table copied; what was half done was removed",
        ),
        ("prune.snapshot_deleted", {"snapshots": list("abcdefg")}, "Deleted a, b, c, d, e …"),
        ("replay.input_missing", {"message": "it is gone"}, "INPUT MISSING: it is gone"),
        (
            "replay.started",
            {"mode": "execute", "of_kind": "migration", "of": "7"},
            "Run again: the migration 7",
        ),
        ("verification.started", {"snapshot": "s"}, "Asked to prove the snapshot s"),
        ("unknown.happened", {"who": "we", "many": [1]}, "who we"),
    ],
)
def test_events_are_told_in_plain_words(type_: str, data: dict[str, Any], words: str) -> None:
    assert told(event(f"junmai.{type_}.v1", data)) == words


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (timedelta(0), "0 ms"),
        (timedelta(microseconds=400), "0.4 ms"),
        (timedelta(milliseconds=9.94), "9.9 ms"),
        (timedelta(milliseconds=9.96), "10 ms"),
        (timedelta(milliseconds=340), "340 ms"),
        (timedelta(milliseconds=999.6), "1.0 s"),
        (timedelta(seconds=2.5), "2.5 s"),
        (timedelta(seconds=59.96), "1 min 0 s"),
        (timedelta(minutes=3, seconds=20), "3 min 20 s"),
        (timedelta(hours=2, minutes=5), "2 h 5 min"),
        (timedelta(seconds=-3605), "1 h 0 min back"),
    ],
)
def test_lengths_of_time_are_told_in_what_fits(length: timedelta, words: str) -> None:
    assert span(length) == words


def test_names_and_numbers_read_as_words() -> None:
    assert name_of(event("junmai.migration.table_copied.v1", {})) == "table copied"
    assert (count(1, "row"), count(0, "row"), count(1234, "row")) == (
        "1 row",
        "0 rows",
        "1,234 rows",
    )
