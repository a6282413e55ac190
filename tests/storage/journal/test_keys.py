"""The texts of keys, and that a secret stays one."""

import copy
import traceback

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from junmai_svc.storage.errors import IntegrityError, UsageError
from junmai_svc.storage.journal.encoding import to_base64
from junmai_svc.storage.journal.keys import SigningKey, VerifierKey, is_key_name

# From the documentation of golang.org/x/mod/sumdb/note, and the key of sum.golang.org.
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETER_SECRET = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"  # noqa: S105  # published
SUMDB = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"

NAME = "junmai-svc/journal/0190163d-8694-739b-aea5-966c26f8ad90"
SEED = bytes(range(32))
NAMES = st.text(max_size=20).filter(is_key_name)


def test_published_keys_are_read_and_written_as_they_are() -> None:
    assert str(VerifierKey.parse(PETER, "Peter's key")) == PETER
    assert str(VerifierKey.parse(SUMDB, "the key")) == SUMDB
    peter = SigningKey.parse(PETER_SECRET, "Peter's file")
    assert peter.secret_text() == PETER_SECRET
    assert str(peter.verifier) == PETER


@settings(deadline=None)
@given(NAMES, st.binary(min_size=32, max_size=32))
def test_both_halves_survive_their_texts(name: str, seed: bytes) -> None:
    key = SigningKey(name, seed)
    assert VerifierKey.parse(f" {key.verifier}\r\n", "a file") == key.verifier
    read = SigningKey.parse(key.secret_text() + "\n", "a file")
    assert read.secret_text() == key.secret_text()
    assert key.verifier.verifies(b"m", read.sign(b"m"))


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\n", "a\u2003b", "a\x85", "\x00", "a\x1f"])
def test_a_name_that_would_be_read_otherwise_is_refused(name: str) -> None:
    assert not is_key_name(name)
    with pytest.raises(ValueError, match="no spaces and no plus"):
        SigningKey(name, SEED)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it is not a name"),
        ("PeterNeumann", "it is not a name"),
        ("PeterNeumann+c74f20a3", "it is not a name"),
        (PETER.replace("Peter", "Paul"), "its key id is not that of its bytes"),
        (PETER.replace("c74f", "c74e"), "its key id is not that of its bytes"),
        (PETER.replace("c74f20a3", "C74F20A3"), "its key id is not that of its bytes"),
        (PETER.replace("+ARpc", "+BRpc"), "it is not an Ed25519 key"),
        (PETER[:-4], "no spaces and no plus, its public half 32 bytes"),
        (PETER[:-1], "base64"),
        (PETER + "\n" + PETER, "base64"),
        ("a b+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "no spaces"),
        ("\ud800+00000000+" + to_base64(b"\x01" + bytes(32)), "surrogates"),
        (PETER_SECRET, "base64"),
    ],
)
def test_what_is_no_public_key_is_refused_and_named(text: str, why: str) -> None:
    with pytest.raises(UsageError, match=r"/keys/me\.vkey is no public key: ") as raised:
        VerifierKey.parse(text, "/keys/me.vkey")
    assert why in raised.value.message
    assert "one line" in raised.value.hint


@settings(deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_a_key_or_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError):
        VerifierKey.parse(text, "it")


@pytest.mark.parametrize(
    "text",
    [
        "",
        PETER,
        PETER_SECRET.removeprefix("PRIVATE+"),
        PETER_SECRET.removeprefix("PRIVATE+KEY+"),
        PETER_SECRET[:-4],
        PETER_SECRET[:-1],
        PETER_SECRET.replace("c74f", "c74e"),
        PETER_SECRET.replace("+AYEK", "+BYEK"),
        PETER_SECRET.replace("KDFz", "KDF="),
    ],
)
def test_what_is_no_signing_key_is_refused_without_being_quoted(text: str) -> None:
    with pytest.raises(IntegrityError, match="/keys/me is no signing key: ") as raised:
        SigningKey.parse(text, "/keys/me")
    told = "".join(traceback.format_exception(raised.value)) + repr(raised.value.__context__)
    assert not any(part in told for part in ("AYEKFAL", "FVGyNhPJEMz", "xdXHKD"))


def test_a_key_shows_only_its_public_half() -> None:
    key = SigningKey(NAME, SEED)
    secret = to_base64(b"\x01" + SEED)
    assert secret in key.secret_text()
    for shown in (repr(key), str(key), f"{key}", repr([key]), repr(copy.copy(key))):
        assert secret not in shown
        assert SEED.hex() not in shown
        assert repr(SEED) not in shown
        assert str(key.verifier) in shown


def test_two_keys_of_one_name_have_different_ids() -> None:
    one, other = SigningKey.generate(NAME), SigningKey.generate(NAME)
    assert one.verifier.name == other.verifier.name
    assert one.verifier.key_id != other.verifier.key_id
    assert not one.verifier.verifies(b"m", other.sign(b"m"))


def test_a_seed_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        SigningKey(NAME, SEED[:31])
