"""The proof of one entry, which verifies without the rest of the journal.

Source: C2SP tlog-proof. Its `extra` line holds, as base64 of JSON, the entry as text and the
rotations of the journal's key, so that whoever trusts an earlier key can check it too. A proof
comes from outside and is read strictly.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from junmai_svc.storage.errors import IntegrityError
from junmai_svc.storage.journal import note, proofs
from junmai_svc.storage.journal.checkpoint import Checkpoint, open_checkpoint
from junmai_svc.storage.journal.encoding import from_base64, to_base64
from junmai_svc.storage.journal.keys import VerifierKey
from junmai_svc.storage.journal.merkle import leaf_hash
from junmai_svc.storage.journal.rotations import (
    Rotation,
    decode_rotation,
    encode_rotation,
    trusted_through,
)

_HEAD = "c2sp.org/tlog-proof@v1"
_INDEX = re.compile(r"index (0|[1-9][0-9]{0,18})")
_MOST_HASHES = 63


class _Extra(msgspec.Struct):
    entry: str
    rotations: list[dict[str, Any]] = []


@dataclass(frozen=True, slots=True)
class EntryProof:
    """An entry, its position, the hashes from it to the root, and the signed checkpoint."""

    entry: bytes
    position: int
    hashes: tuple[bytes, ...]
    rotations: tuple[Rotation, ...]
    signed: bytes

    def encoded(self) -> bytes:
        """Return the proof as a file holds it."""
        rotations = [msgspec.json.decode(encode_rotation(each)) for each in self.rotations]
        extra = msgspec.json.encode(_Extra(self.entry.decode(), rotations))
        lines = [_HEAD, f"extra {to_base64(extra)}", f"index {self.position}"]
        lines += [to_base64(hash_) for hash_ in self.hashes]
        return "".join(f"{line}\n" for line in (*lines, "")).encode() + self.signed


def decode_proof(stored: bytes, journal_id: str, where: str) -> EntryProof:
    """Return the proof that a file holds; nothing in it is proven yet.

    Raises:
        IntegrityError: it is none; `where` names it in the message.
    """
    try:
        return _decoded(stored, journal_id)
    except (ValueError, msgspec.MsgspecError, RecursionError) as error:
        raise IntegrityError(
            f"{where} is no proof of an entry: {error}", "Make one with `junmai-svc audit prove`."
        ) from error


def verify_proof(
    proof: EntryProof, trusted: Iterable[VerifierKey], journal_id: str, where: str
) -> Checkpoint:
    """Make sure that an entry is in the journal that a trusted key signed; return the checkpoint.

    Raises:
        IntegrityError: no trusted key signed it, or the entry is not in what was signed.
    """
    keys = trusted_through(trusted, proof.rotations)
    checkpoint = open_checkpoint(proof.signed, keys, journal_id=journal_id, where=where)
    leaf = leaf_hash(proof.entry)
    if not proofs.is_included(leaf, proof.position, checkpoint.size, proof.hashes, checkpoint.root):
        raise IntegrityError(
            f"The entry in {where} is not at position {proof.position} of what was signed",
            "The proof was altered: ask for it again.",
        )
    return checkpoint


def _decoded(stored: bytes, journal_id: str) -> EntryProof:
    if len(stored) > note.MAX_BYTES:
        raise ValueError("it is too long")
    text, blank, signed = stored.partition(b"\n\n")
    lines = text.decode().split("\n")
    if not blank or len(lines) < 3 or lines[0] != _HEAD or not lines[1].startswith("extra "):  # noqa: PLR2004
        raise ValueError(f"it does not begin with {_HEAD}, extra and index")
    index = _INDEX.fullmatch(lines[2])
    if index is None or len(lines) > 3 + _MOST_HASHES:
        raise ValueError("its index or its hashes are not valid")
    extra = msgspec.json.decode(from_base64(lines[1].removeprefix("extra ")), type=_Extra)
    rotations = (decode_rotation(journal_id, msgspec.json.encode(each)) for each in extra.rotations)
    proof = EntryProof(
        extra.entry.encode(),
        int(index[1]),
        tuple(from_base64(line) for line in lines[3:]),
        tuple(each for each in rotations if each is not None),
        signed,
    )
    if proof.encoded() != stored:
        raise ValueError("it is not in its one form")
    return proof
