"""One step of a migration alone, in a process of its own, as the program itself does it.

`python -m tests.bench.steps copy SOURCE TARGET` or `... verify SOURCE TARGET`.
"""

import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from junmai_svc.checks import counts, rows
from junmai_svc.service.build import build_target
from junmai_svc.service.plan import MigrationPlan, plan_migration
from junmai_svc.service.progress import Silent
from junmai_svc.storage.databases.connection import reading_image
from junmai_svc.storage.databases.moment import Moment
from junmai_svc.storage.databases.pair import open_pair
from junmai_svc.storage.databases.schema import Schema, read_schema
from junmai_svc.storage.models.junmai import definitions, target_schema


def copy(source: Path, target: Path) -> None:
    """Tables, rows and indexes, from an image to a new file."""
    schema = _schema_of(source)
    build_target(
        _plan(schema),
        schema,
        source,
        target,
        models={name: definition.model for name, definition in definitions().items()},
        null_tables=frozenset(),
        rows={},
        progress=Silent(),
        moment=Moment(datetime.now(UTC), "00"),
    )


def verify(source: Path, target: Path) -> None:
    """The exact comparison of every row and column, and the counts.

    Raises:
        RuntimeError: a difference was found, so this measured something else.
    """
    with open_pair(target, source, target_mode="rw") as pair:
        for table in _plan(_schema_of(source)).tables:
            for result in (counts.check(pair, table), rows.check(pair, table)):
                if result.total:
                    raise RuntimeError(f"{result.check} of {table.name}: {result.total} found")


def _schema_of(source: Path) -> Schema:
    with reading_image(source) as image:
        return read_schema(image)


def _plan(schema: Schema) -> MigrationPlan:
    defaults = {name: definition.defaults for name, definition in definitions().items()}
    return plan_migration(schema, target_schema(), defaults)


STEPS: Mapping[str, Callable[[Path, Path], None]] = {"copy": copy, "verify": verify}

if __name__ == "__main__":
    STEPS[sys.argv[1]](Path(sys.argv[2]), Path(sys.argv[3]))
