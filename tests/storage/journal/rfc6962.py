"""The tree and its proofs word by word as RFC 6962 section 2.1 defines them, over the entries."""

import hashlib
from collections.abc import Sequence

from junmai_svc.storage.journal.merkle import leaf_hash, tree_root
from junmai_svc.storage.journal.proofs import Subtrees

# The entries, roots and proofs of the certificate-transparency reference implementation's tests.
EXAMPLE = [
    bytes.fromhex(entry)
    for entry in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]


def entries_of(size: int) -> list[bytes]:
    """Return that many entries, no two alike."""
    return [b"entry %d" % number for number in range(size)]


def subtrees_of(entries: Sequence[bytes]) -> Subtrees:
    """Return the roots of perfect subtrees, computed from the entries; others fail."""
    leaves = [leaf_hash(entry) for entry in entries]

    def subtree(level: int, index: int) -> bytes:
        under = leaves[index << level : (index + 1) << level]
        assert len(under) == 1 << level, "a subtree that is not whole was asked for"
        return tree_root(under)

    return subtree


def mth(entries: Sequence[bytes]) -> bytes:
    """Return MTH(D[n])."""
    if not entries:
        return hashlib.sha256(b"").digest()
    if len(entries) == 1:
        return hashlib.sha256(b"\x00" + entries[0]).digest()
    k = power_below(len(entries))
    return hashlib.sha256(b"\x01" + mth(entries[:k]) + mth(entries[k:])).digest()


def path(m: int, entries: Sequence[bytes]) -> list[bytes]:
    """Return PATH(m, D[n])."""
    if len(entries) == 1:
        return []
    k = power_below(len(entries))
    if m < k:
        return [*path(m, entries[:k]), mth(entries[k:])]
    return [*path(m - k, entries[k:]), mth(entries[:k])]


def proof(m: int, entries: Sequence[bytes]) -> list[bytes]:
    """Return PROOF(m, D[n]), for 0 < m <= n."""
    return subproof(m, entries, whole=True)


def subproof(m: int, entries: Sequence[bytes], *, whole: bool) -> list[bytes]:
    """Return SUBPROOF(m, D[n], b)."""
    if m == len(entries):
        return [] if whole else [mth(entries)]
    k = power_below(len(entries))
    if m <= k:
        return [*subproof(m, entries[:k], whole=whole), mth(entries[k:])]
    return [*subproof(m - k, entries[k:], whole=False), mth(entries[:k])]


def power_below(n: int) -> int:
    """Return k, the largest power of two smaller than n."""
    k = 1
    while k * 2 < n:
        k *= 2
    return k
