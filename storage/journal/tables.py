"""The tables of a journal, and what SQLite itself refuses to do to them.

`event` is append-only: no UPDATE, no DELETE, and INSERT only of a new id at the next position and
the next version of its stream. The condition on INSERT is what stops INSERT OR REPLACE, whose
deletions fire no trigger. Positions count from 0, versions from 1.

`published` and `projection` came later: a journal without them gets them with its next event. What
is in them follows from the events, or is only remembered to notice what happened to a store.
"""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import peewee

from junmai_svc.storage.journal import entry, merkle

APPLICATION_ID = int.from_bytes(b"JNMJ")
FORMAT = 1

_TRIGGERS = {
    "event_no_update": """
        BEFORE UPDATE ON event BEGIN
            SELECT RAISE(ABORT, 'events are never changed');
        END""",
    "event_no_delete": """
        BEFORE DELETE ON event BEGIN
            SELECT RAISE(ABORT, 'events are never deleted');
        END""",
    "event_next": """
        BEFORE INSERT ON event BEGIN
            SELECT RAISE(ABORT, 'an event goes to the next position')
                WHERE NEW.position IS NOT
                    (SELECT coalesce(max(position) + 1, 0) FROM event);
            SELECT RAISE(ABORT, 'an event takes the next version of its stream')
                WHERE NEW.version IS NOT
                    (SELECT coalesce(max(version) + 1, 1) FROM event WHERE stream = NEW.stream);
            SELECT RAISE(ABORT, 'an event has an id of its own')
                WHERE EXISTS (SELECT 1 FROM event WHERE id = NEW.id);
        END""",
    "journal_head_only": """
        BEFORE INSERT ON journal_head WHEN EXISTS (SELECT 1 FROM journal_head) BEGIN
            SELECT RAISE(ABORT, 'a journal has one head');
        END""",
    "journal_head_no_delete": """
        BEFORE DELETE ON journal_head BEGIN
            SELECT RAISE(ABORT, 'a journal keeps its head');
        END""",
    "journal_head_follows": """
        BEFORE UPDATE ON journal_head BEGIN
            SELECT RAISE(ABORT, 'a journal keeps its id')
                WHERE NEW.journal_id IS NOT OLD.journal_id;
            SELECT RAISE(ABORT, 'the head counts the events')
                WHERE NEW.size IS NOT (SELECT coalesce(max(position) + 1, 0) FROM event);
        END""",
}
TRIGGERS = frozenset(_TRIGGERS)

_DENIED = {
    sqlite3.SQLITE_DROP_TABLE,
    sqlite3.SQLITE_DROP_TRIGGER,
    sqlite3.SQLITE_DROP_INDEX,
    sqlite3.SQLITE_ALTER_TABLE,
}
_FIXED_PRAGMAS = {
    "application_id",
    "journal_mode",
    "recursive_triggers",
    "synchronous",
    "user_version",
    "writable_schema",
}


class _Event(peewee.Model):
    """`entry` is the event; the other columns are a cache of it, `leaf_hash` its RFC 6962 hash."""

    position = peewee.IntegerField(primary_key=True)
    id = peewee.TextField(constraints=[peewee.SQL("UNIQUE")])
    stream = peewee.TextField()
    version = peewee.IntegerField()
    type = peewee.TextField()
    time = peewee.TextField()
    entry = peewee.BlobField(
        constraints=[peewee.Check(f"length(entry) BETWEEN 1 AND {entry.MAX_BYTES}")]
    )
    leaf_hash = peewee.BlobField(
        constraints=[peewee.Check(f"length(leaf_hash) = {merkle.HASH_BYTES}")]
    )


class _JournalHead(peewee.Model):
    """The one row that says how far the journal is and how much of it has been published."""

    journal_id = peewee.TextField(primary_key=True)
    size = peewee.IntegerField()
    frontier = peewee.BlobField()
    published_size = peewee.IntegerField(default=0)
    published_root = peewee.BlobField(null=True)


