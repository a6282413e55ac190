"""Names are the same everywhere, and every file system can hold them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from junmai_svc.storage.backends.names import (
    check_name,
    check_prefix,
    from_file_name,
    is_name,
    to_file_name,
)
from junmai_svc.storage.errors import UsageError

letters = st.sampled_from("aA1%25E.: ~*\\CONAUX") | st.characters(
    exclude_categories=["Cc", "Cs"], exclude_characters="/"
)
parts = st.text(letters, min_size=1, max_size=40).filter(is_name)


@given(parts)
def test_a_file_name_leads_back_to_its_part(part: str) -> None:
    assert from_file_name(to_file_name(part)) == part


@given(parts, parts)
def test_different_parts_have_different_file_names(one: str, other: str) -> None:
    assert (to_file_name(one) == to_file_name(other)) == (one == other)


@given(parts)
def test_a_file_name_can_be_held_anywhere(part: str) -> None:
    file_name = to_file_name(part)
    assert not set('<>:"/\\|?*') & set(file_name)
    assert not file_name.startswith(".")
    assert not file_name.endswith((".", " "))
    assert not re.fullmatch(r"(?i)(con|prn|aux|nul|(com|lpt)[0-9¹²³]) *(\..*)?", file_name)


@given(st.text(letters, max_size=20))
def test_a_file_name_that_is_not_ours_stands_for_nothing(file_name: str) -> None:
    part = from_file_name(file_name)
    assert part is None or to_file_name(part) == file_name


@pytest.mark.parametrize(
    ("part", "file_name"),
    [
        ("junmai_backup_20261123_210000.db", "junmai_backup_20261123_210000.db"),
        ("my photos 😀 100%", "my photos 😀 100%"),
        ("a:b", "a%3Ab"),
        ("%3A", "%253A"),
        (".hidden", "%2Ehidden"),
        ("NUL.txt", "%4EUL.txt"),
        ("nullable", "nullable"),
        ("end.", "end%2E"),
    ],
)
def test_ordinary_names_stay_as_they_are(part: str, file_name: str) -> None:
    assert to_file_name(part) == file_name


@pytest.mark.parametrize(
    "name", [".DS_Store", "a%3ab", "a:b", "%41", "a%3Bb", "con", "end.", "%E9"]
)
def test_file_names_of_others_stand_for_nothing(name: str) -> None:
    assert from_file_name(name) is None


def test_the_longest_names_are_held() -> None:
    longest = "/".join(["é" * 127 + "x"] * 3 + ["x" * 32])
    assert len(longest.encode()) == 800
    assert check_name(longest) == longest
    with pytest.raises(UsageError, match="more than 800 bytes"):
        check_name(f"{longest}x")


@given(st.text())
def test_a_checked_name_cannot_lead_out_of_its_place(name: str) -> None:
    try:
        check_name(name)
    except UsageError:
        return
    for part in name.split("/"):
        assert part not in ("", ".", "..")
    assert name.isprintable() or not re.search(r"[\x00-\x1f\x7f-\x9f]", name)


@given(parts, st.integers(0, 40))
def test_every_beginning_of_a_name_is_a_prefix(part: str, length: int) -> None:
    name = f"folder/{part}"
    assert check_prefix(name[:length]) == name[:length]
