"""The keys of a journal through its life: where the signing key is, and who may be trusted.

The first public key stands in event 0. Each later one comes by `journal.key_rotated`, whose
statement is signed by the key before it and by itself: so whoever trusts one key of a journal can
come to trust those that followed. A rotation without the earlier key's signature (it was lost, or
there was none) says so and carries no trust.
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from junmai_svc.storage.errors import IntegrityError, NotFoundError, UsageError
from junmai_svc.storage.journal.checkpoint import origin_of
from junmai_svc.storage.journal.encoding import from_base64, to_base64
from junmai_svc.storage.journal.entry import Event
from junmai_svc.storage.journal.events import event_type
from junmai_svc.storage.journal.keyfile import open_key_file
from junmai_svc.storage.journal.keys import SigningKey, VerifierKey

KEY_SUFFIX = ".key"
NEXT_SUFFIX = ".key-next"

OPENED = event_type("journal", "opened")
ROTATED = event_type("journal", "key_rotated")


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


@dataclass(frozen=True, slots=True)
class KeyHistory:
    """A journal's keys in their order, the rotations between them, and what is wrong with them.

    `problems` are positions and texts.
    """

    keys: tuple[VerifierKey, ...]
    rotations: tuple[Rotation, ...]
    problems: tuple[tuple[int, str], ...]

    @property
    def current(self) -> VerifierKey | None:
        """The key that signs now; None where there has not been any."""
        return self.keys[-1] if self.keys else None


def key_path(journal_path: Path) -> Path:
    """Return where the signing key of a journal is: beside it."""
    return journal_path.with_name(journal_path.name + KEY_SUFFIX)


def first_key(journal_path: Path, journal_id: str) -> SigningKey:
    """Return the key of a journal that is being begun, made durably.

    A key that lies there is another journal's, which is gone; it is kept under its key id.

    Raises:
        JunmaiError: as `open_key_file`.
        OSError: what lies there can't be kept.
    """
    path = key_path(journal_path)
    try:
        return open_key_file(path, origin_of(journal_id), create=True)
    except IntegrityError:
        keep_aside(path)
    return open_key_file(path, origin_of(journal_id), create=True)


def keep_aside(path: Path) -> Path:
    """Give a file a name that nobody has, beside it; return that name.

    Raises:
        OSError: it can't be renamed.
    """
    number = 1
    while (kept := path.with_name(f"{path.name}.{number}")).exists():
        number += 1
    return path.rename(kept)


def key_history(journal_id: str, events: Iterable[Event]) -> KeyHistory:
    """Return the keys that the events of a journal's own stream tell of."""
    keys: list[VerifierKey] = []
    rotations: list[Rotation] = []
    problems: list[tuple[int, str]] = []
    for event in events:
        if event.type not in (OPENED, ROTATED) or event.data.get("public_key") is None:
            continue
        try:
            key = _key_of(journal_id, event.data["public_key"])
            if event.type == ROTATED:
                rotation = _rotation(journal_id, event.data)
                _require_signed(rotation, key, keys[-1] if keys else None)
                rotations.append(rotation)
        except (ValueError, TypeError, KeyError, UsageError) as error:
            problems.append((event.position, f"the key it names can't be believed: {error}"))
        else:
            keys.append(key)
    return KeyHistory(tuple(keys), tuple(rotations), tuple(problems))


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
                known.append(_key_of(rotation.journal_id, rotation.public))
                waiting.remove(rotation)
                found = True
    return known


def encode_rotation(rotation: Rotation) -> bytes:
    """Return a rotation as a store keeps it: JSON."""
    return msgspec.json.encode(rotation.data(None))


def decode_rotation(journal_id: str, stored: bytes) -> Rotation | None:
    """Return a stored rotation, None where the bytes are none."""
    try:
        rotation = _rotation(journal_id, msgspec.json.decode(stored, type=dict[str, Any]))
        _key_of(journal_id, rotation.public)
    except (msgspec.MsgspecError, ValueError, TypeError, KeyError, UsageError):
        return None
    return rotation


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


def load_key(journal_path: Path, journal_id: str, current: VerifierKey) -> SigningKey:
    """Return the signing key whose public half the journal names last.

    A rotation that was recorded and cut short before its key got its name is finished.

    Raises:
        NotFoundError, AccessDeniedError, IntegrityError: the key is not there, or another one is.
        OSError: the key of a rotation can't get its name.
    """
    path = key_path(journal_path)
    following = journal_path.with_name(journal_path.name + NEXT_SUFFIX)
    if following.exists():
        with suppress(IntegrityError):  # what lies there is no key of this journal
            key = open_key_file(following, origin_of(journal_id), create=False)
            if key.verifier == current:
                following.replace(path)
                return key
    try:
        key = open_key_file(path, origin_of(journal_id), create=False)
    except NotFoundError as error:
        raise NotFoundError(
            f"The signing key of this journal is missing: there is no {path}",
            "Put the file back from a copy. If it is lost for good, say so:"
            " `junmai-svc audit rotate-key --lost REASON` begins a new one.",
        ) from error
    if key.verifier != current:
        raise IntegrityError(
            f"The signing key in {path} is not the one that the journal names, {current}",
            "Put the right file back from a copy; the journal was signed by that key.",
        )
    return key


def _rotation(journal_id: str, data: dict[str, Any]) -> Rotation:
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


def _require_signed(rotation: Rotation, key: VerifierKey, before: VerifierKey | None) -> None:
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


def _key_of(journal_id: str, text: str) -> VerifierKey:
    key = VerifierKey.parse(text, "the public key")
    if key.name != origin_of(journal_id):
        raise ValueError(f"it is a key of {key.name}")
    return key


def _signature(text: str | None) -> bytes:
    try:
        return from_base64(text) if text else b""
    except ValueError:
        return b""
