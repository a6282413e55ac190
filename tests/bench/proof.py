"""The journal as proof, measured in a process of its own, which prints CPU seconds by name as JSON.

`python -m tests.bench.proof FOLDER LARGE SMALL`: a journal of LARGE events is verified and folded;
one of SMALL is published, published again after each of some events, and verified from its store as
an outsider does it.
"""

import json
import sqlite3
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from junmai_svc.service.audit.outside import verify_store
from junmai_svc.storage.backends.local import LocalBackend
from junmai_svc.storage.journal.entry import source_of
from junmai_svc.storage.journal.events import event_type, stream_name
from junmai_svc.storage.journal.folding import folded
from junmai_svc.storage.journal.growing import GrowingTree
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.journal.journal_file import looking_at
from junmai_svc.storage.journal.merkle import frontier_bytes, leaf_hash
from junmai_svc.storage.journal.publishing import publish
from junmai_svc.storage.journal.rotation import history_of
from junmai_svc.storage.journal.uuid7 import uuid7

VERIFIED = "verified"
FOLDED = "folded"
PUBLISHED = "published"
OUTSIDE = "outside"

# A migration's events, as the program records them.
STORY = (
    "requested",
    "planned",
    "backup_linked",
    "started",
    *["table_copied"] * 11,
    "verified",
)
AGAIN = 7
STEP = 16_000


def made(path: Path, size: int) -> Journal:
    """Return a journal of so many events, written past the journal, as appending takes a minute."""
    clock = lambda: datetime.now(UTC)  # noqa: E731
    journal = Journal.open(path, create=True, actor="a@b", clock=clock, tool_version="0")
    tree = GrowingTree()
    tree.add(event.leaf_hash for event in journal.read())
    with closing(sqlite3.connect(path)) as database:
        while tree.size < size:
            rows = list(_rows(journal, tree.size, min(STEP, size - tree.size)))
            database.executemany("INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
            tree.add(row[7] for row in rows)
        head = (tree.size, frontier_bytes(tree.frontier))
        database.execute("UPDATE journal_head SET size = ?, frontier = ?", head)
        database.commit()
    return journal


Row = tuple[int, str, str, int, str, str, bytes, bytes]


def _rows(journal: Journal, position: int, count: int) -> Iterator[Row]:
    source = source_of(journal.journal_id)
    end = position + count
    while position < end:
        run = uuid7()
        stream = stream_name("migration", run)
        for version, name in enumerate(STORY[: end - position], 1):
            told = {
                "authid": journal.actor,
                "authtype": "user",
                "correlationid": run,
                "data": {
                    "checksum": "0" * 64,
                    "command": "migration",
                    "database": "data/junmai.db",
                    "rows": position,
                    "snapshot": "junmai_backup_20261122_140000",
                    "table": "photos",
                },
                "datacontenttype": "application/json",
                "id": uuid7(),
                "position": position,
                "source": source,
                "specversion": "1.0",
                "streamversion": version,
                "subject": stream,
                "time": "2026-11-22T14:00:00.123456Z",
                "type": event_type("migration", name),
            }
            entry = msgspec.json.encode(told)
            columns = (position, told["id"], stream, version, told["type"], told["time"])
            yield (*columns, entry, leaf_hash(entry))  # type: ignore[misc]
            position += 1


@contextmanager
def measured(into: dict[str, float], name: str) -> Iterator[None]:
    """Note the CPU seconds of a block."""
    begun = time.process_time()
    yield
    into[name] = time.process_time() - begun


def large(folder: Path, size: int, spent: dict[str, float]) -> None:
    """Verify and fold a journal of so many events."""
    made(folder / "large.db", size).close()
    with measured(spent, VERIFIED), looking_at(folder / "large.db") as file:
        found = file.examine([], fold=False)
    assert (found.size, found.damage.total, found.gaps.total) == (size, 0, 0)
    with Journal.open(
        folder / "large.db",
        create=False,
        actor="a@b",
        clock=lambda: datetime.now(UTC),
        tool_version="0",
    ) as journal:
        with measured(spent, FOLDED):
            rows = folded(journal.read())
        assert len(rows) == -(-(size - 1) // len(STORY))


def small(folder: Path, size: int, spent: dict[str, float]) -> None:
    """Publish a journal of so many events, one more of them several times, and verify the store."""
    store = LocalBackend(folder / "store")
    with made(folder / "small.db", size) as journal:
        publish(journal, store)
        taken: list[float] = []
        run = uuid7()
        stream = stream_name("migration", run)
        for name in STORY[:AGAIN]:
            journal.append(stream, event_type("migration", name), {}, correlation=run)
            one: dict[str, float] = {}
            with measured(one, PUBLISHED):
                publish(journal, store)
            taken.append(one[PUBLISHED])
        spent[PUBLISHED] = statistics.median(taken)
        key = folder / "key.pub"
        key.write_text(f"{history_of(journal).current}\n", encoding="ascii")
    with measured(spent, OUTSIDE):
        audit = verify_store(store, key)
    assert audit.passed
    assert audit.size == size + AGAIN


def main(folder: Path, events: int, published: int) -> None:
    """Print what each took."""
    spent: dict[str, float] = {}
    large(folder, events, spent)
    small(folder, published, spent)
    print(json.dumps(spent))  # noqa: T201  # read by the caller


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
