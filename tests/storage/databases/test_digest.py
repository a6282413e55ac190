"""Table digests against an encoder of their own and against what SQLite really stores."""

import math
import sqlite3
import struct
from collections.abc import Sequence
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from junmai_svc.storage.databases.digest import RawText, SqlValue, encoded, table_digest
from junmai_svc.storage.databases.schema import Column, Table

Row = tuple[SqlValue, ...]

BADLY_ENCODED = b"\xff\xfe A \x00 \xed\xa0\x80"


def by_hand(row: Row) -> bytes:
    """The bytes of a row, written from the description alone."""
    out = b"(" + len(row).to_bytes(4, "little")
    for value in row:
        if value is None:
            out += b"N"
        elif isinstance(value, int):
            out += integer_by_hand(value)
        elif isinstance(value, float):
            out += b"g" + struct.pack("<d", value)
        else:
            is_text = isinstance(value, str | RawText)
            raw = value.encode() if isinstance(value, str) else value
            out += (b"u" if is_text else b"s") + len(raw).to_bytes(4, "little") + raw
    return out


def integer_by_hand(value: int) -> bytes:
    if -(2**31) <= value < 2**31:
        return b"i" + value.to_bytes(4, "little", signed=True)
    digits, rest = [], abs(value)
    while rest:
        digits.append(rest % 32768)
        rest //= 32768
    count = len(digits) if value > 0 else -len(digits)
    joined = b"".join(digit.to_bytes(2, "little") for digit in digits)
    return b"l" + count.to_bytes(4, "little", signed=True) + joined


def digest_by_hand(rows: Sequence[Row]) -> str:
    return sha256(b"".join(sorted(sha256(by_hand(row)).digest() for row in rows))).hexdigest()


def table(name: str, *columns: str) -> Table:
    described = tuple(Column(c, "", not_null=False, default=None, key_position=0) for c in columns)
    return Table(name, "", described, without_rowid=False, strict=False)


def filled(rows: Sequence[Row], width: int) -> sqlite3.Connection:
    database = sqlite3.connect(":memory:")
    database.execute(f"CREATE TABLE t ({', '.join(f'c{at}' for at in range(width))})")
    database.executemany(f"INSERT INTO t VALUES ({', '.join('?' * width)})", rows)
    return database


VALUES = (
    st.none()
    | st.integers(-(2**63), 2**63 - 1)
    | st.sampled_from([0, -1, 2**31 - 1, 2**31, -(2**31), -(2**31) - 1, 2**63 - 1, -(2**63)])
    | st.floats(allow_nan=False)
    | st.sampled_from([0.0, -0.0, 1.0, math.inf, -math.inf])
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
    | st.binary(max_size=20)
)


@given(st.lists(st.tuples(VALUES, VALUES), max_size=20))
def test_the_digest_is_the_one_described(rows: Sequence[Row]) -> None:
    digest = table_digest(filled(rows, 2), "main", table("t", "c0", "c1"))
    assert (digest.rows, digest.sha256) == (len(rows), digest_by_hand(rows))


@given(st.lists(VALUES, max_size=10))
def test_the_encoder_of_odd_tables_gives_the_bytes_described(row: list[SqlValue]) -> None:
    assert encoded(row) == by_hand(tuple(row))
    raw = [RawText(v.encode()) if isinstance(v, str) else v for v in row]
    assert encoded(raw) == by_hand(tuple(row))


def test_the_golden_vector_holds() -> None:
    """Fixed for ever: a digest in a journal of years ago must still come out."""
    rows: Sequence[Row] = [
        (None, 0, -1, 2**31 - 1, 2**31, -(2**63), 2**63 - 1),
        (0.0, -0.0, 1.5, math.inf, "", "Ünïcödé\x00 🍶", b"\x00\xff"),
    ]
    digest = table_digest(filled(rows, 7), "main", table("t", *(f"c{at}" for at in range(7))))
    assert digest.sha256 == "00aae57267cfaa7f6cd1860a3733b41038f61a97fd1c8022d072e8bd3df9e948"
    assert digest_by_hand(rows) == digest.sha256


