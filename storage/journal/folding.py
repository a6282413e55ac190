"""What the events amount to, row by row: runs, snapshots, databases, and what was last proven.

A pure fold: one event and the rows before it give the rows after it, and nothing else does. So the
rows may be kept in the transaction that appends, and built anew at any time from the events alone;
the digest tells whether both agree. What the data of an event holds is input: a field that is
missing or of another kind counts as None.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec

from junmai_svc.storage.journal.addresses import address_from, folder_of
from junmai_svc.storage.journal.entry import Event, time_text
from junmai_svc.storage.journal.events import CATALOGUE, OPERATIONS, Role, kind_of
from junmai_svc.storage.journal.projection import SNAPSHOT_NAMED
from junmai_svc.storage.journal.soundness import PROOFS

# Raised whenever equal events come to give other rows: kept ones are then built anew.
FOLD = 4

RUNS = "run"
SNAPSHOTS = "snapshot"
DATABASES = "database"
PROVEN = "proven"
STORES = "store"
NAMES = (RUNS, SNAPSHOTS, DATABASES, PROVEN, STORES)

Row = dict[str, Any]
RowOf = Callable[[str, str], Row | None]
Change = tuple[str, str, Row]


# The steps of a run that change a row.
_STEPS = SNAPSHOT_NAMED | {"copied", "repaired", "deleting", "snapshot_deleted"}
# The only types of events that change a row.
TELLING = frozenset(
    type_
    for type_, kind in CATALOGUE.items()
    if kind.category == "database"
    or kind.name == "store_accepted"
    or (kind.category in OPERATIONS and (kind.role is not Role.STEP or kind.name in _STEPS))
)
# Those that are known to change none, and to follow none that came past the fold: a journal's own
# events do that, when it is begun or refilled. Of a type from elsewhere nobody knows.
SILENT = frozenset(t for t, kind in CATALOGUE.items() if kind.category != "journal") - TELLING

_encoder = msgspec.json.Encoder(order="sorted")


def changes(event: Event, row_of: RowOf) -> list[Change]:  # noqa: PLR0911  # one for each kind
    """Return the rows that an event changes, given those before it."""
    kind = kind_of(event.type)
    if kind is None:
        return []
    if kind.category == "database":
        return _database(event, kind.name, row_of)
    if kind.name == "store_accepted":
        return _accepted(event)
    if kind.category not in OPERATIONS:
        return []
    if kind.role is Role.START:
        return [(RUNS, event.stream, _started(event, kind.category))]
    ends = kind.role is Role.TERMINAL
    if not ends and kind.name not in _STEPS:
        return []
    run = row_of(RUNS, event.stream)
    if run is None:
        return []
    if kind.name in _OF_SNAPSHOTS:
        return _OF_SNAPSHOTS[kind.name](event, run, row_of)
    if not ends:
        run = run | {"snapshot": _text(event, "snapshot")}
        found = [_stored(event, run, row_of)] if kind.name == "stored" else []
        return [(RUNS, event.stream, run), *found]
    return _ended(event, kind.category, kind.name, run, row_of)


def folded(events: Iterable[Event]) -> dict[tuple[str, str], Row]:
    """Return all rows of a journal by name and key."""
    rows: dict[tuple[str, str], Row] = {}

    def row_of(name: str, key: str) -> Row | None:
        return rows.get((name, key))

    for event in events:
        for name, key, row in changes(event, row_of):
            rows[name, key] = row
    return rows


def encoded(row: Row) -> str:
    """Return a row as the one text that is stored and digested."""
    return _encoder.encode(row).decode()


def digest_of(rows: Mapping[tuple[str, str], str]) -> str:
    """Return the SHA-256 in hex over encoded rows in the order of their names and keys."""
    digest = hashlib.sha256()
    for (name, key), value in sorted(rows.items()):
        digest.update(f"{name}\0{key}\0{value}\n".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def snapshot_key(store: str | None, name: str) -> str:
    """Return the key of a snapshot's row: a name may be in several stores."""
    return f"{store or ''}\n{name}"


def _started(event: Event, category: str) -> Row:
    folder = folder_of(event.data)
    fields = ("database", "source", "target", "command", "reason")
    return {field: _text(event, field) for field in fields} | {
        "kind": category,
        "status": "running",
        "started": time_text(event.time),
        "ended": None,
        "actor": event.actor,
        "snapshot": None,
        "subject": _text(event, "snapshot"),
        "store": address_from(folder, event.data.get("store")),
        "folder": folder,
        "message": None,
        "position": event.position,
    }


def _ended(event: Event, category: str, name: str, run: Row, row_of: RowOf) -> list[Change]:
    message = _text(event, "message") or _text(event, "error")
    ended = run | {"status": name, "ended": time_text(event.time), "message": message}
    found: list[Change] = [(RUNS, event.stream, ended)]
    # A restore may have taken another store's copy, as that of the first one was damaged.
    store = address_from(run["folder"], event.data.get("store")) or run["store"]
    if name == PROOFS.get(category) and run["subject"] is not None and store is not None:
        proven = {
            "snapshot": run["subject"],
            "store": store,
            "time": time_text(event.time),
            "run": event.stream,
            "position": event.position,
        }
        found.append((PROVEN, snapshot_key(store, run["subject"]), proven))
    # It died between the manifest and its event.
    if name == "abandoned" and event.data.get("found") == "complete":
        found += _complete(event, category, run, row_of)
    return found


