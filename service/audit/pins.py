"""What becomes of a pin after a look: begun, moved on, or kept as it was."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from junmai_svc.checks.mirrored import Signed
from junmai_svc.storage.journal.checkpoint import Checkpoint, sign_checkpoint
from junmai_svc.storage.journal.journal_file import JournalFile
from junmai_svc.storage.journal.keyring import load_key
from junmai_svc.storage.journal.pinning import keep_pin


@dataclass(frozen=True)
class KeptPin:
    """A pin: what was seen last is of `size` events, and was of `before`; None for a new one."""

    path: Path
    size: int | None
    before: int | None

    @property
    def status(self) -> str:
        """`begun`, `moved on`, `kept` as it was, or `not begun`."""
        if self.before is None:
            return "not begun" if self.size is None else "begun"
        return "kept" if self.size == self.before else "moved on"


def keep(path: Path, before: Checkpoint | None, now: Checkpoint | None, signed: bytes) -> KeptPin:
    """Keep a newer checkpoint as the pin; an older one, or none, leaves it as it is.

    Raises:
        AccessDeniedError, NoSpaceError, NotFoundError: it can't be written.
    """
    had = before.size if before else None
    if now is None or (had is not None and now.size <= had):
        return KeptPin(path, had, had)
    keep_pin(path, signed)
    return KeptPin(path, now.size, had)


def keep_local(
    path: Path,
    before: Checkpoint | None,
    stores: Iterable[Signed],
    file: JournalFile,
    here: Checkpoint,
    *,
    passed: bool,
) -> KeptPin:
    """Keep the largest checkpoint that a store holds, else `here`, what was looked at, signed.

    What a store holds goes first: so that who asks a store with the same pin finds it there.

    Raises:
        JunmaiError: it can't be written, or there is no key to sign with.
    """
    held = [(each.largest, each.note) for each in stores if each.largest is not None]
    if not passed:
        return keep(path, before, None, b"")
    if held:
        largest, note = max(held, key=lambda one: one[0].size)
        return keep(path, before, largest, note)
    current = file.keys().current
    if current is None:
        return keep(path, before, None, b"")
    key = load_key(file.path, file.journal_id, current)
    return keep(path, before, here, sign_checkpoint(here, [key]))
