"""The journal published into the stores: after each command, and before what can't be undone.

A store that is down never fails the command that was asked for: it is logged and returned, and the
next command publishes what is missing. One that tells another history fails only what can't be
undone.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from junmai_svc.service import report
from junmai_svc.service.context import Context, StoreProblem
from junmai_svc.service.logs import log
from junmai_svc.service.one_history import refuse_forked
from junmai_svc.storage.errors import JunmaiError
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.journal.publishing import Publication, publish
from junmai_svc.storage.journal.rotation import checkpoint_text as signed_checkpoint
from junmai_svc.storage.snapshots.base import SnapshotStore
from junmai_svc.storage.snapshots.objects import ObjectStore


@dataclass(frozen=True)
class Intent:
    """Where an intent was published before it was carried out, and where it could not be."""

    stores: tuple[str, ...]
    problems: tuple[StoreProblem, ...]

    @property
    def warning(self) -> str | None:
        """What a person has to know where no store knows of it yet, and why; else None."""
        if self.stores:
            return None
        why = "; ".join(f"{each.store}: {each.problem.message}" for each in self.problems)
        return f"Only the local journal knows that this was begun, no store does. {why}"

    @property
    def hint(self) -> str:
        """What can be done about it, without repetitions."""
        return " ".join(dict.fromkeys(each.problem.hint for each in self.problems))


def publish_to(
    journal: Journal, store: SnapshotStore, *, accepting: bool = False, mending: bool = False
) -> Publication:
    """Publish all events of a journal into a store; durable on return.

    With `accepting` the store may hold less than was published there, with `mending` all of it is
    read and put right.

    Raises:
        DivergedError: journal and store tell two histories; nothing was written.
        JunmaiError: there is no key to sign with, or one of them can't be used.
    """
    retain_until = store.retain_until() if isinstance(store, ObjectStore) else None
    return publish(
        journal,
        store.backend,
        retain_until=retain_until,
        accepting=accepting,
        mending=mending,
    )


def publish_into(journal: Journal, stores: Iterable[SnapshotStore]) -> tuple[StoreProblem, ...]:
    """Publish into stores; what did not work is returned and told as a warning, never raised."""
    problems = _published(journal, stores)[1]
    for each in problems:
        text = f"The journal is not published to {each.store}: {each.problem.message}"
        report.show_warning(text, each.problem.hint)
    return problems


def publish_intent(context: Context) -> Intent:
    """Publish the intent that was just recorded, before what it announces is done.

    Where no store can be published to, that is logged, and `warning` says it.

    Raises:
        IntegrityError: the journal and a store tell two histories: nothing may be done now that
            can't be undone.
    """
    stores, problems = _published(context.journal, context.stores)
    refuse_forked(problems)
    intent = Intent(stores, problems)
    if intent.warning:
        log().warning("journal.intent_unpublished", why=intent.warning)
        report.show_warning(intent.warning, intent.hint)
    return intent


def checkpoint_text(journal: Journal) -> str | None:
    """Return the signed checkpoint that a manifest embeds; None, and logged, where none can be had.

    A snapshot is worth more than its proof: a lost key must not stop a backup.
    """
    try:
        return signed_checkpoint(journal)
    except JunmaiError as problem:
        log().warning("journal.unsigned", problem=problem.message, hint=problem.hint)
        return None


def _published(
    journal: Journal, stores: Iterable[SnapshotStore]
) -> tuple[tuple[str, ...], tuple[StoreProblem, ...]]:
    done: list[str] = []
    problems: list[StoreProblem] = []
    for store in stores:
        try:
            publication = publish_to(journal, store)
        except JunmaiError as problem:
            log().warning(
                "journal.unpublished", store=store.url, problem=problem.message, hint=problem.hint
            )
            problems.append(StoreProblem(store.url, problem))
        else:
            log().debug("journal.published", store=publication.store, size=publication.size)
            done.append(store.url)
    return tuple(done), tuple(problems)
