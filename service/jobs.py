"""A job of the daemon: parts that are done one after the other, whatever becomes of the others.

A part is one use case on one subject, such as a backup of one database into one store. What it
raises is caught here and told as its outcome, so that one failure never stops the rest.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

import structlog

from junmai_svc.service.job_policy import Recurring, problem_of
from junmai_svc.service.logs import log
from junmai_svc.storage.errors import InterruptedRunError, JunmaiError

JobKind = Literal["backup", "prune", "drill", "check", "publish"]
Facts = Mapping[str, Any]


@dataclass(frozen=True)
class Part:
    """One use case on one subject; `act` returns what the log says of it.

    `subject` names it for people. `database` and `store` are names of the configuration.
    """

    subject: str
    act: Callable[[], Facts]
    database: str | None = None
    store: str | None = None


@dataclass(frozen=True)
class Job:
    """What is done on one schedule. `overdue_after` is how old its last success may get."""

    id: str
    kind: JobKind
    schedule: Recurring
    parts: tuple[Part, ...]
    overdue_after: timedelta | None = None


@dataclass(frozen=True)
class Outcome:
    """How a part ended: with an error, or well."""

    part: Part
    seconds: float
    error: BaseException | None = None


def run_parts(job: Job, parts: Sequence[Part]) -> list[Outcome]:
    """Do the parts in order, each logged with its duration, and return how each ended.

    Where one was interrupted the ones after it are not begun.
    """
    outcomes: list[Outcome] = []
    for part in parts:
        named = {"database": part.database, "store": part.store}
        bound = {key: value for key, value in named.items() if value is not None}
        with structlog.contextvars.bound_contextvars(job=job.id, **bound):
            outcomes.append(_run(part))
        if isinstance(outcomes[-1].error, InterruptedRunError):
            break
    return outcomes


def _run(part: Part) -> Outcome:
    begun = time.monotonic()
    try:
        facts = part.act()
    except JunmaiError as error:
        spent = time.monotonic() - begun
        log().warning("job.failed", seconds=round(spent, 3), problem=problem_of(error))
        return Outcome(part, spent, error)
    except Exception as error:  # noqa: BLE001  # a bug in one job must not stop the others
        spent = time.monotonic() - begun
        log().error("job.bug", seconds=round(spent, 3), exc_info=error)
        return Outcome(part, spent, error)
    spent = time.monotonic() - begun
    log().info("job.done", seconds=round(spent, 3), **facts)
    return Outcome(part, spent)
