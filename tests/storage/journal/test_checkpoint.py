"""Checkpoints: what a key of the journal signed, and nothing that looks like it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from junmai_svc.storage.errors import IntegrityError
from junmai_svc.storage.journal.checkpoint import (
    Checkpoint,
    numbered_path,
    open_checkpoint,
    origin_of,
    sign_checkpoint,
)
from junmai_svc.storage.journal.keys import SigningKey
from junmai_svc.storage.journal.merkle import EMPTY_ROOT
from junmai_svc.storage.journal.note import sign_note

JOURNAL = "0190163d-8694-739b-aea5-966c26f8ad90"
STRANGER = "0190163d-8694-739b-aea5-966c26f8ad91"
KEY = SigningKey(origin_of(JOURNAL), bytes(range(32)))
NEXT = SigningKey(origin_of(JOURNAL), bytes(range(1, 33)))
STRANGE = SigningKey(origin_of(STRANGER), bytes(range(2, 34)))
ROOT = bytes(range(32))
CHECKPOINT = Checkpoint(JOURNAL, 1006, ROOT)
TEXT = CHECKPOINT.text

CHECKPOINTS = st.builds(
    Checkpoint,
    st.just(JOURNAL),
    st.integers(1, 2**59),
    st.binary(min_size=32, max_size=32),
    st.lists(
        st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1), max_size=3
    ).map(tuple),
)


def opened(signed: bytes, *keys: SigningKey) -> Checkpoint:
    """Return the checkpoint of `JOURNAL`, trusting the keys, or `KEY` if none is given."""
    trusted = [key.verifier for key in keys or (KEY,)]
    return open_checkpoint(signed, trusted, journal_id=JOURNAL, where="s3://b/checkpoint")


def test_its_text_is_origin_size_and_root() -> None:
    assert TEXT == (
        "junmai-svc/journal/0190163d-8694-739b-aea5-966c26f8ad90\n"
        "1006\n"
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
    )


@settings(deadline=None)
@given(CHECKPOINTS)
def test_what_was_signed_is_read(checkpoint: Checkpoint) -> None:
    assert opened(sign_checkpoint(checkpoint, [KEY])) == checkpoint


def test_that_of_an_empty_journal_is_read() -> None:
    empty = Checkpoint(JOURNAL, 0, EMPTY_ROOT)
    assert opened(sign_checkpoint(empty, [KEY])) == empty


def test_after_a_rotation_either_key_is_enough() -> None:
    signed = sign_checkpoint(CHECKPOINT, [KEY, NEXT])
    for trusted in ([KEY], [NEXT], [KEY, NEXT]):
        assert opened(signed, *trusted) == CHECKPOINT


@settings(deadline=None)
@given(st.integers(0, 300), st.integers(1, 255))
def test_no_byte_can_be_changed(at: int, other: int) -> None:
    changed = bytearray(sign_checkpoint(CHECKPOINT, [KEY]))
    changed[at % len(changed)] ^= other
    with pytest.raises(IntegrityError):
        opened(bytes(changed))


def test_one_without_a_signature_fails() -> None:
    for signed in (TEXT.encode(), TEXT.encode() + b"\n"):
        with pytest.raises(IntegrityError, match="s3://b/checkpoint is no signed note"):
            opened(signed)


def test_one_signed_by_nobody_who_is_trusted_fails() -> None:
    with pytest.raises(IntegrityError, match="no signature by a trusted key"):
        opened(sign_checkpoint(CHECKPOINT, [NEXT]), KEY)


def test_a_key_of_another_journal_proves_nothing_here_even_if_trusted_there() -> None:
    forged = sign_note(TEXT, [STRANGE])
    with pytest.raises(IntegrityError, match="no signature by a trusted key"):
        opened(forged, KEY, STRANGE)
    with pytest.raises(IntegrityError, match="none of the trusted keys is one of junmai-svc"):
        opened(forged, STRANGE)


def test_the_checkpoint_of_another_journal_is_not_taken_for_this_ones() -> None:
    signed = sign_note(Checkpoint(STRANGER, 1006, ROOT).text, [KEY])
    with pytest.raises(IntegrityError, match=f"of another journal, {STRANGER}"):
        opened(signed)


@pytest.mark.parametrize(
    ("spoilt", "why"),
    [
        ("", "three lines"),
        (TEXT.partition("\n")[2], "three lines"),
        (TEXT.replace("1006\n", ""), "three lines"),
        (TEXT + "\n", "none of them empty"),
        (TEXT + "\nextension", "none of them empty"),
        (TEXT.replace("junmai-svc", "junmai"), "its origin is no journal"),
        (TEXT.replace("1006", "01006"), "its size"),
        (TEXT.replace("1006", "+1006"), "its size"),
        (TEXT.replace("1006", "-1"), "its size"),
        (TEXT.replace("1006", "1_006"), "its size"),
        (TEXT.replace("1006", " 1006"), "its size"),
        (TEXT.replace("1006", "1006.0"), "its size"),
        (TEXT.replace("1006", "\u0661\u0660\u0660\u0666"), "its size"),
        (TEXT.replace("1006", "9" * 5000), "its size"),
        (TEXT.replace("1006", "0"), "its root is not that of no entries"),
        (TEXT.replace("AAEC", ""), "does not have 32 bytes"),
        (TEXT.replace("Hh8=", "Hh8"), "base64"),
        (TEXT.replace("Hh8=", "Hh9="), "base64"),
        (TEXT.replace("Hh8=", "Hh8= "), "base64"),
    ],
)
def test_other_texts_are_refused_though_the_key_signed_them(spoilt: str, why: str) -> None:
    text = spoilt if spoilt.endswith("\n") else spoilt + "\n"
    with pytest.raises(IntegrityError, match="s3://b/checkpoint is no checkpoint: ") as raised:
        opened(sign_note(text, [KEY]))
    assert why in raised.value.message


@pytest.mark.parametrize(
    "unwritable",
    [
        Checkpoint(JOURNAL, -1, ROOT),
        Checkpoint(JOURNAL, 0, ROOT),
        Checkpoint(JOURNAL, 10**19, ROOT),
        Checkpoint(JOURNAL, 5, ROOT[:31]),
        Checkpoint(f"{JOURNAL}\n5", 5, ROOT),
        Checkpoint(JOURNAL, 5, ROOT, ("",)),
        Checkpoint(JOURNAL, 5, ROOT, ("a\nb",)),
    ],
)
def test_what_could_not_be_read_again_is_not_signed(unwritable: Checkpoint) -> None:
    with pytest.raises(ValueError, match=r"its size|its root|base64|can't be written|none of them"):
        sign_checkpoint(unwritable, [KEY])


def test_only_the_journals_own_keys_sign() -> None:
    with pytest.raises(ValueError, match=f"{origin_of(STRANGER)} is not a key of {JOURNAL}"):
        sign_checkpoint(CHECKPOINT, [KEY, STRANGE])


def test_numbered_paths_sort_like_their_sizes() -> None:
    assert numbered_path(1006) == "checkpoints/00000000000000001006"
    sizes = [0, 9, 10, 255, 2**31, 10**18]
    assert sorted(map(numbered_path, sizes)) == [numbered_path(size) for size in sizes]
