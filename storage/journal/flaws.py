"""What of a journal's copy in a store is missing or wrong, found by making all of it anew.

A checkpoint says what there was to be signed, not that it can still be read: a bundle that is gone
shows only to who reads it, and outsiders have nothing else.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain

from junmai_svc.storage.errors import IntegrityError, NotFoundError
from junmai_svc.storage.journal import note, tiles
from junmai_svc.storage.journal.bundles import encode_bundle
from junmai_svc.storage.journal.keyring import KeyHistory
from junmai_svc.storage.journal.layout import WIDTH, Bundle, Tile, new_bundles, new_tiles
from junmai_svc.storage.journal.merkle import leaf_hash
from junmai_svc.storage.journal.mirror import ROTATION_SUFFIX, Mirror
from junmai_svc.storage.journal.rotations import encode_rotation
from junmai_svc.storage.journal.stored import Pair

# Gives entries and leaf hashes from one position up to another.
Ours = Callable[[int, int], Iterable[list[Pair]]]


@dataclass(frozen=True, slots=True)
class Flaw:
    """A bundle or tile that is not as it should be, and the first event that it concerns."""

    path: str
    position: int
    problem: str


def missing_parts(mirror: Mirror, size: int) -> Iterator[Flaw]:
    """Yield the bundles and tiles of a tree of `size` entries that a store does not list.

    Raises:
        JunmaiError: the store can't be listed.
    """
    there = {stat.name for stat in mirror.backend.list(mirror.name("tile/"))}
    parts: list[Bundle | Tile] = [*new_bundles(0, size), *new_tiles(0, size)]
    for part in parts:
        if mirror.name(part.path) not in there and not mirror.holds_wider(part):
            yield Flaw(part.path, first_position(part), "it is missing")


def wrong_parts(mirror: Mirror, size: int, ours: Ours) -> Iterator[tuple[Flaw, bytes]]:
    """Yield the bundles and tiles that are not what a tree of `size` entries has there.

    Each comes with the bytes that should be there. Every one is read.

    Raises:
        JunmaiError: the store or the journal can't be read.
    """
    for bundle in new_bundles(0, size):
        begin = bundle.index * WIDTH
        entries = [entry for step in ours(begin, begin + bundle.width) for entry, _ in step]
        problem = _problem(partial(mirror.bundle, bundle), entries)
        if problem is not None:
            yield Flaw(bundle.path, begin, problem), encode_bundle(entries)
    leaves = (leaf_hash(entry) for entry, _ in chain.from_iterable(ours(0, size)))
    for tile, content in tiles.grown(0, leaves, mirror.tile):
        problem = _problem(partial(mirror.tile, tile), content)
        if problem is not None and not mirror.holds_wider(tile):
            yield Flaw(tile.path, first_position(tile), problem), content


def key_objects(history: KeyHistory) -> dict[str, bytes]:
    """Return the objects by which outsiders follow a journal's keys, by path."""
    found = {f"keys/{key.key_id.hex()}.vkey": f"{key}\n".encode() for key in history.keys}
    for number, rotation in enumerate(history.rotations):
        found[f"keys/{number:06}{ROTATION_SUFFIX}"] = encode_rotation(rotation)
    return found


def wrong_keys(mirror: Mirror, history: KeyHistory) -> Iterator[tuple[str, str, bytes]]:
    """Yield the key objects that are not what they should be: path, problem and right bytes.

    Raises:
        JunmaiError: the store can't be read.
    """
    for path, right in key_objects(history).items():
        read = partial(mirror.backend.get, mirror.name(path), note.MAX_BYTES)
        problem = _problem(read, right)
        if problem is not None:
            yield path, problem, right


def first_position(part: Bundle | Tile) -> int:
    """Return the position of the first event that a bundle or tile concerns."""
    return part.index * (WIDTH if isinstance(part, Bundle) else WIDTH ** (part.level + 1))


def _problem(read: Callable[[], object], right: object) -> str | None:
    try:
        return None if read() == right else "it is not what was published"
    except NotFoundError:
        return "it is missing"
    except IntegrityError as error:
        return error.message
