"""The Merkle tree over the entries (RFC 6962 section 2.1), kept as a frontier.

A frontier is the roots of the perfect subtrees that a tree of `size` leaves is made of, the largest
first: one for each 1 bit of `size`. It is all that has to be remembered to add the next leaf.
"""

import hashlib
from collections.abc import Iterable

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256().digest()

_LEAF = b"\x00"
_NODE = b"\x01"


def leaf_hash(entry: bytes) -> bytes:
    """Return the 32-byte hash of one entry as a leaf: SHA-256 of a zero byte and the entry."""
    return hashlib.sha256(_LEAF + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the 32-byte hash of an inner node over its two children."""
    return hashlib.sha256(_NODE + left + right).digest()


def tree_root(leaves: Iterable[bytes]) -> bytes:
    """Return the 32-byte root of the tree over these leaf hashes, all of them held in memory.

    That of no leaves is the SHA-256 of nothing.
    """
    layer = list(leaves)
    if not layer:
        return EMPTY_ROOT
    while len(layer) > 1:
        # Without a neighbour the last one rises as it is: the RFC's right subtree, the smaller one.
        last = layer[len(layer) & ~1 :]
        layer = [node_hash(*pair) for pair in zip(layer[::2], layer[1::2], strict=False)] + last
    return layer[0]


def frontier_append(frontier: Iterable[bytes], size: int, leaf: bytes) -> tuple[bytes, ...]:
    """Return the frontier of `size + 1` leaves from that of `size` leaves and the next leaf's hash.

    Raises:
        ValueError: the frontier is not one of a tree of `size` leaves.
    """
    roots = list(frontier)
    if len(roots) != size.bit_count():
        raise ValueError(f"{len(roots)} subtree roots can't stand for {size} leaves")
    # Like adding 1 in binary: each trailing 1 bit is a subtree as large as the one carried.
    while size & 1:
        leaf = node_hash(roots.pop(), leaf)
        size >>= 1
    return (*roots, leaf)


def frontier_root(frontier: Iterable[bytes]) -> bytes:
    """Return the tree's 32-byte root; that of no leaves is the SHA-256 of nothing."""
    roots = list(frontier)
    if not roots:
        return EMPTY_ROOT
    root = roots.pop()
    while roots:
        root = node_hash(roots.pop(), root)
    return root


def frontier_bytes(frontier: Iterable[bytes]) -> bytes:
    """Return the frontier as it is stored: its hashes one after the other."""
    return b"".join(frontier)


def frontier_from(stored: bytes) -> tuple[bytes, ...]:
    """Return the frontier that `frontier_bytes` stored.

    Raises:
        ValueError: the length is no multiple of a hash's.
    """
    if len(stored) % HASH_BYTES:
        raise ValueError(f"{len(stored)} bytes are not a whole number of hashes")
    return tuple(stored[at : at + HASH_BYTES] for at in range(0, len(stored), HASH_BYTES))
