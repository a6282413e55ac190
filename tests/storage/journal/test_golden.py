"""Released formats stay as they are: the bytes of every type of event, and a whole journal.

Running this file as a script adds what is new; what is there already is never written again.
"""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from junmai_svc.storage.journal.entry import NewEvent, decode, encode
from junmai_svc.storage.journal.events import CATALOGUE, EventKind, Role
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.journal.tables import APPLICATION_ID, FORMAT

GOLDEN = Path(__file__).parents[2] / "golden" / "journal"
ENTRIES = GOLDEN / "entries.jsonl"
DATABASE = GOLDEN / "journal.sql"

JOURNAL = "0190163d-8694-739b-aea5-966c26f8ad90"
RUN = "0190163d-8694-739b-aea5-966c26f8ad91"
EVENT = "0190163d-8694-739b-aea5-966c26f8ad92"
START = datetime(2026, 11, 22, 14, 0, 0, 123_456, tzinfo=UTC)
SNAPSHOT = "junmai_backup_20261122_140000"
SAMPLES: dict[str, dict[str, Any]] = {
    "opened": {"journal": JOURNAL, "public_key": None, "tool": "0.1.0", "continues": None},
    "registered": {"database": "/data/junmai.db"},
    "lease_taken": {"run": RUN},
    "lease_released": {"run": RUN},
    "snapshot_taken": {"snapshot": SNAPSHOT},
    "stored": {"snapshot": SNAPSHOT},
    "backup_linked": {"snapshot": SNAPSHOT},
    "table_copied": {"table": "photos", "rows": 350_000},
    "failed": {"error": "the disk is full", "exit": 31},
    "abandoned": {"message": "target absent"},
}


def sample(kind: EventKind) -> dict[str, Any]:
    operation = {
        "database": "/data/jünmai.db",
        "source": "/data/jünmai.db",
        "target": None,
        "command": kind.category,
        "process": {"pid": 4711, "host": "desk"},
    }
    return SAMPLES.get(kind.name, operation if kind.role is Role.START else {"message": "\u20ac\n"})


def built(type_: str) -> bytes:
    """Return the entry of a type as today's code writes it."""
    kind = CATALOGUE[type_]
    identifier = JOURNAL if kind.category == "journal" else RUN
    start = kind.role is Role.START
    new = NewEvent(
        f"{kind.category}/{identifier}", type_, sample(kind), RUN, None if start else JOURNAL
    )
    return encode(
        new,
        journal_id=JOURNAL,
        event_id=EVENT,
        position=0 if start else 1006,
        version=1 if start else 7,
        time=START,
        actor="actor:0123456789ab",
    )


def golden() -> dict[str, bytes]:
    """Return the released entries by their type."""
    released = {}
    for line in ENTRIES.read_bytes().splitlines() if ENTRIES.exists() else []:
        type_ = line.rpartition(b'"type":"')[2].rstrip(b'"}').decode()
        released[type_] = line
    return released


@pytest.mark.parametrize("type_", CATALOGUE)
def test_the_bytes_of_every_type_of_event_are_as_released(type_: str) -> None:
    assert golden()[type_] == built(type_)


def test_every_released_entry_is_read() -> None:
    for type_, entry in golden().items():
        position = 0 if b'"position":0,' in entry else 1006
        event = decode(entry, journal_id=JOURNAL, path=ENTRIES, position=position)
        assert event.type == type_
        assert event.time == START
        assert event.entry == entry


def test_a_released_journal_is_read_and_goes_on(opened: Callable[..., Journal], path: Path) -> None:
    with closing(sqlite3.connect(path)) as released:
        released.executescript(DATABASE.read_text(encoding="utf-8"))
    journal = opened(create=False)
    assert [event.position for event in journal.read()] == list(range(5))
    [stream] = journal.streams_open()
    added = journal.append(stream, "junmai.backup.verified.v1", {}, correlation=RUN)
    assert (added.position, added.version) == (5, 4)


def write_new() -> None:
    """Add the entries of new types, and the journal where there is none."""
    GOLDEN.mkdir(parents=True, exist_ok=True)
    released = golden()
    with ENTRIES.open("ab") as file:
        for type_ in CATALOGUE:
            if type_ not in released:
                file.write(built(type_) + b"\n")
    if not DATABASE.exists():
        DATABASE.write_text(dump(), encoding="utf-8", newline="\n")


def dump() -> str:
    """Return the SQL of a small journal made by today's code."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.db"
        times = (START + timedelta(seconds=second) for second in range(9))
        with Journal.open(
            path, create=True, actor="ann@desk", clock=lambda: next(times), tool_version="0.1.0"
        ) as journal:
            database, backup = f"database/{EVENT}", f"backup/{RUN}"
            for stream, name in (
                (database, "registered"),
                (backup, "started"),
                (backup, "snapshot_taken"),
                (backup, "stored"),
            ):
                type_ = f"junmai.{stream.partition('/')[0]}.{name}.v1"
                journal.append(stream, type_, sample(CATALOGUE[type_]), correlation=RUN)
        with closing(sqlite3.connect(path)) as written:
            lines = list(written.iterdump())
    # The rows come before the triggers in the dump, as they must.
    marks = [f"PRAGMA application_id = {APPLICATION_ID};", f"PRAGMA user_version = {FORMAT};"]
    return "\n".join([*lines, *marks, ""])


if __name__ == "__main__":
    write_new()
