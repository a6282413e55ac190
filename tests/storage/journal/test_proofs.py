"""Proofs against RFC 6962 section 2.1: made as it defines them, and no others accepted."""

import time
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.storage.journal import rfc6962
from tests.storage.journal.rfc6962 import EXAMPLE, entries_of, mth, subtrees_of

from junmai_svc.storage.journal.merkle import EMPTY_ROOT, leaf_hash, tree_root
from junmai_svc.storage.journal.proofs import (
    consistency_proof,
    inclusion_proof,
    is_consistent,
    is_included,
    root_at,
)

MOST = 140
HASHES = st.binary(min_size=32, max_size=32)


@st.composite
def leaf_of_tree(draw: st.DrawFn) -> tuple[int, int]:
    size = draw(st.integers(1, MOST))
    return draw(st.integers(0, size - 1)), size


@st.composite
def two_sizes(draw: st.DrawFn) -> tuple[int, int]:
    new = draw(st.integers(1, MOST))
    return draw(st.integers(1, new)), new


@st.composite
def spoilt(draw: st.DrawFn, proof: Sequence[bytes]) -> list[bytes]:
    """A proof with one bit turned, one hash more, one less, one cut, or two exchanged."""
    hashes = list(proof)
    ways = ["more"] + (["bit", "less", "cut"] if hashes else [])
    way = draw(st.sampled_from(ways + (["exchange"] if len(hashes) > 1 else [])))
    at = draw(st.integers(0, max(len(hashes) - 1, 0)))
    if way == "more":
        hashes.insert(at, draw(HASHES))
    elif way == "less":
        del hashes[at]
    elif way == "cut":
        hashes[at] = hashes[at][:-1]
    elif way == "exchange":
        hashes[at], hashes[at - 1] = hashes[at - 1], hashes[at]
    else:
        bit = draw(st.integers(0, 255))
        hashes[at] = (int.from_bytes(hashes[at]) ^ 1 << bit).to_bytes(32)
    return hashes


@settings(deadline=None)
@given(st.lists(st.binary(max_size=8), max_size=MOST))
def test_the_root_over_leaf_hashes_is_the_tree_head_of_the_rfc(entries: list[bytes]) -> None:
    assert tree_root(map(leaf_hash, entries)) == mth(entries)


@settings(deadline=None)
@given(st.integers(0, MOST), st.integers(0, MOST))
def test_the_root_of_any_earlier_size_follows_from_perfect_subtrees(old: int, more: int) -> None:
    entries = entries_of(old + more)
    assert root_at(old, subtrees_of(entries)) == mth(entries[:old])


@settings(deadline=None)
@given(leaf_of_tree(), st.integers(0, MOST))
def test_an_inclusion_proof_is_the_path_of_the_rfc_and_is_accepted(
    leaf: tuple[int, int], more: int
) -> None:
    index, size = leaf
    entries = entries_of(size + more)
    made = inclusion_proof(index, size, subtrees_of(entries))
    assert list(made) == rfc6962.path(index, entries[:size])
    assert is_included(leaf_hash(entries[index]), index, size, made, mth(entries[:size]))


@settings(deadline=None)
@given(two_sizes())
def test_a_consistency_proof_is_that_of_the_rfc_and_is_accepted(sizes: tuple[int, int]) -> None:
    old, new = sizes
    entries = entries_of(new)
    made = consistency_proof(old, new, subtrees_of(entries))
    assert list(made) == rfc6962.proof(old, entries)
    assert is_consistent(old, mth(entries[:old]), new, mth(entries), made)


@settings(deadline=None)
@given(leaf_of_tree(), st.data())
def test_a_spoilt_inclusion_proof_is_refused(leaf: tuple[int, int], data: st.DataObject) -> None:
    index, size = leaf
    entries = entries_of(size)
    made = data.draw(spoilt(inclusion_proof(index, size, subtrees_of(entries))))
    assert not is_included(leaf_hash(entries[index]), index, size, made, mth(entries))