def _complete(event: Event, category: str, run: Row, row_of: RowOf) -> list[Change]:
    """What a dead run stored last, unless that is known; a copy's last event says its name."""
    if category not in {"backup", "copy"} or not (run["snapshot"] or _text(event, "snapshot")):
        return []
    name, key, row = _stored(event, run, row_of)
    before = row_of(name, key)
    known = before is not None and (before["deleted"] or run["position"]) >= run["position"]
    return [] if known else [(name, key, row)]


def _stored(event: Event, run: Row, row_of: RowOf) -> Change:
    """The row of a snapshot that came to a store, by a backup or as a copy of another one's."""
    name = run["snapshot"] or _text(event, "snapshot") or ""
    size = event.data.get("size")
    store = address_from(run["folder"], event.data.get("store")) or run["store"]
    key = snapshot_key(store, name)
    told = {"database": run["database"], "reason": run["reason"]}
    if run["kind"] == "copy":
        origin = snapshot_key(address_from(run["folder"], run["source"]), name)
        known = row_of(SNAPSHOTS, origin) or dict.fromkeys(told)
        told = {field: _text(event, field) or known[field] for field in told}
    # When the run began there was none of the name: what was deleted since is this very one, whose
    # event came later. (Should a deletion have been told late, then it is only not missed.)
    before = (row_of(SNAPSHOTS, key) or {}).get("deleted")
    row = told | {
        "snapshot": name,
        "store": store,
        "run": event.stream,
        "checksum": _text(event, "checksum"),
        "manifest": _text(event, "manifest"),
        "size": size if isinstance(size, int) else None,
        "stored": time_text(event.time),
        "position": event.position,
        "deleted": before if before is not None and before > run["position"] else None,
        "deleting": None,
    }
    return SNAPSHOTS, key, row


def _copied(event: Event, run: Row, row_of: RowOf) -> list[Change]:
    return [_stored(event, run, row_of)]


def _put_back(event: Event, run: Row, row_of: RowOf) -> list[Change]:
    """The rows whose manifests were put back from another store, which may say something else."""
    told = event.data.get("manifests")
    found: list[Change] = []
    for name, digest in told.items() if isinstance(told, dict) else ():
        key = snapshot_key(run["store"], str(name))
        row = row_of(SNAPSHOTS, key)
        if row is not None:
            found.append((SNAPSHOTS, key, row | {"manifest": str(digest)}))
    return found


def _deleted(event: Event, run: Row, row_of: RowOf) -> list[Change]:
    """The rows of what was deleted, also of what nobody has told of yet, or ever will."""
    named = event.data.get("snapshots")
    found: list[Change] = []
    for name in named if isinstance(named, list) else []:
        key = snapshot_key(run["store"], str(name))
        row = row_of(SNAPSHOTS, key)
        if row is None:
            fields = (
                "run",
                "database",
                "reason",
                "checksum",
                "manifest",
                "size",
                "stored",
                "deleting",
            )
            known = {"snapshot": str(name), "store": run["store"], "position": event.position}
            row = dict.fromkeys(fields) | known
        found.append((SNAPSHOTS, key, row | {"deleted": event.position}))
    return found


def _deleting(event: Event, run: Row, row_of: RowOf) -> list[Change]:
    """The rows of what a prune is about to delete, with the stream that tells how that ended."""
    named = event.data.get("snapshots")
    names = named if isinstance(named, list) else []
    keys = [snapshot_key(run["store"], str(name)) for name in names]
    rows = ((key, row_of(SNAPSHOTS, key)) for key in keys)
    return [(SNAPSHOTS, key, row | {"deleting": event.stream}) for key, row in rows if row]


# What steps make of rows of snapshots, beside those that name the one which their run made.
_OF_SNAPSHOTS: Mapping[str, Callable[[Event, Row, RowOf], list[Change]]] = {
    "copied": _copied,
    "repaired": _put_back,
    "deleting": _deleting,
    "snapshot_deleted": _deleted,
}


def _accepted(event: Event) -> list[Change]:
    """Since when a person has put up with what a store lacks."""
    address = address_from("", event.data.get("store"))
    return [(STORES, address, {"accepted": event.position})] if address else []


def _database(event: Event, name: str, row_of: RowOf) -> list[Change]:
    key = event.stream.partition("/")[2]
    row = row_of(DATABASES, key) or {"path": None, "registered": None}
    lease: Row | None = None
    if name == "registered":
        row = {"path": _text(event, "database"), "registered": time_text(event.time)}
    elif name == "lease_taken":
        lease = {"run": _text(event, "run"), "taken": time_text(event.time)}
    return [(DATABASES, key, row | {"lease": lease})]


def _text(event: Event, field: str) -> str | None:
    value = event.data.get(field)
    return value if isinstance(value, str) else None


def rows_named(rows: Mapping[tuple[str, str], Row], wanted: str) -> Iterator[tuple[str, Row]]:
    """Give key and row of all rows of one name."""
    return ((key, row) for (name, key), row in rows.items() if name == wanted)
