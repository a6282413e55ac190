"""What a migration is asked for, what it has done, and what its events say of it. Pure."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from junmai_svc.checks.finding import Report, Verdict
from junmai_svc.service.build import Copied
from junmai_svc.service.context import StoreProblem
from junmai_svc.service.plan import MigrationPlan
from junmai_svc.service.replace import Replaced
from junmai_svc.service.replay.recipe import Recipe
from junmai_svc.storage.errors import MigrationFailedError
from junmai_svc.storage.snapshots.base import Snapshot


@dataclass(frozen=True)
class MigrateRequest:
    """What to migrate and where to. Paths are as the person gave them.

    `prove` runs it a second time and compares the two before anything is published.
    """

    source: Path
    target: Path
    keep_backup: bool = True
    overwrite: bool = False
    prove: bool = False


@dataclass
class Migration:
    """What a migration did; `log_path` is the replaced tool's log of it."""

    run: str
    journal: Path
    request: MigrateRequest
    plan: MigrationPlan
    recipe: Recipe
    snapshot: Snapshot | None = None
    stored: tuple[Snapshot, ...] = ()
    failed_stores: tuple[StoreProblem, ...] = ()
    copied: list[Copied] = field(default_factory=list)
    report: Report = field(default_factory=lambda: Report(()))
    digests: dict[str, str] = field(default_factory=dict)
    replaced: Replaced | None = None
    log_path: Path | None = None


class DifferencesFoundError(MigrationFailedError):
    """The staged target is not what it should be; `report` has all that was found, row by row.

    The report is for who called, and is never recorded.
    """

    def __init__(self, message: str, hint: str, report: Report, *, shown: str) -> None:
        super().__init__(message, hint, shown=shown)
        self.report = report


def planned(plan: MigrationPlan) -> dict[str, Any]:
    """What `planned` records: every table, what is carried over, every rule."""
    return {
        "tables": [pair.name for pair in plan.tables],
        "carried": list(plan.carried),
        "rules": {
            f"{pair.name}.{column.target.name}": column.rule.sql
            for pair in plan.tables
            for column in pair.columns
            if column.rule is not None
        },
        "notes": [f"{note.subject} {note.text}" for note in plan.notes],
    }


def copied_facts(table: Copied) -> dict[str, Any]:
    """What `table_copied` records of one table."""
    spent = round(table.seconds * 1_000_000)
    return {"table": table.table, "rows": table.rows, "microseconds": spent}


def checked(report: Report) -> dict[str, Any]:
    """What `constraints_checked` records: every check with its verdict, and where findings are.

    No value of a row is in it: a finding is told by its check, table and column.
    """
    failed = [result for result in report.results if result.verdict is Verdict.FAILED]
    return {
        "checks": len(report.results),
        "failed": {r.subject: r.total for r in failed},
        "failing": len(failed),  # stays in the event, where the rest is too large for it
        "known": {r.subject: r.known for r in report.results if r.known},
        "results": [
            {
                "check": r.check,
                "table": r.table,
                "verdict": r.verdict.value,
                "total": r.total,
                "microseconds": round(r.seconds * 1_000_000),
            }
            for r in report.results
        ],
        "differences": [
            {"check": f.check, "table": f.table, "column": f.column, "message": f.message}
            for f in report.findings
        ],
    }


def outcome(result: Migration) -> dict[str, Any]:
    """What `verified` records: the target, every table with its rows and digest, every rule."""
    return {
        "target": str(result.request.target),
        "snapshot": result.snapshot.name if result.snapshot else None,
        "tables": {
            table.table: {"rows": table.rows, "digest": result.digests.get(table.table)}
            for table in result.copied
        },
        "rules": rule_counts(result.plan, result.report),
        "log": str(result.log_path),
    }


def rule_counts(plan: MigrationPlan, report: Report) -> dict[str, dict[str, Any]]:
    """Return what each rule filled in, and in how many rows, by `table.column`."""
    filled = {(r.table, name): count for r in report.results for name, count in r.counts.items()}
    return {
        f"{pair.name}.{column.target.name}": {
            "value": column.rule.sql,
            "rows": filled.get((pair.name, f"rule:{column.target.name}"), 0),
        }
        for pair in plan.tables
        for column in pair.columns
        if column.rule is not None
    }
