"""Signed notes: what trusted keys signed is read, everything else is refused."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from junmai_svc.storage.errors import IntegrityError
from junmai_svc.storage.journal.encoding import to_base64
from junmai_svc.storage.journal.keys import SigningKey, VerifierKey, is_key_name
from junmai_svc.storage.journal.note import MAX_BYTES, MAX_SIGNATURES, open_note, sign_note

# From the documentation of golang.org/x/mod/sumdb/note.
PETER = VerifierKey.parse(
    "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "Peter's key"
)
PETER_SECRET = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"  # noqa: S105
PETER_TEXT = """\
If you think cryptography is the answer to your problem,
then you don't know what your problem is.
"""
PETER_NOTE = f"""\
{PETER_TEXT}
— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=
""".encode()  # noqa: E501  # a signature is one line

KEY = SigningKey("log.example/one", bytes(range(32)))
OTHER = SigningKey("log.example/two", bytes(range(1, 33)))
SAME_NAME = SigningKey("log.example/one", bytes(range(1, 33)))
TEXT = "first\n\nsecond\n"
NOTE = sign_note(TEXT, [KEY])

LINES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]) | st.just("\n"))


def opened(signed: bytes, *keys: SigningKey) -> str:
    """Return the text of a note that one of the keys signed, or of `KEY` if none is given."""
    return open_note(signed, [key.verifier for key in keys or (KEY,)], "the note").text


def line(key: SigningKey, text: str = TEXT) -> bytes:
    """Return the signature line of a key over a text."""
    return sign_note(text, [key]).rpartition(b"\n\n")[2]


def test_a_published_note_is_read_and_written_as_it_is() -> None:
    assert open_note(PETER_NOTE, [PETER], "it").text == PETER_TEXT
    assert open_note(PETER_NOTE, [PETER], "it").signers == (PETER,)
    assert sign_note(PETER_TEXT, [SigningKey.parse(PETER_SECRET, "it")]) == PETER_NOTE


@settings(deadline=None)
@given(LINES, st.sets(st.sampled_from([KEY, OTHER, SAME_NAME]), min_size=1))
def test_any_text_is_read_as_it_was_signed(text: str, keys: set[SigningKey]) -> None:
    signed = sign_note(text + "\n", keys)
    note = open_note(signed, [key.verifier for key in keys], "it")
    assert note.text == text + "\n"
    assert set(note.signers) == {key.verifier for key in keys}


@settings(deadline=None)
@given(st.integers(0, len(NOTE) - 1), st.integers(1, 255))
def test_no_byte_can_be_changed(at: int, other: int) -> None:
    changed = bytearray(NOTE)
    changed[at] ^= other
    with pytest.raises(IntegrityError):
        opened(bytes(changed))


@settings(deadline=None)
@given(st.integers(0, len(NOTE)))
def test_no_byte_can_be_added_or_taken_away(at: int) -> None:
    for changed in (NOTE[:at] + NOTE[at + 1 :], NOTE[:at] + b"a" + NOTE[at:], NOTE[:at]):
        if changed != NOTE:
            with pytest.raises(IntegrityError):
                opened(changed)


@settings(deadline=None)
@given(
    st.binary(max_size=80) | st.text(max_size=40).map(lambda text: text.encode("utf-8", "replace"))
)
def test_whatever_the_bytes_a_stranger_gets_no_more_than_an_integrity_error(signed: bytes) -> None:
    with pytest.raises(IntegrityError):
        opened(signed)


def test_a_note_without_a_signature_fails() -> None:
    for signed in (b"", b"\n", b"\n\n", TEXT.encode(), TEXT.encode() + b"\n"):
        with pytest.raises(IntegrityError, match="the note is no signed note"):
            opened(signed)


def test_a_note_without_a_trusted_signature_fails_and_names_whom_it_would_have_trusted() -> None:
    with pytest.raises(
        IntegrityError, match="the note carries no signature by a trusted"
    ) as raised:
        opened(NOTE, OTHER)
    assert str(OTHER.verifier) in raised.value.message
    with pytest.raises(IntegrityError, match="none is trusted"):
        open_note(NOTE, [], "the note")


def test_another_key_of_the_same_name_is_not_trusted() -> None:
    with pytest.raises(IntegrityError, match="no signature by a trusted key"):
        opened(NOTE, SAME_NAME)


def test_a_trusted_keys_id_under_another_name_is_not_trusted() -> None:
    with pytest.raises(IntegrityError, match="no signature by a trusted key"):
        opened(NOTE.replace(b"/one ", b"/two "), KEY)


def test_unknown_signatures_beside_a_trusted_one_count_for_nothing() -> None:
    strange = f"— who.example/ü {to_base64(b'abcd' + bytes(5000))}\n".encode()
    for signed in (NOTE + strange, NOTE.replace("— ".encode(), strange + "— ".encode())):
        assert open_note(signed, [KEY.verifier], "it").signers == (KEY.verifier,)


def test_one_wrong_signature_by_a_trusted_key_spoils_the_note() -> None:
    """Whoever tampers with a note that two keys signed can't get by with the other's signature."""
    signed = NOTE + line(OTHER, "something else\n")
    assert opened(signed, KEY) == TEXT
    with pytest.raises(IntegrityError, match=r"on the note is not by log\.example/two"):
        opened(signed, KEY, OTHER)


def test_signing_twice_counts_once() -> None:
    assert open_note(NOTE + line(KEY), [KEY.verifier], "it").signers == (KEY.verifier,)


def test_a_signature_of_another_length_is_wrong() -> None:
    short = f"— {KEY.verifier.name} {to_base64(KEY.verifier.key_id + bytes(63))}\n".encode()
    with pytest.raises(IntegrityError, match="is not by"):
        opened(TEXT.encode() + b"\n" + short)


@pytest.mark.parametrize(
    "spoilt",
    [
        NOTE + b"\n",
        NOTE + b"and more\n",
        NOTE[:-1],
        NOTE.replace(b"\n\n\xe2", b"\n\xe2"),
        NOTE.replace(b"\n", b"\r\n"),
        NOTE.replace(b"first", b"fi\trst"),
        NOTE.replace(b"first", b"fi\x00rst"),
        NOTE.replace(b"first", b"fi\xffrst"),
        NOTE.replace(b"first", b"fi\xed\xa0\x80rst"),
        NOTE.replace("— ".encode(), b"- "),
        NOTE.replace("— ".encode(), b""),
        NOTE.replace("— ".encode(), "—".encode()),
        NOTE.replace(b"/one ", b"/one  "),
        NOTE.replace(b"/one ", b"/one\xc2\xa0"),
        NOTE.replace(b"/one ", b"/one+"),
        NOTE.replace("— log.example/one".encode(), "— ".encode()),
        NOTE + "— who.example AAAAAA==\n".encode(),
        NOTE + "— who.example AAAAAAB=\n".encode(),
        NOTE + "— who.example\n".encode(),
        NOTE + "— who.example AAAAAAA= \n".encode(),
        NOTE + "— who.example AAAAAAA=".encode(),
        NOTE[:-1] + "\u2028— who.example AAAAAAA=\n".encode(),
        b"\n" + NOTE.rpartition(b"\n\n")[2],
    ],
)
def test_what_has_no_one_reading_is_refused(spoilt: bytes) -> None:
    assert spoilt != NOTE
    with pytest.raises(IntegrityError, match="the note is no signed note"):
        opened(spoilt)


def test_the_least_that_a_stranger_may_sign_with_is_one_byte() -> None:
    assert opened(NOTE + "— who.example AAAAAAA=\n".encode()) == TEXT


@pytest.mark.parametrize("break_", ["\x85", "\u2028", "\u2029"])
def test_other_line_breaks_break_no_lines(break_: str) -> None:
    text = f"one{break_}{break_}— two\n"
    assert opened(sign_note(text, [KEY])) == text


def test_many_signatures_are_read_and_too_many_refused() -> None:
    strange = "— who.example AAAAAAA=\n".encode()
    assert opened(NOTE + strange * (MAX_SIGNATURES - 1)) == TEXT
    with pytest.raises(IntegrityError, match="more than 100 signatures"):
        opened(NOTE + strange * MAX_SIGNATURES)
    with pytest.raises(IntegrityError, match="longer than 1,048,576 bytes"):
        opened(b"a" * (MAX_BYTES + 1 - len(NOTE)) + NOTE)


@pytest.mark.parametrize("text", ["", "no newline", "a\tb\n", "a\r\n", "\x00\n", "\ud800\n"])
def test_a_text_that_could_not_be_read_again_is_not_signed(text: str) -> None:
    with pytest.raises(ValueError, match=r"control characters|surrogates"):
        sign_note(text, [KEY])


def test_a_note_is_signed_by_somebody() -> None:
    with pytest.raises(ValueError, match="a signature at least"):
        sign_note(TEXT, [])


@settings(deadline=None)
@given(st.text(max_size=8))
def test_the_names_of_keys_are_those_that_a_line_can_hold(name: str) -> None:
    if is_key_name(name):
        key = SigningKey(name, bytes(32))
        assert opened(sign_note(TEXT, [key]), key) == TEXT
