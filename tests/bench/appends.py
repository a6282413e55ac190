"""Durable appends one by one: the journal's, and bare SQLite's with the same pragmas and columns.

A process of its own, which prints wall and CPU seconds of an append:
`python -m tests.bench.appends journal|bare FOLDER COUNT`.
"""

import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from junmai_svc.storage.journal.events import event_type, stream_name
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.journal.opening import PRAGMAS
from junmai_svc.storage.journal.uuid7 import uuid7

ENTRY = b"x" * 600  # as long as an entry of the journal
LEAF_HASH = b"h" * 32

TABLE = """
    CREATE TABLE event (position INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, stream TEXT NOT NULL,
        version INTEGER NOT NULL, type TEXT NOT NULL, time TEXT NOT NULL, entry BLOB NOT NULL,
        leaf_hash BLOB NOT NULL, UNIQUE (stream, version)) STRICT
"""

Append = Callable[[int], object]


@contextmanager
def journal(folder: Path) -> Iterator[Append]:
    """Events of one migration, each durable before the next."""
    path = folder / "journal.db"
    with Journal.open(
        path, create=True, actor="bench@here", clock=lambda: datetime.now(UTC), tool_version="0"
    ) as opened:
        run = uuid7()
        stream = stream_name("migration", run)
        opened.append(stream, event_type("migration", "requested"), {}, correlation=run)
        kind = event_type("migration", "table_copied")
        yield lambda number: opened.append(
            stream, kind, {"table": "photos", "rows": number}, correlation=run
        )


@contextmanager
def bare(folder: Path) -> Iterator[Append]:
    """Rows of the same size in a table of the same form, each a transaction."""
    with closing(sqlite3.connect(folder / "bare.db", isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        for name, value in PRAGMAS.items():
            database.execute(f"PRAGMA {name} = {value}")
        database.execute(TABLE)
        yield lambda number: database.execute(
            "INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (number, uuid7(), "migration", number, "copied", "2026-11-23", ENTRY, LEAF_HASH),
        )


def main(kind: str, folder: Path, count: int) -> None:
    """Print wall and CPU seconds of one append, as the mean of so many."""
    with {"journal": journal, "bare": bare}[kind](folder) as append:
        wall, cpu = time.perf_counter(), time.process_time()
        for number in range(1, count + 1):
            append(number)
        spent = time.perf_counter() - wall, time.process_time() - cpu
    print(*(seconds / count for seconds in spent))  # noqa: T201  # read by the caller


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
