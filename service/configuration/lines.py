"""On which line each key of a TOML text stands: what `tomllib` knows and does not tell.

Only for texts that `tomllib` accepts, so what is not read here can be passed over (TOML 1.0).
"""

import re
import tomllib
from collections.abc import Iterator, Mapping

Keys = tuple[str | int, ...]

_PIECE = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}'  # texts first, as they may hold anything else
    r"|'''.*?'{3,5}"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'"
    r"|\#[^\n]*"
    r"|\n|[\[\]{}=,.]"
    r"|[^\s\[\]{}=,.#\"']+",
    re.DOTALL,
)


def lines_of(text: str) -> dict[Keys, int]:
    """Return the line of each key, table and element of an array of tables, counted from 1."""
    found: dict[Keys, int] = {}
    table: Keys = ()
    for line, head, pieces in _statements(text):
        keys, rest = _keys(pieces)
        if head:
            table = _resolved(found, keys, new=head == "[[")
            _note(found, table, 0, line)
        else:
            _note(found, (*table, *keys), len(table), line)
            _inline(found, (*table, *keys), rest, line)
    return found


def line_of(lines: Mapping[Keys, int], keys: Keys) -> int:
    """Return the line of a key, or of the nearest thing around it; 1 where there is none."""
    return next((lines[keys[:end]] for end in range(len(keys), 0, -1) if keys[:end] in lines), 1)


def _statements(text: str) -> Iterator[tuple[int, str, list[str]]]:
    """Each header and each assignment: its line, `[` or `[[` of a header, and its pieces."""
    line, begun, depth, assigned = 1, 1, 0, False
    pieces: list[str] = []
    for piece in (match[0] for match in _PIECE.finditer(text.replace("\r\n", "\n"))):
        if piece == "\n" and (depth == 0 or not assigned):
            yield from _statement(begun, pieces)
            pieces, depth, assigned = [], 0, False
        elif piece != "\n" and not piece.startswith("#"):
            begun = line if not pieces else begun
            pieces.append(piece)
            assigned = assigned or piece == "="
            depth += (piece in ("[", "{")) - (piece in ("]", "}"))
        line += piece.count("\n")
    yield from _statement(begun, pieces)


def _statement(line: int, pieces: list[str]) -> Iterator[tuple[int, str, list[str]]]:
    if not pieces:
        return
    opening = "".join("[" for piece in pieces[:2] if piece == "[") if pieces[0] == "[" else ""
    yield line, opening, pieces[len(opening) :]


def _keys(pieces: list[str]) -> tuple[Keys, list[str]]:
    """The dotted key at the beginning, and what comes behind its `=` or `]`."""
    end = next((i for i, piece in enumerate(pieces) if piece in ("=", "]")), len(pieces))
    return tuple(_plain(piece) for piece in pieces[:end] if piece != "."), pieces[end + 1 :]


def _plain(piece: str) -> str:
    """A key as it is meant: a quoted one is a text of TOML."""
    if piece[0] not in "\"'":
        return piece
    return str(tomllib.loads(f"key = {piece}")["key"])


def _resolved(found: dict[Keys, int], keys: Keys, *, new: bool) -> Keys:
    """A header's path, in which an array of tables stands for its last element."""
    path: Keys = ()
    for number, key in enumerate(keys, 1):
        path = (*path, key)
        elements = [each[-1] for each in found if each[:-1] == path and isinstance(each[-1], int)]
        if new and number == len(keys):
            return (*path, len(elements))
        if elements:
            path = (*path, len(elements) - 1)
    return path


def _note(found: dict[Keys, int], keys: Keys, known: int, line: int) -> None:
    for end in range(known + 1, len(keys) + 1):
        found.setdefault(keys[:end], line)


def _inline(found: dict[Keys, int], path: Keys, value: list[str], line: int) -> None:
    """The keys of inline tables; they stand on the line of what they belong to."""
    if not value or value[0] not in ("{", "["):
        return
    for number, part in enumerate(_parts(value[1:-1])):
        if value[0] == "[":
            if part[0] in ("{", "["):
                _note(found, (*path, number), len(path), line)
                _inline(found, (*path, number), part, line)
        else:
            keys, rest = _keys(part)
            _note(found, (*path, *keys), len(path), line)
            _inline(found, (*path, *keys), rest, line)


def _parts(pieces: list[str]) -> Iterator[list[str]]:
    """What stands between the commas of a list or an inline table."""
    depth, part = 0, list[str]()
    for piece in pieces:
        if piece == "," and depth == 0:
            if part:
                yield part
            part = []
            continue
        depth += (piece in ("[", "{")) - (piece in ("]", "}"))
        part.append(piece)
    if part:
        yield part
