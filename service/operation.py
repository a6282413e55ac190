"""One run of one use case, recorded: a stream that starts, tells its steps and ends exactly once.

A run holds an OS lock as long as it lives; whoever starts next closes the streams of dead runs as
abandoned (`service.recovery`) before it begins its own.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import structlog

from junmai_svc.service.exits import exit_code
from junmai_svc.service.logs import log
from junmai_svc.service.recovery import close_abandoned
from junmai_svc.service.signals import unbroken
from junmai_svc.storage.errors import JunmaiError, ToldError, UsageError
from junmai_svc.storage.journal.entry import NewEvent
from junmai_svc.storage.journal.events import STARTS, event_type, stream_name
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.journal.lease import register_database, release_lease, take_lease
from junmai_svc.storage.journal.liveness import RunLock
from junmai_svc.storage.journal.uuid7 import uuid7

Kind = Literal[
    "backup",
    "migration",
    "restore",
    "verification",
    "check",
    "copy",
    "prune",
    "drill",
    "daemon",
    "replay",
]


@dataclass
class Operation:
    """A running use case; `id` is the run's id, under which `show` finds it."""

    journal: Journal
    kind: Kind
    id: str
    correlation: str
    ended: bool = False
    _cause: str | None = field(default=None, repr=False)

    def record(self, name: str, **data: Any) -> None:
        """Append an event to the run's stream, durably, and log it.

        Raises:
            JunmaiError: the journal can't be written.
        """
        self.record_all(name, [data])

    def record_all(self, name: str, each: Sequence[Mapping[str, Any]]) -> None:
        """Append one event for each of `each`, all in one transaction, and log them.

        Raises:
            JunmaiError: the journal can't be written; none of them is recorded.
        """
        stream, type_ = stream_name(self.kind, self.id), event_type(self.kind, name)
        with unbroken():
            events = self.journal.append_all(
                NewEvent(stream, type_, data, self.correlation, self._cause) for data in each
            )
            # Before a signal that came meanwhile is raised: what is recorded is known to be.
            self._cause = events[-1].id if events else self._cause
        for data in each:
            log().info(f"{self.kind}.{name}", **data)

    @property
    def begun(self) -> bool:
        """Whether the stream is there: without its first event it can have no last one."""
        return self._cause is not None

    def finish(self, name: str, **data: Any) -> None:
        """Append the stream's one terminal event.

        Raises:
            JunmaiError: the journal can't be written.
        """
        with unbroken():
            self.record(name, **data)
            self.ended = True

    def conclude(self, name: str, **data: Any) -> None:
        """End the stream after something was done that can't be undone.

        A journal that can't be written now does not make it undone, so this does not raise: the
        stream stays open, and the next run closes it with what it finds.
        """
        self.ended = True
        try:
            self.record(name, **data)
        except JunmaiError as problem:
            log().error("journal.unwritable", last=name, problem=problem.message)


@contextmanager
def operation(
    journal: Journal,
    kind: Kind,
    database: Path | str,
    *,
    start: Mapping[str, Any],
    exclusive: bool = False,
    parent: Operation | None = None,
) -> Iterator[Operation]:
    """Run the block as one recorded operation on `database`; `start` is what its first event says.

    A store's address may stand for a database, where nothing exclusive is done.

    An `exclusive` one holds the database's lease, so that no other can be at work on it. A block
    that raises ends the stream as failed; one that ends without `finish` is a bug.

    Raises:
        UsageError: a path is no valid text, which is all that the journal can hold.
        LockedError: another run holds the database.
        JunmaiError: the journal can't be written, or what the block raised.
    """
    folder = str(Path.cwd())
    _require_text([str(database), *start.values(), folder])
    run = uuid7()
    with ExitStack() as stack:
        with unbroken():
            stack.enter_context(RunLock(journal.path, run))
            stack.enter_context(
                structlog.contextvars.bound_contextvars(
                    run=run, command=kind, database=str(database)
                )
            )
            close_abandoned(journal)
            if exclusive:
                identity = register_database(journal, Path(database), run)
                take_lease(journal, identity, run)
                stack.callback(_release, journal, identity, run)
        this = Operation(journal, kind, run, parent.correlation if parent else run)
        # Paths are recorded as the person gave them; this is where they count from.
        process = {"pid": os.getpid(), "folder": folder}
        try:
            this.record(
                STARTS[kind].name, database=str(database), command=kind, process=process, **start
            )
            yield this
            assert this.ended, f"{kind} ended without its last event"  # noqa: S101
        except BaseException as error:
            if this.begun and not this.ended:
                _record_failure(this, error)
            raise
        finally:
            with unbroken():
                stack.close()


def _release(journal: Journal, identity: str, run: str) -> None:
    """Give the database back; that it can't be is no reason to fail, nor to hide why it did.

    A lease is worth as much as its run's lock: the next run takes it over.
    """
    try:
        release_lease(journal, identity, run)
    except JunmaiError as problem:
        log().error("journal.unwritable", last="lease_released", problem=problem.message)


def _require_text(values: Iterable[object]) -> None:
    for value in values:
        try:
            str(value).encode()
        except UnicodeEncodeError as error:
            raise UsageError(
                f"The name of {value} is no valid text", "Rename the file or the folder."
            ) from error


def _record_failure(this: Operation, error: BaseException) -> None:
    told = error if isinstance(error, ToldError) else None
    message = told.message if told else type(error).__name__
    try:
        this.finish(
            "failed",
            message=message,
            hint=told.hint if told else "",
            error=type(error).__name__,
            exit=exit_code(error),
        )
    except JunmaiError as second:
        # The first error is the one to report; the stream is closed by the next run.
        log().error("journal.unwritable", problem=second.message)
    log().error(f"{this.kind}.error", error=message, exc_info=None if told else error)
