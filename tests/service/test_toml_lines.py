"""Each key of a TOML text is found on its line, whatever stands around it."""

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from junmai_svc.service.configuration.lines import Keys, line_of, lines_of
from junmai_svc.service.configuration.text import toml_of

TEXT = """\
# [not.a.table]
top = 1  # [neither]
a.b = 2

[stores.local]
url = "x"  # = y
"layout" = 'file'
[stores."off.site"]
note = \"\"\"
[fake]
fake = 1
\"\"\"
retention = { keep_last = 3, inner = { deep = true } }
[[databases]]
name = "one"
stores = [
  "a", # ]
  "b",
]
[databases.retention]
keep_last = 1
[[databases]]

name = "two"
retention.keep_last = 2
[ x . y ]
z = 1979-05-27T07:32:00Z
lists = [[1], [{ k = 1 }]]
"""


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        (("top",), 2),
        (("a",), 3),
        (("a", "b"), 3),
        (("stores",), 5),
        (("stores", "local"), 5),
        (("stores", "local", "url"), 6),
        (("stores", "local", "layout"), 7),
        (("stores", "off.site", "note"), 9),
        (("stores", "off.site", "retention"), 13),
        (("stores", "off.site", "retention", "inner", "deep"), 13),
        (("databases", 0), 14),
        (("databases", 0, "name"), 15),
        (("databases", 0, "stores"), 16),
        (("databases", 0, "retention"), 20),
        (("databases", 0, "retention", "keep_last"), 21),
        (("databases", 1), 22),
        (("databases", 1, "name"), 24),
        (("databases", 1, "retention", "keep_last"), 25),
        (("x", "y", "z"), 27),
        (("x", "y", "lists", 1, 0, "k"), 28),
    ],
)
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_a_key_is_found_on_its_line(keys: Keys, line: int, ends: str) -> None:
    assert lines_of(TEXT.replace("\n", ends))[keys] == line


def test_what_stands_in_texts_and_comments_is_no_key() -> None:
    found = lines_of(TEXT)
    assert not {keys for keys in found if "fake" in keys or "not" in keys}


def test_the_nearest_thing_around_stands_for_a_key_that_is_not_there() -> None:
    lines = lines_of(TEXT)
    assert line_of(lines, ("databases", 1, "path")) == 22
    assert line_of(lines, ("stores", "local", "retention", "keep_last")) == 5
    assert line_of(lines, ("nothing",)) == 1


names = st.one_of(st.from_regex(r"\A[A-Za-z0-9_-]{1,6}\Z"), st.text(max_size=4))
scalars = st.one_of(st.integers(0, 9), st.booleans(), st.text(max_size=12))


@given(st.dictionaries(names, st.dictionaries(names, scalars, max_size=3), max_size=4))
def test_every_key_that_tomllib_finds_has_its_line(content: dict[str, dict[str, Any]]) -> None:
    lines: list[str] = []
    expected: dict[Keys, int] = {}
    for table, values in content.items():
        lines.append(f"[{toml_of(table)}]")
        expected[table,] = len(lines)
        for key, value in values.items():
            lines.append(f"{toml_of(key)} = {toml_of(value)}")
            expected[table, key] = len(lines)
    text = "\n".join(lines)
    assert tomllib.loads(text) == content
    assert lines_of(text) == expected
