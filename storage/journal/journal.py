"""The journal: appending events durably, reading them back verified.

What is acknowledged stays: each append is one transaction, on disk when it returns. Positions are
taken under SQLite's write lock, so they have no gaps and never fork, whoever appends at once.
"""

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import peewee

from junmai_svc.storage.errors import JournalConflictError
from junmai_svc.storage.journal import entry, events, merkle, tables
from junmai_svc.storage.journal.entry import Event, NewEvent
from junmai_svc.storage.journal.failures import translated
from junmai_svc.storage.journal.folding import Row, folded
from junmai_svc.storage.journal.keyring import (
    first_key,
    key_path,
    load_key,
    require_none_lost,
)
from junmai_svc.storage.journal.keys import VerifierKey
from junmai_svc.storage.journal.opening import open_database, recognised
from junmai_svc.storage.journal.projected import Projected
from junmai_svc.storage.journal.reading import PAGE, Head, Reader, journal_id_of
from junmai_svc.storage.journal.transaction import transact
from junmai_svc.storage.journal.uuid7 import uuid7

BUSY_SECONDS = 30.0


class Journal:
    """One open journal. It may be shared by threads; a process may open the same file twice.

    `path` is the file, `journal_id` its UUID, `actor` the pseudonym under which events are written;
    `tables` are for the other modules of this room.
    """

    path: Path
    journal_id: str
    actor: str
    tables: tables.Tables

    def __init__(
        self,
        path: Path,
        database: peewee.SqliteDatabase,
        journal_id: str,
        actor: str,
        clock: Callable[[], datetime],
    ) -> None:
        self.path = path
        self.journal_id = journal_id
        self.actor = actor
        self._clock = clock
        self._database = database
        self._reader = Reader(path, journal_id, database)
        self.tables = models = tables.bound_to(database)
        self._insert_event = tables.composed(
            database,
            models.event.insert(
                position=0, id="", stream="", version=0, type="", time="", entry=b"", leaf_hash=b""
            ),
        )
        self._update_head = tables.composed(database, models.head.update(size=0, frontier=b""))
        self._projected = Projected(database)
        # The frontier after the newest event that was appended here, and that event.
        self._newest: tuple[tuple[bytes, ...], Event] | None = None
        self._lock = threading.RLock()

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        create: bool,
        actor: str,
        clock: Callable[[], datetime],
        tool_version: str,
        busy_seconds: float = BUSY_SECONDS,
        continues: Mapping[str, Any] | None = None,
    ) -> Self:
        """Open the journal in a file; with `create`, begin one where there is none.

        A new journal gets a signing key beside it and holds event 0, `journal.opened`, with its id,
        its public key, `tool_version` and, in a new epoch, what it `continues`. `actor` is
        `user@host`, of which only the pseudonym is ever written. `clock` gives times with a zone.
        `busy_seconds` is how long a call waits for another process that is writing.

        Raises:
            NotFoundError: there is no journal and `create` is false, or no folder for it.
            IntegrityError: the file is no journal, is damaged, or of a newer format; or there is
                none, and the key of one that was there.
            LockedError, AccessDeniedError, NoSpaceError, StorageUnavailableError: it can't be used.
        """
        begun: list[VerifierKey] = []

        def begin(database: peewee.SqliteDatabase) -> None:
            journal_id = uuid7()
            fresh = cls(path, database, journal_id, _pseudonym(journal_id, actor), clock)
            head = tables.bound_to(database).head
            head.insert(journal_id=journal_id, size=0, frontier=b"").execute()
            begun.append(first_key(path, journal_id).verifier)
            data = {
                "journal": journal_id,
                "public_key": str(begun[0]),
                "tool": tool_version,
                "continues": continues,
            }
            stream = events.stream_name("journal", journal_id)
            opened = events.event_type("journal", "opened")
            fresh._append_all([NewEvent(stream, opened, data, correlation=journal_id)])

        path = path.absolute()
        with translated("open", path):
            # In this order: of a journal that is just begun the key has its name last.
            lost = create and os.path.lexists(key_path(path))
            if lost and not recognised(path, busy_seconds):
                require_none_lost(path)
            database = open_database(
                path, begin=begin if create else None, busy_seconds=busy_seconds
            )
            try:
                journal_id = journal_id_of(database, path)
                journal = cls(path, database, journal_id, _pseudonym(journal_id, actor), clock)
                journal._require_opened()
                if begun:
                    load_key(path, journal_id, begun[0])
            except BaseException:
                database.close()
                raise
        return journal

    def close(self) -> None:
        """Close the file; a second call does nothing.

        Raises:
            StorageUnavailableError: SQLite can't; what was appended is on disk all the same.
        """
        with self._using("close"):
            self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def append(
        self,
        stream: str,
        type: str,  # noqa: A002  # the word of CloudEvents
        data: Mapping[str, Any],
        *,
        expected_version: int | None = None,
        correlation: str,
        causation: str | None = None,
        id: str | None = None,  # noqa: A002  # the word of CloudEvents
    ) -> Event:
        """Record one event; it is durable when this returns. See `append_all` and `NewEvent`.

        Raises:
            UsageError, JournalConflictError, IntegrityError, LockedError, AccessDeniedError,
            NoSpaceError, StorageUnavailableError: as `append_all`.
        """
        return self.append_all(
            [NewEvent(stream, type, data, correlation, causation, id, expected_version)]
        )[0]

    def append_all(self, new: Iterable[NewEvent]) -> list[Event]:
        """Record the events of one step in one transaction: all are durable on return, or none is.

        An event whose `id` is recorded already with the same content (position, version and time
        apart) is returned as it was stored, and nothing is written for it.

        Raises:
            UsageError: the data can't be an entry, or the type may not stand there in the stream.
            JournalConflictError: the stream is not at `expected_version`, is ended or begun
                already, or the id is taken by an event with other content.
            IntegrityError: the journal is damaged.
            LockedError, AccessDeniedError, NoSpaceError, StorageUnavailableError: nothing was
                written.
        """
        wanted = list(new)
        return transact(
            self._lock, self._database, "append to", self.path, lambda: self._append_all(wanted)
        )

    def read(self, stream: str | None = None, *, after: int | None = None) -> Iterator[Event]:
        """Give the events of the journal, or of one stream, in order of position.

        `after` is a position; only later events are given. Each is verified against its columns
        and its leaf hash, and none may be missing between two or at the end. The iterator holds no
        lock; events that are appended meanwhile may appear at its end.

        Raises:
            IntegrityError: an entry is damaged or missing; the message names its position.
            LockedError, AccessDeniedError, StorageUnavailableError: it can't be read.
        """
        with self._using("read"):
            size = self._reader.head().size
        position, version = -1 if after is None else after, 0
        page: list[Event] | None = None
        while page is None or len(page) == PAGE:
            with self._using("read"):
                page = list(
                    self._reader.page(position)
                    if stream is None
                    else self._reader.page_of_stream(stream, version, position)
                )
            yield from page
            if page:
                position, version = page[-1].position, page[-1].version
        if stream is None and position + 1 < size:
            raise entry.damaged(self.path, position + 1, f"the event is missing, of {size}")

    def last(self, stream: str) -> Event | None:
        """Return the newest event of a stream, None if it has none.

        Raises:
            JunmaiError: as `read`.
        """
        with self._using("read"):
            return self._reader.last(stream)

    def streams_open(self) -> list[str]:
        """Return the streams of operations that have no terminal event, the oldest first.

        Raises:
            JunmaiError: as `read`.
        """
        with self._using("read"):
            return self._reader.streams_open()

    def head(self) -> Head:
        """Return how many events there are, and the frontier of the tree over them.

        Raises:
            JunmaiError: as `read`.
        """
        with self._using("read"):
            return self._reader.head()

    def projection(self) -> dict[tuple[str, str], Row]:
        """Return the rows that the events amount to (see `folding`), by name and key.

        They are read as kept; where they are not up to date, they are folded from the events.

        Raises:
            JunmaiError: as `read`.
        """
        with self._using("read"):
            if self._projected.is_at(self._reader.head().size):
                return self._projected.rows()
        return folded(self.read())

    def rebuild(self) -> tuple[str | None, str]:
        """Build the projection anew from the events; return the digests before and after.

        The first is None where there was none, or another version had appended since.

        Raises:
            JunmaiError: as `append_all`.
        """
        with self._using("rebuild the projection of"), self._database.atomic():
            return self._projected.rebuild(self.read(), self._reader.head().size)

    def now(self) -> datetime:
        """Return the time as the journal's clock shows it."""
        return self._clock()

    @contextmanager
    def within(self, doing: str, *, writing: bool) -> Iterator[peewee.SqliteDatabase]:
        """Have the database to oneself, in one transaction if it is for writing.

        For the other modules of this room.

        Raises:
            JunmaiError: what SQLite raises inside, translated.
        """
        with self._using(doing), self._database.atomic() if writing else nullcontext():
            yield self._database

    def _append_all(self, wanted: Sequence[NewEvent]) -> list[Event]:
        """Append inside the caller's transaction, which holds the write lock."""
        head = self._reader.head()
        size, frontier = head.size, head.frontier
        recorded, appended = [], []
        newest = self._newest_of(head)
        for new in wanted:
            event = self._stored(new)
            if event is None:
                event = newest = self._insert(new, size, newest)
                frontier = merkle.frontier_append(frontier, size, event.leaf_hash)
                size += 1
                appended.append(event)
            recorded.append(event)
        if appended:
            self._update_head(size, merkle.frontier_bytes(frontier))
            self._projected.follow(head.size, appended, self.read)
            self._newest = (frontier, appended[-1])
        return recorded

    def _newest_of(self, head: Head) -> Event | None:
        """Return the journal's newest event, if it is one that was appended here.

        The frontier says so, which no other history has: this one's may have been taken back, and
        somebody else's stand in its place.
        """
        if self._newest is None or self._newest[0] != head.frontier:
            return None
        return self._newest[1] if self._newest[1].position + 1 == head.size else None

    def _stored(self, new: NewEvent) -> Event | None:
        """Return the event that has the new one's id already, if it has the same content."""
        stored = None if new.id is None else self._reader.by_id(new.id)
        if stored is None:
            return None
        # The bytes the new event would have had in the stored one's place: equal or a conflict.
        again = self._encoded(new, stored.id, stored.position, stored.version, stored.time)
        if again != stored.entry:
            raise JournalConflictError(
                f"The event {new.id} is recorded already, with other content, at position"
                f" {stored.position} of {self.path}",
                "Give the new event an id of its own.",
            )
        return stored

    def _insert(self, new: NewEvent, position: int, newest: Event | None) -> Event:
        """Append one event; `newest` is the journal's newest one, where it need not be read."""
        last = newest
        if last is None or last.stream != new.stream:
            last = self._reader.last(new.stream)
        version = last.version if last else 0
        if new.expected_version is not None and new.expected_version != version:
            raise JournalConflictError(
                f"The stream {new.stream} is at version {version}, not at {new.expected_version}",
                "Somebody else appended to it; read it again and decide anew.",
            )
        events.require_next(new.stream, last.type if last else None, new.type)
        event_id = uuid7() if new.id is None else events.require_uuid(new.id, "An event")
        written = self._encoded(new, event_id, position, version + 1, self._clock())
        event = entry.decode(written, journal_id=self.journal_id, path=self.path, position=position)
        self._insert_event(
            position,
            event_id,
            event.stream,
            event.version,
            event.type,
            entry.time_text(event.time),
            written,
            event.leaf_hash,
        )
        return event

    def _encoded(
        self, new: NewEvent, event_id: str, position: int, version: int, time: datetime
    ) -> bytes:
        return entry.encode(
            new,
            journal_id=self.journal_id,
            event_id=event_id,
            position=position,
            version=version,
            time=time,
            actor=self.actor,
        )

    def _require_opened(self) -> None:
        """Make sure that event 0 opened this very journal."""
        opened = self._reader.at(0)
        if (
            opened is None
            or opened.type != events.event_type("journal", "opened")
            or opened.stream != events.stream_name("journal", self.journal_id)
        ):
            raise entry.damaged(self.path, 0, "it is not the event that opened the journal")

    @contextmanager
    def _using(self, doing: str) -> Iterator[None]:
        """Have the one connection to oneself, with foreign errors translated."""
        with self._lock, translated(doing, self.path):
            yield


def _pseudonym(journal_id: str, actor: str) -> str:
    user, _, host = actor.rpartition("@")
    return entry.pseudonym(journal_id, user, host)
