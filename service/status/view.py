"""The status as plain data, for `/status.json`. Pure.

Ages are in seconds, sizes in bytes, times in UTC.
"""

from datetime import datetime, timedelta
from typing import Any

from junmai_svc.service.status.coverage import Coverage, Point
from junmai_svc.service.status.fold import Status
from junmai_svc.service.status.observation import Job
from junmai_svc.service.views import run_view

View = dict[str, Any]


def status_view(status: Status) -> View:
    """All that the page says, but for the course of the snapshots."""
    return {
        "status": "ok" if status.healthy else "wrong",
        "state": status.state.value,
        "now": _time(status.now),
        "started": _time(status.started),
        "version": status.version,
        "attention": [
            {
                "level": each.level.value,
                "text": each.text,
                "hint": each.hint,
                "database": each.database,
                "store": each.store,
                "run": each.run,
            }
            for each in status.attention
        ],
        "databases": [
            {
                "database": database.name,
                "path": database.path,
                "state": database.state.value,
                "stores": [_coverage(each, status) for each in database.stores],
            }
            for database in status.databases
        ],
        "stores": [
            {
                "store": each.store,
                "looked": _time(each.looked),
                "snapshots": len(each.snapshots),
                "unreadable": list(each.unreadable),
                "problem": each.problem,
            }
            for each in status.listings
        ],
        "jobs": [_job(each) for each in status.jobs],
        "journal": {
            "size": status.journal.size,
            "events": status.journal.events,
            "unpublished": status.journal.unpublished,
            "published": _time(status.journal.published),
            "problem": status.journal.problem,
        },
        "migrations": [run_view(run) for run in status.migrations],
        "runs": [run_view(run) for run in status.runs],
    }


def _coverage(coverage: Coverage, status: Status) -> View:
    return {
        "store": coverage.store,
        "state": coverage.state.value,
        "reasons": [each.text for each in status.about(coverage.database, coverage.store)],
        "last_good": _point(coverage.last_good),
        "last_good_age": _seconds(coverage.age(status.now)),
        "last_proven": _point(coverage.last_proven),
        "last_proven_age": _seconds(coverage.proven_age(status.now)),
        "snapshots": len(coverage.history),
        "size": coverage.size,
        "due": _time(coverage.due),
        "overdue": _time(coverage.overdue),
    }


def _point(point: Point | None) -> View | None:
    if point is None:
        return None
    proof = point.proof
    return {
        "snapshot": point.snapshot.name,
        "taken": _time(point.snapshot.taken),
        "reason": point.snapshot.reason.value,
        "file_size": point.snapshot.size,
        "new_bytes": point.snapshot.new_bytes,
        "proof": proof.outcome.value if proof else None,
        "proven_at": _time(proof.when) if proof else None,
    }


def _job(job: Job) -> View:
    return {
        "job": job.name,
        "database": job.database,
        "store": job.store,
        "outcome": job.outcome.value if job.outcome else None,
        "finished": _time(job.finished),
        "seconds": job.seconds,
        "message": job.message,
        "failures": job.failures,
        "succeeded": _time(job.succeeded),
        "next": _time(job.next_run),
        "counts": {outcome.value: count for outcome, count in job.counts.items()},
    }


def _time(when: datetime | None) -> str | None:
    return when.isoformat() if when else None


def _seconds(span: timedelta | None) -> float | None:
    return span.total_seconds() if span is not None else None
