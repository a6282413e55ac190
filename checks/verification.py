"""A target against its source: every check, in order, in one report."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from junmai_svc.checks import (
    backup_checksum,
    constraints,
    counts,
    foreign_keys,
    rows,
    schema,
    sqlite_file,
)
from junmai_svc.checks.declared import declared_checks
from junmai_svc.checks.finding import CheckResult, Report
from junmai_svc.storage.databases.mapping import TablePair
from junmai_svc.storage.databases.names import fold
from junmai_svc.storage.databases.pair import Pair
from junmai_svc.storage.databases.schema import Schema, read_schema


def verify(
    pair: Pair,
    tables: Sequence[TablePair],
    expected: Schema | None,
    *,
    backup: tuple[Path, str] | None = None,
    source_broke: Mapping[str, int] | None = None,
    full: bool = False,
    limit: int = 20,
    on_table: Callable[[str], None] | None = None,
) -> Report:
    """Run all checks and return everything that they found; nothing is written to either side.

    The target must be open for writing (`rw`), as SQLite forgets CHECK constraints otherwise.
    `expected` is the schema that the target should have, None if that is not known. `backup` is a
    backup's file and its recorded SHA-256. `source_broke` is what the source's rows were found to
    break by `sqlite_file.integrity`, None if nobody looked. `full` runs integrity_check in place of
    quick_check. `limit` bounds the findings shown of each check of each table. `on_table` gets each
    table's name when its checks are done.

    Raises:
        sqlite3.Error: one side can't be read. Where the target is found to be damaged, what
            can't be read of it ends the checks instead: the damage is in the report.
        OSError: the backup can't be read.
    """
    results: list[CheckResult] = []
    if backup is not None:
        results.append(backup_checksum.check(*backup))
    if expected is not None:
        results.append(schema.check(expected, read_schema(pair.connection)))
    by_name = {fold(table.target.name): table for table in tables}
    found = sqlite_file.integrity(
        pair.connection, full=full, check_constraints=not _equal_rows_do(tables, source_broke)
    )
    results.append(sqlite_file.check(found, limit=limit))
    try:
        for table in tables:
            results += _checked(pair, table, by_name, found, limit)
            if on_table is not None:
                on_table(table.name)
    except sqlite3.DatabaseError as error:
        if not found.damage or not sqlite_file.is_damage(error):
            raise
    return Report(tuple(results))


def _equal_rows_do(tables: Sequence[TablePair], broke: Mapping[str, int] | None) -> bool:
    """Whether rows that are equal to the source's, as `rows` proves, can break no CHECK.

    So it is where each CHECK is the source's too, and no row of the source broke any. New tables
    have no rows, as `counts` proves.
    """
    return (
        broke is not None
        and not any(line.startswith("CHECK constraint failed") for line in broke)
        and all(c.known for table in tables if table.source for c in declared_checks(table))
    )


def _checked(
    pair: Pair,
    table: TablePair,
    tables: Mapping[str, TablePair],
    found: sqlite_file.Integrity,
    limit: int,
) -> Iterator[CheckResult]:
    connection = pair.connection
    counted = counts.check(pair, table)
    yield counted
    yield rows.check(pair, table, counted=counted, limit=limit)
    yield foreign_keys.check(pair, table, tables, limit=limit)
    yield sqlite_file.check_indexes(connection, table.target)
    yield constraints.check(connection, table, found.violations, limit=limit)
