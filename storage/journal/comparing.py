"""What a journal and a store's mirror of it have in common, and where they part.

Cheap where nothing happened: the journal remembers the tree that the store held, and only what came
since is hashed. Where somebody touched the journal's schema, and once a day in any case, all of the
entries are hashed anew; where the roots differ, the entries are compared one by one.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from junmai_svc.storage.errors import IntegrityError
from junmai_svc.storage.journal.checkpoint import Checkpoint, open_checkpoint
from junmai_svc.storage.journal.failures import DivergedError
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.journal.keys import VerifierKey
from junmai_svc.storage.journal.merkle import frontier_append, frontier_root, leaf_hash
from junmai_svc.storage.journal.mirror import Mirror
from junmai_svc.storage.journal.published import Published, is_believed
from junmai_svc.storage.journal.stored import NO_PAIR, Pair, pairs, proven, tree_of

RECOVER_HINT = (
    "Nothing was changed. Look closer with `junmai-svc audit verify`; a journal that lost its end"
    " is refilled by `junmai-svc audit recover`."
)
LOST_HINT = (
    "Nothing was changed. If you know why the store lost it, say so:"
    " `junmai-svc audit checkpoint --publish --accept-loss REASON`."
)
_FORGED_HINT = (
    "Somebody else wrote it; nothing was changed. Compare the store with another copy of it. If you"
    " know why, have it written anew: `junmai-svc audit checkpoint --publish --accept-loss REASON`."
)


@dataclass(frozen=True, slots=True)
class Common:
    """The beginning that a journal and a store share: its size and frontier.

    `hashed` is when all of its entries were last hashed, in seconds since 1970.
    """

    size: int
    frontier: tuple[bytes, ...]
    hashed: int


def common_beginning(
    journal: Journal,
    mirror: Mirror,
    trusted: Iterable[VerifierKey],
    size: int,
    remembered: Published | None,
    now: int,
    *,
    accepting: bool = False,
) -> Common:
    """Return what a store holds, which is the beginning of the journal of `size` events.

    `now` is in seconds since 1970. When `accepting`, what is gone or nobody's is as if it had never
    been.

    Raises:
        DivergedError: it is not, or the store has less than it had.
        IntegrityError: the store's checkpoint is not signed by the journal, or is none.
        JunmaiError: one of them can't be read.
    """
    before = remembered.size if remembered and not accepting else 0
    signed = mirror.latest()
    if signed is None:
        if before or (not accepting and mirror.sizes()):
            message = f"{mirror.url} holds no checkpoint; {before:,} events were published there"
            raise DivergedError("EMPTIED", 0, message, LOST_HINT)
        return Common(0, (), now)
    where = f"the checkpoint in {mirror.url}"
    try:
        held = open_checkpoint(signed, trusted, journal_id=journal.journal_id, where=where)
    except IntegrityError as error:
        if accepting:
            return Common(0, (), now)
        raise IntegrityError(error.message, _FORGED_HINT) from error
    if held.size < before:
        message = f"{mirror.url} holds {held.size:,} events; {before:,} were published there"
        raise DivergedError("ROLLED BACK", held.size, message, LOST_HINT)
    if held.size > size:
        raise _shorter(journal, mirror, held, size)
    return require_beginning(journal, mirror, held, remembered, now)


def require_beginning(
    journal: Journal, mirror: Mirror, held: Checkpoint, remembered: Published | None, now: int
) -> Common:
    """Return what a store holds, which is the beginning of a journal that is no shorter.

    `now` is in seconds since 1970.

    Raises:
        DivergedError: it is not.
        IntegrityError: the entries in the store are not those of its checkpoint.
        JunmaiError: one of them can't be read.
    """
    common = _common(journal, held.size, remembered, now)
    if frontier_root(common.frontier) != held.root:
        raise _differing(journal, mirror, held, held.size)
    return common


def grown_frontier(
    frontier: tuple[bytes, ...], size: int, leaves: Iterable[bytes]
) -> tuple[bytes, ...]:
    """Return the frontier after some more leaves."""
    for number, leaf in enumerate(leaves, size):
        frontier = frontier_append(frontier, number, leaf)
    return frontier


def first_difference(
    ours: Iterable[list[Pair]], mirror: Mirror, size: int, begin: int = 0
) -> tuple[str, int] | None:
    """Return how and where the first of some entries differs from the store's, None if none does.

    `ours` are those from `begin` up to `size`. One of ours that is missing counts as MISSING.

    Raises:
        JunmaiError: one of them can't be read.
    """
    return next(differences(ours, mirror, size, begin), None)


def differences(
    ours: Iterable[list[Pair]], mirror: Mirror, size: int, begin: int = 0
) -> Iterator[tuple[str, int]]:
    """Yield how and where each entry differs from the store's; see `first_difference`.

    Raises:
        JunmaiError: one of them can't be read.
    """
    position = begin
    stored = (entry for entries in mirror.entries(begin, size) for entry in entries)
    for step in ours:
        for pair, theirs in zip(step, stored, strict=False):
            entry, hash_ = pair
            if pair == NO_PAIR:
                yield "MISSING", position
            elif leaf_hash(entry) != hash_:
                yield "EDITED", position
            elif entry != theirs:
                yield "REWRITTEN", position
            position += 1


def _common(journal: Journal, size: int, remembered: Published | None, now: int) -> Common:
    is_known = remembered is not None and remembered.size <= size
    if remembered is None or not is_known or not is_believed(journal, remembered, now):
        return Common(size, tree_of(journal, size).frontier, now)
    leaves = (leaf for step in proven(journal, remembered.size, size) for _, leaf in step)
    frontier = grown_frontier(remembered.frontier, remembered.size, leaves)
    return Common(size, frontier, remembered.hashed)


def went_another_way(
    journal: Journal, mirror: Mirror, held: Checkpoint, size: int
) -> DivergedError | None:
    """Return how a journal of `size` events differs from a store that holds more, if it does.

    Raises:
        JunmaiError: one of them can't be read.
    """
    found = first_difference(pairs(journal, 0, size), mirror, size)
    if found is None:
        return None
    verdict = "EDITED" if found[0] == "EDITED" else "FORKED"
    message = (
        f"{journal.path} went on otherwise than {mirror.url}, which holds {held.size:,} events"
    )
    return DivergedError(verdict, found[1], message, RECOVER_HINT)


def _shorter(journal: Journal, mirror: Mirror, held: Checkpoint, size: int) -> DivergedError:
    parted = went_another_way(journal, mirror, held, size)
    if parted is not None:
        return parted
    message = f"{journal.path} has {size:,} events, {mirror.url} has {held.size:,}"
    return DivergedError("TRUNCATED", size, message, RECOVER_HINT)


def _differing(journal: Journal, mirror: Mirror, held: Checkpoint, size: int) -> IntegrityError:
    found = first_difference(pairs(journal, 0, size), mirror, size)
    if found is None:
        return IntegrityError(
            f"The entries in {mirror.url} are not those of its checkpoint of {held.size:,}",
            "The store is damaged: read another copy of it.",
        )
    message = f"{journal.path} differs there from what is published in {mirror.url}"
    return DivergedError(*found, message, RECOVER_HINT)
