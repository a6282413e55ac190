"""A journal that was published into a store, and somebody who changes either without leave."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from junmai_svc.storage.backends.local import LocalBackend
from junmai_svc.storage.journal import merkle
from junmai_svc.storage.journal.entry import NewEvent
from junmai_svc.storage.journal.events import event_type, stream_name
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.journal.publishing import Publication, publish
from junmai_svc.storage.journal.rotation import history_of
from junmai_svc.storage.journal.uuid7 import uuid7
from junmai_svc.storage.snapshots.store import FileStore


@dataclass
class Scene:
    """A folder with `journal.db`, a `store` and `key.pub`, the public key."""

    folder: Path
    now: datetime = field(default=datetime(2026, 11, 22, 14, 0, 0, 123_456, tzinfo=UTC))

    @property
    def path(self) -> Path:
        """The journal."""
        return self.folder / "journal.db"

    @property
    def store(self) -> FileStore:
        """Where it is published."""
        return FileStore(self.folder / "store")

    @property
    def key(self) -> Path:
        """The file of the public key."""
        return self.folder / "key.pub"

    @property
    def mirror(self) -> Path:
        """The journal's folder in the store."""
        (found,) = (self.folder / "store" / "journal").iterdir()
        return found

    def clock(self) -> datetime:
        """Show the time, a microsecond later each time."""
        self.now += timedelta(microseconds=1)
        return self.now

    @contextmanager
    def journal(self, **keywords: Any) -> Iterator[Journal]:
        """Open the journal, made if need be; keywords as `Journal.open`."""
        with Journal.open(
            self.path,
            create=True,
            actor="ann@desk",
            clock=self.clock,
            tool_version="1",
            **keywords,
        ) as opened:
            yield opened

    def run(self, steps: int = 3) -> None:
        """Record a whole run: a start, some steps and an end."""
        with self.journal() as journal:
            journal.append_all(self.events(steps))

    @staticmethod
    def events(steps: int) -> list[NewEvent]:
        """A run of so many steps, with a start and an end."""
        run = uuid7()
        stream = stream_name("migration", run)
        names = ["requested", *["table_copied"] * steps, "verified"]
        return [
            NewEvent(stream, event_type("migration", name), {"n": number}, run)
            for number, name in enumerate(names)
        ]

    def publish(self, store: Path | None = None) -> Publication:
        """Publish all, into the store if no other folder is named."""
        with self.journal() as journal:
            if not self.key.exists():
                self.key.write_text(f"{history_of(journal).current}\n", encoding="ascii")
            return publish(journal, LocalBackend(store or self.folder / "store"))

    # What somebody does who does not mind triggers.

    @contextmanager
    def tampering(self) -> Iterator[sqlite3.Connection]:
        """The file as another program has it that drops the triggers and puts them back."""
        with closing(sqlite3.connect(self.path, isolation_level=None)) as other:
            triggers = other.execute(
                "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'"
            ).fetchall()
            for name, _ in triggers:
                other.execute(f"DROP TRIGGER {name}")
            yield other
            for _, sql in triggers:
                other.execute(sql)

    def rewrite(self, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> None:
        """Change the entries and put right all that the journal itself could be caught by."""
        with self.tampering() as other:
            rows = other.execute("SELECT entry FROM event ORDER BY position").fetchall()
            entries = change([msgspec.json.decode(entry) for (entry,) in rows])
            other.execute("DELETE FROM event")
            frontier: tuple[bytes, ...] = ()
            versions: dict[str, int] = {}
            for position, told in enumerate(entries):
                stream = told["subject"]
                versions[stream] = versions.get(stream, 0) + 1
                told |= {"position": position, "streamversion": versions[stream]}
                stored = msgspec.json.encode(told, order="deterministic")
                leaf = merkle.leaf_hash(stored)
                frontier = merkle.frontier_append(frontier, position, leaf)
                row = (position, told["id"], stream, versions[stream], told["type"], told["time"])
                other.execute(
                    "INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*row, stored, leaf)
                )
            other.execute(
                "UPDATE journal_head SET size = ?, frontier = ?",
                (len(entries), merkle.frontier_bytes(frontier)),
            )


def made(folder: Path, runs: int = 3) -> Scene:
    """Return a scene with some runs, all of them published."""
    scene = Scene(folder)
    for _ in range(runs):
        scene.run()
    scene.publish()
    return scene
