"""XChaCha20-Poly1305 and Argon2id, and the only door to PyNaCl for them.

Sources: draft-irtf-cfrg-xchacha-03 (the IETF construction with a nonce of 24 bytes, long enough to
be drawn at random for every message), RFC 9106 (Argon2id).
"""

import os

from nacl import bindings, exceptions, pwhash

from junmai_svc.storage.errors import IntegrityError, StorageUnavailableError
from junmai_svc.storage.snapshots.blocks.sealing import Place, associated_data

KEY_BYTES = bindings.crypto_aead_xchacha20poly1305_ietf_KEYBYTES
SALT_BYTES = pwhash.argon2id.SALTBYTES

_NONCE_BYTES = bindings.crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
_TAG_BYTES = bindings.crypto_aead_xchacha20poly1305_ietf_ABYTES


class XChaChaSeal:
    """Seals with one key: a random nonce, then the ciphertext with its tag."""

    secret = True
    overhead = _NONCE_BYTES + _TAG_BYTES

    def __init__(self, key: bytes, store_id: str) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"a key has {KEY_BYTES} bytes")
        self._key = key
        self._store_id = store_id

    def close(self, plain: bytes, place: Place) -> bytes:
        """Return `plain` sealed for its place."""
        nonce = os.urandom(_NONCE_BYTES)
        bound = associated_data(self._store_id, place)
        return nonce + bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(
            plain, bound, nonce, self._key
        )

    def open(self, stored: bytes | memoryview, place: Place) -> bytes:
        """Return what was sealed for exactly this place.

        Raises:
            IntegrityError: it was altered, belongs elsewhere, or another key sealed it.
        """
        nonce, sealed = bytes(stored[:_NONCE_BYTES]), bytes(stored[_NONCE_BYTES:])
        hint = "It was altered, moved here from elsewhere, or sealed with another key."
        if len(sealed) < _TAG_BYTES:
            raise IntegrityError(f"A sealed {place.kind} is cut off", hint)
        bound = associated_data(self._store_id, place)
        try:
            return bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(
                sealed, bound, nonce, self._key
            )
        except exceptions.CryptoError as error:
            raise IntegrityError(f"A sealed {place.kind} does not open", hint) from error


def derive_key(passphrase: bytes, salt: bytes, operations: int, memory: int) -> bytes:
    """Return the key that Argon2id makes of a passphrase, in `operations` passes over `memory`.

    `memory` is in bytes; as much is taken while it runs.

    Raises:
        StorageUnavailableError: there is not so much memory.
    """
    try:
        return pwhash.argon2id.kdf(KEY_BYTES, passphrase, salt, operations, memory)
    except (MemoryError, exceptions.RuntimeError) as error:
        raise StorageUnavailableError(
            f"Can't work the passphrase out: it takes {memory >> 20} MiB of memory",
            "Free some memory and run the same command again, or use a key file.",
        ) from error
