"""What a migration records so that it can be run again, and running it again.

The recipe is the whole plan (an object in the store, named by its SHA-256), the clock, the seed of
chance and the versions of what did the work. From the same image it leaves the same table digests,
or something is not what it was.
"""

import platform
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from junmai_svc.checks.image import Examination
from junmai_svc.checks.rows import check as compare_rows
from junmai_svc.service.build import build_target
from junmai_svc.service.logs import log
from junmai_svc.service.pairing import pair_tables
from junmai_svc.service.plan import MigrationPlan
from junmai_svc.service.progress import Progress, Silent
from junmai_svc.service.version import __version__
from junmai_svc.storage.databases.connection import reading_image
from junmai_svc.storage.databases.digest import table_digest
from junmai_svc.storage.databases.failures import translated
from junmai_svc.storage.databases.moment import Moment, sqlite_version
from junmai_svc.storage.databases.pair import TARGET, open_pair
from junmai_svc.storage.databases.schema import Schema, read_schema
from junmai_svc.storage.errors import (
    ChecksumError,
    IntegrityError,
    InterruptedRunError,
    JunmaiError,
    NotFoundError,
)
from junmai_svc.storage.snapshots.base import SnapshotStore

SEED_BYTES = 32

Digests = Mapping[str, str]


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
        except InterruptedRunError:
            raise
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


def execute(
    recipe: Recipe,
    image: Path,
    schema: Schema,
    examination: Examination,
    into: Path,
    progress: Progress | None = None,
) -> dict[str, str]:
    """Build the target anew at `into`, a file of our own, and return the digest of each table.

    No model takes part: the recorded plan alone says what is made.

    Raises:
        MigrationFailedError: the target schema refuses a row.
        JunmaiError: the image can't be read or the target not written.
    """
    build_target(
        recipe.plan,
        schema,
        image,
        into,
        models={},
        null_tables=examination.null_tables,
        rows=examination.rows,
        progress=progress or Silent(),
        moment=recipe.moment,
    )
    return digests_of(into, recipe.plan.expected)


def digests_of(image: Path, schema: Schema) -> dict[str, str]:
    """Return the digest of each table of a database that nobody writes.

    Raises:
        JunmaiError: it can't be read.
    """
    with reading_image(image) as opened:
        return {t.name: table_digest(opened, TARGET, t).sha256 for t in schema.tables}


def differing(expected: Digests, found: Digests) -> list[str]:
    """Return the tables whose digests are not the same, in the order of what was expected."""
    names = dict.fromkeys([*expected, *found])
    return [name for name in names if expected.get(name) != found.get(name)]


def first_key(expected: Path, found: Path, table: str) -> str:
    """Return the key of the first row that is not the same in two databases, "" if none is named.

    Neither may be written by anybody.

    Raises:
        JunmaiError: one of them can't be read.
    """
    with open_pair(found, expected, target_mode="ro") as pair, translated("read", found):
        with reading_image(expected) as other:
            pairing = pair_tables(read_schema(other), read_schema(pair.connection))
        for each in pairing.pairs:
            if each.name == table:
                findings = compare_rows(pair, each, limit=1).findings
                return findings[0].key if findings else ""
    return ""


def placed(table: str, key: str) -> str:
    """Return a table and its first key as a sentence names them."""
    return f"table {table}, first at {key}" if key else f"table {table}"
