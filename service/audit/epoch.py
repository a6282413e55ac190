"""A new epoch after a fork: the old journal is put aside, and the new one tells of both."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from junmai_svc.storage.errors import LockedError
from junmai_svc.storage.journal import events
from junmai_svc.storage.journal.checkpoint import Checkpoint
from junmai_svc.storage.journal.failures import translated
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.journal.keyring import key_path
from junmai_svc.storage.journal.liveness import is_alive
from junmai_svc.storage.journal.rotation import checkpoint_text

OpenJournal = Callable[[Path, bool, dict[str, object] | None], Journal]


@dataclass(frozen=True)
class Recovery:
    """What was found and done. `status` is `intact`, `recovered`, `forked` or `new epoch`.

    Of a fork, `position` is the first one that differs; `kept` is where the old journal is.
    """

    status: str
    journal_id: str
    size: int
    store: str
    added: int = 0
    position: int | None = None
    verdict: str = ""
    ours: Checkpoint | None = None
    theirs: Checkpoint | None = None
    kept: Path | None = None


def begin_epoch(
    path: Path, fork: Recovery, their_signed: bytes, reason: str, open_journal: OpenJournal
) -> Recovery:
    """Put the forked journal aside and begin a new one that carries both checkpoints.

    Raises:
        LockedError: something is going on in the old one, or it is open somewhere.
        JunmaiError: it can't sign, be renamed or begun.
    """
    with open_journal(path, False, None) as journal:
        for stream in journal.streams_open():
            if is_alive(path, events.split_stream(stream)[1]):
                raise LockedError(
                    f"{stream} is going on in {path}", "Wait until it has ended, then try again."
                )
        signed = checkpoint_text(journal)
    assert fork.ours is not None  # noqa: S101  # a fork has both sides
    kept = _put_aside(path)
    continues: dict[str, object] = {
        "journal": fork.journal_id,
        "size": fork.size,
        "position": fork.position,
        "checkpoint": signed,
        "store": fork.store,
        "store_checkpoint": their_signed.decode("utf-8", "replace"),
        "reason": reason,
    }
    with open_journal(path, True, continues) as journal:
        return Recovery(
            "new epoch",
            journal.journal_id,
            1,
            fork.store,
            position=fork.position,
            verdict=fork.verdict,
            ours=fork.ours,
            theirs=fork.theirs,
            kept=kept,
        )


def _put_aside(path: Path) -> Path:
    """Rename a journal with its key, so that it can still be read and verified there."""
    number = 1
    while (kept := path.with_name(f"{path.name}.fork-{number}")).exists():
        number += 1
    with translated("put aside", path):
        for suffix in ("-wal", "-shm"):
            beside = path.with_name(path.name + suffix)
            if beside.exists():
                raise LockedError(f"{path} is open somewhere", "Close it, then try again.")
        if key_path(path).exists():
            key_path(path).rename(key_path(kept))
        path.rename(kept)
    return kept
