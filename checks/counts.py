"""As many records in the target as in the source."""

import time

from junmai_svc.checks.cells import SOURCE_ALIAS, TARGET_ALIAS
from junmai_svc.checks.differences import HINT
from junmai_svc.checks.finding import CheckResult, Finding
from junmai_svc.checks.queries import count, rows_of
from junmai_svc.storage.databases.mapping import TablePair
from junmai_svc.storage.databases.pair import SOURCE, TARGET, Pair

CHECK = "counts"


def check(pair: Pair, table: TablePair) -> CheckResult:
    """Count one table on both sides; a new table has none in the source, so should be empty.

    Counted from the tables themselves, as an index may have lost entries. `counts` has `source`
    and `target`.

    Raises:
        sqlite3.Error: one of the tables can't be read.
    """
    started = time.perf_counter()
    source = table.source
    before = count(pair.connection, rows_of(SOURCE, source.name, SOURCE_ALIAS)) if source else 0
    after = count(pair.connection, rows_of(TARGET, table.target.name, TARGET_ALIAS))
    findings = []
    if before != after:
        findings.append(
            Finding(
                CHECK,
                table.name,
                expected=f"{before} rows",
                actual=f"{after} rows",
                hint=HINT,
                message="Record count mismatch",
                of_row=False,
            )
        )
    return CheckResult(
        CHECK,
        table.name,
        total=len(findings),
        findings=tuple(findings),
        counts={"source": before, "target": after},
        seconds=time.perf_counter() - started,
    )
