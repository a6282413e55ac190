"""The frontier against the recursive definition of RFC 6962 section 2.1."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from junmai_svc.storage.journal.merkle import (
    frontier_append,
    frontier_bytes,
    frontier_from,
    frontier_root,
    leaf_hash,
)


def defined_root(entries: list[bytes]) -> bytes:
    if not entries:
        return hashlib.sha256(b"").digest()
    if len(entries) == 1:
        return hashlib.sha256(b"\x00" + entries[0]).digest()
    split = 1
    while split * 2 < len(entries):
        split *= 2
    left, right = defined_root(entries[:split]), defined_root(entries[split:])
    return hashlib.sha256(b"\x01" + left + right).digest()


def frontier_of(entries: list[bytes]) -> tuple[bytes, ...]:
    frontier: tuple[bytes, ...] = ()
    for size, entry in enumerate(entries):
        frontier = frontier_append(frontier, size, leaf_hash(entry))
    return frontier


@given(st.lists(st.binary(max_size=8), max_size=200))
def test_its_root_is_the_tree_head_of_the_rfc(entries: list[bytes]) -> None:
    assert frontier_root(frontier_of(entries)) == defined_root(entries)


@given(st.lists(st.binary(max_size=8), max_size=200))
def test_it_holds_one_root_for_each_1_bit_of_the_size_and_survives_storing(
    entries: list[bytes],
) -> None:
    frontier = frontier_of(entries)
    assert len(frontier) == len(entries).bit_count()
    assert frontier_from(frontier_bytes(frontier)) == frontier


def test_the_published_example_of_eight_entries_comes_out() -> None:
    """The test vectors of the certificate-transparency reference implementation."""
    leaves = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657"]
    leaves.append("606162636465666768696a6b6c6d6e6f")
    root = frontier_root(frontier_of([bytes.fromhex(leaf) for leaf in leaves]))
    assert root.hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


def test_a_frontier_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="2 subtree roots can't stand for 4 leaves"):
        frontier_append([b"a" * 32, b"b" * 32], 4, b"c" * 32)


def test_a_stored_frontier_of_odd_length_is_refused() -> None:
    with pytest.raises(ValueError, match="33 bytes"):
        frontier_from(b"x" * 33)
