"""Journal and stores tell one history: seen before anything is recorded.

A journal that was put back to an older state, such as with its disk, would become a second history
with the next event, for good. So it is refilled first, and where that is possible and fails nothing
is recorded. Two histories stop what can't be undone; backups and copies go on, as trouble with the
proof must not cost the data.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from junmai_svc.service import report
from junmai_svc.service.configuration.file import Loaded
from junmai_svc.service.context import Context, StoreProblem
from junmai_svc.service.logs import log
from junmai_svc.service.stores import Named, place_of
from junmai_svc.storage.backends.base import Backend
from junmai_svc.storage.errors import IntegrityError, JunmaiError, NotFoundError
from junmai_svc.storage.journal.catching_up import catch_up, held_by
from junmai_svc.storage.journal.checkpoint import Checkpoint
from junmai_svc.storage.journal.failures import DivergedError
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.journal.mirror import Mirror

_FORK_HINT = (
    "Nothing was changed. `junmai-svc audit recover` shows both histories and how to go on with"
    " either."
)


@dataclass(frozen=True)
class _Held:
    """What a store holds of the journal."""

    mirror: Mirror
    checkpoint: Checkpoint


def keep_one_history(
    journal: Journal, stores: Sequence[Backend], others: Callable[[], Sequence[Backend]] = tuple
) -> tuple[StoreProblem, ...]:
    """Refill a journal that lacks what stores hold of it; return the stores that it forked from.

    Each store is asked once, for its checkpoint. One that does not answer, or that holds nothing
    of this journal, says nothing. `others` are asked too where the journal lacks something.

    Raises:
        JunmaiError: a store holds more of the journal, and it can't be had now: with anything
            recorded, it never could be.
    """
    held = _asked(journal, stores)
    size = journal.head().size  # after the stores: others may be appending and publishing
    if any(each.checkpoint.size > size for each in held):
        asked = {each.url for each in stores}
        held += _asked(journal, [each for each in others() if each.url not in asked])
    forks: list[StoreProblem] = []
    missed: list[tuple[_Held, JunmaiError]] = []
    for each in sorted(held, key=lambda each: each.checkpoint.size, reverse=True):
        try:
            added = catch_up(journal, each.mirror, each.checkpoint)
        except DivergedError as problem:
            log().warning("journal.forked", store=each.mirror.url, problem=problem.message)
            forks.append(StoreProblem(each.mirror.backend.url, problem))
        except JunmaiError as problem:
            log().warning("journal.not_compared", store=each.mirror.url, problem=problem.message)
            missed.append((each, problem))
        else:
            if added:
                _tell(journal, each, added)
    size = journal.head().size
    for each, why in missed:
        if each.checkpoint.size > size:
            raise _out_of_reach(journal, each, why, size) from why
    return tuple(forks)


@contextmanager
def configured_places(loaded: Loaded | None) -> Iterator[Callable[[], list[Backend]]]:
    """Give a function that returns the places of all configured stores, closed after the block."""
    with ExitStack() as stack:

        def places() -> list[Backend]:
            found: list[Backend] = []
            for name in loaded.configuration.stores if loaded else ():
                try:
                    found.append(place_of(loaded, Named(name)).backend)
                except JunmaiError as problem:
                    log().warning("journal.not_compared", store=name, problem=problem.message)
                else:
                    stack.callback(found[-1].close)
            return found

        yield places


def require_one_history(context: Context) -> None:
    """Refuse what can't be undone while a store of the context tells another history.

    Raises:
        IntegrityError: one does.
    """
    refuse_forked(context.forked)


def refuse_forked(problems: Iterable[StoreProblem]) -> None:
    """Refuse what can't be undone where one of the problems is that of two histories.

    Raises:
        IntegrityError: one is.
    """
    for each in problems:
        problem = each.problem
        if isinstance(problem, DivergedError) and not problem.is_of_store:
            raise IntegrityError(
                f"The journal and {each.store} tell two histories, so nothing is done that can't"
                f" be undone. {problem.message}",
                _FORK_HINT,
            ) from problem


def _asked(journal: Journal, stores: Iterable[Backend]) -> list[_Held]:
    found: list[_Held] = []
    for store in stores:
        mirror = Mirror(store, journal.journal_id)
        try:
            held = held_by(journal, mirror)
        except JunmaiError as problem:  # publishing tells it, if it is still so
            log().warning("journal.not_compared", store=store.url, problem=problem.message)
        else:
            found += [_Held(mirror, held)] if held is not None else []
    return found


def _tell(journal: Journal, held: _Held, added: int) -> None:
    store = held.mirror.backend.url
    log().warning("journal.recovered", store=store, added=added, size=held.checkpoint.size)
    report.show_warning(
        f"The journal {journal.path} was put back to an older state; {added:,} events that it"
        f" lacked were refilled from {store}."
    )


def _out_of_reach(journal: Journal, held: _Held, problem: JunmaiError, size: int) -> JunmaiError:
    # A store that lacks an entry is damaged; anything else may work later, and is what it is.
    kind = IntegrityError if isinstance(problem, NotFoundError) else type(problem)
    return kind(
        f"The journal {journal.path} has {size:,} events, {held.mirror.backend.url} signed"
        f" {held.checkpoint.size:,}, and they can't be had: {problem.message}",
        "Nothing was recorded, so that the journal can still be refilled: try again, or"
        " `junmai-svc audit recover --store ANOTHER`. If nobody has them any more, give them up:"
        " `junmai-svc audit recover --new-epoch REASON`.",
    )
