"""Signed notes: text, a blank line, and a line for each signature.

Source: C2SP signed-note. A note comes from outside and is read strictly: what has two readings is
no note. Its text means nothing until a trusted key's signature over it was checked, so the text of
a note that nobody trusted signed is not handed out at all.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from junmai_svc.storage.errors import IntegrityError
from junmai_svc.storage.journal.encoding import from_base64, to_base64
from junmai_svc.storage.journal.keys import KEY_ID_BYTES, SigningKey, VerifierKey, is_key_name

# The specification asks for 16 signatures at least, of up to 5 kB each.
MAX_BYTES = 1 << 20
MAX_SIGNATURES = 100

_DASH = "\N{EM DASH} "
# Lines, each with its newline, and no control character in them.
_LINES = re.compile(r"[^\x00-\x09\x0b-\x1f]*\n")


@dataclass(frozen=True, slots=True)
class VerifiedNote:
    """A note's text with its last newline, and the trusted keys that signed it, at least one."""

    text: str
    signers: tuple[VerifierKey, ...]


@dataclass(frozen=True, slots=True)
class _Signature:
    name: str
    key_id: bytes
    value: bytes


def sign_note(text: str, keys: Iterable[SigningKey]) -> bytes:
    """Return a note of a text, signed by each of the keys in turn.

    Raises:
        ValueError: the text does not end with a newline or holds another control character or a
            surrogate, or there is no key.
    """
    if not _LINES.fullmatch(text):
        raise ValueError("a note's text ends with a newline and has no other control characters")
    message = text.encode()
    lines = [
        f"{_DASH}{key.verifier.name} {to_base64(key.verifier.key_id + key.sign(message))}\n"
        for key in keys
    ]
    if not lines:
        raise ValueError("a note has a signature at least")
    return b"\n".join((message, "".join(lines).encode()))


def open_note(signed: bytes, trusted: Iterable[VerifierKey], where: str) -> VerifiedNote:
    """Return what trusted keys signed; signatures by unknown keys count for nothing.

    `where` names the note in messages, such as the address it was read from.

    Raises:
        IntegrityError: it is no note, carries no signature by a trusted key, or one that claims to
            be by a trusted key and is not.
    """
    try:
        text, signatures = _parsed(signed)
    except ValueError as error:
        raise IntegrityError(
            f"{where} is no signed note: {error}", "It was damaged or written by something else."
        ) from error
    message = text.encode()
    known = {(key.name, key.key_id): key for key in trusted}
    signers: dict[VerifierKey, None] = {}
    for signature in signatures:
        key = known.get((signature.name, signature.key_id))
        if key is None:
            continue
        if not key.verifies(message, signature.value):
            raise IntegrityError(
                f"The signature on {where} is not by {key}, as it claims",
                "The text was altered, or the signature forged; get it from where you trust.",
            )
        signers[key] = None
    if not signers:
        names = ", ".join(map(str, known.values())) or "none is trusted"
        raise IntegrityError(
            f"{where} carries no signature by a trusted key ({names})",
            "Check that the public key is this journal's; if it is, somebody else signed this.",
        )
    return VerifiedNote(text, tuple(signers))


def _parsed(signed: bytes) -> tuple[str, list[_Signature]]:
    """Return a note's text and signatures, none of them checked yet."""
    if len(signed) > MAX_BYTES:
        raise ValueError(f"it is longer than {MAX_BYTES:,} bytes")
    text, blank, block = signed.decode().rpartition("\n\n")
    text += "\n"
    if not blank or not _LINES.fullmatch(text) or not _LINES.fullmatch(block):
        raise ValueError("it is not text, a blank line and signatures, each with its newline")
    # Not splitlines: for that, a line ends at other characters too.
    lines = block.removesuffix("\n").split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise ValueError(f"it has more than {MAX_SIGNATURES} signatures")
    return text, [_signature(line) for line in lines]


def _signature(line: str) -> _Signature:
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    value = from_base64(encoded)
    if not line.startswith(_DASH) or not is_key_name(name) or len(value) <= KEY_ID_BYTES:
        raise ValueError("a line after the blank one is no signature")
    return _Signature(name, value[:KEY_ID_BYTES], value[KEY_ID_BYTES:])
