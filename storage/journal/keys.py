"""The keys of signed notes, each with the name that stands beside its signatures.

Sources: C2SP signed-note for the key id of an Ed25519 key; the texts of a key are those of the Go
module golang.org/x/mod/sumdb/note, which the programs around C2SP logs read:

    public    <name>+<key id, 8 hex digits>+<base64 of 01 and the public half>
    secret    PRIVATE+KEY+<name>+<key id, 8 hex digits>+<base64 of 01 and the seed>

A secret never appears in a representation, in an error or in what an error was caused by.
"""

import hashlib
from dataclasses import dataclass

from junmai_svc.storage.errors import IntegrityError, UsageError
from junmai_svc.storage.journal import signing
from junmai_svc.storage.journal.encoding import from_base64, to_base64

KEY_ID_BYTES = 4

_ED25519 = b"\x01"
_SECRET = "PRIVATE+KEY+"  # noqa: S105  # what every secret key begins with
_FIRST_PRINTABLE = " "


def is_key_name(name: str) -> bool:
    """Tell whether a key may have this name: not empty, without spaces, controls and plus signs."""
    return name != "" and not any(
        char.isspace() or char == "+" or char < _FIRST_PRINTABLE for char in name
    )


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """The public half of a key: its name and 32 bytes; `str` gives its text.

    Raises:
        ValueError: no key has such a name, or the bytes are too few or too many.
    """

    name: str
    public: bytes

    def __post_init__(self) -> None:
        if not is_key_name(self.name) or len(self.public) != signing.PUBLIC_BYTES:
            raise ValueError("a key's name has no spaces and no plus, its public half 32 bytes")

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{to_base64(_ED25519 + self.public)}"

    @property
    def key_id(self) -> bytes:
        """The 4 bytes that tell keys of one name apart; they don't authenticate anything."""
        known = self.name.encode() + b"\n" + _ED25519 + self.public
        return hashlib.sha256(known).digest()[:KEY_ID_BYTES]

    @classmethod
    def parse(cls, text: str, where: str) -> "VerifierKey":
        """Return the key of a public key's text; space around it is not part of it.

        Raises:
            UsageError: it is none; `where` names the text in the message.
        """
        try:
            name, key_id, public = _parts(text.strip())
            key = cls(name, public)
            _require_id(key, key_id)
        except ValueError as error:
            raise UsageError(
                f"{where} is no public key: {error}",
                "It is one line such as junmai-svc/journal/<id>+1a2b3c4d+AQ..., printed when the"
                " journal was made; a key file is not it.",
            ) from None
        return key

    def verifies(self, message: bytes, signature: bytes) -> bool:
        """Tell whether a signature of any length over a message is by this key."""
        return signing.is_signed(self.public, message, signature)


class SigningKey:
    """A whole key; `verifier` is its public half. Its representation shows that half only."""

    __slots__ = ("_seed", "verifier")

    def __init__(self, name: str, seed: bytes) -> None:
        if len(seed) != signing.SEED_BYTES:
            raise ValueError(f"a seed has {signing.SEED_BYTES} bytes")
        self.verifier = VerifierKey(name, signing.public_of(seed))
        self._seed = seed

    def __repr__(self) -> str:
        return f"SigningKey({self.verifier})"

    @classmethod
    def generate(cls, name: str) -> "SigningKey":
        """Return a new random key.

        Raises:
            ValueError: no key has such a name.
        """
        return cls(name, signing.new_seed())

    @classmethod
    def parse(cls, text: str, where: str) -> "SigningKey":
        """Return the key of a secret key's text; space around it is not part of it.

        Raises:
            IntegrityError: it is none; `where` names the text, which the message doesn't quote.
        """
        try:
            name, key_id, seed = _parts(text.strip(), _SECRET)
            key = cls(name, seed)
            _require_id(key.verifier, key_id)
        except ValueError as error:
            raise IntegrityError(
                f"{where} is no signing key: {error}",
                "Check the path; if the file was damaged, put a copy of it in its place.",
            ) from None
        return key

    def sign(self, message: bytes) -> bytes:
        """Return this key's signature over a message, 64 bytes."""
        return signing.sign(self._seed, message)

    def secret_text(self) -> str:
        """Return the text of the whole key, for its key file and nothing else."""
        key_id = self.verifier.key_id.hex()
        return f"{_SECRET}{self.verifier.name}+{key_id}+{to_base64(_ED25519 + self._seed)}"


def _parts(text: str, prefix: str = "") -> tuple[str, str, bytes]:
    """Return name, key id and the bytes of an Ed25519 key from either half's text."""
    if not text.startswith(prefix):
        raise ValueError(f"it does not begin with {prefix}")
    parts = text.removeprefix(prefix).split("+", 2)
    if len(parts) != 3:  # noqa: PLR2004  # as the head of this module shows
        raise ValueError("it is not a name, a key id and a key with plus signs between them")
    name, key_id, encoded = parts
    decoded = from_base64(encoded)
    if decoded[:1] != _ED25519:
        raise ValueError("it is not an Ed25519 key")
    return name, key_id, decoded[1:]


def _require_id(key: VerifierKey, key_id: str) -> None:
    if key_id != key.key_id.hex():
        raise ValueError("its key id is not that of its bytes")
