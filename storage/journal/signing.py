"""Ed25519 (RFC 8032), and the journal's only door to PyNaCl.

A key is its seed, 32 random bytes, from which the public half of 32 bytes follows; a signature has
64 bytes, and equal seeds and messages give equal signatures.
"""

import os

from nacl import exceptions
from nacl import signing as nacl

SEED_BYTES = 32
PUBLIC_BYTES = 32
SIGNATURE_BYTES = 64


def new_seed() -> bytes:
    """Return the seed of a new key, from the system's random numbers."""
    return os.urandom(SEED_BYTES)


def public_of(seed: bytes) -> bytes:
    """Return the public half of the key with this seed."""
    return bytes(nacl.SigningKey(seed).verify_key)


def sign(seed: bytes, message: bytes) -> bytes:
    """Return the signature over a message by the key with this seed."""
    return nacl.SigningKey(seed).sign(message).signature


def is_signed(public: bytes, message: bytes, signature: bytes) -> bool:
    """Tell whether a signature over a message is by the key with this public half.

    The signature may be of any length, and the public half any 32 bytes.
    """
    if len(signature) != SIGNATURE_BYTES:
        return False
    try:
        nacl.VerifyKey(public).verify(message, signature)
    except exceptions.BadSignatureError:
        return False
    return True
