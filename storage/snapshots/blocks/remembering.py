"""An index as this machine left it, which is brought in line with the store only where that pays.

All that a snapshot needs is looked for before it is published (`committing`), so where others have
pruned meanwhile a second attempt is made, and nothing is lost. What others have stored meanwhile is
not known, and might be stored again: so after a few blocks that are not known the store is asked.
"""

from collections.abc import Callable, Iterable
from pathlib import Path

from junmai_svc.storage.snapshots.blocks.index import BlockIndex, Location
from junmai_svc.storage.snapshots.blocks.packs import PackRef

# One frame: what may be stored although another machine has just stored it.
MOST_UNKNOWN = 256


class RememberedIndex(BlockIndex):
    """An index that `fill` brings in line with the store, once, when it is needed.

    Raises:
        JunmaiError: as `BlockIndex`, and as `fill`.
    """

    def __init__(self, path: Path, fill: Callable[[BlockIndex], None]) -> None:
        super().__init__(path)
        self._fill: Callable[[BlockIndex], None] | None = fill
        self._unknown = 0

    def rely_on(self, packs: Iterable[PackRef]) -> None:
        """Ask the store at once, unless all these packs are known and none is in doubt."""
        if not all(self.trusts(pack) for pack in packs):
            self.ask()

    def ask(self) -> None:
        """Bring it in line with the store, if it is not yet."""
        fill, self._fill = self._fill, None
        if fill is not None:
            fill(self)

    def find(self, digests: Iterable[bytes]) -> dict[bytes, Location]:
        """Return where those of the blocks lie that are known."""
        wanted = frozenset(digests)
        found = super().find(wanted)
        self._unknown += len(wanted) - len(found)
        if self._fill is None or self._unknown <= MOST_UNKNOWN:
            return found
        self.ask()
        return super().find(wanted)
