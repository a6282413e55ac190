"""Claims about entries: their bytes, what they refuse, and what reading them refuses."""

import hashlib
import json
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from junmai_svc.storage.errors import IntegrityError, UsageError
from junmai_svc.storage.journal.entry import (
    MAX_BYTES,
    MAX_INTEGER,
    Event,
    NewEvent,
    decode,
    encode,
    pseudonym,
    time_text,
)

JOURNAL = "0190163d-8694-739b-aea5-966c26f8ad90"
RUN = "0190163d-8694-739b-aea5-966c26f8ad91"
EVENT = "0190163d-8694-739b-aea5-966c26f8ad92"
NOON = datetime(2026, 11, 22, 12, 0, 0, 7, tzinfo=UTC)
WHERE = Path("the journal.db")

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-MAX_INTEGER, MAX_INTEGER)
    | st.text(st.characters(codec="utf-8"), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=20,
)


def written(data: Any, *, time: datetime = NOON, causation: str | None = None) -> bytes:
    new = NewEvent(f"backup/{RUN}", "junmai.backup.started.v1", data, RUN, causation)
    return encode(
        new,
        journal_id=JOURNAL,
        event_id=EVENT,
        position=3,
        version=1,
        time=time,
        actor="actor:0123456789ab",
    )


def read(entry: bytes) -> Event:
    return decode(entry, journal_id=JOURNAL, path=WHERE, position=3)


def test_an_entry_is_a_cloudevent_in_canonical_bytes() -> None:
    assert written({"b": 1, "a": "é"}, causation=JOURNAL).decode() == (
        '{"authid":"actor:0123456789ab","authtype":"user"'
        f',"causationid":"{JOURNAL}","correlationid":"{RUN}","data":{{"a":"é","b":1}}'
        f',"datacontenttype":"application/json","id":"{EVENT}","position":3'
        f',"source":"urn:junmai:journal:{JOURNAL}","specversion":"1.0","streamversion":1'
        f',"subject":"backup/{RUN}","time":"2026-11-22T12:00:00.000007Z"'
        ',"type":"junmai.backup.started.v1"}'
    )


class Kind(StrEnum):
    """Text by another type."""

    ONE = "one"


class Word(str):
    """Text that is not quite a str."""

    __slots__ = ()


@given(st.dictionaries(st.text(max_size=5) | st.text('az09\x00\x1f\x7f"/\\', max_size=5), JSON))
@example({"\U0001f600": 1, "\uffff": 2})  # UTF-16 and UTF-8 order these differently
@example({"b": {"z": 1, "a": [{"d": 1, "c": 2}]}, "a": '\x00\b\t\n\f\r\x1f\x7f"\\/'})
@example({"a": Word("b"), Word("c"): Kind.ONE})
def test_the_bytes_are_those_of_rfc_8785(data: dict[str, Any]) -> None:
    try:
        entry = written(data)
    except UsageError:
        with pytest.raises(rfc8785.CanonicalizationError):
            rfc8785.dumps(data)
        return
    assert f'"data":{rfc8785.dumps(data).decode()},"datacontenttype"' in entry.decode()
    assert rfc8785.dumps(json.loads(entry)) == entry


def test_an_event_without_a_cause_has_no_causationid() -> None:
    assert b"causationid" not in written({})
    assert read(written({})).causation is None


@given(st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=5), JSON, max_size=5))
def test_what_was_written_is_read_back(data: dict[str, Any]) -> None:
    entry = written(data)
    event = read(entry)
    assert event.data == data
    assert json.loads(entry)["data"] == data
    assert event.entry == entry
    assert event.leaf_hash == hashlib.sha256(b"\x00" + entry).digest()


@given(st.datetimes(timezones=st.just(UTC), min_value=datetime(1000, 1, 1)))  # noqa: DTZ001
def test_times_keep_every_microsecond(time: datetime) -> None:
    assert read(written({}, time=time)).time == time


