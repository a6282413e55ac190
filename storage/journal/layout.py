"""Where a store keeps the entries and the hashes of a journal, and what is new when it grows.

Source: C2SP tlog-tiles. Entries lie in bundles of 256. Tile n of level l holds the roots of the
subtrees of 256**l leaves, from number 256 * n; level 0 holds the leaf hashes. Only whole subtrees
are in a tile. The last bundle, and the last tile of each level, may be partial: it lies under a
path of its own, so that nothing that was stored is ever changed.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

WIDTH = 256
# How many levels of the tree are in one tile.
HEIGHT = 8

_DIGITS = 3
_PATH = re.compile(
    r"tile/(entries|[0-9]|[1-5][0-9]|6[0-3])/((?:x[0-9]{3}/){0,6}[0-9]{3})"
    r"(?:\.p/([1-9][0-9]{0,2}))?"
)


@dataclass(frozen=True, slots=True)
class Bundle:
    """The entries from position 256 * `index`, `width` in number; 256 make it full."""

    index: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """Where it is stored, from the journal's folder."""
        return f"tile/entries/{_numbered(self.index, self.width)}"


@dataclass(frozen=True, slots=True)
class Tile:
    """The hashes of a level from number 256 * `index`, `width` in number; 256 make it full."""

    level: int
    index: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """Where it is stored, from the journal's folder."""
        return f"tile/{self.level}/{_numbered(self.index, self.width)}"


def parse_path(path: str) -> Bundle | Tile | None:
    """Return what is stored under a path, None for one that isn't in its one form."""
    match = _PATH.fullmatch(path)
    if match is None:
        return None
    level, number, partial = match.groups()
    index = int(re.sub("[x/]", "", number))
    width = int(partial or WIDTH)
    parsed = Bundle(index, width) if level == "entries" else Tile(int(level), index, width)
    return parsed if parsed.path == path else None


def new_bundles(old: int, new: int) -> list[Bundle]:
    """Return the bundles that a journal of `new` entries has and one of `old` entries doesn't."""
    return [Bundle(index, width) for index, width in _new(old, new)]


def new_tiles(old: int, new: int) -> list[Tile]:
    """Return the tiles that a tree of `new` leaves has and one of `old` leaves doesn't.

    They are in the order of their levels.
    """
    return [
        Tile(level, index, width)
        for level in _levels(new)
        for index, width in _new(hashes_at(level, old), hashes_at(level, new))
    ]


def partial_tiles(size: int) -> list[Tile]:
    """Return the partial tiles of a tree, level 0 first: all that is needed to let it grow."""
    return [
        Tile(level, hashes_at(level, size) // WIDTH, width)
        for level in _levels(size)
        if (width := hashes_at(level, size) % WIDTH)
    ]


def is_superseded(path: str, size: int) -> bool:
    """Tell whether a path is that of a partial bundle or tile which is full in a tree of `size`."""
    parsed = parse_path(path)
    if parsed is None or parsed.width == WIDTH:
        return False
    level = parsed.level if isinstance(parsed, Tile) else 0
    return parsed.index < hashes_at(level, size) // WIDTH


def hashes_at(level: int, size: int) -> int:
    """Return how many hashes all tiles of a level hold together."""
    return size >> HEIGHT * level


def _levels(size: int) -> Iterator[int]:
    """Count the levels of a tree of `size` leaves that have a tile."""
    level = 0
    while hashes_at(level, size):
        yield level
        level += 1


def _new(old: int, new: int) -> Iterator[tuple[int, int]]:
    """Yield index and width of what holds `new` hashes or entries and is not there for `old`."""
    if new > old:
        yield from ((index, WIDTH) for index in range(old // WIDTH, new // WIDTH))
        if new % WIDTH:
            yield new // WIDTH, new % WIDTH


def _numbered(index: int, width: int) -> str:
    """Return an index in groups of 3 digits, all but the last after an x, and a partial width."""
    text = str(index)
    text = text.zfill(-(-len(text) // _DIGITS) * _DIGITS)
    *groups, last = (text[at : at + _DIGITS] for at in range(0, len(text), _DIGITS))
    number = "".join(f"x{group}/" for group in groups) + last
    return f"{number}.p/{width}" if width < WIDTH else number
