"""The data key of a sealed store, wrapped by a key file or a passphrase.

Everything in a store is sealed with one random data key. The store keeps that key wrapped, that is
sealed in turn with a key that only its owner has, so another owner's key or passphrase means that
one small object is written anew. Whoever copied the old object and has the old key still has the
data key: changing the key revokes nothing. Who has neither key nor passphrase has lost the store.

A key file is 32 random bytes. A passphrase is brought into Unicode's form NFC, so that it is the
same on every system, and made a key by Argon2id, with the salt and costs that the object names.
"""

import os
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from junmai_svc.storage.errors import AccessDeniedError, IntegrityError, UsageError
from junmai_svc.storage.files import sync, sync_folder
from junmai_svc.storage.snapshots.blocks.cipher import (
    KEY_BYTES,
    SALT_BYTES,
    XChaChaSeal,
    derive_key,
)
from junmai_svc.storage.snapshots.blocks.sealing import Kind, Place

FORMAT: Literal[1] = 1

# How a data key is wrapped: by a key file or by a passphrase.
Method = Literal["key-file", "passphrase"]

_PLACE = Place(Kind.DATA_KEY)


@dataclass(frozen=True)
class Cost:
    """What each guess at a passphrase costs: passes, and bytes of memory."""

    operations: int
    memory: int


# libsodium's moderate level: 0.7 s on a desktop.
MODERATE = Cost(operations=3, memory=256 << 20)
# A store comes from outside: it can't ask for all the memory there is.
HIGHEST = Cost(operations=16, memory=1 << 30)


@dataclass(frozen=True, repr=False)
class KeyFile:
    """The 32 bytes of a key file."""

    key: bytes


@dataclass(frozen=True, repr=False)
class Passphrase:
    """A passphrase as it was typed."""

    text: str


Secret = KeyFile | Passphrase


class WrappedKey(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The wrapped data key, as the store's description holds it; bytes are base64 in JSON."""

    format: Literal[1]
    method: Method
    wrapped: Annotated[bytes, msgspec.Meta(max_length=1024)]
    salt: Annotated[bytes, msgspec.Meta(max_length=64)] = b""
    operations: Annotated[int, msgspec.Meta(ge=0, le=HIGHEST.operations)] = 0
    memory: Annotated[int, msgspec.Meta(ge=0, le=HIGHEST.memory)] = 0


def new_data_key() -> bytes:
    """Return a random data key for a new store."""
    return os.urandom(KEY_BYTES)


def wrap(data_key: bytes, secret: Secret, store_id: str, cost: Cost = MODERATE) -> WrappedKey:
    """Return the data key wrapped for a store; `cost` counts for a passphrase only.

    Raises:
        UsageError: the passphrase is empty.
        StorageUnavailableError: there is not enough memory for the passphrase's cost.
    """
    if isinstance(secret, KeyFile):
        wrapped = XChaChaSeal(secret.key, store_id).close(data_key, _PLACE)
        return WrappedKey(format=FORMAT, method="key-file", wrapped=wrapped)
    salt = os.urandom(SALT_BYTES)
    key = _key_of(secret, salt, cost)
    return WrappedKey(
        format=FORMAT,
        method="passphrase",
        wrapped=XChaChaSeal(key, store_id).close(data_key, _PLACE),
        salt=salt,
        operations=cost.operations,
        memory=cost.memory,
    )


def unwrap(wrapped: WrappedKey, secret: Secret, store_id: str) -> bytes:
    """Return the data key of a store.

    Raises:
        UsageError: a passphrase was given for a store with a key file, or the reverse.
        AccessDeniedError: the key or passphrase is not this store's.
        IntegrityError: the wrapped key can't be one.
        StorageUnavailableError: there is not enough memory for the passphrase's cost.
    """
    if isinstance(secret, KeyFile) != (wrapped.method == "key-file"):
        wants = "a key file" if wrapped.method == "key-file" else "a passphrase"
        raise UsageError(f"The store is sealed with {wants}", f"Name {wants} instead.")
    if isinstance(secret, KeyFile):
        key = secret.key
    elif len(wrapped.salt) != SALT_BYTES or not wrapped.operations or wrapped.memory < 1 << 13:
        raise IntegrityError("The store's wrapped key is damaged", "Restore it from a copy.")
    else:
        key = _key_of(secret, wrapped.salt, Cost(wrapped.operations, wrapped.memory))
    try:
        data_key = XChaChaSeal(key, store_id).open(wrapped.wrapped, _PLACE)
    except IntegrityError as error:
        given = "key file" if isinstance(secret, KeyFile) else "passphrase"
        raise AccessDeniedError(
            f"This {given} does not open the store",
            f"Use the {given} that the store was last given; if it is the right one, the"
            " store's wrapped key is damaged or belongs to another store.",
        ) from error
    if len(data_key) != KEY_BYTES:
        raise IntegrityError("The store's wrapped key is damaged", "Restore it from a copy.")
    return data_key


def make_key_file(path: Path) -> KeyFile:
    """Make a new key file that only its owner may read, durably, and return its key.

    Raises:
        FileExistsError: there is a file already; it is untouched.
        OSError: it can't be written.
    """
    key = os.urandom(KEY_BYTES)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    handle = os.open(path, flags, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(key)
            file.flush()
            sync(file.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)
    return KeyFile(key)


def read_key_file(path: Path) -> KeyFile:
    """Return the key of a key file.

    Raises:
        UsageError: the file is no key file.
        OSError: it can't be read.
    """
    with path.open("rb") as file:
        key = file.read(KEY_BYTES + 1)
    if len(key) != KEY_BYTES:
        raise UsageError(
            f"{path} is not a key file: it does not have {KEY_BYTES} bytes", "Check the path."
        )
    return KeyFile(key)


def _key_of(passphrase: Passphrase, salt: bytes, cost: Cost) -> bytes:
    text = unicodedata.normalize("NFC", passphrase.text)
    if not text:
        raise UsageError("The passphrase is empty", "Give one, or use a key file.")
    return derive_key(text.encode(), salt, cost.operations, cost.memory)
