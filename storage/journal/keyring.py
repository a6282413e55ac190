"""The keys of a journal through its life: where the signing key is, and who may be trusted.

The first public key stands in event 0. Each later one comes by `journal.key_rotated`, whose
statement is signed by the key before it and by itself: so whoever trusts one key of a journal can
come to trust those that followed. A rotation without the earlier key's signature (it was lost, or
there was none) says so and carries no trust.
"""

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from junmai_svc.storage.errors import IntegrityError, JunmaiError, NotFoundError, UsageError
from junmai_svc.storage.files import remove, rename_over
from junmai_svc.storage.journal.checkpoint import origin_of
from junmai_svc.storage.journal.entry import Event
from junmai_svc.storage.journal.events import event_type
from junmai_svc.storage.journal.keyfile import open_key_file
from junmai_svc.storage.journal.keys import SigningKey, VerifierKey
from junmai_svc.storage.journal.rotations import Rotation, key_in, require_signed, rotation_in

KEY_SUFFIX = ".key"
NEXT_SUFFIX = ".key-next"

OPENED = event_type("journal", "opened")
ROTATED = event_type("journal", "key_rotated")


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


def next_key_path(journal_path: Path) -> Path:
    """Return where a key is until the event that names it is on record."""
    return journal_path.with_name(journal_path.name + NEXT_SUFFIX)


def require_none_lost(journal_path: Path) -> None:
    """Refuse to begin a journal where the key of another one lies: that one is gone.

    A new one in its place would look as if nothing had ever been recorded.

    Raises:
        IntegrityError: a key lies there.
    """
    path = key_path(journal_path)
    if os.path.lexists(path):
        raise IntegrityError(
            f"The journal {journal_path} is gone: its signing key is still there, in {path}",
            "`junmai-svc audit recover` makes it anew from a store, event for event. To begin a new"
            " one instead, put the key away.",
        )


def first_key(journal_path: Path, journal_id: str) -> SigningKey:
    """Return the key of a journal that is being begun, made durably.

    `load_key` gives it its name once event 0 is on record: a key that has it belongs to a journal
    that there was.

    Raises:
        IntegrityError: as `require_none_lost`.
        JunmaiError: as `open_key_file`.
        OSError: what a dead run left can't be removed.
    """
    require_none_lost(journal_path)
    following = next_key_path(journal_path)
    remove(following)  # of a run that died before its journal was there
    return open_key_file(following, origin_of(journal_id), create=True)


def key_beside(journal_path: Path, journal_id: str) -> list[VerifierKey]:
    """Return the public half of the key that lies beside a journal, where it is of that journal."""
    try:
        key = open_key_file(key_path(journal_path), origin_of(journal_id), create=False)
    except JunmaiError:
        return []
    return [key.verifier]


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
            key = key_in(journal_id, event.data["public_key"])
            if event.type == ROTATED:
                rotation = rotation_in(journal_id, event.data)
                require_signed(rotation, key, keys[-1] if keys else None)
                rotations.append(rotation)
        except (ValueError, TypeError, KeyError, UsageError) as error:
            problems.append((event.position, f"the key it names can't be believed: {error}"))
        else:
            keys.append(key)
    return KeyHistory(tuple(keys), tuple(rotations), tuple(problems))


def load_key(journal_path: Path, journal_id: str, current: VerifierKey) -> SigningKey:
    """Return the signing key whose public half the journal names last.

    A key that was recorded, and whose run was cut short before it got its name, gets it now.

    Raises:
        NotFoundError, AccessDeniedError, IntegrityError: the key is not there, or another one is.
        OSError: the key of a rotation can't get its name.
    """
    path = key_path(journal_path)
    following = next_key_path(journal_path)
    if following.exists():
        # What lies there is no key of this journal, or another process just gave it its name.
        with suppress(IntegrityError, NotFoundError, FileNotFoundError):
            key = open_key_file(following, origin_of(journal_id), create=False)
            if key.verifier == current:
                rename_over(following, path)
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
