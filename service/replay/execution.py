"""Run a recorded migration again, and find where two databases differ.

From the same image the same recipe leaves the same table digests, or something is not what it was.
"""

from collections.abc import Mapping
from pathlib import Path

from junmai_svc.checks.image import Examination
from junmai_svc.checks.rows import check as compare_rows
from junmai_svc.service.build import build_target
from junmai_svc.service.pairing import pair_tables
from junmai_svc.service.progress import Progress, Silent
from junmai_svc.service.replay.recipe import Recipe
from junmai_svc.storage.databases.connection import reading_image
from junmai_svc.storage.databases.digest import table_digest
from junmai_svc.storage.databases.failures import translated
from junmai_svc.storage.databases.pair import TARGET, open_pair
from junmai_svc.storage.databases.schema import Schema, read_schema

Digests = Mapping[str, str]


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
