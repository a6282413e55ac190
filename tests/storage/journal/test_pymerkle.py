"""The same trees by pymerkle, an independent implementation that only this test uses."""

import pymerkle
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.storage.journal.rfc6962 import entries_of, subtrees_of

from junmai_svc.storage.journal.merkle import leaf_hash, tree_root
from junmai_svc.storage.journal.proofs import (
    consistency_proof,
    inclusion_proof,
    is_consistent,
    root_at,
)

MOST = 300
SUBTREES = subtrees_of(entries_of(MOST))
ORACLE = pymerkle.InmemoryTree(algorithm="sha256")
ORACLE.append_entries(entries_of(MOST))


@settings(deadline=None)
@given(st.lists(st.binary(max_size=40), max_size=40))
def test_it_finds_the_same_root_over_any_entries(entries: list[bytes]) -> None:
    oracle = pymerkle.InmemoryTree(algorithm="sha256")
    oracle.append_entries(entries)
    assert tree_root(map(leaf_hash, entries)) == oracle.get_root()


@settings(deadline=None)
@given(st.integers(1, MOST), st.data())
def test_it_makes_the_same_inclusion_proof_and_accepts_ours(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    ours = inclusion_proof(index, size, SUBTREES)
    proof = ORACLE.prove_inclusion(index + 1, size)
    # Its path begins with the leaf itself, and it counts leaves from 1.
    leaf = proof.path[0]
    assert tuple(proof.path[1:]) == ours
    proof.path = [leaf, *ours]
    pymerkle.verify_inclusion(leaf, root_at(size, SUBTREES), proof, index=index + 1, size=size)


@settings(deadline=None)
@given(st.integers(1, MOST), st.data())
def test_it_finds_the_same_two_trees_consistent(new: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, new))
    proof = ORACLE.prove_consistency(old, new)
    old_root, new_root = root_at(old, SUBTREES), root_at(new, SUBTREES)
    pymerkle.verify_consistency(old_root, new_root, proof, prior_size=old, later_size=new)
    # Its proofs go down to a leaf, where those of the RFC stop at what is left of the old tree.
    ours = consistency_proof(old, new, SUBTREES)
    assert is_consistent(old, old_root, new, new_root, ours)
