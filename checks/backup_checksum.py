"""A backup's bytes against the SHA-256 that was recorded when it was made."""

import time
from collections.abc import Callable
from pathlib import Path

from junmai_svc.checks.finding import CheckResult, Finding
from junmai_svc.storage.files import sha256_of

CHECK = "backup_checksum"
HINT = "Backup file may be corrupted, create a new backup"


def check(
    path: Path,
    recorded: str,
    tick: Callable[[int], None] | None = None,
    *,
    name: str | None = None,
) -> CheckResult:
    """Hash a backup and compare; `recorded` is in hex, `tick` receives the bytes of each step.

    `name` is what people call it, the file's own name where it is None.

    Raises:
        OSError: the file can't be read.
    """
    started = time.perf_counter()
    actual = sha256_of(path, tick)
    findings = []
    if actual != recorded.lower():
        findings.append(
            Finding(
                CHECK,
                key=path.name if name is None else name,
                expected=recorded,
                actual=actual,
                hint=HINT,
                message="Backup checksum mismatch",
                of_row=False,
            )
        )
    return CheckResult(
        CHECK,
        total=len(findings),
        findings=tuple(findings),
        counts={"bytes": path.stat().st_size},
        seconds=time.perf_counter() - started,
    )
