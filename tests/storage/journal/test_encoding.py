"""Base64 with one text for each value."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from junmai_svc.storage.journal.encoding import from_base64, to_base64


@settings(deadline=None)
@given(st.binary(max_size=80))
def test_what_was_written_is_read(value: bytes) -> None:
    assert from_base64(to_base64(value)) == value


@settings(deadline=None)
@given(st.text(alphabet="AQgw+/=-_ \n\u00e9", max_size=12))
def test_no_two_texts_are_one_value(text: str) -> None:
    try:
        value = from_base64(text)
    except ValueError:
        return
    assert to_base64(value) == text


@pytest.mark.parametrize(
    "text", ["AR==", "AA", "AA=", "AA===", "AAA=A", "A", "=", "AA==AA==", "AA==\n", "A-__", "ÄAAA"]
)
def test_bits_without_meaning_missing_padding_and_other_characters_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not base64 in its one form"):
        from_base64(text)
