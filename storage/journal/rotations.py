"""The statement by which a journal's key hands over to the next one, and who is trusted by it.

It is signed by the key before it and by the new one itself. One without the earlier key's signature
(it was lost, or there was none) carries no trust.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from junmai_svc.storage.errors import UsageError
from junmai_svc.storage.journal.checkpoint import origin_of
from junmai_svc.storage.journal.encoding import from_base64, to_base64
from junmai_svc.storage.journal.keys import SigningKey, VerifierKey


@dataclass(frozen=True, slots=True)
class Rotation:
    """A key and the one before it, each as text, and their signatures over the statement."""

    journal_id: str
    previous: str | None
    public: str
    by_previous: str | None
    by_public: str

    @property
    def statement(self) -> bytes:
        """The bytes that both sign."""
        lines = ("junmai-svc/key-rotation/v1", self.journal_id, self.previous or "-", self.public)
        return "".join(f"{line}\n" for line in lines).encode()

    def data(self, reason: str | None) -> dict[str, Any]:
        """Return what the event records."""
        signatures = {"previous": self.by_previous, "public": self.by_public}
        said = {"public_key": self.public, "previous": self.previous, "signatures": signatures}
        return said if reason is None else said | {"reason": reason}


def signed_rotation(
    journal_id: str, new: SigningKey, previous: VerifierKey | None, by: SigningKey | None
) -> Rotation:
    """Return the rotation to a new key; `by` is the earlier one, None where it can't sign."""
    unsigned = Rotation(
        journal_id, None if previous is None else str(previous), str(new.verifier), None, ""
    )
    message = unsigned.statement
    by_previous = None if by is None else to_base64(by.sign(message))
    return Rotation(
        journal_id, unsigned.previous, unsigned.public, by_previous, to_base64(new.sign(message))
    )


def trusted_through(
    trusted: Iterable[VerifierKey], rotations: Iterable[Rotation]
) -> list[VerifierKey]:
    """Return the keys that are trusted, and those to which one of them handed over."""
    known = list(trusted)
    waiting = list(rotations)
    found = True
    while found:
        found = False
        for rotation in list(waiting):
            before = next((key for key in known if str(key) == rotation.previous), None)
            signature = _signature(rotation.by_previous)
            if before is not None and before.verifies(rotation.statement, signature):
                known.append(key_in(rotation.journal_id, rotation.public))
                waiting.remove(rotation)
                found = True
    return known


def preceding(trusted: Iterable[VerifierKey], rotations: Iterable[Rotation]) -> list[VerifierKey]:
    """Return the keys that came before the trusted ones, which say so with their own signatures.

    They are not trusted: who holds one of them signs nothing new. But what they signed in their
    time is no forgery, where it agrees with what a trusted key signed.
    """
    known = list(trusted)
    found: list[VerifierKey] = []
    for key in known:
        for rotation in rotations:
            is_its = rotation.public == str(key) and rotation.previous is not None
            if is_its and key.verifies(rotation.statement, _signature(rotation.by_public)):
                try:
                    before = key_in(rotation.journal_id, rotation.previous or "")
                except (ValueError, UsageError):
                    continue
                if before not in known:
                    known.append(before)
                    found.append(before)
    return found


def encode_rotation(rotation: Rotation) -> bytes:
    """Return a rotation as a store keeps it: JSON."""
    return msgspec.json.encode(rotation.data(None))


def decode_rotation(journal_id: str, stored: bytes) -> Rotation | None:
    """Return a stored rotation, None where the bytes are none."""
    try:
        rotation = rotation_in(journal_id, msgspec.json.decode(stored, type=dict[str, Any]))
        key_in(journal_id, rotation.public)
    except (msgspec.MsgspecError, ValueError, TypeError, KeyError, UsageError):
        return None
    return rotation


def rotation_in(journal_id: str, data: dict[str, Any]) -> Rotation:
    """Return the rotation that the data of an event tells of.

    Raises:
        TypeError, KeyError: there is none in it.
    """
    previous, by_previous = data["previous"], data["signatures"]["previous"]
    public, by_public = data["public_key"], data["signatures"]["public"]
    if not isinstance(public, str) or not isinstance(by_public, str):
        raise TypeError("the key is no text")
    return Rotation(
        journal_id,
        previous if isinstance(previous, str) else None,
        public,
        by_previous if isinstance(by_previous, str) else None,
        by_public,
    )


def require_signed(rotation: Rotation, key: VerifierKey, before: VerifierKey | None) -> None:
    """Make sure that a rotation follows a journal's last key, and that its signatures hold.

    Raises:
        ValueError: it does not, or one does not.
    """
    if rotation.previous != (None if before is None else str(before)):
        raise ValueError("it does not follow the journal's last key")
    if not key.verifies(rotation.statement, _signature(rotation.by_public)):
        raise ValueError("it did not sign its own rotation")
    if (
        before is not None
        and rotation.by_previous is not None
        and not before.verifies(rotation.statement, _signature(rotation.by_previous))
    ):
        raise ValueError("the signature that claims to be by the key before it is not")


def key_in(journal_id: str, text: str) -> VerifierKey:
    """Return the key of a text, which has to be one of the journal's.

    Raises:
        ValueError, UsageError: it is none.
    """
    key = VerifierKey.parse(text, "the public key")
    if key.name != origin_of(journal_id):
        raise ValueError(f"it is a key of {key.name}")
    return key


def _signature(text: str | None) -> bytes:
    try:
        return from_base64(text) if text else b""
    except ValueError:
        return b""
