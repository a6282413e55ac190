"""What events tell of the snapshots themselves: which were proven, and which found damaged.

A pure fold, in one pass. What the data of an event holds is input: a field that is missing or of
another kind reads as None.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from junmai_svc.storage.journal.addresses import address_of, is_same_place
from junmai_svc.storage.journal.entry import Event
from junmai_svc.storage.journal.events import Role, kind_of

# What ends the streams in which a snapshot was read whole and found right.
PROOFS = {"verification": "completed", "restore": "switched", "drill": "proven"}
# What ends the streams in which a snapshot was read and found damaged; a drill that failed for any
# other reason says nothing of the snapshot.
_DAMAGE = {"verification": "mismatch_found", "drill": "failed"}
_DAMAGED_BYTES = {"IntegrityError", "ChecksumError"}


@dataclass(frozen=True)
class Soundness:
    """When each snapshot was last proven, and which were found damaged, by the store's place.

    Either is told of the copy whose bytes were read, and says nothing of the same name elsewhere.
    `looks` holds the position of the last event that told of a copy, and whether it was damaged.
    """

    proven: dict[str, dict[str, datetime]] = field(default_factory=dict)
    looks: dict[str, dict[str, tuple[int, bool]]] = field(default_factory=dict)

    def proven_in(self, store: str) -> dict[str, datetime]:
        """Return when each snapshot of a store, given by its URL or path, was last proven there."""
        found: dict[str, datetime] = {}
        for place, proven in self.proven.items():
            if is_same_place(place, store):
                found |= {name: max(when, found.get(name, when)) for name, when in proven.items()}
        return found

    def damaged_in(self, store: str) -> frozenset[str]:
        """Return what was found damaged in a store, given its URL or its absolute path.

        Of looks at one copy under several paths the last one counts.
        """
        last: dict[str, tuple[int, bool]] = {}
        for place, looks in self.looks.items():
            if is_same_place(place, store):
                last |= {name: max(look, last.get(name, look)) for name, look in looks.items()}
        return frozenset(name for name, (_, damaged) in last.items() if damaged)

    def seen(self, event: Event, place: str, names: Iterable[str], *, damaged: bool) -> None:
        """Note what an event tells of the copies in a place."""
        here = self.looks.setdefault(place, {})
        here.update(dict.fromkeys(names, (event.position, damaged)))


def fold_soundness(events: Iterable[Event]) -> Soundness:
    """Return what a journal tells of all snapshots."""
    told = Soundness()
    starts: dict[str, Mapping[str, Any]] = {}
    for event in events:
        kind = kind_of(event.type)
        if kind is None or kind.category not in {"check", *PROOFS}:
            continue
        if kind.role is Role.START:
            starts[event.stream] = event.data
        start = starts.get(event.stream, {})
        if kind.category == "check":
            _examined(told, event, start)
        if kind.role is Role.TERMINAL:
            _ended(told, event, kind.category, kind.name, start)
            starts.pop(event.stream, None)
    return told


def _examined(told: Soundness, event: Event, start: Mapping[str, Any]) -> None:
    place = address_of(start, event.data.get("store"))
    if place is not None:
        told.seen(event, place, _texts(event, "sound"), damaged=False)
        told.seen(event, place, _texts(event, "damaged"), damaged=True)


def _ended(
    told: Soundness, event: Event, category: str, name: str, start: Mapping[str, Any]
) -> None:
    # A restore may have taken another store's copy, as that of the first one was damaged.
    place = address_of(start, event.data.get("store")) or address_of(start, start.get("store"))
    snapshot = start.get("snapshot")
    if not isinstance(snapshot, str) or place is None:
        return
    if name == PROOFS.get(category):
        told.proven.setdefault(place, {})[snapshot] = event.time
        told.seen(event, place, [snapshot], damaged=False)
    elif name == _DAMAGE.get(category) and _tells_damage(event):
        told.seen(event, place, [snapshot], damaged=True)


def _tells_damage(event: Event) -> bool:
    return "error" not in event.data or event.data["error"] in _DAMAGED_BYTES


def _texts(event: Event, name: str) -> list[str]:
    value = event.data.get(name)
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []
