"""Digests of tables: one SHA-256 for all rows of a table, whatever their order.

The form, so that anybody can recompute it in any language:

- A row is `(` and the number of its columns, then its values in declared order, generated columns
  among them: NULL is `N`; an integer that fits 32 bits is `i` and 4 bytes, a larger one `l`, the
  number of its 15-bit digits (negative for a negative integer) in 4 bytes, and the digits, least
  significant first, in 2 bytes each; a real is `g` and its 8 IEEE 754 bytes; a text is `u`, its
  length and its UTF-8 bytes as SQLite hands them over; a blob is `s`, its length and its bytes.
  Counts and lengths are bytes in 4 bytes; everything is little-endian and signed.
- The digest of a row is the SHA-256 of that.
- The digest of a table is the SHA-256 of its rows' digests, sorted ascending and joined; equal
  rows count as often as they are there.

A row's form is that of Python's `marshal.dumps(values, 2)`, the same in all versions since 3.4.
Storage classes, -0.0 and invalid UTF-8 make a difference, as they should; rowids don't count.
"""

import marshal
import sqlite3
import struct
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256

import peewee

from junmai_svc.storage.databases.names import node
from junmai_svc.storage.databases.schema import Table

MARSHAL_VERSION = 2
# SQLite takes 127 arguments by default and may be built for fewer.
ARGUMENTS = 100

SqlValue = int | float | str | bytes | None

_ROW = "junmai_row_digest"
_PART = "junmai_row_part"
_WHOLE = "junmai_row_digest_of_parts"


@dataclass(frozen=True)
class TableDigest:
    """A table's number of rows and its digest in hex."""

    rows: int
    sha256: str


class RawText(bytes):
    """A text's UTF-8 bytes as they are, valid or not; apart from bytes, which are a blob."""

    __slots__ = ()


def register(connection: sqlite3.Connection) -> None:
    """Make the SQL functions behind `row_digest` known to a connection; harmless when repeated."""
    connection.create_function(_ROW, -1, _row_digest, deterministic=True)
    connection.create_function(_PART, -1, _row_part, deterministic=True)
    connection.create_function(_WHOLE, -1, _row_digest_of_parts, deterministic=True)


def row_digest(values: Sequence[peewee.ColumnBase]) -> peewee.ColumnBase:
    """Return the SQL expression for the digest of a row of these values, a blob of 32 bytes.

    Evaluating it raises sqlite3.OperationalError where a text is not valid UTF-8.
    """
    if len(values) <= ARGUMENTS:
        return peewee.Function(_ROW, values)
    parts = (values[at : at + ARGUMENTS] for at in range(0, len(values), ARGUMENTS))
    return peewee.Function(_WHOLE, [len(values), *(peewee.Function(_PART, p) for p in parts)])


def table_digest(connection: sqlite3.Connection, schema: str, table: Table) -> TableDigest:
    """Read all rows of a table of `schema` (`main` or an attached one) and return their digest.

    Memory stays flat: SQLite sorts the rows' digests, in a temporary file if need be.

    Raises:
        sqlite3.Error: the table can't be read.
    """
    columns = [node("t", column.name) for column in table.columns]
    rows = peewee.NodeList((node(schema, table.name), peewee.SQL("AS t NOT INDEXED")))
    register(connection)
    digests = peewee.Select([rows], [row_digest(columns)]).order_by(peewee.SQL("1"))
    try:
        return _digest_of(row for (row,) in connection.execute(*digests.sql()))
    except sqlite3.OperationalError as error:
        if "user-defined function" not in str(error):
            raise
    # The only way in which the functions fail: they can't be handed a text of invalid UTF-8.
    return _digest_of(_sorted_outside(connection, peewee.Select([rows], columns)))


def _digest_of(digests: Iterator[bytes]) -> TableDigest:
    whole, count = sha256(), 0
    for digest in digests:
        whole.update(digest)
        count += 1
    return TableDigest(count, whole.hexdigest())


def _sorted_outside(connection: sqlite3.Connection, rows: peewee.Select) -> Iterator[bytes]:
    """The ascending digests of rows that are read as raw bytes, sorted in a scratch database."""
    with closing(sqlite3.connect("", isolation_level=None)) as scratch:
        scratch.execute("PRAGMA journal_mode = OFF")
        scratch.execute("CREATE TABLE digests (digest BLOB NOT NULL)")
        usual = connection.text_factory
        connection.text_factory = RawText
        try:
            scratch.execute("BEGIN")
            scratch.executemany(
                "INSERT INTO digests VALUES (?)",
                ((sha256(encoded(row)).digest(),) for row in connection.execute(*rows.sql())),
            )
        finally:
            connection.text_factory = usual
        for (digest,) in scratch.execute("SELECT digest FROM digests ORDER BY digest"):
            yield digest


def encoded(row: Sequence[SqlValue]) -> bytes:
    """Return the bytes of a row as the module describes them; texts as str or `RawText`."""
    return b"(" + struct.pack("<i", len(row)) + b"".join(_encoded_value(value) for value in row)


def _encoded_value(value: SqlValue) -> bytes:
    if isinstance(value, RawText):
        return b"u" + struct.pack("<i", len(value)) + value
    return marshal.dumps(value, MARSHAL_VERSION)


def _row_digest(*values: SqlValue) -> bytes:
    return sha256(marshal.dumps(values, MARSHAL_VERSION)).digest()


def _row_part(*values: SqlValue) -> bytes:
    head = 5  # `(` and the count, which stand once before the whole row
    return marshal.dumps(values, MARSHAL_VERSION)[head:]


def _row_digest_of_parts(count: int, *parts: bytes) -> bytes:
    return sha256(b"(" + struct.pack("<i", count) + b"".join(parts)).digest()
