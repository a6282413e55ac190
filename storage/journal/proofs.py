"""Proofs over the Merkle tree: one entry is in it, one tree is the beginning of a larger one.

A proof is a tuple of 32-byte hashes, as RFC 6962 sections 2.1.1 and 2.1.2 define them; they are
checked as RFC 9162 sections 2.1.3.2 and 2.1.4.2 say. Making one reads the roots of some 2 log2(n)
perfect subtrees, wherever they are stored; checking one needs nothing else. A proof is input from
outside: a check answers False to whatever is no proof, and never raises.

The sizes of the trees belong to their roots and must come with them, from a signed checkpoint: a
proof binds the entry and its index to the root, not the root to its size.
"""

from collections.abc import Callable, Sequence

from junmai_svc.storage.journal.merkle import EMPTY_ROOT, HASH_BYTES, frontier_root, node_hash

# (level, index) -> the root of the leaves from index * 2**level, 2**level in number.
Subtrees = Callable[[int, int], bytes]


def root_at(size: int, subtree: Subtrees) -> bytes:
    """Return the root of the tree of the first `size` leaves.

    `subtree` is asked only for perfect subtrees that lie within these leaves.
    """
    return _range_root(0, size, subtree)


def inclusion_proof(index: int, size: int, subtree: Subtrees) -> tuple[bytes, ...]:
    """Return the proof that leaf `index` is in the tree of the first `size` leaves.

    Its hashes go from the leaf to the root. `subtree` is asked only for perfect subtrees that lie
    within these leaves.

    Raises:
        ValueError: the tree has no such leaf.
    """
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has no leaf {index}")
    proof = []
    begin, end = 0, size
    while end - begin > 1:
        split = _split(begin, end)
        if index < split:
            proof.append(_range_root(split, end, subtree))
            end = split
        else:
            proof.append(_range_root(begin, split, subtree))
            begin = split
    return tuple(reversed(proof))


def consistency_proof(old: int, new: int, subtree: Subtrees) -> tuple[bytes, ...]:
    """Return the proof that the tree of `old` leaves is the beginning of that of `new` leaves.

    It is empty if `old` is 0 or equals `new`. `subtree` is asked only for perfect subtrees that lie
    within the new tree.

    Raises:
        ValueError: the old tree would be larger than the new one.
    """
    if not 0 <= old <= new:
        raise ValueError(f"a tree of {old} leaves is not the beginning of one of {new}")
    proof = []
    begin, end = 0, new if old else 0
    while end > old:
        split = _split(begin, end)
        if old <= split:
            proof.append(_range_root(split, end, subtree))
            end = split
        else:
            proof.append(_range_root(begin, split, subtree))
            begin = split
    # Where nothing was split off on the left, what is left is the old tree, whose root is known.
    if begin:
        proof.append(_range_root(begin, end, subtree))
    return tuple(reversed(proof))


def is_included(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Tell whether a proof shows that `leaf`, a leaf hash, is leaf `index` of the tree `root`."""
    if not 0 <= index < size or not _are_hashes((leaf, *proof)):
        return False
    at, last = index, size - 1
    computed = leaf
    for sibling in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            computed = node_hash(sibling, computed)
            at, last = _risen(at, last)
        else:
            computed = node_hash(computed, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and computed == root


def is_consistent(
    old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]
) -> bool:
    """Tell whether a proof shows that the tree `old_root` is the beginning of `new_root`.

    The empty tree is the beginning of every tree, and every tree is its own.
    """
    if not 0 <= old <= new or not _are_hashes(proof):
        return False
    if old == new:
        return not proof and old_root == new_root
    if old == 0:
        return not proof and old_root == EMPTY_ROOT
    # An old tree that is perfect is a subtree of the new one, and its root is left out.
    path = list(proof) if old & (old - 1) else [old_root, *proof]
    if not path:
        return False
    at, last = old - 1, new - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    old_computed = new_computed = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            old_computed = node_hash(sibling, old_computed)
            new_computed = node_hash(sibling, new_computed)
            at, last = _risen(at, last)
        else:
            new_computed = node_hash(new_computed, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and old_computed == old_root and new_computed == new_root


def _risen(at: int, last: int) -> tuple[int, int]:
    """Rise past the levels where a node on the right edge has no sibling."""
    while at and not at & 1:
        at, last = at >> 1, last >> 1
    return at, last


def _split(begin: int, end: int) -> int:
    """Return where a tree's left subtree ends: after the largest power of 2 below its size."""
    return begin + (1 << (end - begin - 1).bit_length() - 1)


def _range_root(begin: int, end: int, subtree: Subtrees) -> bytes:
    """Return the root of some leaves; `begin` is a multiple of the largest power of 2 in them."""
    roots = []
    while begin < end:
        level = (end - begin).bit_length() - 1
        roots.append(subtree(level, begin >> level))
        begin += 1 << level
    return frontier_root(roots)


def _are_hashes(hashes: Sequence[bytes]) -> bool:
    return all(len(hash_) == HASH_BYTES for hash_ in hashes)
