"""Fill the staged target as the plan says: tables, rows, then everything that hangs on them."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from junmai_svc.service.plan import MigrationPlan
from junmai_svc.service.progress import Progress
from junmai_svc.storage import interruption
from junmai_svc.storage.databases import copying
from junmai_svc.storage.databases.mapping import TablePair
from junmai_svc.storage.databases.moment import Moment, depends, freeze
from junmai_svc.storage.databases.pair import Pair
from junmai_svc.storage.databases.schema import Schema

# SQLite spends about this many instructions on a row, beside two for each of its columns.
INSTRUCTIONS_PER_ROW = 12
INSTRUCTIONS_PER_COLUMN = 2


@dataclass(frozen=True)
class Copied:
    """One table that is now in the target."""

    table: str
    rows: int
    seconds: float
    carried: bool


def build_target(
    plan: MigrationPlan,
    source: Schema,
    image: Path,
    staged: Path,
    *,
    models: copying.Models,
    null_tables: frozenset[str],
    rows: Mapping[str, int],
    progress: Progress,
    moment: Moment,
) -> list[Copied]:
    """Make the target at `staged` from a snapshot's image; committed and on disk on return.

    `null_tables` are those whose rows already break NOT NULL: they are carried over as they are.
    `rows` gives the number of rows to come of each source table, for the progress shown. Rules that
    ask for the time or for chance get those of `moment`.

    Raises:
        MigrationFailedError: the target schema refuses a row.
        JunmaiError: the target can't be written or the image not read.
    """
    with copying.new_target(staged, image, plan.expected.settings) as pair:
        freeze_for(plan, pair, moment)
        relaxed = [t.target for t in plan.tables if t.source and t.source.name in null_tables]
        for table in plan.tables:
            copying.create_table(pair, table.target, allow_null=table.target in relaxed)
        done = [_copy(pair, table, models, rows, progress) for table in plan.tables]
        copying.copy_internal_tables(pair, source.internal_tables)
        if relaxed:
            copying.restore_sql(pair, relaxed)
        with progress.step("Building indexes", max(1, len(plan.indexes)), "steps") as tick:
            for index in plan.indexes:
                copying.create(pair, index.sql or "")
                if tick is not None:
                    tick(1)
        copying.create_virtual_tables(pair, plan.virtual_tables)
        for definition in (*plan.views, *plan.triggers):
            copying.create(pair, definition.sql)
        return done


def freeze_for(plan: MigrationPlan, pair: Pair, moment: Moment) -> None:
    """Let a pair's clock and chance be those of a moment, if a rule of the plan asks for either.

    Nothing else that is evaluated while a target is built or checked can: SQLite itself refuses in
    an index or a generated column what is not the same each time.

    Raises:
        sqlite3.Error: SQLite refuses.
    """
    rules = [column.rule.sql for table in plan.tables for column in table.columns if column.rule]
    if any(depends(sql) for sql in rules):
        freeze(pair.connection, moment)


def _copy(
    pair: Pair,
    table: TablePair,
    models: copying.Models,
    rows: Mapping[str, int],
    progress: Progress,
) -> Copied:
    begun = time.monotonic()
    expected = rows.get(table.source.name, 0) if table.source else 0
    each = INSTRUCTIONS_PER_ROW + INSTRUCTIONS_PER_COLUMN * len(table.columns)
    with progress.step(f"Copying {table.name}", expected, "rows") as tick:
        if tick is not None:
            interruption.watch(pair.connection, tick=lambda spent: tick(spent // each))
        copied = copying.copy_rows(pair, table, models)
        interruption.watch(pair.connection)
    return Copied(table.name, copied, time.monotonic() - begun, table.carried)
