"""`store.json` says what a store is; what comes from outside is checked before it is used."""

import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.contracts.memory import LIKE_A_DISK, LIKE_S3, Fault, MemoryBackend, Place, Seeded
from tests.harness.stores import KEY

from junmai_svc.storage.backends.base import Backend, Capabilities
from junmai_svc.storage.backends.local import LocalBackend
from junmai_svc.storage.errors import IntegrityError, JunmaiError
from junmai_svc.storage.snapshots.blocks.keys import KeyFile, WrappedKey, new_data_key, unwrap, wrap
from junmai_svc.storage.snapshots.description import (
    COPY,
    FORMAT,
    LARGEST,
    NAME,
    Description,
    Flaw,
    Honours,
    describe,
    encode_description,
    flaw_of,
    keep_description,
    mend_description,
    new_store_id,
    read_description,
    replace_description,
)

GOLDEN = Path(__file__).parents[2] / "golden" / "store_v1"
WHEN = datetime(2026, 11, 22, 14, tzinfo=UTC)
ID = "7a6f4b3e-2c1d-4e5f-8a9b-0c1d2e3f4a5b"
PLAIN = Description(
    format=1,
    id=ID,
    layout="blocks",
    honours=Honours(conditional_put=True),
    made="2026-11-22T14:00:00+00:00",
)
GOOD: dict[str, Any] = {"format": 1, "id": ID, "layout": "blocks"}


def holding(content: bytes) -> MemoryBackend:
    """A place that somebody has put a description in."""
    backend = MemoryBackend()
    backend.put(NAME, content)
    return backend


def test_the_bytes_of_a_description_are_as_released() -> None:
    assert encode_description(PLAIN) == (GOLDEN / "summed.json").read_bytes()


@pytest.mark.parametrize("name", ["plain/store.json", "summed.json"])
def test_released_descriptions_are_read_also_those_without_a_sum(name: str) -> None:
    assert read_description(holding((GOLDEN / name).read_bytes())) == PLAIN


def test_a_key_of_which_a_bit_went_bad_is_damage_and_not_another_key() -> None:
    secret = KeyFile(bytes(32))
    content = encode_description(
        msgspec.structs.replace(PLAIN, key=wrap(new_data_key(), secret, ID))
    )
    at = content.index(b'"wrapped": "') + 20
    other = b"A" if content[at : at + 1] != b"A" else b"B"
    spoiled = content[:at] + other + content[at + 1 :]
    with pytest.raises(IntegrityError, match="another SHA-256"):
        read_description(holding(spoiled))
    backend = holding(spoiled)
    backend.put(COPY, content)
    found = read_description(backend)
    assert found is not None
    assert found.key is not None
    unwrap(found.key, secret, ID)


def test_a_released_sealed_description_is_opened_by_its_key() -> None:
    found = read_description(holding((GOLDEN / "sealed" / "store.json").read_bytes()))
    assert found is not None
    assert found.key is not None
    key = KeyFile((GOLDEN / "sealed.key").read_bytes())
    assert unwrap(found.key, key, found.id) == KEY


def test_where_there_is_no_description_there_is_no_store(tmp_path: Path) -> None:
    assert read_description(LocalBackend(tmp_path)) is None
    assert read_description(MemoryBackend()) is None


@pytest.mark.parametrize("number", [FORMAT + 1, 12, 999_999_999])
def test_a_newer_format_is_refused_with_the_way_out(number: int) -> None:
    newer = {**GOOD, "format": number, "layout": "waves", "whatever": []}
    with pytest.raises(IntegrityError, match=f"has format {number}") as refused:
        read_description(holding(msgspec.json.encode(newer)))
    assert "newest junmai-svc" in refused.value.hint


@pytest.mark.parametrize(
    "changed",
    [
        {"id": "../../etc"},
        {"id": "7A6F4B3E-2C1D-4E5F-8A9B-0C1D2E3F4A5B"},
        {"id": f"{ID}\n"},
        {"id": None},
        {"layout": "waves"},
        {"layout": None},
        {"format": "1"},
        {"format": 1.5},
        {"key": "secret"},
        {"key": {"format": 1, "method": "key-file"}},
        {"key": {"format": 2, "method": "key-file", "wrapped": ""}},
        {"key": {"format": 1, "method": "rot13", "wrapped": ""}},
        {"key": {"format": 1, "method": "key-file", "wrapped": "A" * 2000}},
        {"key": {"format": 1, "method": "passphrase", "wrapped": "", "memory": 1 << 50}},
        {"key": {"format": 1, "method": "passphrase", "wrapped": "", "operations": 10**9}},
        {"honours": {"conditional_put": "yes"}},
        {"honours": []},
        {"made": "x" * 65},
    ],
    ids=str,
)
def test_a_hostile_description_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError, match="is damaged"):
        read_description(holding(msgspec.json.encode(GOOD | changed)))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b"\xff\xfe",
        b"[" * 5_000,
        b'{"a":' * 5_000,
        b'{"format": 1}',
        msgspec.json.encode(GOOD)[:-1],
    ],
    ids=lambda content: repr(content[:12]),
)
def test_what_is_no_description_is_refused(content: bytes) -> None:
    with pytest.raises(IntegrityError):
        read_description(holding(content))


def test_a_description_that_is_too_large_is_not_read() -> None:
    with pytest.raises(IntegrityError, match="larger than"):
        read_description(holding(b" " * (LARGEST + 1)))


