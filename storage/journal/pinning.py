"""What an outsider brings along: a file of public keys, and the checkpoint that was seen last."""

from collections.abc import Iterable
from pathlib import Path

from junmai_svc.storage.errors import IntegrityError, NotFoundError, UsageError
from junmai_svc.storage.files import without_links, write_durably
from junmai_svc.storage.journal import note
from junmai_svc.storage.journal.checkpoint import Checkpoint, open_checkpoint, origin_of
from junmai_svc.storage.journal.failures import translated
from junmai_svc.storage.journal.keys import VerifierKey
from junmai_svc.storage.journal.uuid7 import uuid7

_ORIGIN = origin_of("")


def read_keys(path: Path) -> list[VerifierKey]:
    """Return the public keys in a file, one a line; empty lines and those after a # are nothing.

    Of a line the last word counts, so that one is taken as it was printed.

    Raises:
        NotFoundError, AccessDeniedError: it can't be read.
        UsageError: it holds no key, or something else.
    """
    text = _read(path, "public key").decode("utf-8", "replace")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if not lines:
        raise UsageError(f"There is no public key in {path}", "It is one line, printed as `key`.")
    return [VerifierKey.parse(line.split()[-1], str(path)) for line in lines]


def journal_of(keys: Iterable[VerifierKey], where: Path) -> str:
    """Return the id of the one journal that keys are of.

    Raises:
        UsageError: they are of several, or of none.
    """
    names = {key.name for key in keys}
    if len(names) != 1 or not (name := names.pop()).startswith(_ORIGIN):
        raise UsageError(f"{where} is not of one journal", "Name the keys of one journal.")
    return name.removeprefix(_ORIGIN)


def pinned(path: Path | None, trusted: Iterable[VerifierKey], journal_id: str) -> Checkpoint | None:
    """Return the checkpoint that was seen last, None where none was yet.

    Raises:
        IntegrityError: the file holds no checkpoint of this journal signed by a trusted key.
        AccessDeniedError: it can't be read.
    """
    if path is None or not path.exists():
        return None
    signed = _read(path, "pin")
    return open_checkpoint(signed, trusted, journal_id=journal_id, where=f"the pin {path}")


def keep_pin(path: Path, signed: bytes) -> None:
    """Remember a checkpoint, durably.

    Raises:
        AccessDeniedError, NoSpaceError, NotFoundError: it can't be written.
    """
    with translated("write the pin", path):
        write_durably(without_links(path), signed, uuid7()[-12:])


def _read(path: Path, what: str) -> bytes:
    if not path.is_file():
        raise NotFoundError(f"There is no {what} in {path}", "Check the path.")
    with translated(f"read the {what}", path), path.open("rb") as file:
        content = file.read(note.MAX_BYTES + 1)
    if len(content) > note.MAX_BYTES:
        raise IntegrityError(f"{path} is no {what}: it is too long", "Check the path.")
    return content
