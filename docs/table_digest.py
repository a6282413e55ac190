"""A table's digest as the journal records it: python table_digest.py DATABASE TABLE."""

import hashlib
import sqlite3
import struct
import sys
from pathlib import Path


class Text(bytes):
    """A text's bytes as they are stored, apart from a blob's."""


def encoded(value):
    """Return a value's bytes: its kind, then what it is, little-endian."""
    if value is None:
        return b"N"
    if isinstance(value, float):
        return b"g" + struct.pack("<d", value)
    if isinstance(value, bytes):
        return (b"u" if isinstance(value, Text) else b"s") + struct.pack("<i", len(value)) + value
    if -(2**31) <= value < 2**31:
        return b"i" + struct.pack("<i", value)
    digits = [abs(value) >> bits & 0x7FFF for bits in range(0, abs(value).bit_length(), 15)]
    count = len(digits) if value > 0 else -len(digits)
    return b"l" + struct.pack(f"<i{len(digits)}H", count, *digits)


def table_digest(database, table):
    """Return the SHA-256 of the sorted SHA-256s of all rows of a table."""
    connection = sqlite3.connect(f"{Path(database).resolve().as_uri()}?mode=ro", uri=True)
    connection.text_factory = Text
    rows = connection.execute('SELECT * FROM "{}" NOT INDEXED'.format(table.replace('"', '""')))
    start = b"(" + struct.pack("<i", len(rows.description))
    digests = (hashlib.sha256(start + b"".join(map(encoded, row))).digest() for row in rows)
    return hashlib.sha256(b"".join(sorted(digests))).hexdigest()


if __name__ == "__main__":
    print(table_digest(sys.argv[1], sys.argv[2]))
