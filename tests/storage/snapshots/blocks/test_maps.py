"""Maps come back as they were, stay small, and are refused where they can't be true."""

import struct
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.storage.snapshots.blocks.scratch import KEY, SEALS, STORE_ID

from junmai_svc.storage.errors import IntegrityError, UsageError
from junmai_svc.storage.snapshots.blocks import map_format, maps
from junmai_svc.storage.snapshots.blocks.cipher import XChaChaSeal
from junmai_svc.storage.snapshots.blocks.compression import Compressor
from junmai_svc.storage.snapshots.blocks.digesting import BLOCK_BYTES
from junmai_svc.storage.snapshots.blocks.map_format import LARGEST_BODY, decode
from junmai_svc.storage.snapshots.blocks.maps import ImageMap, encode_map, new_map_name, read_map
from junmai_svc.storage.snapshots.blocks.packs import PackRef
from junmai_svc.storage.snapshots.blocks.runs import PackList, RunReader, Runs
from junmai_svc.storage.snapshots.blocks.sealing import Seal, Unsealed

PACKS = [PackRef(sha256(bytes([n])).hexdigest(), 70_000 + n, 9_000) for n in range(40)]
# A block's place: one of few packs, often next to the one before.
PLACES = st.lists(
    st.one_of(
        st.tuples(st.integers(0, 3), st.integers(0, 5)),
        st.tuples(st.integers(0, 3), st.integers(0, 8_999)),
    ),
    max_size=40,
)


def map_of(places: list[tuple[int, int]], tail: int = BLOCK_BYTES) -> ImageMap:
    """A map of blocks at these places, the last of them `tail` bytes long."""
    packs, runs = PackList(), Runs()
    for pack, number in places:
        runs.append(packs.number(PACKS[pack]), number, 1)
    size = max(0, (len(places) - 1) * BLOCK_BYTES + tail) if places else 0
    image = sha256(repr(places).encode()).hexdigest()
    digest = sha256(image.encode()).hexdigest()
    return ImageMap(new_map_name(), image, digest, size, packs.settled(), runs)


def places_of(image_map: ImageMap) -> list[tuple[PackRef, int]]:
    return [
        (image_map.packs[run.pack], run.first + offset)
        for run in image_map.runs
        for offset in range(run.length)
    ]


@pytest.mark.parametrize("kind", SEALS)
@given(PLACES, st.integers(1, BLOCK_BYTES))
def test_a_whole_map_comes_back_as_it_was(
    kind: str, places: list[tuple[int, int]], tail: int
) -> None:
    seal, written = SEALS[kind](), map_of(places, tail)
    stored, content = encode_map(written, None, seal)
    assert stored == written
    assert read_map(written.name, {written.name: content}.__getitem__, seal) == written
    assert places_of(written) == [(PACKS[pack], number) for pack, number in places]


