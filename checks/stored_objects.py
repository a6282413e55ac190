"""Whether the snapshots that the events tell of are in a store, and the store's snapshots told of.

A store that was copied elsewhere holds snapshots that were recorded at another address: they are
known by their name and checksum, and what was never recorded at this address is not missed here.
What none of the stores holds is told in any case.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from junmai_svc.checks import stored_details
from junmai_svc.checks.proof import Question, Verdicts
from junmai_svc.checks.stored_images import faults
from junmai_svc.storage.backends.failures import translated
from junmai_svc.storage.errors import IntegrityError, NotFoundError
from junmai_svc.storage.journal.checkpoint import origin_of
from junmai_svc.storage.journal.examining import Detail, Examination
from junmai_svc.storage.journal.folding import RUNS, SNAPSHOTS, STORES, Row, rows_named
from junmai_svc.storage.snapshots.base import Snapshot, SnapshotStore, Unreadable

MISSING_HINT = "Look whether another store still has it, and who deleted it here."
UNEXPLAINED_HINT = "Restore from it only if you know where it comes from."


@dataclass(frozen=True)
class Listing:
    """What a store listed before the events were read; `addresses` are its names in events."""

    store: SnapshotStore
    good: Sequence[Snapshot]
    unreadable: Sequence[Unreadable]
    addresses: frozenset[str]


def list_store(store: SnapshotStore) -> Listing:
    """List a store.

    Raises:
        JunmaiError: the store can't be read.
    """
    with translated(f"read the snapshots in {store.url}"):
        good, unreadable = store.snapshots()
    addresses = frozenset({_address(store.url), _address(store.backend.url)})
    return Listing(store, good, unreadable, addresses)


def check(
    listings: Sequence[Listing],
    examined: Examination,
    journal_id: str,
    verdicts: Verdicts,
    *,
    read_data: bool,
) -> None:
    """Hold stores against what a journal's events amount to; with `read_data` every byte is read.

    Raises:
        JunmaiError: a store can't be read.
    """
    for listing in listings:
        _Store(listing, examined.rows, journal_id, verdicts).check(read_data=read_data)
    _elsewhere(listings, examined.rows, verdicts)
    _details(listings, examined, verdicts, read_data=read_data)
    if listings and not any(rows_named(examined.rows, SNAPSHOTS)):
        verdicts.asked(Question.OBJECTS)  # there is nothing to miss


@dataclass
class _Store:
    listing: Listing
    rows: Mapping[tuple[str, str], Row]
    journal_id: str
    verdicts: Verdicts
    foreign: dict[str, list[str]] = field(default_factory=dict)  # names, by whose they are

    def check(self, *, read_data: bool) -> None:
        listing, store = self.listing, self.listing.store
        told = [row for _, row in rows_named(self.rows, SNAPSHOTS)]
        here = listing.addresses
        due = {r["snapshot"]: r for r in told if r["store"] in here and r["deleted"] is None}
        if due or listing.good or listing.unreadable:
            self.verdicts.asked(Question.OBJECTS)
        for problem in listing.unreadable:
            known = due.pop(Path(problem.manifest).stem, None)
            self._doubt(problem.problem.message, known, f"{store.url}: {problem.manifest}")
        recorded: dict[str, Row] = {}
        digests: dict[str, str] = {}
        for snapshot in listing.good:
            own = due.pop(snapshot.name, None)
            row = own or _recorded(told, snapshot)
            if row is None:
                self._unexplained(snapshot)
            elif (row["checksum"] or snapshot.manifest.checksum) != snapshot.manifest.checksum:
                message = f"the manifest of {snapshot.name} has another checksum than was recorded"
                self._doubt(message, row, store.url, MISSING_HINT)
            elif row["deleted"] is None:
                recorded[snapshot.name] = row
                if own is not None and own["manifest"] is not None:
                    digests[snapshot.name] = own["manifest"]
        whole = [snapshot for snapshot in listing.good if snapshot.name in recorded]
        for fault in faults(store, whole, digests, read_data=read_data):
            self._doubt(fault.problem, recorded[fault.snapshot], store.url, fault.hint)
        hashed = len(whole) if read_data else 0
        self.verdicts.covered(Question.OBJECTS, hashed, len(whole), "snapshots hashed")
        self._missing(due)
        for whose, names in self.foreign.items():
            self.verdicts.note(Question.OBJECTS, _told_foreign(names, whose, store.url))

    def _missing(self, due: Mapping[str, Row]) -> None:
        store, here = self.listing.store, self.listing.addresses
        running = [row for _, row in rows_named(self.rows, RUNS) if row["status"] == "running"]
        pruning = any(row["kind"] == "prune" and row["store"] in here for row in running)
        since = [r["accepted"] for key, r in rows_named(self.rows, STORES) if key in here]
        for name, row in due.items():
            if _is_there(store, name):
                continue  # it was stored after the store was listed
            if row["position"] < max(since, default=0):
                text = f"{name} is gone, as was accepted of {store.url} since"
                self.verdicts.note(Question.OBJECTS, text)
                continue
            if pruning:
                text = f"{name} is gone while a prune goes on in {store.url}"
                self.verdicts.note(Question.OBJECTS, text)
                continue
            if self._was_abandoned(row["deleting"]):
                text = (
                    f"{name} is gone, as the run {row['deleting']} that was killed meant it to be"
                )
                self.verdicts.note(Question.OBJECTS, text)
                continue
            message = f"the snapshot {name} is gone, and no event tells that it was deleted"
            self._doubt(message, row, store.url, MISSING_HINT)

    def _unexplained(self, snapshot: Snapshot) -> None:
        manifest = snapshot.manifest
        run = self.rows.get((RUNS, f"backup/{manifest.run}"))
        if run is not None and run["status"] == "running":
            return  # it was listed before its run came to record it
        if run is not None and (run["status"], run["snapshot"]) == ("abandoned", snapshot.name):
            text = f"{snapshot.name} was stored by a run that was killed before it could say so"
            self.verdicts.note(Question.OBJECTS, text)
            return
        signed = (manifest.checkpoint or "").partition("\n")[0]
        if manifest.format == 0:
            self.foreign.setdefault("of the replaced tool, without events", []).append(
                snapshot.name
            )
        elif signed and signed != origin_of(self.journal_id):
            self.foreign.setdefault(f"of another journal, {signed}", []).append(snapshot.name)
        else:
            message = f"the snapshot {snapshot.name} is explained by no event"
            self._doubt(message, None, self.listing.store.url, UNEXPLAINED_HINT)

    def _was_abandoned(self, stream: str | None) -> bool:
        """Whether a run died, and whoever came after it closed its stream."""
        run = self.rows.get((RUNS, stream or ""))
        return run is not None and run["status"] == "abandoned"

    def _doubt(self, message: str, row: Row | None, where: str, hint: str = "") -> None:
        position = row["position"] if row else None
        self.verdicts.doubt(Question.OBJECTS, message, position, where, hint)


def _told_foreign(names: Sequence[str], whose: str, store: str) -> str:
    if len(names) == 1:
        return f"{names[0]} in {store} is {whose}"
    return f"{len(names):,} snapshots in {store} are {whose}"


def _elsewhere(
    listings: Sequence[Listing], rows: Mapping[tuple[str, str], Row], verdicts: Verdicts
) -> None:
    """Note the snapshots of stores that were not looked at, and that no other store holds."""
    seen = _seen(listings)
    held = {(each.name, each.manifest.checksum) for one in listings for each in one.good}
    held |= {(each.name, "") for one in listings for each in one.good}
    others: dict[str, int] = {}
    for _, row in rows_named(rows, SNAPSHOTS):
        known = (row["snapshot"], row["checksum"] or "") in held
        if row["deleted"] is None and row["store"] not in seen and not known:
            others[str(row["store"])] = others.get(str(row["store"]), 0) + 1
    for place, count in sorted(others.items()):
        text = f"{count:,} snapshots that were stored in {place} are in no store that was looked at"
        verdicts.note(Question.OBJECTS, text)


def _details(
    listings: Sequence[Listing], examined: Examination, verdicts: Verdicts, *, read_data: bool
) -> None:
    """Look for what events name by its digest, in the store of the run and in all others."""
    stores = [listing.store for listing in listings]
    found = stored_details.look_for(stores, examined.details, read_data=read_data)
    seen, hint = _seen(listings), stored_details.HINT
    unseen = 0
    for digest, detail in found.missing(examined.details):
        if _store_of(detail, examined.rows) in seen:
            message = f"the details {digest} of {detail.stream} are gone"
            verdicts.doubt(Question.OBJECTS, message, detail.position, "", hint)
        else:
            unseen += 1
    for digest, problem in found.damaged.items():
        verdicts.doubt(Question.OBJECTS, problem, examined.details[digest].position, "", hint)
    if unseen and listings:
        text = f"the details of {unseen:,} events are in no store that was looked at"
        verdicts.note(Question.OBJECTS, text)


def _store_of(detail: Detail, rows: Mapping[tuple[str, str], Row]) -> str | None:
    store = rows.get((RUNS, detail.stream), {}).get("store")
    return store if isinstance(store, str) else None


def _seen(listings: Iterable[Listing]) -> frozenset[str]:
    return frozenset().union(*(listing.addresses for listing in listings))


def _recorded(told: Iterable[Row], snapshot: Snapshot) -> Row | None:
    """The row of a snapshot that was recorded elsewhere, or deleted here and copied back."""
    named: Iterator[Row] = (r for r in told if r["snapshot"] == snapshot.name and r["run"])
    return next((r for r in named if r["checksum"] in (None, snapshot.manifest.checksum)), None)


def _is_there(store: SnapshotStore, name: str) -> bool:
    try:
        with translated(f"read {name} in {store.url}"):
            store.find(name)
    except (NotFoundError, IntegrityError):
        return False
    return True


def _address(name: str) -> str:
    return name if "://" in name else os.path.abspath(name)  # noqa: PTH100  # a text, no file
