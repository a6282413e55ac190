"""Checkpoints: how many entries a journal had and the root over them, signed.

Source: C2SP tlog-checkpoint. The text of the note is three lines, and more where somebody extended
it: the origin `junmai-svc/journal/<journal id>`, the number of entries, the root in base64. The key
that signs it is named like the origin, so that a key trusted for one journal says nothing about
another. A checkpoint comes from outside and is read strictly.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from junmai_svc.storage.errors import IntegrityError
from junmai_svc.storage.journal.encoding import from_base64, to_base64
from junmai_svc.storage.journal.keys import SigningKey, VerifierKey
from junmai_svc.storage.journal.merkle import EMPTY_ROOT, HASH_BYTES
from junmai_svc.storage.journal.note import open_note, sign_note

LATEST_PATH = "checkpoint"

_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")
_ORIGIN = "junmai-svc/journal/"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A journal of `size` entries and the 32-byte root of the tree over them.

    `extensions` are lines that this version doesn't write and keeps when it reads them.
    """

    journal_id: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The text that is signed."""
        lines = (origin_of(self.journal_id), str(self.size), to_base64(self.root))
        return "".join(f"{line}\n" for line in (*lines, *self.extensions))


def origin_of(journal_id: str) -> str:
    """Return a journal's origin, which is its keys' name too."""
    return f"{_ORIGIN}{journal_id}"


def numbered_path(size: int) -> str:
    """Return where the checkpoint of this size stays for ever, from the journal's folder."""
    return f"checkpoints/{size:020}"


def sign_checkpoint(checkpoint: Checkpoint, keys: Iterable[SigningKey]) -> bytes:
    """Return a checkpoint as a note signed by each of the journal's keys in turn.

    Raises:
        ValueError: what was signed could not be read again, a key is not of this journal, or there
            is none.
    """
    text = checkpoint.text
    if _parsed(text) != checkpoint:
        raise ValueError(f"{checkpoint} can't be written as a checkpoint")
    signers = list(keys)
    for key in signers:
        if key.verifier.name != origin_of(checkpoint.journal_id):
            raise ValueError(f"{key.verifier.name} is not a key of {checkpoint.journal_id}")
    return sign_note(text, signers)


def open_checkpoint(
    signed: bytes, trusted: Iterable[VerifierKey], *, journal_id: str, where: str
) -> Checkpoint:
    """Return a journal's checkpoint, signed by a trusted key that is named like its origin.

    `where` names it in messages, such as the address it was read from.

    Raises:
        IntegrityError: it is no checkpoint or another journal's, no trusted key of this journal
            signed it, or a signature that claims to be by one is not.
    """
    origin = origin_of(journal_id)
    keys = [key for key in trusted if key.name == origin]
    if not keys:
        raise IntegrityError(
            f"Nothing proves {where}: none of the trusted keys is one of {origin}",
            "Name the public key that was printed when this journal was made.",
        )
    note = open_note(signed, keys, where)
    try:
        checkpoint = _parsed(note.text)
    except ValueError as error:
        raise IntegrityError(
            f"{where} is no checkpoint: {error}", "Something else was signed with this key."
        ) from error
    if checkpoint.journal_id != journal_id:
        raise IntegrityError(
            f"{where} is the checkpoint of another journal, {checkpoint.journal_id}",
            f"Check the address: the checkpoint of {journal_id} was expected there.",
        )
    return checkpoint


def _parsed(text: str) -> Checkpoint:
    # Not splitlines: that also breaks at characters that a line may hold.
    lines = text.removesuffix("\n").split("\n")
    if len(lines) < 3 or not all(lines):  # noqa: PLR2004  # origin, size and root
        raise ValueError("it is not three lines or more, none of them empty")
    origin, size, root, *extensions = lines
    if not origin.startswith(_ORIGIN):
        raise ValueError("its origin is no journal")
    if not _SIZE.fullmatch(size):
        raise ValueError("its size is no number in its one form")
    checkpoint = Checkpoint(
        origin.removeprefix(_ORIGIN), int(size), from_base64(root), tuple(extensions)
    )
    if len(checkpoint.root) != HASH_BYTES:
        raise ValueError(f"its root does not have {HASH_BYTES} bytes")
    if checkpoint.size == 0 and checkpoint.root != EMPTY_ROOT:
        raise ValueError("its root is not that of no entries")
    return checkpoint
