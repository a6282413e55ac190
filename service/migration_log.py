"""The replaced tool's log of one migration, in its exact structure, beside the backups.

A projection for people and scripts that know that file; the journal holds everything. As there, no
value of a row is in it: it lies in the store, which may be sealed, and stays.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from junmai_svc.checks.finding import CheckResult, Finding, Report, Verdict
from junmai_svc.storage.databases.failures import translated
from junmai_svc.storage.files import make_folder, token_of, write_durably
from junmai_svc.storage.snapshots.manifest import STAMP

FOREIGN_KEYS = "foreign_keys"


@dataclass
class MigrationLog:
    """The steps of one run as they happen; `save` writes them."""

    source_db: str
    target_db: str
    backup_path: str | None = None
    migration_log: list[dict[str, Any]] = field(default_factory=list)
    verification_results: Mapping[str, Any] = field(default_factory=dict)
    _path: Path | None = None

    def add(self, step: str, status: str, when: datetime, **details: Any) -> None:
        """Add one step with its status (`success` or `failed`) and its time."""
        stamp = when.strftime("%Y-%m-%dT%H:%M:%S")
        self.migration_log.append({"step": step, "status": status, "timestamp": stamp, **details})

    def save(self, folder: Path, when: datetime, run: str = "log") -> Path:
        """Write the log durably under a name of its own and return its path.

        Saved again, it replaces what it saved before. `run` is the run whose log it is, by which
        what a crash leaves is known.

        Raises:
            JunmaiError: it can't be written.
        """
        content = {name: value for name, value in vars(self).items() if name != "_path"}
        text = json.dumps(content, indent=2, ensure_ascii=False).encode() + b"\n"
        with translated("write the migration log into", folder):
            make_folder(folder)
            if self._path is None:
                self._path = _write_new(folder, f"migration_log_{when.strftime(STAMP)}", text, run)
            else:
                write_durably(self._path, text, token_of(run))
        return self._path


def verification_results(report: Report, rows: Mapping[str, tuple[int, int]]) -> dict[str, Any]:
    """Return a verification in the replaced tool's structure; no value of a row is in it.

    `rows` gives, by table, the source's and the target's number of rows.
    """
    checks: dict[str, Any] = {
        table: {"source_count": source, "target_count": target, "match": source == target}
        for table, (source, target) in rows.items()
    }
    orphans = [r for r in report.results if r.check == FOREIGN_KEYS]
    # Every entry has these three keys, as scripts go through all of them alike.
    checks[FOREIGN_KEYS] = {
        "source_count": sum(result.known for result in orphans),
        "target_count": sum(result.total for result in orphans),
        "match": all(result.verdict is not Verdict.FAILED for result in orphans),
    }
    errors = dict.fromkeys(line_of(each.recorded(), each) for each in failures(report.results))
    return {"success": report.passed, "checks": checks, "errors": list(errors)}


def error_lines(results: Sequence[CheckResult]) -> list[str]:
    """Return a line for each finding shown that fails the verification, with what its row holds.

    For the eyes of who called: neither the log of the migration nor any other may have it.
    """
    return [line_of(each.describe(), each) for each in failures(results)]


def failures(results: Sequence[CheckResult]) -> list[Finding]:
    """Return the findings shown that fail the verification."""
    return [
        finding
        for result in results
        if result.verdict is Verdict.FAILED
        for finding in result.findings
        if not finding.known
    ]


def line_of(told: str, finding: Finding) -> str:
    """Return what is told of a finding, with what to do."""
    return f"{told}. {finding.hint}".rstrip()


def _write_new(folder: Path, stem: str, content: bytes, run: str) -> Path:
    """Write under the first name that nobody has or is just taking."""
    again = 1
    path = folder / f"{stem}.json"
    while True:
        try:
            write_durably(path, content, token_of(run), new=True)
        except FileExistsError:
            again += 1
            path = folder / f"{stem}_{again}.json"
        else:
            return path