@pytest.mark.parametrize("kind", SEALS)
@given(PLACES, PLACES)
def test_changes_to_another_map_come_back_as_the_map(
    kind: str, before: list[tuple[int, int]], after: list[tuple[int, int]]
) -> None:
    seal, base, written = SEALS[kind](), map_of(before), map_of(before[: len(before) // 2] + after)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(maps, "WORTHWHILE", 0)  # even where that saves nothing
        stored, changes = encode_map(written, base, seal)
    assert stored.base == base.name
    objects = {base.name: encode_map(base, None, seal)[1], written.name: changes}
    read = read_map(written.name, objects.__getitem__, seal)
    assert read == stored
    assert read.has_places_of(written)


def random_places(count: int) -> list[tuple[int, int]]:
    return [(n // 9_000, n % 9_000) for n in range(count)]


def changed(places: list[tuple[int, int]], pack: int, count: int) -> list[tuple[int, int]]:
    """The places after `count` blocks here and there were stored in another pack."""
    random = Random(pack)  # noqa: S311  # the same each time, no secret
    after = places.copy()
    for number, at in enumerate(sorted(random.sample(range(len(places)), count))):
        after[at] = (pack, number)
    return after


def test_maps_stay_small() -> None:
    """298 MB: 5 KB after 1% has changed, and as much an hour on average after that."""
    first = random_places(72_803)
    places = changed(first, 10, 3_800)
    stored, whole = encode_map(map_of(places), None, Unsealed())
    assert len(encode_map(map_of(first), None, Unsealed())[1]) < 1_000
    assert len(whole) < 5_000
    base, total = stored, 0
    for hour in range(11, 35):
        places = changed(places, hour, 420)
        stored, content = encode_map(map_of(places), base, Unsealed())
        base = base if stored.base else stored
        total += len(content)
    assert total < 24 * 5_000


def test_a_map_builds_on_another_only_where_that_makes_it_much_smaller() -> None:
    places = changed(random_places(20_000), 10, 2_000)
    base = map_of(places)
    little, _content = encode_map(map_of(changed(places, 11, 20)), base, Unsealed())
    much, _content = encode_map(map_of(changed(places, 11, 2_000)), base, Unsealed())
    assert (little.base, much.base) == (base.name, "")


@pytest.mark.parametrize(("limit", "value"), [("MOST_PACKS", 1), ("LARGEST_BODY", 99)])
def test_an_image_that_no_map_can_hold_is_refused_when_it_is_written(
    limit: str, value: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(map_format, limit, value)
    with pytest.raises(UsageError, match="more than a map can hold"):
        encode_map(map_of([(0, 0), (1, 0)]), None, Unsealed())


def test_a_map_never_builds_on_one_that_is_not_whole() -> None:
    base = replace(map_of([(0, 0)]), base=new_map_name())
    with pytest.raises(ValueError, match="is not whole"):
        encode_map(map_of([(0, 1)]), base, Unsealed())


def chain() -> tuple[ImageMap, ImageMap, dict[str, bytes]]:
    """A whole map, one that builds on it, and their bytes."""
    places = changed(random_places(20_000), 10, 2_000)
    base, content = encode_map(map_of(places), None, Unsealed())
    built, changes = encode_map(map_of(changed(places, 11, 20)), base, Unsealed())
    assert built.base == base.name
    return base, built, {base.name: content, built.name: changes}


def test_a_chain_of_maps_is_refused() -> None:
    base, built, objects = chain()
    objects[base.name] = objects[built.name]
    with pytest.raises(IntegrityError, match="which is not whole"):
        read_map(built.name, objects.__getitem__, Unsealed())


def test_a_map_on_one_that_is_too_short_is_refused() -> None:
    base, built, objects = chain()
    objects[base.name] = encode_map(map_of([(0, 0)]), None, Unsealed())[1]
    with pytest.raises(IntegrityError, match="reaches beyond"):
        read_map(built.name, objects.__getitem__, Unsealed())


def test_two_maps_that_contradict_each_other_about_a_pack_are_refused() -> None:
    base, built, objects = chain()
    packs = tuple(replace(pack, size=1_000) for pack in built.packs)
    liar = replace(base, packs=packs[: len(base.packs)])
    objects[base.name] = encode_map(liar, None, Unsealed())[1]
    shared = map_of([*changed(random_places(20_000), 10, 2_000)[:-1], (0, 8_999)])
    stored, objects[shared.name] = encode_map(shared, base, Unsealed())
    assert stored.base == base.name
    with pytest.raises(IntegrityError, match="says otherwise"):
        read_map(shared.name, objects.__getitem__, Unsealed())


def body(
    *,
    size: int = 3 * BLOCK_BYTES,
    base: bytes = bytes(16),
    packs: list[tuple[bytes, int, int]] | None = None,
    runs: list[tuple[int, int, int]] | None = None,
    lie: int = 0,
) -> bytes:
    """A map's bytes by the format's description, with whatever is hostile; runs hold gaps."""
    packs = [(bytes([9]) * 32, 1_000, 10)] if packs is None else packs
    runs = [(1, 0, 3)] if runs is None else runs
    planes = b"".join(
        bytes(run[column] >> 8 * plane & 0xFF for run in runs)
        for column in range(3)
        for plane in range(4)
    )
    content = (
        struct.pack("<32s32sQ16sI", bytes(32), bytes([15]) * 32, size, base, len(packs))
        + b"".join(struct.pack("<32sII", *pack) for pack in packs)
        + struct.pack("<I", len(runs) + lie)
        + planes
    )
    return b"JMMAPS\x01\x00" + struct.pack("<I", len(content)) + Compressor(3).compress(content)


PACK = (bytes([9]) * 32, 1_000, 10)
OTHER = (bytes([8]) * 32, 1_000, 10)
NAME = "ab" * 16
HOSTILE: dict[str, bytes] = {
    "a run past its pack": body(runs=[(1, 8, 3)]),
    "a run before its pack": body(runs=[(1, 2, 1), (1, 2**32 - 4, 2)]),
    "a run of nothing": body(runs=[(1, 0, 0), (1, 0, 3)]),
    "a run that is too long": body(runs=[(1, 0, 2**32 - 1)]),
    "too few blocks": body(runs=[(1, 0, 2)]),
    "too many blocks": body(runs=[(1, 0, 4)]),
    "blocks for an empty image": body(size=0),
    "no blocks for an image": body(runs=[], packs=[]),
    "an image without end": body(size=2**63),
    "a pack that is not listed": body(runs=[(2, 0, 3)]),
    "a pack listed twice": body(packs=[PACK, PACK], runs=[(1, 0, 1), (2, 0, 2)]),
    "a pack without need": body(packs=[PACK, OTHER]),
    "a pack that is too large": body(packs=[(PACK[0], (16 << 20) + 1, 10)]),
    "a pack of too many blocks": body(packs=[(PACK[0], 1_000, (1 << 16) + 1)]),
    "a pack without blocks": body(packs=[(PACK[0], 1_000, 0)]),
    "a base that is not named": body(packs=[], runs=[(0, 0, 3)]),
    "a gap in the base": body(base=bytes([1]) * 16, packs=[], runs=[(0, 1, 3)]),
    "more runs than there are": body(lie=1),
    "fewer runs than there are": body(lie=-1),
    "runs without end": body(lie=2**32 - 2),
    "no body": b"JMMAPS\x01\x00" + struct.pack("<I", 0) + Compressor(3).compress(b""),
    "a bomb": b"JMMAPS\x01\x00" + b"\xff" * 4 + Compressor(3).compress(bytes(LARGEST_BODY + 1)),
    "a body that is longer": body()[:8] + struct.pack("<I", 10) + body()[12:],
    "another magic": b"JMPACK" + body()[6:],
    "another version": b"JMMAPS\x02" + body()[7:],
    "a sealed one": b"JMMAPS\x01\x01" + body()[8:],
    "nothing": b"",
    "only a magic": b"JMMAPS\x01\x00",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_map_that_can_not_be_true_is_refused_by_name(name: str) -> None:
    with pytest.raises(IntegrityError, match=NAME):
        decode(HOSTILE[name], NAME, Unsealed())


def test_the_bytes_described_are_the_bytes_read() -> None:
    read = decode(body(runs=[(1, 4, 2), (1, 2**32 - 5, 1)]), NAME, Unsealed())
    assert [tuple(run) for run in read.runs] == [(1, 4, 2), (1, 1, 1)]
    assert (read.image, read.digest) == ("00" * 32, "0f" * 32)
    assert (read.size, read.base) == (3 * BLOCK_BYTES, "")
    assert read.packs == (PackRef("09" * 32, 1_000, 10),)


def test_a_list_of_packs_without_end_is_refused() -> None:
    content = struct.pack("<64sQ16sI", bytes(64), 4096, bytes(16), 2**32 - 1) + bytes(100)
    hostile = body()[:8] + struct.pack("<I", len(content)) + Compressor(3).compress(content)
    with pytest.raises(IntegrityError, match="packs"):
        decode(hostile, NAME, Unsealed())


_BASE, _BUILT, _OBJECTS = chain()
BUILT = _OBJECTS[_BUILT.name]


@given(st.data())
def test_a_map_with_anything_replaced_is_a_map_or_an_error(data: st.DataObject) -> None:
    content = bytearray(BUILT)
    at = data.draw(st.integers(0, len(content) - 1))
    content[at : at + data.draw(st.integers(0, 8))] = data.draw(st.binary(max_size=8))
    with suppress(IntegrityError):
        decode(bytes(content), NAME, Unsealed())


def test_a_sealed_map_opens_under_its_own_name_only() -> None:
    seal: Seal = XChaChaSeal(KEY, STORE_ID)
    stored, content = encode_map(map_of([(0, 0)]), None, seal)
    assert bytes.fromhex(stored.packs[0].name) not in content
    with pytest.raises(IntegrityError):
        decode(content, new_map_name(), seal)
    with pytest.raises(IntegrityError):
        decode(content, stored.name, Unsealed())


@given(PLACES, st.lists(st.integers(0, 9)))
def test_runs_are_read_in_pieces_of_any_length(
    places: list[tuple[int, int]], pieces: list[int]
) -> None:
    image_map = map_of(places)
    reader = RunReader(image_map.runs)
    taken = [run for length in (*pieces, len(places)) for run in reader.take(length)]
    assert [
        (image_map.packs[run.pack], run.first + offset)
        for run in taken
        for offset in range(run.length)
    ] == places_of(image_map)
    assert reader.take(1) == []


def test_no_map_has_the_name_of_another() -> None:
    assert len({new_map_name() for _ in range(100)}) == 100
