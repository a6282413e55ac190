"""Values are shown in full where they are short, and harmlessly where they are not."""

import math
import sqlite3
from contextlib import closing

import peewee
import pytest
from tests.checks.two_databases import Text, Value

from junmai_svc.checks import values
from junmai_svc.checks.queries import fetched


def shown(value: Value | Text, encoding: str = "UTF-8") -> str:
    with closing(sqlite3.connect(":memory:")) as database:
        database.execute(f"PRAGMA encoding = '{encoding}'")
        database.execute("CREATE TABLE t (v)")
        if isinstance(value, Text):
            database.execute("INSERT INTO t VALUES (CAST(? AS TEXT))", (value.raw,))
        else:
            database.execute("INSERT INTO t VALUES (?)", (value,))
        query = peewee.Select([peewee.SQL("t")], values.selected(peewee.SQL("v")))
        (parts,) = fetched(database, query)
        return values.shown(parts, values.codec(database))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "NULL"),
        (5, "5 (integer)"),
        (-(2**63), "-9223372036854775808 (integer)"),
        (5.0, "5.0 (real)"),
        (-0.0, "-0.0 (real)"),
        (0.1, "0.1 (real)"),
        (math.inf, "inf (real)"),
        ("", "'' (text)"),
        ("abc", "'abc' (text)"),
        ("D:\\写真", "'D:\\写真' (text)"),
        ("a\x00b\nc", "'a\\x00b\\nc' (text)"),
        ("\u202edrow", "'\\u202edrow' (text)"),
        ("x" * 80, f"'{'x' * 80}' (text)"),
        ("x" * 81, f"'{'x' * 80}'… (text, 81 bytes)"),
        ("🍶" * 100, f"'{'🍶' * 80}'… (text, 400 bytes)"),
        (b"", "x'' (blob)"),
        (b"\x00\xff", "x'00ff' (blob)"),
        (bytes(40), f"x'{'00' * 40}' (blob)"),
        (bytes(41), f"x'{'00' * 40}'… (blob, 41 bytes)"),
        (Text(b"a\xffb"), "'a\\xffb' (text)"),
        (Text(b"\xed\xa0\x80"), "'\\xed\\xa0\\x80' (text)"),
    ],
)
def test_a_value_is_shown_with_its_class(value: Value | Text, text: str) -> None:
    assert shown(value) == text


@pytest.mark.parametrize("encoding", ["UTF-16le", "UTF-16be"])
@pytest.mark.parametrize("text", ["", "abc", "🍶写真", "a\x00b", "x" * 80])
def test_the_encoding_of_the_database_does_not_show(text: str, encoding: str) -> None:
    assert shown(text, encoding) == shown(text)


def test_a_huge_value_is_never_fetched_whole() -> None:
    with closing(sqlite3.connect(":memory:")) as database:
        database.execute("CREATE TABLE t AS SELECT zeroblob(50000000) AS v")
        query = peewee.Select([peewee.SQL("t")], values.selected(peewee.SQL("v")))
        ((_, cut, size),) = fetched(database, query)
    assert (len(cut), size) == (values.SHOWN_BYTES, 50_000_000)
