"""Single values as people read them: `5 (integer)`, `'abc' (text)`, `x'00ff' (blob)`, `NULL`.

A value leaves SQLite as its storage class, its first bytes and its length, so that neither a huge
blob nor text that is not valid in its encoding can do harm on the way.
"""

import sqlite3
from collections.abc import Sequence
from typing import Any

import peewee

SHOWN_CHARACTERS = 80
SHOWN_BYTES = SHOWN_CHARACTERS // 2
# One character more than is shown; none takes more than 4 bytes in any of SQLite's encodings.
FETCHED_BYTES = (SHOWN_CHARACTERS + 1) * 4

WIDTH = 3


def codec(connection: sqlite3.Connection) -> str:
    """Return the name under which Python knows the database's text encoding."""
    (name,) = connection.execute("PRAGMA encoding").fetchone()
    return str(name).replace("UTF-16", "UTF-16-").rstrip("-").lower()


def selected(value: peewee.ColumnBase) -> list[peewee.ColumnBase]:
    """Return the `WIDTH` expressions that, selected, are what `shown` needs of a value."""
    raw = peewee.Cast(value, "BLOB")
    cut = peewee.Case(
        peewee.fn.typeof(value),
        (
            ("text", peewee.fn.substr(raw, 1, FETCHED_BYTES)),
            ("blob", peewee.fn.substr(raw, 1, SHOWN_BYTES)),
        ),
        value,
    )
    return [peewee.fn.typeof(value), cut, peewee.fn.length(raw)]


def shown(parts: Sequence[Any], codec: str) -> str:
    """Return a value that was selected as its `parts`, with its storage class."""
    kind, _, size = parts
    if kind == "null":
        return "NULL"
    text = literal(parts, codec)
    return f"{text} ({kind}, {size} bytes)" if text.endswith("…") else f"{text} ({kind})"


def literal(parts: Sequence[Any], codec: str) -> str:
    """Return a value that was selected as its `parts` in the manner of SQL, cut with an ellipsis.

    Characters that don't print are escaped as Python does; what is cut off is never half a
    character.
    """
    kind, value, size = parts
    if kind in ("text", "blob"):
        raw: bytes = value or b""  # of an empty one SQLite's substr() makes NULL
        if kind == "text":
            return _text(raw.decode(codec, "backslashreplace"))
        return f"x'{raw.hex()}'" + ("…" if size > SHOWN_BYTES else "")
    return "NULL" if kind == "null" else repr(value)


def _text(text: str) -> str:
    shown = "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text[:SHOWN_CHARACTERS]
    )
    return f"'{shown}'" + ("…" if len(text) > SHOWN_CHARACTERS else "")
