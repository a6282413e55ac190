"""Compare two databases, or prove one snapshot, at any later time. Changes neither.

Both sides are read through consistent images, so that neither may change while it is looked at.
"""

from dataclasses import dataclass
from pathlib import Path

from junmai_svc.checks import backup_checksum
from junmai_svc.checks.finding import CheckResult, Finding, Report
from junmai_svc.checks.image import examine
from junmai_svc.checks.verification import verify as run_checks
from junmai_svc.service.backup import image_of
from junmai_svc.service.context import Context
from junmai_svc.service.operation import Operation, operation
from junmai_svc.service.pairing import Pairing, pair_tables
from junmai_svc.service.recorded import require_recorded
from junmai_svc.service.restore import Found
from junmai_svc.service.scratch import room_for, scratch, scratch_name
from junmai_svc.storage.databases.connection import reading_image, require_database
from junmai_svc.storage.databases.failures import translated
from junmai_svc.storage.databases.pair import open_pair
from junmai_svc.storage.databases.schema import Schema, read_schema
from junmai_svc.storage.errors import IntegrityError, UsageError


@dataclass(frozen=True)
class Verification:
    """What a verification looked at and found; `rows` counts source and target by table."""

    run: str
    subject: str
    report: Report
    rows: dict[str, tuple[int, int]]


def verify_databases(context: Context, source: Path, target: Path) -> Verification:
    """Compare every row and column of `source` with `target`; both may be the same file.

    Raises:
        NotFoundError, LockedError, AccessDeniedError, IntegrityError: one of them can't be read.
    """
    require_database(source)
    require_database(target, "Target database")
    room = scratch_name()
    start = {"source": str(source), "target": str(target), "room": str(room)}
    with (
        operation(context.journal, "verification", source, start=start) as this,
        scratch(room) as folder,
    ):
        before, after = folder / "source.db", folder / "target.db"
        schemas = image_of(context, source, before), image_of(context, target, after)
        _require_one_encoding(source, target, *schemas)
        pairing = pair_tables(*schemas)
        steps = max(1, len(pairing.pairs))
        with (
            context.progress.step("Verifying", steps, "steps") as tick,
            open_pair(after, before, target_mode="rw") as pair,
            translated("verify", target),
        ):
            report = run_checks(
                pair, pairing.pairs, None, on_table=lambda _: tick(1) if tick else None
            )
        report = Report((*pairing.results, *report.results))
        _finish(this, report)
        return Verification(this.id, f"{source} -> {target}", report, _rows(report, pairing))


def _require_one_encoding(source: Path, target: Path, one: Schema, other: Schema) -> None:
    """SQLite attaches only databases of one text encoding.

    Raises:
        UsageError: they have two.
    """
    encodings = one.settings.encoding, other.settings.encoding
    if encodings[0] != encodings[1]:
        raise UsageError(
            f"Can't compare {source} ({encodings[0]}) with {target} ({encodings[1]}):"
            " their texts are stored in different encodings",
            "A migration keeps the encoding; compare with a target that it made.",
        )


def verify_snapshot(context: Context, found: Found) -> Verification:
    """Prove that a stored snapshot is what its manifest says and that SQLite finds it sound.

    Raises:
        AccessDeniedError, NoSpaceError, StorageUnavailableError: it can't be read.
    """
    snapshot = found.snapshot
    room = scratch_name()
    start = {"snapshot": snapshot.name, "source": snapshot.place, "store": snapshot.store}
    start["room"] = str(room)
    with (
        operation(context.journal, "verification", Path(snapshot.place), start=start) as this,
        scratch(room) as folder,
    ):
        copy = folder / "image.db"
        results = [_read_back(context, found, copy)]
        if not results[0].total:
            results.append(_soundness(copy, Path(snapshot.place)))
        report = Report(tuple(results))
        _finish(this, report)
        return Verification(this.id, snapshot.name, report, {})


def _read_back(context: Context, found: Found, copy: Path) -> CheckResult:
    """Read a snapshot into a file and compare it with its manifest; damage is a finding here."""
    manifest = found.snapshot.manifest
    with (
        room_for(copy),
        translated("read", found.snapshot.place),
        context.progress.step("Reading the snapshot", manifest.file_size, "bytes") as tick,
    ):
        try:
            require_recorded(context.journal, found.store, found.snapshot)
            found.store.fetch(found.snapshot, copy, tick)
        except IntegrityError as error:
            if not copy.exists():
                finding = Finding(
                    backup_checksum.CHECK,
                    key=found.snapshot.name,
                    expected=manifest.checksum,
                    actual=error.shown,
                    hint=error.hint,
                )
                return CheckResult(backup_checksum.CHECK, total=1, findings=(finding,))
        return backup_checksum.check(copy, manifest.checksum, name=found.snapshot.name)


def _soundness(image: Path, of: Path) -> CheckResult:
    """SQLite's full check of an image; damage is a finding here."""
    try:
        with reading_image(image) as opened:
            schema = read_schema(opened)
        examine(image, schema, of, full_check=True)
    except IntegrityError as error:
        finding = Finding("integrity_check", expected="ok", actual=error.shown, hint=error.hint)
        return CheckResult("integrity_check", total=1, findings=(finding,))
    return CheckResult("integrity_check")


def _finish(this: Operation, report: Report) -> None:
    if report.passed:
        this.finish("completed", checks=len(report.results))
    else:
        failed = {r.subject: r.total for r in report.results if r.total}
        this.finish("mismatch_found", findings=failed)


def _rows(report: Report, pairing: Pairing) -> dict[str, tuple[int, int]]:
    counted = {result.table: result.counts for result in report.results if result.check == "counts"}
    return {
        pair.name: (counted[pair.name].get("source", 0), counted[pair.name].get("target", 0))
        for pair in pairing.pairs
        if pair.name in counted
    }
