"""The daemon's status and drills as plain data: the one object that `--json` prints. Pure."""

from collections.abc import Sequence
from typing import Any

from junmai_svc.service.daemon.lock import Note
from junmai_svc.service.drill import Drill, Result
from junmai_svc.service.exits import exit_code
from junmai_svc.storage.errors import IntegrityError, StorageUnavailableError

View = dict[str, Any]


def status_view(note: Note, *, running: bool) -> View:
    """How the daemon is: `running`, `failing` (it runs, and something failed last) or `stopped`."""
    failing = any(course.outcome == "failed" for course in note.courses.values())
    state = "stopped"
    if running:
        state = "failing" if failing else "running"
    return {
        "run": note.run or None,
        "status": state,
        "pid": note.pid if running else None,
        "host": note.host,
        "since": note.since or None,
        "configuration": note.configuration or None,
        "jobs": [
            {
                "job": job,
                "next": when if running else None,
                "parts": [
                    {
                        "subject": subject,
                        "outcome": course.outcome,
                        "finished": course.finished,
                        "succeeded": note.succeeded.get(subject),
                        "failures": course.failures,
                        "message": course.message,
                    }
                    for subject, course in note.courses.items()
                    if course.job == job
                ],
            }
            for job, when in note.next.items()
        ],
    }


def drill_view(done: Sequence[Drill]) -> View:
    """What drills found: the worst of them is the status."""
    worst = [r for r in (Result.FAILED, Result.INCONCLUSIVE) if r in {d.result for d in done}]
    return {
        "run": done[-1].run if done else None,
        "status": worst[0].value if worst else Result.PROVEN.value,
        "drills": [
            {
                "run": each.run,
                "snapshot": each.snapshot.name,
                "store": each.store,
                "result": each.result.value,
                "bytes": each.snapshot.manifest.file_size,
                "tables": len(each.tables),
                "rows": sum(digest.rows for digest in each.tables.values()),
                "seconds": round(each.seconds, 3),
                "message": each.problem.message if each.problem else None,
                "hint": each.problem.hint if each.problem else None,
            }
            for each in done
        ],
    }


def drill_exit(done: Sequence[Drill]) -> int:
    """Return the exit code: of the worst outcome."""
    results = {each.result for each in done}
    if Result.FAILED in results:
        return exit_code(IntegrityError(""))
    if Result.INCONCLUSIVE in results:
        return exit_code(StorageUnavailableError(""))
    return 0
