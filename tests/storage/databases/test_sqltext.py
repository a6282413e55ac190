"""The tokenizer agrees with SQLite, which is asked in every test that can ask it."""

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from junmai_svc.storage.databases.sqltext import (
    check_expressions,
    names_in,
    normalised,
    predicate,
    tokens,
    without_not_null,
)

SPACES = st.sampled_from([" ", "\n", "\t ", " /* not null check (1) */ ", " -- it's\n", "/**/ "])
PLAIN = st.sampled_from(
    ["a", "b", "C", "key", "action", "größe", "_x1", "select", "a b", "", "it's"]
)
STYLES = ('"', "`", "[", "")
NEED_QUOTES = {"select", "a b", "", "it's"}


def identifier(name: str, style: str) -> str:
    if style == "[":
        return f"[{name}]"
    if style == "" and name not in NEED_QUOTES:
        return name
    mark = style or '"'
    return mark + name.replace(mark, mark * 2) + mark


NOT_NULL = st.sampled_from(
    [
        "NOT NULL",
        "not/*x*/null",
        "Not\nNull ON CONFLICT IGNORE",
        "CONSTRAINT nn NOT NULL",
        'constraint "check" not null on conflict replace',
    ]
)
EXPRESSIONS = st.sampled_from(
    ["1", "1 > 0", "')' <> '('", "(1) -- )\n", "1 NOT NULL", "abs(-1) /* ) */", "1 in (1, (2))"]
)
OTHERS = st.sampled_from(
    [
        "DEFAULT 'not null'",
        "DEFAULT (1 NOT NULL)",
        "DEFAULT -5",
        "UNIQUE",
        "COLLATE NOCASE",
        "NULL",
        "REFERENCES t",
    ]
)


@st.composite
def columns(draw: st.DrawFn) -> tuple[str, bool, list[str]]:
    """A column's constraints as text, whether it is NOT NULL, and its CHECK expressions."""
    parts: list[str] = [draw(st.sampled_from(["", "TEXT", "VARCHAR(255)", "INT", '"not null"']))]
    checks = draw(st.lists(EXPRESSIONS, max_size=2))
    extra = [f"CHECK ({text})" for text in checks]
    not_null = draw(st.none() | NOT_NULL)
    extra += [not_null] if not_null else []
    extra += draw(st.lists(OTHERS, max_size=2, unique=True))
    order = draw(st.permutations(range(len(extra))))
    parts += [extra[at] for at in order]
    written = [checks[at] for at in order if at < len(checks)]
    return draw(SPACES).join(parts), not_null is not None, written


@st.composite
def tables(draw: st.DrawFn) -> tuple[str, list[bool], list[str]]:
    """A CREATE TABLE that SQLite accepts, the columns' NOT NULL, and all CHECK expressions."""
    names = draw(st.lists(PLAIN, min_size=1, max_size=4, unique_by=str.lower))
    described = [draw(columns()) for _ in names]
    body = [
        identifier(name, draw(st.sampled_from(STYLES))) + draw(SPACES) + text
        for name, (text, _, _) in zip(names, described, strict=True)
    ]
    final = draw(st.lists(EXPRESSIONS, max_size=2))
    body += [f"CONSTRAINT c CHECK{draw(SPACES)}({text})" for text in final]
    sql = f"CREATE TABLE{draw(SPACES)}t{draw(SPACES)}({', '.join(body)}\n)"
    checks = [text for _, _, texts in described for text in texts] + final
    return sql, [not_null for _, not_null, _ in described], checks


@given(st.text(alphabet="aN'\"`[](),;.-/* \n\t0x9eE+|<>=!é\x00") | st.text())
def test_the_tokens_of_any_text_joined_are_the_text(text: str) -> None:
    assert "".join(token.text for token in tokens(text)) == text


@given(tables())
def test_every_check_of_a_table_is_found_as_it_was_written(
    table: tuple[str, list[bool], list[str]],
) -> None:
    sql, _, checks = table
    sqlite3.connect(":memory:").execute(sql)
    assert check_expressions(sql) == [text.strip() for text in checks]


