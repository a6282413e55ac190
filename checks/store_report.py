"""What a look at a store found: data, never an exception; a look that could not be had raises."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

REPAIR_HINT = "`junmai-svc check --repair` mends what it can; see its --help."


@dataclass(frozen=True)
class Hit:
    """A snapshot that damage concerns; `ranges` are bytes of its database."""

    snapshot: str
    database: str
    ranges: tuple[range, ...]

    @property
    def size(self) -> int:
        """How many bytes can't be had."""
        return sum(len(each) for each in self.ranges)


@dataclass(frozen=True)
class StoreFinding:
    """One damaged or missing thing: `what` is manifest, map, pack or image, `name` its object's.

    `hits` are the snapshots that it concerns; none where nothing needs it.
    """

    what: str
    name: str
    problem: str
    hits: tuple[Hit, ...] = ()
    hint: str = REPAIR_HINT


@dataclass(frozen=True)
class StoreReport:
    """All that was found. `snapshots` are those whose manifests can be read.

    `objects` counts packs or images that were looked at, `read` the bytes that were read of them,
    and `whole` says whether that is every byte. `notes` are no damage.
    """

    snapshots: tuple[str, ...]
    objects: int
    read: int
    whole: bool
    findings: tuple[StoreFinding, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def damaged(self) -> tuple[str, ...]:
        """The snapshots that can't be restored as they are, in order."""
        return tuple(sorted({hit.snapshot for each in self.findings for hit in each.hits}))

    @property
    def sound(self) -> tuple[str, ...]:
        """The snapshots whose every byte was read and found right; none by a lesser look."""
        damaged = set(self.damaged)
        return tuple(name for name in self.snapshots if self.whole and name not in damaged)


def merged(ranges: Iterable[range]) -> Iterator[range]:
    """Yield the same numbers as ranges that are apart and ascending."""
    last = range(0)
    for each in sorted(ranges, key=lambda one: (one.start, one.stop)):
        if last and each.start <= last.stop:
            last = range(last.start, max(last.stop, each.stop))
            continue
        if last:
            yield last
        last = each
    if last:
        yield last
