"""Blocks, their digests, and which of them changed."""

import io
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from junmai_svc.storage.snapshots.blocks.digesting import (
    BLOCK_BYTES,
    DIGEST_BYTES,
    STEP_BLOCKS,
    DigestWriter,
    blocks_of,
    changed_runs,
    open_digests,
    steps,
)

IMAGE = sha256(b"image").hexdigest()
OTHER = sha256(b"other").hexdigest()
STEP_BYTES = STEP_BLOCKS * BLOCK_BYTES
SIZES = st.one_of(
    st.integers(0, 4 * BLOCK_BYTES), st.integers(-1, 1).map(lambda more: STEP_BYTES + more)
)
# Few different ones, so that equal neighbours are common.
DIGESTS = st.lists(st.sampled_from([bytes([n]) * DIGEST_BYTES for n in range(3)]), max_size=12)


@given(SIZES)
def test_every_block_is_named_by_the_digest_of_its_content(size: int) -> None:
    content = b"".join(b"%08d" % n for n in range(size // 8 + 1))[:size]
    whole = sha256()
    found, taken = [], []
    for step in steps(io.BytesIO(content), None, whole):
        found.append(step)
        taken += [bytes(step.block(n)) for n in range(len(step))]  # gone with the next step
    padded = content + bytes(-size % BLOCK_BYTES)
    blocks = [padded[at : at + BLOCK_BYTES] for at in range(0, size, BLOCK_BYTES)]
    assert taken == blocks
    assert [step.digest(n) for step in found for n in range(len(step))] == [
        sha256(block).digest() for block in blocks
    ]
    assert (sum(step.size for step in found), len(blocks)) == (size, blocks_of(size))
    assert whole.digest() == sha256(content).digest()


@given(DIGESTS, DIGESTS)
def test_changed_runs_hold_exactly_the_blocks_that_differ(
    before: list[bytes], after: list[bytes]
) -> None:
    runs = list(changed_runs(b"".join(before), b"".join(after)))
    differ = [n for n, digest in enumerate(after) if before[n : n + 1] != [digest]]
    assert [n for run in runs for n in run] == differ
    # As few as can be: between two runs there is a block that did not change.
    assert all(one.stop < other.start for one, other in pairwise(runs))


def test_steps_are_compared_with_the_list_of_the_image_before(tmp_path: Path) -> None:
    before = bytearray(b"".join(b"%08d" % n for n in range((STEP_BYTES + 8192) // 8)))
    with DigestWriter(tmp_path / "list") as listed:
        for step in steps(io.BytesIO(before), None, sha256()):
            listed.add(step.digests)
        listed.finish(IMAGE)
    before[5 * BLOCK_BYTES] ^= 1
    after = bytes(before) + b"longer"
    previous = open_digests(tmp_path / "list", IMAGE)
    assert previous is not None
    with previous:
        found = list(steps(io.BytesIO(after), previous, sha256()))
    assert [step.changed for step in found] == [(range(5, 6),), (range(2, 3),)]


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    path = tmp_path / "list"
    with DigestWriter(path) as written:
        written.add(bytes(range(2 * DIGEST_BYTES)))
        written.finish(IMAGE)
    return path


def test_a_digest_list_is_read_from_its_first_digest(listed: Path) -> None:
    found = open_digests(listed, IMAGE)
    assert found is not None
    with found:
        assert found.read() == bytes(range(2 * DIGEST_BYTES))


def test_the_list_of_another_image_and_a_missing_one_are_none(listed: Path) -> None:
    assert open_digests(listed, OTHER) is None
    assert open_digests(listed.with_name("missing"), IMAGE) is None


@pytest.mark.parametrize("at", [0, 7, 8, 39, 40, 71, 72, 135])
def test_a_list_with_any_part_altered_is_none(listed: Path, at: int) -> None:
    content = bytearray(listed.read_bytes())
    content[at] ^= 1
    listed.write_bytes(content)
    assert open_digests(listed, IMAGE) is None


@pytest.mark.parametrize("length", [0, 8, 71, 72, 104, 135])
def test_a_list_cut_off_is_none(listed: Path, length: int) -> None:
    listed.write_bytes(listed.read_bytes()[:length])
    assert open_digests(listed, IMAGE) is None


def test_a_list_that_was_not_finished_is_none(tmp_path: Path) -> None:
    with DigestWriter(tmp_path / "list") as written:
        written.add(bytes(DIGEST_BYTES))
    assert open_digests(tmp_path / "list", bytes(DIGEST_BYTES).hex()) is None