@settings(deadline=None)
@given(two_sizes(), st.data())
def test_a_spoilt_consistency_proof_is_refused(sizes: tuple[int, int], data: st.DataObject) -> None:
    old, new = sizes
    entries = entries_of(new)
    made = data.draw(spoilt(consistency_proof(old, new, subtrees_of(entries))))
    assert not is_consistent(old, mth(entries[:old]), new, mth(entries), made)


@settings(deadline=None)
@given(leaf_of_tree(), st.integers(-2, MOST + 2))
def test_an_entry_is_not_proven_to_be_at_another_index(leaf: tuple[int, int], other: int) -> None:
    index, size = leaf
    entries = entries_of(size)
    made = inclusion_proof(index, size, subtrees_of(entries))
    included = is_included(leaf_hash(entries[index]), other, size, made, mth(entries))
    assert included == (other == index)


@settings(deadline=None)
@given(leaf_of_tree(), HASHES)
def test_no_other_entry_and_no_inner_node_passes_for_the_leaf(
    leaf: tuple[int, int], other: bytes
) -> None:
    index, size = leaf
    entries = entries_of(size)
    made = inclusion_proof(index, size, subtrees_of(entries))
    root = mth(entries)
    assert not is_included(other, index, size, made, root)
    assert not is_included(leaf_hash(entries[index])[:31], index, size, made, root)
    if size > 1:
        assert not is_included(root, index, size, (), root)


@settings(deadline=None)
@given(two_sizes(), st.data())
def test_a_tree_with_one_old_entry_changed_is_not_consistent(
    sizes: tuple[int, int], data: st.DataObject
) -> None:
    old, new = sizes
    entries = entries_of(new)
    changed = list(entries)
    changed[data.draw(st.integers(0, old - 1))] = b"changed"
    made = consistency_proof(old, new, subtrees_of(changed))
    assert not is_consistent(old, mth(entries[:old]), new, mth(changed), made)


def test_a_hash_cut_elsewhere_passes_neither_as_a_leaf_nor_as_a_root() -> None:
    """The two halves of what is hashed have one place where they meet."""
    left, right = leaf_hash(b"left"), leaf_hash(b"right")
    root = tree_root([left, right])
    assert is_included(left, 0, 2, (right,), root)
    assert not is_included(left + right[:1], 0, 2, (right[1:],), root)
    assert is_consistent(1, left, 2, root, (right,))
    assert not is_consistent(1, left + right[:1], 2, root, (right[1:],))


def test_a_path_longer_or_shorter_than_the_trees_depth_is_refused() -> None:
    left, right = leaf_hash(b"left"), leaf_hash(b"right")
    root = tree_root([left, right])
    assert is_included(right, 1, 2, (left,), root)
    assert not is_included(right, 0, 1, (left,), root)
    assert not is_included(root, 0, 2, (), root)


def test_trees_of_two_sizes_with_one_root_are_not_consistent() -> None:
    root = mth(EXAMPLE)
    assert not is_consistent(8, root, 16, root, ())
    assert not is_consistent(7, root, 16, root, (root,))


def test_a_negative_index_is_no_leafs() -> None:
    made = inclusion_proof(7, 8, subtrees_of(EXAMPLE))
    assert is_included(leaf_hash(EXAMPLE[7]), 7, 8, made, mth(EXAMPLE))
    assert not is_included(leaf_hash(EXAMPLE[7]), -1, 8, made, mth(EXAMPLE))


@settings(deadline=None)
@given(st.lists(HASHES, max_size=9), st.integers(-1, 9), st.integers(-1, 9), HASHES)
def test_made_up_proofs_are_refused_without_an_error(
    made: list[bytes], one: int, other: int, root: bytes
) -> None:
    unlike = bytes(byte ^ 1 for byte in root)
    assert not is_included(unlike, one, other, made, root)
    assert not is_consistent(one, unlike, other, root, made)