@given(st.binary(max_size=200))
def test_whatever_lies_there_is_a_description_or_is_named(content: bytes) -> None:
    try:
        assert read_description(holding(content)) is not None
    except JunmaiError as error:
        assert NAME in error.message  # noqa: PT017  # either of the two may happen


@given(
    st.builds(
        Description,
        format=st.just(1),
        id=st.uuids().map(str),
        layout=st.sampled_from(["file", "blocks"]),
        key=st.none()
        | st.builds(
            WrappedKey,
            format=st.just(1),
            method=st.sampled_from(["key-file", "passphrase"]),
            wrapped=st.binary(max_size=1024),
            salt=st.binary(max_size=64),
            operations=st.integers(0, 16),
            memory=st.integers(0, 1 << 30),
        ),
        honours=st.builds(Honours, conditional_put=st.booleans(), object_lock=st.booleans()),
        made=st.text(max_size=64),
    )
)
def test_what_is_written_is_read(description: Description) -> None:
    assert read_description(holding(encode_description(description))) == description


@pytest.mark.parametrize(
    "honours", [LIKE_A_DISK, LIKE_S3, Capabilities(), Capabilities(conditional_put=True)], ids=str
)
def test_only_what_a_place_was_seen_to_honour_is_claimed(honours: Capabilities) -> None:
    place = Place(honours)
    if honours.object_lock:
        return  # takes seconds; the probe has tests of its own
    made = describe(MemoryBackend(place), new_store_id(), "blocks", None, WHEN)
    seen = made.seen
    assert (seen.conditional_put, seen.object_lock) == (honours.conditional_put, False)
    assert list(place.objects) == []


def test_of_many_who_make_a_store_at_once_all_use_the_same(tmp_path: Path) -> None:
    found = []
    start = threading.Barrier(8)

    def make() -> None:
        backend: Backend = LocalBackend(tmp_path / "store")
        description = describe(backend, new_store_id(), "blocks", None, WHEN)
        start.wait()
        found.append(keep_description(backend, description))

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert set(found) == {read_description(LocalBackend(tmp_path / "store"))}


@pytest.mark.parametrize("seed", range(10))
def test_a_store_is_made_wholly_or_not_at_all(seed: int) -> None:
    place = Place(LIKE_A_DISK)
    failing = MemoryBackend(place, Seeded(seed, {Fault.FAIL: 0.3, Fault.LOSE: 0.3}))
    try:
        made = keep_description(failing, PLAIN)
        assert read_description(MemoryBackend(place)) == made
    except JunmaiError:
        assert read_description(MemoryBackend(place)) in (None, PLAIN)


WRITTEN = encode_description(PLAIN)
OTHER = msgspec.structs.replace(PLAIN, made="")


def made() -> MemoryBackend:
    backend = MemoryBackend()
    assert keep_description(backend, PLAIN) == PLAIN
    return backend


@pytest.mark.parametrize("damage", [None, b"", WRITTEN[:-3], b"[]", b" " * (LARGEST + 1)])
def test_where_a_description_is_damaged_or_gone_its_copy_is_read_and_that_is_told(
    damage: bytes | None,
) -> None:
    told: list[IntegrityError] = []
    backend = made()
    assert read_description(backend, told.append) == PLAIN
    assert told == []
    backend.delete(NAME) if damage is None else backend.put(NAME, damage)
    assert read_description(backend, told.append) == PLAIN
    assert [NAME in each.message for each in told] == [True]
    backend.put(COPY, b"{")
    if damage is None:
        assert read_description(backend, told.append) is None
    else:
        with pytest.raises(IntegrityError, match=NAME):
            read_description(backend, told.append)


def test_a_description_of_a_newer_format_is_no_damage() -> None:
    backend = made()
    backend.put(NAME, msgspec.json.encode({**GOOD, "format": FORMAT + 1}))
    with pytest.raises(IntegrityError, match="has format"):
        read_description(backend)


@pytest.mark.parametrize(
    ("own", "copy", "flawed"),
    [
        (WRITTEN, WRITTEN, None),
        (b"{", WRITTEN, (NAME, True)),
        (None, WRITTEN, (NAME, True)),
        (WRITTEN, b"{", (COPY, True)),
        (WRITTEN, encode_description(OTHER), (COPY, True)),
        (WRITTEN, None, (COPY, False)),
    ],
)
def test_what_is_flawed_is_named_and_put_back_from_the_other(
    own: bytes | None, copy: bytes | None, flawed: tuple[str, bool] | None
) -> None:
    backend = MemoryBackend()
    for name, content in ((NAME, own), (COPY, copy)):
        if content is not None:
            backend.put(name, content)
    flaw = flaw_of(backend)
    assert (flaw and (flaw.name, flaw.is_damage)) == flawed
    if flaw is not None:
        mend_description(backend, flaw, None)
    assert flaw_of(backend) is None
    assert (backend.get(NAME, LARGEST), backend.get(COPY, LARGEST)) == (WRITTEN, WRITTEN)


@pytest.mark.parametrize("other", [None, b"{"])
def test_nothing_is_put_back_from_what_is_damaged_too(other: bytes | None) -> None:
    backend = holding(b"[")
    if other is not None:
        backend.put(COPY, other)
    with pytest.raises(IntegrityError):
        mend_description(backend, Flaw(NAME, ""), None)
    assert backend.get(NAME, LARGEST) == b"["


def test_who_replaces_a_description_replaces_its_copy_after_it() -> None:
    backend = made()
    replace_description(backend, OTHER)
    assert flaw_of(backend) is None
    assert read_description(backend) == OTHER
