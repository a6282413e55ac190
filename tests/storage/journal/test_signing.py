"""Ed25519 as RFC 8032 says."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from junmai_svc.storage.journal.signing import is_signed, new_seed, public_of, sign

SEED = bytes(range(32))


@pytest.mark.parametrize(
    ("seed", "public", "message", "signature"),
    [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ),
    ],
)
def test_the_examples_of_the_rfc_come_out(
    seed: str, public: str, message: str, signature: str
) -> None:
    assert public_of(bytes.fromhex(seed)).hex() == public
    assert sign(bytes.fromhex(seed), bytes.fromhex(message)).hex() == signature
    assert is_signed(*map(bytes.fromhex, (public, message, signature)))


@settings(deadline=None)
@given(st.binary(max_size=64), st.binary(max_size=130))
def test_other_bytes_of_any_length_are_no_signature(message: bytes, signature: bytes) -> None:
    assert is_signed(public_of(SEED), message, signature) == (signature == sign(SEED, message))


@settings(deadline=None)
@given(st.binary(min_size=1, max_size=64), st.integers(0, 511))
def test_one_bit_turned_is_no_signature(message: bytes, bit: int) -> None:
    turned = (int.from_bytes(sign(SEED, message)) ^ 1 << bit).to_bytes(64)
    assert not is_signed(public_of(SEED), message, turned)


@settings(deadline=None)
@given(st.binary(min_size=32, max_size=32))
def test_a_signature_is_by_one_key_only(public: bytes) -> None:
    """Whatever the 32 bytes, on the curve or not, no error comes of them."""
    assert is_signed(public, b"m", sign(SEED, b"m")) == (public == public_of(SEED))


def test_a_public_key_of_small_order_signs_nothing() -> None:
    """The neutral point as a key would let one signature pass for every message."""
    neutral = b"\x01" + bytes(31)
    assert not is_signed(neutral, b"m", neutral + bytes(32))


def test_every_new_key_is_another() -> None:
    assert len({new_seed() for _ in range(100)}) == 100
