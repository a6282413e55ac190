"""Sealed things open at their own place only."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.storage.snapshots.blocks.scratch import KEY, STORE_ID

from junmai_svc.storage.errors import IntegrityError
from junmai_svc.storage.snapshots.blocks.cipher import XChaChaSeal
from junmai_svc.storage.snapshots.blocks.sealing import Kind, Place, Unsealed, associated_data

PLACE = Place(Kind.FRAME, bytes(16), 3)
PLACES = st.builds(Place, st.sampled_from(Kind), st.binary(max_size=20), st.integers(0, 2**64 - 1))
BOUND = st.tuples(st.text(max_size=5), PLACES)


@given(st.binary(max_size=300), PLACES)
def test_what_was_sealed_opens_at_its_place(plain: bytes, place: Place) -> None:
    seal = XChaChaSeal(KEY, STORE_ID)
    sealed = seal.close(plain, place)
    assert len(sealed) == len(plain) + seal.overhead
    assert seal.open(sealed, place) == plain
    assert seal.open(memoryview(sealed), place) == plain


@pytest.mark.parametrize(
    "elsewhere",
    [
        replace(PLACE, kind=Kind.FOOTER),
        replace(PLACE, identity=bytes(15) + b"\1"),
        replace(PLACE, index=4),
        Place(Kind.MANIFEST, b"junmai_backup_20261122_140000"),
    ],
)
def test_nothing_opens_at_another_place(elsewhere: Place) -> None:
    seal = XChaChaSeal(KEY, STORE_ID)
    with pytest.raises(IntegrityError):
        seal.open(seal.close(b"rows", PLACE), elsewhere)


@pytest.mark.parametrize(
    "other", [XChaChaSeal(KEY, "another store"), XChaChaSeal(KEY[::-1], STORE_ID)]
)
def test_nothing_opens_in_another_store_or_with_another_key(other: XChaChaSeal) -> None:
    with pytest.raises(IntegrityError):
        other.open(XChaChaSeal(KEY, STORE_ID).close(b"rows", PLACE), PLACE)


@given(st.data())
def test_nothing_opens_with_any_bit_flipped(data: st.DataObject) -> None:
    seal = XChaChaSeal(KEY, STORE_ID)
    sealed = bytearray(seal.close(b"forty-two rows", PLACE))
    bit = data.draw(st.integers(0, 8 * len(sealed) - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(IntegrityError):
        seal.open(bytes(sealed), PLACE)


@pytest.mark.parametrize("length", [0, 1, 23, 24, 39, 40, 53])
def test_nothing_opens_that_is_cut_off(length: int) -> None:
    seal = XChaChaSeal(KEY, STORE_ID)
    with pytest.raises(IntegrityError):
        seal.open(seal.close(b"forty-two rows", PLACE)[:length], PLACE)


def test_the_same_bytes_sealed_twice_are_not_the_same() -> None:
    seal = XChaChaSeal(KEY, STORE_ID)
    assert seal.close(b"rows", PLACE) != seal.close(b"rows", PLACE)


@given(BOUND, BOUND)
def test_no_two_places_are_bound_alike(one: tuple[str, Place], other: tuple[str, Place]) -> None:
    assert (associated_data(*one) == associated_data(*other)) == (one == other)


def test_the_bytes_that_bind_are_as_documented() -> None:
    assert associated_data("ab", Place(Kind.MAP, b"xyz", 258)) == (
        b"junmai-svc blocks 1\0\3\0map\2\0ab\3\0xyz\2\1\0\0\0\0\0\0"
    )


def test_without_a_key_bytes_stay_as_they_are() -> None:
    seal = Unsealed()
    assert seal.open(seal.close(b"rows", PLACE), PLACE) == b"rows"
    assert (seal.secret, seal.overhead) == (False, 0)


def test_the_construction_is_that_of_the_draft() -> None:
    """The vector of draft-irtf-cfrg-xchacha-03, appendix A.3.1."""
    from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_encrypt as encrypt

    plain = (
        b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the "
        b"future, sunscreen would be it."
    )
    bound = bytes.fromhex("50515253c0c1c2c3c4c5c6c7")
    key, nonce = bytes(range(0x80, 0xA0)), bytes(range(0x40, 0x58))
    sealed = encrypt(plain, bound, nonce, key)
    assert sealed[:16].hex() == "bd6d179d3e83d43b9576579493c0e939"
    assert sealed[-16:].hex() == "c0875924c1c7987947deafd8780acf49"


def test_a_key_of_the_wrong_length_is_a_mistake_in_the_call() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        XChaChaSeal(b"short", STORE_ID)
