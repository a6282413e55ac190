"""What a look at a store found: data, never an exception; a look that could not be had raises."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from junmai_svc.storage.errors import JunmaiError
from junmai_svc.storage.snapshots.manifest import NAME, NewerManifestError

REPAIR_HINT = (
    "`junmai-svc check STORE --repair` mends what it can, with --from OTHER from another store too."
)

LEFT_HINT = (
    "What is left was nowhere to be had: name --from STORE or --from-source DATABASE, or take a"
    " backup, which stores again what the database still has, and repair once more."
)
MANIFEST_HINT = (
    "`junmai-svc check STORE --repair --from OTHER` takes it from another store that has the"
    " snapshot; without --from it is put aside, so that its name and its room are free again."
)


@dataclass(frozen=True)
class Hit:
    """A snapshot that damage concerns; `ranges` are bytes of its database.

    Where its manifest is damaged neither is known: the database is "", and there are no ranges.
    """

    snapshot: str
    database: str
    ranges: tuple[range, ...]

    @property
    def size(self) -> int:
        """How many bytes can't be had."""
        return sum(len(each) for each in self.ranges)


@dataclass(frozen=True)
class StoreFinding:
    """One damaged or missing thing: `what` is manifest, map, pack, image or description.

    `name` is its object's.

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
    and `whole` says whether that is every byte. `notes` are no damage. `unproven` are snapshots of
    which it was not seen that the bytes make their images.
    """

    snapshots: tuple[str, ...]
    objects: int
    read: int
    whole: bool
    findings: tuple[StoreFinding, ...] = ()
    notes: tuple[str, ...] = ()
    unproven: frozenset[str] = frozenset()

    @property
    def damaged(self) -> tuple[str, ...]:
        """The snapshots that can't be restored as they are, in order."""
        return tuple(sorted({hit.snapshot for each in self.findings for hit in each.hits}))

    @property
    def sound(self) -> tuple[str, ...]:
        """The snapshots whose every byte was read and found right; none by a lesser look."""
        others = {*self.damaged, *self.unproven}
        return tuple(name for name in self.snapshots if self.whole and name not in others)


def unknown_part(snapshot: str) -> tuple[Hit, ...]:
    """What damage to a manifest concerns, if it is that of a snapshot; of what is not known."""
    return (Hit(snapshot, "", ()),) if NAME.fullmatch(snapshot) else ()


def manifest_hint(problem: JunmaiError) -> str:
    """What to do about a manifest that can't be used."""
    return problem.hint if isinstance(problem, NewerManifestError) else MANIFEST_HINT


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
