"""What a migration records so that it can be run again: its recipe.

That is the whole plan (an object in the store, named by its SHA-256), the clock, the seed of chance
and the versions of what did the work. With the image it decides every table digest.
"""

import platform
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from junmai_svc.service.logs import log
from junmai_svc.service.plan import MigrationPlan
from junmai_svc.service.version import __version__
from junmai_svc.storage.databases.failures import translated
from junmai_svc.storage.databases.moment import Moment, sqlite_version
from junmai_svc.storage.errors import (
    ChecksumError,
    IntegrityError,
    JunmaiError,
    NotFoundError,
)
from junmai_svc.storage.snapshots.base import SnapshotStore

SEED_BYTES = 32


@dataclass(frozen=True)
class Recipe:
    """All that decides what a migration makes of an image."""

    plan: MigrationPlan
    moment: Moment
    versions: Mapping[str, str]


class _Recorded(msgspec.Struct):
    """The recipe in `planned`; `plan` is the SHA-256 of the plan, which the store holds."""

    plan: str
    clock: datetime
    seed: str
    versions: dict[str, str]


def versions() -> dict[str, str]:
    """The versions of what does the work here."""
    return {
        "tool": __version__,
        "sqlite": sqlite_version(),
        "python": platform.python_version(),
    }


def new_recipe(plan: MigrationPlan, clock: datetime) -> Recipe:
    """Return the recipe of a migration that begins now, with a new seed."""
    # To the millisecond, as that is what SQLite's clock has.
    clock = clock.replace(microsecond=clock.microsecond // 1000 * 1000)
    return Recipe(plan, Moment(clock, secrets.token_hex(SEED_BYTES)), versions())


def recorded(stores: Sequence[SnapshotStore], recipe: Recipe) -> dict[str, Any]:
    """Return what `planned` records of a recipe; its plan is durable in a store on return.

    It is kept in each store that can take it, beside the snapshot that it is the plan for.

    Raises:
        JunmaiError: no store can be written.
    """
    content = msgspec.json.encode(recipe.plan)
    digest = ""
    problems: list[JunmaiError] = []
    for store in stores:
        try:
            with translated("write into", store.url):
                digest = store.put_details(content)
        except JunmaiError as problem:
            problems.append(problem)
            log().warning("plan.not_kept", store=store.url, problem=problem.message)
    if not digest:
        raise problems[0]
    return {
        "plan": digest,
        "clock": recipe.moment.clock.isoformat(timespec="milliseconds"),
        "seed": recipe.moment.seed,
        "versions": dict(recipe.versions),
    }


def details_of(stores: Sequence[SnapshotStore], digest: str) -> bytes:
    """Return what was too large for an event, from the first store that has it as it was.

    Raises:
        NotFoundError: no store has it.
        ChecksumError: one has it, but not as it was.
        JunmaiError: a store can't be read.
    """
    problem: IntegrityError | NotFoundError | None = None
    for store in stores:
        try:
            with translated("read from", store.url):
                return store.get_details(digest)
        except ChecksumError as changed:
            problem = changed
        except NotFoundError as missing:
            problem = problem or missing
    assert problem is not None, "there is at least one store"  # noqa: S101
    raise problem


def is_recorded(data: Mapping[str, Any]) -> bool:
    """Tell whether a `planned` event tells a recipe; those of the first versions do not."""
    return "plan" in data


def recorded_recipe(stores: Sequence[SnapshotStore], data: Mapping[str, Any]) -> Recipe:
    """Return the recipe that `planned` recorded.

    Raises:
        NotFoundError: its plan is in no store any more.
        ChecksumError: its plan is not what was stored.
        IntegrityError: what is recorded or stored is no recipe of this version.
        JunmaiError: the store can't be read.
    """
    try:
        told = msgspec.convert(data, _Recorded)
        plan = msgspec.json.decode(details_of(stores, told.plan), type=MigrationPlan)
        bytes.fromhex(told.seed)
    except (msgspec.MsgspecError, ValueError) as error:
        raise IntegrityError(
            f"The recorded plan is not of a form that this version knows: {error}",
            "Use the version of junmai-svc that recorded it.",
        ) from error
    return Recipe(plan, Moment(told.clock, told.seed), told.versions)