def test_times_of_other_zones_are_written_as_utc() -> None:
    tokyo = NOON.astimezone(timezone(timedelta(hours=9)))
    assert time_text(tokyo) == "2026-11-22T12:00:00.000007Z"


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(UsageError, match="has no zone"):
        time_text(NOON.replace(tzinfo=None))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"tables": [{"seconds": 0.5}]}, r"data of .*\.tables\[0\]\.seconds is of type float"),
        ({"rows": 2**53}, r"\.rows is 9007199254740992"),
        ({"rows": -(2**53)}, r"\.rows is -9007199254740992"),
        ({"blob": b"\x00"}, r"\.blob is of type bytes"),
        ({"inner": {1: "one"}}, r"\.inner has the key 1"),
        ({"name": "\ud800"}, "can't be written as JSON"),
    ],
)
def test_what_json_readers_disagree_about_is_refused(data: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message) as refused:
        written(data)
    assert refused.value.hint


def test_a_text_enumeration_is_its_text() -> None:
    class Reason(StrEnum):
        MANUAL = "manual"

    assert read(written({"reason": Reason.MANUAL})).data == {"reason": "manual"}


def test_an_entry_of_65535_bytes_is_the_longest() -> None:
    spare = MAX_BYTES - len(written({"text": ""}))
    assert len(written({"text": "x" * spare})) == MAX_BYTES
    with pytest.raises(UsageError, match="65,536 bytes; 65,535 is the most"):
        written({"text": "x" * (spare + 1)})


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"specversion":"1.0"', b'"specversion":"2.0"'),
        (b'"position":3', b'"position":4'),
        (b'"position":3', b'"position":-3'),
        (b'"streamversion":1', b'"streamversion":0'),
        (b'"streamversion":1', b'"streamversion":"1"'),
        (b'"time":"2026-11-22T12:00:00.000007Z"', b'"time":"2026-11-22 12:00:00.000007Z"'),
        (b'"time":"2026-11-22T12:00:00.000007Z"', b'"time":"2026-11-22"'),
        (b'"time":"2026-11-22T12:00:00.000007Z"', b'"time":"2026-W47-7T12:00:00.000007Z"'),
        (b'"time":"2026-11-22T12:00:00.000007Z"', b'"time":"2026-11-22T12:00:00.000007+00:00"'),
        (b'"time":"2026-11-22T12:00:00.000007Z"', b'"time":"20261122"'),
        (b'"time":"2026-11-22T12:00:00.000007Z"', b'"time":"soon"'),
        (JOURNAL.encode(), RUN.encode()),
        (b'"data":{}', b'"data":[]'),
        (b'"data":{}', b'"data":' + b"[" * 20_000 + b"]" * 20_000),
        (b'"data":{}', b'"data":{"x":"\xff"}'),
        (b'"authtype":"user",', b""),
        (b"}", b""),
    ],
)
def test_a_damaged_entry_is_named_by_journal_and_position(old: bytes, new: bytes) -> None:
    entry = written({})
    assert old in entry
    with pytest.raises(IntegrityError, match=r"the journal\.db is damaged at position 3: "):
        read(entry.replace(old, new))


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_damage_and_nothing_worse(entry: bytes) -> None:
    with pytest.raises(IntegrityError):
        read(entry)


def test_the_pseudonym_tells_people_journals_and_hosts_apart() -> None:
    names = {
        pseudonym(JOURNAL, "ann", "desk"),
        pseudonym(JOURNAL, "bob", "desk"),
        pseudonym(JOURNAL, "ann", "lap"),
        pseudonym(RUN, "ann", "desk"),
        pseudonym(JOURNAL, "annd", "esk"),
    }
    assert len(names) == 5
    digest = hashlib.sha256(f"{JOURNAL}\0ann\0desk".encode()).hexdigest()
    assert pseudonym(JOURNAL, "ann", "desk") == f"actor:{digest[:12]}"
