"""Results as plain data: the one object that `--json` prints. Pure.

Each has `run` and `status`; the other keys are there where they apply. A finding is
`{check, message, table, key, column, expected, actual, hint, known}`.
"""

from collections.abc import Sequence
from typing import Any

from junmai_svc.checks.finding import Report, Verdict
from junmai_svc.service.backup import Backup
from junmai_svc.service.context import StoreProblem
from junmai_svc.service.exits import exit_code
from junmai_svc.service.migration import DifferencesFoundError, Migration, rule_counts
from junmai_svc.service.plan import MigrationPlan
from junmai_svc.service.restore import Restored
from junmai_svc.service.verify import Verification
from junmai_svc.storage.errors import ToldError
from junmai_svc.storage.journal.projection import Run
from junmai_svc.storage.snapshots.base import Snapshot

View = dict[str, Any]


def error_view(error: ToldError) -> View:
    """What `--json` prints when a command fails; with the findings, where it failed for some."""
    view: View = {
        "run": None,
        "status": "failed",
        "error": {
            "type": type(error).__name__,
            "message": error.shown,
            "hint": error.hint,
            "exit": exit_code(error),
        },
    }
    if isinstance(error, DifferencesFoundError):
        view["checks"] = checks_view(error.report)
        view["findings"] = findings_view(error.report)
    return view


def problems_view(failed: Sequence[StoreProblem]) -> list[View]:
    """The stores that could not be used, and why."""
    return [
        {"store": each.store, "problem": each.problem.message, "hint": each.problem.hint}
        for each in failed
    ]


def stored_view(stored: Sequence[Snapshot]) -> list[View]:
    """The stores that a snapshot went to, and what it added to each that counts it."""
    return [
        {
            "store": each.store,
            "snapshot": each.name,
            "place": each.place,
            "layout": each.manifest.layout,
            "new_bytes": each.manifest.new_bytes,
        }
        for each in stored
    ]


def plan_view(plan: MigrationPlan) -> View:
    """A plan: what becomes of every table, and what to know."""
    return {
        "run": None,
        "status": "planned",
        "tables": [
            {
                "table": pair.name,
                "from": pair.source.name if pair.source else None,
                "carried": pair.carried,
                "columns": len(pair.columns),
                "new_columns": {
                    column.target.name: column.rule.sql
                    for column in pair.columns
                    if column.rule is not None
                },
            }
            for pair in plan.tables
        ],
        "carried": list(plan.carried),
        "notes": [{"subject": note.subject, "text": note.text} for note in plan.notes],
    }


def findings_view(report: Report) -> list[View]:
    """The findings shown, in the order of the checks."""
    return [
        {
            "check": finding.check,
            "message": finding.message,
            "table": finding.table,
            "key": finding.key,
            "column": finding.column,
            "expected": finding.expected,
            "actual": finding.actual,
            "hint": finding.hint,
            "known": finding.known,
        }
        for finding in report.findings
    ]


def checks_view(report: Report) -> list[View]:
    """Every check with its verdict and its exact totals."""
    return [
        {
            "check": result.check,
            "table": result.table,
            "verdict": result.verdict.value,
            "total": result.total,
            "known": result.known,
            "counts": result.counts,
            "seconds": round(result.seconds, 3),
        }
        for result in report.results
    ]


def verdicts_of(report: Report) -> dict[str, Verdict]:
    """The worst verdict of any check of each table."""
    worst: dict[str, Verdict] = {}
    severity = (Verdict.OK, Verdict.KNOWN, Verdict.FAILED)
    for result in report.results:
        before = worst.get(result.table, Verdict.OK)
        worst[result.table] = max(before, result.verdict, key=severity.index)
    return worst


def migration_view(result: Migration) -> View:
    """A finished migration."""
    verdicts = verdicts_of(result.report)
    return {
        "run": result.run,
        "status": "verified",
        "source": str(result.request.source),
        "target": str(result.request.target),
        "snapshot": result.snapshot.name if result.snapshot else None,
        "backup_path": result.snapshot.place if result.snapshot else None,
        "stores": stored_view(result.stored),
        "failed_stores": problems_view(result.failed_stores),
        "tables": [
            {
                "table": table.table,
                "rows": table.rows,
                "seconds": round(table.seconds, 3),
                "verdict": verdicts[table.table].value,
                "digest": result.digests.get(table.table),
                "carried": table.carried,
            }
            for table in result.copied
        ],
        "rules": rule_counts(result.plan, result.report),
        "carried": list(result.plan.carried),
        "notes": [{"subject": n.subject, "text": n.text} for n in result.plan.notes],
        "checks": checks_view(result.report),
        "findings": findings_view(result.report),
        "replaced": result.replaced.snapshot if result.replaced else None,
        "log": str(result.log_path),
        "journal": str(result.journal),
    }


def backup_view(result: Backup) -> View:
    """A stored snapshot."""
    manifest = result.snapshot.manifest
    return {
        "run": result.run,
        "status": "stored",
        "snapshot": result.snapshot.name,
        "backup_path": result.snapshot.place,
        "stores": stored_view(result.stored),
        "failed_stores": problems_view(result.failed),
        "checksum": manifest.checksum,
        "file_size": manifest.file_size,
        "check": result.examination.method if result.examination else "unchanged",
        "violations": dict(result.examination.violations)
        if result.examination
        else _recorded(result.snapshot),
    }


def restored_view(result: Restored) -> View:
    """A finished restore."""
    return {
        "run": result.run,
        "status": "restored",
        "snapshot": result.snapshot.name,
        "target": str(result.target),
        "checksum": result.snapshot.manifest.checksum,
        "pre_restore_snapshot": result.replaced.snapshot,
        "store": result.snapshot.store,
        "damaged_copies": problems_view(result.passed_over),
        "failed_stores": problems_view(result.down),
        "set_aside": list(result.replaced.set_aside),
        "violations": _recorded(result.snapshot) or dict(result.examination.violations),
    }


def _recorded(snapshot: Snapshot) -> dict[str, int]:
    """What the rows of a snapshot broke when it was stored."""
    check = snapshot.manifest.check
    return dict(check.violations) if check else {}


def verification_view(result: Verification) -> View:
    """A verification, passed or not."""
    verdicts = verdicts_of(result.report)
    return {
        "run": result.run,
        "status": "passed" if result.report.passed else "findings",
        "subject": result.subject,
        "tables": [
            {
                "table": table,
                "source_rows": source,
                "target_rows": target,
                "verdict": verdicts[table].value,
            }
            for table, (source, target) in result.rows.items()
        ],
        "checks": checks_view(result.report),
        "findings": findings_view(result.report),
    }


def hold_view(name: str, *, held: bool, is_gone: bool = False) -> View:
    """A snapshot that is held now, or not any more; whether it is gone itself."""
    status = "held" if held else "released"
    return {"run": None, "status": status, "snapshot": name, "gone": is_gone}


def run_view(run: Run) -> View:
    """One run as the journal tells it."""
    return {
        "run": run.id,
        "kind": run.kind,
        "status": run.status,
        "database": run.database,
        "target": run.target,
        "snapshot": run.snapshot,
        "started": run.started.isoformat() if run.started else None,
        "ended": run.ended.isoformat() if run.ended else None,
        "actor": run.actor,
        "message": run.message,
    }
