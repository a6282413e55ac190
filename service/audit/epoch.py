"""A new epoch after a fork: the old journal is put aside, and the new one tells of both."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from junmai_svc.storage.errors import LockedError, NotFoundError
from junmai_svc.storage.journal import events
from junmai_svc.storage.journal.checkpoint import Checkpoint, sign_checkpoint
from junmai_svc.storage.journal.failures import translated
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.journal.keyring import key_path, load_key
from junmai_svc.storage.journal.keys import VerifierKey
from junmai_svc.storage.journal.liveness import is_alive
from junmai_svc.storage.journal.opening import require_closed

OpenJournal = Callable[[Path, bool, dict[str, object] | None], Journal]


@dataclass(frozen=True)
class Recovery:
    """What was found and done. `status` is `intact`, `recovered`, `forked` or `new epoch`.

    Of a fork, `position` is the first one that differs; `kept` is where the old journal is.
    `besides` are other journals in the same stores.
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
    besides: tuple[str, ...] = ()


def begin_epoch(
    path: Path,
    fork: Recovery,
    key: VerifierKey | None,
    running: Iterable[str],
    their_signed: bytes,
    reason: str,
    open_journal: OpenJournal,
) -> Recovery:
    """Put the forked journal aside and begin a new one that carries both checkpoints.

    The old one is not opened, as whoever changed it may have dropped its triggers: `key` is the one
    it names last, `running` are its streams that have not ended.

    Raises:
        NotFoundError: it has no key.
        LockedError: something is going on in the old one, or it is open somewhere.
        JunmaiError: it can't sign, be renamed or begun.
    """
    for stream in running:
        if is_alive(path, events.split_stream(stream)[1]):
            raise LockedError(
                f"{stream} is going on in {path}", "Wait until it has ended, then try again."
            )
    if key is None:
        raise NotFoundError(
            f"The journal {path} has no key, so that nothing vouches for what it was",
            "It gets one when it is signed: `junmai-svc audit checkpoint`.",
        )
    assert fork.ours is not None  # noqa: S101  # a fork has both sides
    signed = sign_checkpoint(fork.ours, [load_key(path, fork.journal_id, key)])
    kept = _put_aside(path)
    continues: dict[str, object] = {
        "journal": fork.journal_id,
        "size": fork.size,
        "position": fork.position,
        "checkpoint": signed.decode(),
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
        require_closed(path)
        has_key = key_path(path).exists()
        if has_key:
            key_path(path).rename(key_path(kept))
        try:
            path.rename(kept)
        except OSError:  # Windows renames no file that somebody has open
            if has_key:
                key_path(kept).rename(key_path(path))
            raise
    return kept
