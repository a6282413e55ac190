"""Whether the stores have what events name by its SHA-256: plans and results too large for them."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from junmai_svc.storage.errors import IntegrityError, NotFoundError
from junmai_svc.storage.journal.examining import Detail
from junmai_svc.storage.snapshots.base import DETAILS, SnapshotStore

HINT = "Look whether another store still has it; `replay` and `show --html` need it."


@dataclass
class Details:
    """What was found of the details that events name: those that a store has, and what is bad."""

    present: set[str] = field(default_factory=set)
    damaged: dict[str, str] = field(default_factory=dict)

    def missing(self, told: Mapping[str, Detail]) -> Iterator[tuple[str, Detail]]:
        """Yield those that no store has."""
        return ((digest, told[digest]) for digest in told if digest not in self.present)


def look_for(
    stores: Collection[SnapshotStore], told: Mapping[str, Detail], *, read_data: bool
) -> Details:
    """Look in all stores for the details that events name; with `read_data` each is hashed.

    Raises:
        JunmaiError: a store can't be read.
    """
    found = Details()
    for store in stores if told else ():
        names = {stat.name for stat in store.backend.list(f"{DETAILS}/")}
        here = {digest for digest in told if f"{DETAILS}/{digest}.json" in names}
        found.present |= here
        for digest in sorted(here) if read_data else ():
            try:
                store.get_details(digest)
            except (IntegrityError, NotFoundError) as error:
                found.damaged[digest] = error.message
    return found