@given(tables())
def test_without_not_null_changes_nothing_that_sqlite_reports_but_not_null(
    table: tuple[str, list[bool], list[str]],
) -> None:
    sql, not_null, checks = table

    def columns_of(text: str) -> list[tuple[object, ...]]:
        database = sqlite3.connect(":memory:")
        database.execute(text)
        return database.execute(
            "SELECT name, type, dflt_value, pk, hidden, \"notnull\" FROM pragma_table_xinfo('t')"
        ).fetchall()

    before, after = columns_of(sql), columns_of(without_not_null(sql))
    assert [bool(column[-1]) for column in before] == not_null
    assert [column[:-1] for column in before] == [column[:-1] for column in after]
    assert not any(column[-1] for column in after)
    assert check_expressions(without_not_null(sql)) == [text.strip() for text in checks]


def test_without_not_null_keeps_every_other_byte() -> None:
    sql = (
        "CREATE TABLE t (\n a  TEXT CONSTRAINT x NOT NULL ON CONFLICT FAIL DEFAULT 'NOT NULL',"
        "\n b CHECK (b NOT NULL) NOT NULL, -- NOT NULL\n c\n)"
    )
    assert without_not_null(sql) == (
        "CREATE TABLE t (\n a  TEXT  DEFAULT 'NOT NULL',"
        "\n b CHECK (b NOT NULL) , -- NOT NULL\n c\n)"
    )


def test_a_table_without_not_null_is_returned_as_it_is() -> None:
    sql = 'CREATE TABLE "not null" ("NOT" NULL, [null] DEFAULT (x NOT NULL), x)'
    assert without_not_null(sql) == sql


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("status IN ('a','b')", "\"Status\"  in /* x */ (\n'a', `b`)".replace("`b`", "'b'")),
        ("action = 1", '[action]="x"'.replace('"x"', "1")),
        ("a>=1", "A >= 1 -- one"),
        ('"größe" > 1', "größe>1"),
    ],
)
def test_texts_that_differ_only_in_writing_are_equal(one: str, other: str) -> None:
    assert normalised(one) == normalised(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a = 'x'", "a = 'X'"),
        ("a = 1", "a = 1.0"),
        ("a IS NULL", 'a IS "NULL"'),
        ("a = true", 'a = "true"'),
        ("a = current_date", "a = [current_date]"),
        ("(select)", '("select")'),
        ("a = x'00'", "a = '00'"),
        ("ab", "a b"),
        ('"a b"', "a b"),
        ("a = 'x'", 'a = "x"'),
        ("größe", "GRÖSSE"),
    ],
)
def test_texts_that_mean_something_else_stay_different(one: str, other: str) -> None:
    assert normalised(one) != normalised(other)


@given(st.sampled_from(sorted(NEED_QUOTES - {"", "it's"})) | PLAIN, st.sampled_from(STYLES[:3]))
def test_the_style_of_quotes_does_not_count(name: str, style: str) -> None:
    assert normalised(identifier(name, style)) == normalised(identifier(name, '"'))


@given(PLAIN)
def test_an_unquoted_name_equals_a_quoted_one_exactly_where_sqlite_takes_both(name: str) -> None:
    try:
        sqlite3.connect(":memory:").execute(f"CREATE TABLE t ({name} INT, CHECK ({name} > 1))")
    except sqlite3.OperationalError:
        is_allowed = False
    else:
        is_allowed = True
    assert (normalised(name) == normalised(identifier(name, '"'))) == is_allowed


def test_names_are_found_however_they_are_quoted_and_texts_are_no_names() -> None:
    sql = """Status IN ('x', "a""b") AND [c d] > `e` -- f"""
    assert names_in(sql) == {"status", "in", 'a"b', "and", "c d", "e"}


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("CREATE INDEX i ON t (a)", None),
        ("CREATE INDEX i ON t (a) WHERE a > 5", "a > 5"),
        (
            'CREATE INDEX "where" ON t ((a in (1))) wHeRe\n"where" = \'where\'',
            "\"where\" = 'where'",
        ),
    ],
)
def test_the_predicate_of_a_partial_index_is_its_text_after_where(
    sql: str, expected: str | None
) -> None:
    assert predicate(sql) == expected
