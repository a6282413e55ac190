"""A Merkle tree that grows leaf by leaf in batches, and tells its root at sizes asked for before.

Hashing goes a block at a time, which takes half the time of extending a frontier by each leaf.
"""

from collections.abc import Iterable

from junmai_svc.storage.journal.merkle import (
    frontier_append,
    frontier_root,
    node_hash,
    tree_root,
)

_HEIGHT = 10
_BLOCK = 1 << _HEIGHT


class GrowingTree:
    """The tree over all leaves added so far; `roots` has those of the wanted sizes it reached."""

    def __init__(self, wanted: Iterable[int] = ()) -> None:
        self.size = 0
        self.roots: dict[int, bytes] = {}
        self._wanted = sorted(set(wanted), reverse=True)
        self._blocks: list[bytes] = []  # the frontier over whole blocks
        self._count = 0
        self._rest: list[bytes] = []
        self._remember(0)

    def add(self, leaves: Iterable[bytes]) -> None:
        """Add the next leaf hashes."""
        self._rest += leaves
        while len(self._rest) >= _BLOCK:
            block = self._rest[:_BLOCK]
            self._remember(self._count * _BLOCK + _BLOCK - 1)
            self._push(tree_root(block))
            del self._rest[:_BLOCK]
            self._remember(self._count * _BLOCK)
        self.size = self._count * _BLOCK + len(self._rest)
        self._remember(self.size)

    @property
    def frontier(self) -> tuple[bytes, ...]:
        """The frontier of the tree as it is."""
        return self._frontier_at(self.size)

    @property
    def root(self) -> bytes:
        """The root of the tree as it is."""
        return frontier_root(self.frontier)

    def _remember(self, size: int) -> None:
        while self._wanted and self._wanted[-1] <= size:
            wanted = self._wanted.pop()
            self.roots[wanted] = frontier_root(self._frontier_at(wanted))

    def _frontier_at(self, size: int) -> tuple[bytes, ...]:
        frontier: tuple[bytes, ...] = ()
        for number, leaf in enumerate(self._rest[: size - self._count * _BLOCK]):
            frontier = frontier_append(frontier, number, leaf)
        return (*self._blocks, *frontier)

    def _push(self, root: bytes) -> None:
        count = self._count
        while count & 1:
            root = node_hash(self._blocks.pop(), root)
            count >>= 1
        self._blocks.append(root)
        self._count += 1
