"""SQL text read as SQLite reads it, token by token, without changing a byte of what is kept.

Only as much grammar as the schema's texts need: SQLite itself has accepted them before. Tokens
follow https://sqlite.org/lang_keywords.html and the tokenizer described at
https://sqlite.org/lang_expr.html; joined together they are the text again.
"""

import re
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple

from junmai_svc.storage.databases.names import fold


class Kind(StrEnum):
    """What a token is; `NAME` is a quoted identifier, `WORD` a keyword or an unquoted one."""

    SPACE = "space"
    STRING = "string"
    BLOB = "blob"
    NAME = "name"
    NUMBER = "number"
    WORD = "word"
    SYMBOL = "symbol"


class Token(NamedTuple):
    """One token and how many parentheses are open around it; a parenthesis stands inside itself."""

    kind: Kind
    text: str
    depth: int

    def is_word(self, word: str) -> bool:
        """Whether this is that keyword, given in lower case."""
        return self.kind is Kind.WORD and fold(self.text) == word


# SQLite's white space is these five; every character beyond ASCII may be part of a word.
_TOKEN = re.compile(
    r"""
    (?P<space>  [ \t\n\f\r]+ | --[^\n]* | /\*.*?(?:\*/|\Z) )
  | (?P<string> '(?:[^']|'')*' )
  | (?P<blob>   [xX]'[0-9a-fA-F]*' )
  | (?P<name>   "(?:[^"]|"")*" | `(?:[^`]|``)*` | \[[^\]]*\] )
  | (?P<number> 0[xX][0-9a-fA-F]+ | (?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)? )
  | (?P<word>   [A-Za-z_\x80-\U0010ffff][A-Za-z0-9_$\x80-\U0010ffff]* )
  | (?P<symbol> \|\||->>?|<[=>]|<<|>=|>>|==|!=|. )
    """,
    re.VERBOSE | re.DOTALL,
)

# Keywords that can't be identifiers without quotes, and words whose meaning quotes change:
# `null` is no column, `"null"` is one.
_RESERVED = frozenset(
    """
    add all alter and as autoincrement between case cast check collate commit constraint create
    default deferrable delete distinct drop else escape except exists foreign from group having
    in index insert intersect into is isnull join limit not nothing notnull null on or order
    primary raise references returning select set table then to transaction union unique update
    using values when where
    current_date current_time current_timestamp false true
    """.split()  # noqa: SIM905  # a list of literals would fill the page
)


def tokens(sql: str) -> Iterator[Token]:
    """Split SQL text into tokens whose texts, joined, are `sql` again."""
    depth = 0
    for match in _TOKEN.finditer(sql):
        kind, text = Kind(match.lastgroup or Kind.SYMBOL), match.group()
        if text == "(":
            depth += 1
        yield Token(kind, text, depth)
        if text == ")":
            depth -= 1


def check_expressions(create_table: str) -> list[str]:
    """Return the expressions of all CHECK constraints of a CREATE TABLE, as they are written.

    Those of columns and those of the table, in the order of the text, without their parentheses.
    """
    found: list[str] = []
    parts = list(tokens(create_table))
    for start, token in enumerate(parts):
        if token.depth != 1 or not token.is_word("check"):
            continue
        opening = _next(parts, start + 1)
        closing = opening + 1
        while not (parts[closing].depth == token.depth + 1 and parts[closing].text == ")"):
            closing += 1
        found.append("".join(part.text for part in parts[opening + 1 : closing]).strip())
    return found


def without_not_null(create_table: str) -> str:
    """Return a CREATE TABLE without the NOT NULL constraints of its columns.

    Their names (`CONSTRAINT x`) and conflict clauses (`ON CONFLICT y`) go with them; every other
    byte stays. Columns of the primary key of a WITHOUT ROWID table stay NOT NULL by themselves.
    """
    parts = list(tokens(create_table))
    dropped: set[int] = set()
    for start, token in enumerate(parts):
        if token.depth != 1 or not token.is_word("not"):
            continue
        last = _next(parts, start + 1)
        if last < len(parts) and parts[last].is_word("null"):
            first = _constraint_name(parts, start)
            dropped.update(range(first, _conflict_clause(parts, last) + 1))
    return "".join(part.text for at, part in enumerate(parts) if at not in dropped)


def predicate(create_index: str) -> str | None:
    """Return the expression after WHERE of a CREATE INDEX, or None where it has none."""
    parts = list(tokens(create_index))
    for at, token in enumerate(parts):
        if token.depth == 0 and token.is_word("where"):
            return "".join(part.text for part in parts[at + 1 :]).strip()
    return None


def names_in(sql: str) -> set[str]:
    """Return everything in a text that may be a name, without quotes and folded as names are."""
    return {
        fold(_unquoted(token.text) if token.kind is Kind.NAME else token.text)
        for token in tokens(sql)
        if token.kind in (Kind.NAME, Kind.WORD)
    }


def normalised(sql: str) -> str:
    """Return a text that is equal for statements that differ only in how they are written.

    Case of keywords and names, the style of quotes around names, white space and comments don't
    count; strings, numbers and everything else do. It is for comparing, not for running.
    """
    return " ".join(_plain(token) for token in tokens(sql) if token.kind is not Kind.SPACE)


def _plain(token: Token) -> str:
    if token.kind in (Kind.STRING, Kind.SYMBOL):
        return token.text
    text = fold(token.text)
    if token.kind is not Kind.NAME:
        return text
    inner = _unquoted(text)
    is_word = re.fullmatch(r"[a-z_\x80-\U0010ffff][a-z0-9_$\x80-\U0010ffff]*", inner)
    return inner if is_word and inner not in _RESERVED else '"' + inner.replace('"', '""') + '"'


def _unquoted(name: str) -> str:
    closing = name[-1]
    return name[1:-1] if closing == "]" else name[1:-1].replace(closing * 2, closing)


def _next(parts: Sequence[Token], at: int) -> int:
    """The position of the first token from `at` on that says something; past the end if none."""
    while at < len(parts) and parts[at].kind is Kind.SPACE:
        at += 1
    return at


def _previous(parts: Sequence[Token], at: int) -> int:
    while at >= 0 and parts[at].kind is Kind.SPACE:
        at -= 1
    return at


def _constraint_name(parts: Sequence[Token], at: int) -> int:
    """The position where the constraint at `at` begins: at its CONSTRAINT if it is named."""
    name = _previous(parts, at - 1)
    keyword = _previous(parts, name - 1)
    return keyword if keyword >= 0 and parts[keyword].is_word("constraint") else at


def _conflict_clause(parts: Sequence[Token], last: int) -> int:
    """The position where the constraint that ends at `last` ends with its conflict clause."""
    clause = [last]
    for _ in range(3):
        clause.append(_next(parts, clause[-1] + 1))
    on, conflict, resolution = clause[1:]
    if resolution < len(parts) and parts[on].is_word("on") and parts[conflict].is_word("conflict"):
        return resolution
    return last