def test_the_empty_tree_begins_every_tree_and_only_it_does() -> None:
    root = mth(EXAMPLE)
    assert consistency_proof(0, 8, subtrees_of(EXAMPLE)) == ()
    assert consistency_proof(0, 0, subtrees_of([])) == ()
    assert is_consistent(0, EMPTY_ROOT, 8, root, ())
    assert is_consistent(0, EMPTY_ROOT, 0, EMPTY_ROOT, ())
    assert not is_consistent(0, root, 8, root, ())
    assert not is_consistent(0, EMPTY_ROOT, 8, root, (root,))


def test_a_smaller_or_an_equally_large_other_tree_is_not_consistent() -> None:
    root, other = mth(EXAMPLE), mth(EXAMPLE[:7])
    assert is_consistent(8, root, 8, root, ())
    assert not is_consistent(8, root, 8, other, ())
    assert not is_consistent(8, root, 7, other, ())
    assert not is_consistent(7, other, 8, root, ())


@pytest.mark.parametrize(
    ("size", "root"),
    [
        (0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (1, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
        (2, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"),
        (3, "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"),
        (4, "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"),
        (5, "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"),
        (6, "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef"),
        (7, "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"),
        (8, "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"),
    ],
)
def test_the_published_roots_come_out(size: int, root: str) -> None:
    assert root_at(size, subtrees_of(EXAMPLE)).hex() == root


@pytest.mark.parametrize(
    ("index", "size", "proof"),
    [
        (0, 1, []),
        (
            0,
            8,
            [
                "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
            ],
        ),
        (
            5,
            8,
            [
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ],
        ),
        (2, 3, ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
        (
            1,
            5,
            [
                "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            ],
        ),
    ],
)
def test_the_published_inclusion_proofs_come_out(index: int, size: int, proof: list[str]) -> None:
    made = inclusion_proof(index, size, subtrees_of(EXAMPLE))
    assert [hash_.hex() for hash_ in made] == proof


@pytest.mark.parametrize(
    ("old", "new", "proof"),
    [
        (1, 1, []),
        (
            1,
            8,
            [
                "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
            ],
        ),
        (
            6,
            8,
            [
                "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ],
        ),
        (
            2,
            5,
            [
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            ],
        ),
    ],
)
def test_the_published_consistency_proofs_come_out(old: int, new: int, proof: list[str]) -> None:
    made = consistency_proof(old, new, subtrees_of(EXAMPLE))
    assert [hash_.hex() for hash_ in made] == proof


def test_there_is_no_proof_of_what_is_not_in_the_tree() -> None:
    with pytest.raises(ValueError, match="8 leaves has no leaf 8"):
        inclusion_proof(8, 8, subtrees_of(EXAMPLE))
    with pytest.raises(ValueError, match="has no leaf -1"):
        inclusion_proof(-1, 8, subtrees_of(EXAMPLE))
    with pytest.raises(ValueError, match="9 leaves is not the beginning of one of 8"):
        consistency_proof(9, 8, subtrees_of(EXAMPLE))


def test_proofs_in_a_tree_of_a_billion_billion_leaves_take_no_time() -> None:
    """Every leaf of this tree is the same, so every perfect subtree of a level has one root."""
    size = 10**18
    roots = [leaf_hash(b"")]
    for _ in range(60):
        roots.append(tree_root([roots[-1]] * 2))
    begin = time.process_time()
    root = root_at(size, lambda level, _: roots[level])
    included = inclusion_proof(size // 3, size, lambda level, _: roots[level])
    grew = consistency_proof(size // 7, size, lambda level, _: roots[level])
    assert is_included(roots[0], size // 3, size, included, root)
    old_root = root_at(size // 7, lambda level, _: roots[level])
    assert is_consistent(size // 7, old_root, size, root, grew)
    assert time.process_time() - begin < 1