class _Published(peewee.Model):
    """What each store was last seen to hold, and how often the schema had changed by then.

    `hashed` is when all of it was hashed anew, in seconds since 1970.
    """

    store = peewee.TextField(primary_key=True)
    size = peewee.IntegerField()
    frontier = peewee.BlobField()
    schema_version = peewee.IntegerField()
    hashed = peewee.IntegerField()


class _Projection(peewee.Model):
    """The rows that the events amount to, as JSON; see `folding`."""

    name = peewee.TextField()
    key = peewee.TextField()
    value = peewee.TextField()


@dataclass(frozen=True)
class Tables:
    """The models of one journal, bound to its database alone."""

    event: type[_Event]
    head: type[_JournalHead]
    published: type[_Published]
    projection: type[_Projection]


def bound_to(database: peewee.SqliteDatabase) -> Tables:
    """Return the models of the journal that a database holds, or is about to hold."""
    owner = database

    class Event(_Event):
        class Meta:
            database = owner
            table_name = "event"
            strict_tables = True
            constraints = (peewee.SQL("UNIQUE (stream, version)"),)

    class JournalHead(_JournalHead):
        class Meta:
            database = owner
            table_name = "journal_head"
            strict_tables = True

    class Published(_Published):
        class Meta:
            database = owner
            table_name = "published"
            strict_tables = True

    class Projection(_Projection):
        class Meta:
            database = owner
            table_name = "projection"
            strict_tables = True
            without_rowid = True
            primary_key = peewee.CompositeKey("name", "key")

    return Tables(Event, JournalHead, Published, Projection)


def composed(
    database: peewee.SqliteDatabase, query: peewee.Query
) -> Callable[..., list[tuple[Any, ...]]]:
    """Return a query as a function of its parameters, in the order in which they stand in its SQL.

    The values in `query` only hold their places. Composing takes peewee longer than running takes
    SQLite, so a journal composes each of its queries once.
    """
    sql, _ = query.sql()

    def run(*parameters: object) -> list[tuple[Any, ...]]:
        # Past peewee's own bookkeeping, which takes as long as SQLite; `failures` knows what comes.
        connection: sqlite3.Connection = database.connection()  # type: ignore[no-untyped-call]
        return connection.execute(sql, parameters).fetchall()

    return run


def create(database: peewee.SqliteDatabase) -> None:
    """Make the tables, triggers and marks of a journal, inside the caller's transaction.

    Raises:
        sqlite3.Error, peewee.PeeweeException: SQLite refuses.
    """
    tables = bound_to(database)
    database.create_tables([tables.event, tables.head], safe=False)
    complete(database)
    connection: sqlite3.Connection = database.connection()  # type: ignore[no-untyped-call]
    for name, body in _TRIGGERS.items():
        connection.execute(f"CREATE TRIGGER {name} {body}")
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {FORMAT}")


def complete(database: peewee.SqliteDatabase) -> None:
    """Make the tables that a journal of an earlier version lacks, inside the caller's transaction.

    Raises:
        sqlite3.Error, peewee.PeeweeException: SQLite refuses.
    """
    tables = bound_to(database)
    database.create_tables([tables.published, tables.projection], safe=True)


def differing_triggers(connection: sqlite3.Connection) -> list[str]:
    """Return the triggers that are missing, do not say what they should, or are somebody else's.

    Raises:
        sqlite3.Error: the schema can't be read.
    """
    rows = connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'")
    found = {name: _words(sql) for name, sql in rows}
    changed = {
        name
        for name, body in _TRIGGERS.items()
        if found.get(name) != _words(f"CREATE TRIGGER {name} {body}")
    }
    return sorted(changed | (found.keys() - TRIGGERS))


def _words(sql: str) -> list[str]:
    return sql.split()


def seal(connection: sqlite3.Connection) -> None:
    """Deny this connection from now on to drop or alter anything, or to weaken durability."""
    connection.set_authorizer(_authorize)


def _authorize(
    action: int, subject: str | None, value: str | None, _database: str | None, _by: str | None
) -> int:
    if action == sqlite3.SQLITE_PRAGMA:
        denied = value is not None and str(subject).lower() in _FIXED_PRAGMAS
    else:
        denied = action in _DENIED
    return sqlite3.SQLITE_DENY if denied else sqlite3.SQLITE_OK
