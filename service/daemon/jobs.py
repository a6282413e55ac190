"""A job of the daemon: parts that are done one after the other, whatever becomes of the others.

A part is one use case on one subject, such as a backup of one database into one store. What it
raises is caught here and told as its outcome, so that one failure never stops the rest.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

import structlog

from junmai_svc.service.daemon.job_policy import Recurring, problem_of
from junmai_svc.service.logs import log
from junmai_svc.storage.errors import InterruptedRunError, JunmaiError

JobKind = Literal["backup", "prune", "drill", "check", "publish"]
Facts = Mapping[str, Any]


@dataclass(frozen=True)
class Part:
    """One use case on one subject; `subject` names it for people.

    `act` does it and returns what the log says of it; None where the job does all parts together.
    `database` and `store` are names of the configuration.
    """

    subject: str
    act: Callable[[], Facts] | None = None
    database: str | None = None
    store: str | None = None


@dataclass(frozen=True)
class Outcome:
    """How a part ended: with an error, or well."""

    part: Part
    seconds: float
    error: BaseException | None = None
    facts: Facts = field(default_factory=dict)


@dataclass(frozen=True)
class Job:
    """What is done on one schedule. `overdue_after` is how old its last success may get.

    `together` does several parts at once, such as one backup into several stores, and returns the
    facts or the error of each, by subject; where it raises, all of them failed.
    """

    id: str
    kind: JobKind
    schedule: Recurring
    parts: tuple[Part, ...]
    overdue_after: timedelta | None = None
    together: Callable[[Sequence[Part]], Mapping[str, Facts | JunmaiError]] | None = None


def run_parts(job: Job, parts: Sequence[Part]) -> list[Outcome]:
    """Do the parts, each logged with its duration, and return how each ended.

    Where one was interrupted the ones after it are not begun.
    """
    with structlog.contextvars.bound_contextvars(job=job.id):
        if job.together is not None:
            shared = _names(*parts)
            with structlog.contextvars.bound_contextvars(**shared):
                outcomes = _all_of(job.together, parts)
            return [_logged(each) for each in outcomes]
        outcomes = []
        for part in parts:
            with structlog.contextvars.bound_contextvars(**_names(part)):
                outcomes.append(_logged(_one(part)))
            if isinstance(outcomes[-1].error, InterruptedRunError):
                break
        return outcomes


def _names(*parts: Part) -> dict[str, str]:
    """The names that all parts share, by which lines can be found.

    `database` and `store` of a line are a path and an address.
    """
    named = {
        "configured_database": {part.database for part in parts},
        "configured_store": {part.store for part in parts},
    }
    return {key: name for key, (name, *others) in named.items() if name and not others}


def _one(part: Part) -> Outcome:
    begun = time.monotonic()
    try:
        facts = part.act() if part.act is not None else {}
    except (Exception, InterruptedRunError) as error:  # noqa: BLE001
        # A bug in one part must not stop the others.
        return Outcome(part, time.monotonic() - begun, error)
    return Outcome(part, time.monotonic() - begun, None, facts)


def _all_of(
    act: Callable[[Sequence[Part]], Mapping[str, Facts | JunmaiError]], parts: Sequence[Part]
) -> list[Outcome]:
    begun = time.monotonic()
    try:
        found = act(parts)
    except (Exception, InterruptedRunError) as error:  # noqa: BLE001
        return [Outcome(part, time.monotonic() - begun, error) for part in parts]
    spent = time.monotonic() - begun
    outcomes = []
    for part in parts:
        result = found[part.subject]
        if isinstance(result, JunmaiError):
            outcomes.append(Outcome(part, spent, result))
        else:
            outcomes.append(Outcome(part, spent, None, result))
    return outcomes


def _logged(outcome: Outcome) -> Outcome:
    error, seconds = outcome.error, round(outcome.seconds, 3)
    with structlog.contextvars.bound_contextvars(**_names(outcome.part)):
        if error is None:
            log().info("job.done", seconds=seconds, **outcome.facts)
        elif isinstance(error, InterruptedRunError):
            log().info("job.interrupted", seconds=seconds)
        elif isinstance(error, JunmaiError):
            log().warning("job.failed", seconds=seconds, problem=problem_of(error))
        else:
            log().error("job.bug", seconds=seconds, exc_info=error)
    return outcome