def test_the_order_of_rows_does_not_count_and_their_number_does() -> None:
    one, other = [(1, "a"), (2, "b")], [(2, "b"), (1, "a")]
    twice = [*one, (1, "a")]
    digests = [
        table_digest(filled(rows, 2), "main", table("t", "c0", "c1")).sha256
        for rows in (one, other, twice)
    ]
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize(
    "values",
    [
        (1, 1.0),
        (1, "1"),
        ("1", b"1"),
        (0.0, -0.0),
        (None, ""),
        ("a", "a\x00"),
        ("\u00e9", "e\u0301"),
    ],
)
def test_values_that_sqlite_may_call_equal_have_digests_of_their_own(
    values: tuple[SqlValue, SqlValue],
) -> None:
    one, other = (table_digest(filled([(v,)], 1), "main", table("t", "c0")) for v in values)
    assert one.sha256 != other.sha256


@pytest.mark.parametrize("width", [100, 101, 127, 128, 999, 2000])
def test_tables_wider_than_a_functions_arguments_have_the_digest_described(width: int) -> None:
    rows: Sequence[Row] = [
        tuple([None, at, -0.5, "ä", b"\x00"][at % 5] for at in range(width)),
        tuple(at * 2**40 for at in range(width)),
    ]
    digest = table_digest(filled(rows, width), "main", table("t", *(f"c{n}" for n in range(width))))
    assert digest.sha256 == digest_by_hand(rows)


@pytest.mark.parametrize("width", [1, 128])
def test_texts_that_are_no_utf_8_are_digested_byte_by_byte(width: int) -> None:
    rows: Sequence[Row] = [(at, *[None] * (width - 1)) for at in range(50)]
    database = filled([*rows, *rows], width)
    database.execute("UPDATE t SET c0 = CAST(? AS TEXT) WHERE rowid > 50", (BADLY_ENCODED,))
    odd: Sequence[Row] = [(RawText(BADLY_ENCODED), *row[1:]) for row in rows]
    digest = table_digest(database, "main", table("t", *(f"c{at}" for at in range(width))))
    assert (digest.rows, digest.sha256) == (100, digest_by_hand([*rows, *odd]))
    assert database.text_factory is str


@settings(max_examples=20)
@given(st.lists(st.tuples(VALUES), max_size=5))
def test_the_encoding_of_the_database_does_not_count(rows: Sequence[Row]) -> None:
    wide = sqlite3.connect(":memory:")
    wide.execute("PRAGMA encoding = 'UTF-16be'")
    wide.execute("CREATE TABLE t (c0)")
    wide.executemany("INSERT INTO t VALUES (?)", rows)
    assert table_digest(wide, "main", table("t", "c0")).sha256 == digest_by_hand(rows)


def test_generated_columns_are_digested_in_their_place() -> None:
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE t (a, b AS (a + 1), c AS (a || 'x') STORED, d)")
    database.execute("INSERT INTO t VALUES (1, 'd')")
    digest = table_digest(database, "main", table("t", "a", "b", "c", "d"))
    assert digest.sha256 == digest_by_hand([(1, 2, "1x", "d")])


def test_names_of_any_kind_are_read_from_the_schema_that_was_asked_for() -> None:
    database = sqlite3.connect(":memory:")
    database.execute("ATTACH ':memory:' AS source")
    database.execute('CREATE TABLE source."se""lect 🍶" ("", "a""b", [group])')
    database.execute('INSERT INTO source."se""lect 🍶" VALUES (1, 2, 3)')
    digest = table_digest(database, "source", table('se"lect 🍶', "", 'a"b', "group"))
    assert digest.sha256 == digest_by_hand([(1, 2, 3)])


def test_a_table_without_rows_has_the_digest_of_nothing() -> None:
    digest = table_digest(filled([], 1), "main", table("t", "c0"))
    assert (digest.rows, digest.sha256) == (0, sha256(b"").hexdigest())


def test_an_error_that_is_not_about_texts_is_raised() -> None:
    with pytest.raises(sqlite3.OperationalError, match="no such column"):
        table_digest(filled([], 1), "main", table("t", "missing"))


def test_big_blobs_are_digested_whole() -> None:
    blob = bytes(range(256)) * 12_000
    rows: Sequence[Row] = [(blob,), (blob[:-1] + b"\x00",)]
    assert table_digest(filled(rows, 1), "main", table("t", "c0")).sha256 == digest_by_hand(rows)
