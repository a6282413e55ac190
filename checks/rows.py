"""Every row and column of a table against the source's: exact, counted in full, named in part.

In the good case one pass over both tables proves it: each target row has its source row with the
same cells, and there are as many of one as of the other. Only what differs is looked at again.
"""

import time

from junmai_svc.checks import cells, matched_rows, unmatched_rows
from junmai_svc.checks import counts as record_counts
from junmai_svc.checks.differences import CHECK, Differences
from junmai_svc.checks.finding import CheckResult
from junmai_svc.checks.matching import match_rows
from junmai_svc.storage.databases.mapping import TablePair
from junmai_svc.storage.databases.pair import Pair
from junmai_svc.storage.databases.schema import Table


def check(
    pair: Pair, table: TablePair, *, counted: CheckResult | None = None, limit: int = 20
) -> CheckResult:
    """Compare all rows of one table with the source's, cell by cell.

    Cells of new columns must hold exactly what their rule leaves there. The total counts differing
    cells, rows that are missing and rows that are too many. `counts` has `rows` (of the target),
    `columns` (compared), `rule:<column>` (rows that the rule filled), `differs:<column>`, and
    `unknown:<column>` for columns of unknown origin, about which nothing can be said. `counted` is
    the result of `counts` for the table, which else runs here.

    Raises:
        sqlite3.Error: one of the tables can't be read.
    """
    started = time.perf_counter()
    sizes = (counted or record_counts.check(pair, table)).counts
    ours, theirs = sizes["target"], sizes["source"]
    counts = {"rows": ours, "columns": 0}
    found = Differences()
    if table.source is not None:
        for column in table.columns:
            if column.source is not None or column.rule is not None:
                counts["columns"] += 1
            if column.source is None:
                kind = "rule" if column.rule is not None else "unknown"
                counts[f"{kind}:{column.target.name}"] = ours
        if ours or theirs:
            found = _compare(pair, table, table.source, (ours, theirs), limit)
    counts |= {f"differs:{name}": number for name, number in found.by_column.items()}
    return CheckResult(
        CHECK,
        table.name,
        total=found.total,
        findings=found.findings,
        counts=counts,
        seconds=time.perf_counter() - started,
    )


def _compare(
    pair: Pair, table: TablePair, source: Table, sizes: tuple[int, int], limit: int
) -> Differences:
    cells.register(pair.connection)
    copied = cells.copied_cells(table, source)
    filled = cells.filled_cells(pair.connection, table)
    match = match_rows(table, source)
    if match is not None:
        both = [*copied, *filled]
        found = matched_rows.compare(pair, table, source, match, both, sizes, limit)
        if found is not None:
            return found
    return unmatched_rows.compare(pair, table, source, copied, filled, limit)
