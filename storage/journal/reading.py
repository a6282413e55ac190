"""Rows of a journal as verified events: the columns are a cache, the entry is what counts."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import peewee

from junmai_svc.storage.errors import IntegrityError
from junmai_svc.storage.journal import entry, events, merkle
from junmai_svc.storage.journal.entry import Event
from junmai_svc.storage.journal.failures import DAMAGED_HINT
from junmai_svc.storage.journal.tables import bound_to, composed
from junmai_svc.storage.journal.upcasting import upcast

PAGE = 500


@dataclass(frozen=True)
class Head:
    """How many events there are, and the frontier of the Merkle tree over them."""

    size: int
    frontier: tuple[bytes, ...]


def journal_id_of(database: peewee.SqliteDatabase, path: Path) -> str:
    """Return the id of the journal that a database holds.

    Raises:
        IntegrityError: the head is missing.
    """
    head = bound_to(database).head
    rows = composed(database, head.select(head.journal_id))()
    if len(rows) != 1:
        raise IntegrityError(f"The journal {path} has lost its head", DAMAGED_HINT)
    journal_id: str = rows[0][0]
    return journal_id


class Reader:
    """The questions asked of one journal. What SQLite raises is left to the caller to translate."""

    def __init__(self, path: Path, journal_id: str, database: peewee.SqliteDatabase) -> None:
        tables = bound_to(database)
        event, head = tables.event, tables.head
        rows = event.select()
        newest, first = event.alias(), event.alias()
        versions = newest.select(newest.stream, peewee.fn.MAX(newest.version))
        of_stream = rows.where(event.stream == "")

        self._path = path
        self._journal_id = journal_id
        self._head = composed(database, head.select(head.journal_id, head.size, head.frontier))
        self._at = composed(database, rows.where(event.position == 0))
        self._by_id = composed(database, rows.where(event.id == ""))
        self._last = composed(database, of_stream.order_by(event.version.desc()).limit(1))
        self._page = composed(
            database, rows.where(event.position > 0).order_by(event.position).limit(PAGE)
        )
        self._page_of_stream = composed(
            database,
            of_stream.where(event.version > 0, event.position > 0)
            .order_by(event.version)
            .limit(PAGE),
        )
        self._ends = composed(
            database,
            event.select(event.stream, event.type)
            .join(first, on=(first.stream == event.stream))
            .where(
                first.version == 1,
                peewee.Tuple(event.stream, event.version).in_(versions.group_by(newest.stream)),
            )
            .order_by(first.position),
        )

    def head(self) -> Head:
        """Return the head.

        Raises:
            IntegrityError: it is missing, of another journal, or its frontier is not of its size.
        """
        rows = self._head()
        if len(rows) == 1:
            journal_id, size, stored = rows[0]
            if (
                journal_id == self._journal_id
                and size >= 0
                and len(stored) == merkle.HASH_BYTES * size.bit_count()
            ):
                return Head(size, merkle.frontier_from(stored))
        raise IntegrityError(f"The head of the journal {self._path} is damaged", DAMAGED_HINT)

    def at(self, position: int) -> Event | None:
        """Return the event at a position, None if there is none.

        Raises:
            IntegrityError: it is damaged.
        """
        return self._one(self._at(position))

    def by_id(self, event_id: str) -> Event | None:
        """Return the event of an id, None if there is none.

        Raises:
            IntegrityError: it is damaged.
        """
        return self._one(self._by_id(event_id))

    def last(self, stream: str) -> Event | None:
        """Return the newest event of a stream, None if it has none.

        Raises:
            IntegrityError: it is damaged.
        """
        return self._one(self._last(stream, 1))

    def page(self, after: int) -> Iterator[Event]:
        """Give the next events behind a position, of all streams, at most `PAGE`.

        Raises:
            IntegrityError: one is damaged, or missing before one of these.
        """
        for row in self._page(after, PAGE):
            event = self._event(row)
            after += 1
            if event.position != after:
                raise entry.damaged(self._path, after, "the event is missing")
            yield event

    def page_of_stream(self, stream: str, version: int, after: int) -> Iterator[Event]:
        """Give a stream's next events above a version and behind a position, at most `PAGE`.

        Raises:
            IntegrityError: one is damaged, or missing between two of these.
        """
        for row in self._page_of_stream(stream, version, after, PAGE):
            event = self._event(row)
            if version and event.version != version + 1:
                why = f"version {version + 1} of {stream} is missing before it"
                raise entry.damaged(self._path, event.position, why)
            version = event.version
            yield event

    def streams_open(self) -> list[str]:
        """Return the streams of operations without a terminal event, in the order they began."""
        return [
            stream
            for stream, type_ in self._ends(1)
            if events.state_of([type_]) is events.StreamState.OPEN
        ]

    def _one(self, rows: list[tuple[Any, ...]]) -> Event | None:
        return self._event(rows[0]) if rows else None

    def _event(self, row: tuple[Any, ...]) -> Event:
        position, event_id, stream, version, type_, time, stored, leaf_hash = row
        event = entry.decode(
            stored, journal_id=self._journal_id, path=self._path, position=position
        )
        if (
            event.id != event_id
            or event.stream != stream
            or event.version != version
            or event.type != type_
            or entry.time_text(event.time) != time
        ):
            raise entry.damaged(self._path, position, "its columns differ from its entry")
        if event.leaf_hash != leaf_hash:
            raise entry.damaged(self._path, position, "its hash is not that of its entry")
        return upcast(event)
