"""Run a migration again from its stored snapshot, in scratch, and compare the table digests."""

from dataclasses import dataclass, field
from pathlib import Path

from junmai_svc.checks.image import examine
from junmai_svc.service.backup import image_of
from junmai_svc.service.context import Context
from junmai_svc.service.replay.execution import differing, digests_of, execute, first_key
from junmai_svc.service.replay.recipe import Recipe, is_recorded, recorded_recipe, versions
from junmai_svc.service.replay.record import Record
from junmai_svc.service.replay.replay import (
    Found,
    Looked,
    Replayed,
    Verdict,
    copies,
    digests_in,
    look_at,
    replaying,
)
from junmai_svc.storage.databases.connection import reading_image
from junmai_svc.storage.databases.schema import read_schema
from junmai_svc.storage.errors import (
    ChecksumError,
    IntegrityError,
    MigrationFailedError,
    NotFoundError,
    UsageError,
)


def re_execute(context: Context, record: Record) -> Replayed:
    """Run a migration again from its stored snapshot, in scratch, and compare the table digests.

    Raises:
        UsageError: the run is no migration.
        JunmaiError: something that is there can't be read, or the journal not written.
    """
    if record.kind != "migration":
        raise UsageError(
            f"The run {record.run} is no migration, but a {record.kind}",
            "Look at what it stored: junmai-svc replay RUN --reverify",
        )
    with replaying(context, record, "execute") as (replayed, scratch):
        _run_again(context, replayed, scratch)
    return replayed


def _run_again(context: Context, replayed: Replayed, scratch: Path) -> None:
    record = replayed.of
    if not record.verified:
        replayed.ends(Verdict.NOT_REPRODUCIBLE, f"the run did not finish: it is {record.status}")
        return
    if not is_recorded(record.planned):
        why = "its plan, clock and seed are not recorded: an older version ran it"
        replayed.ends(Verdict.NOT_REPRODUCIBLE, why)
        return
    if record.source is None:
        replayed.ends(Verdict.INPUT_MISSING, "no snapshot was kept (--no-backup)")
        return
    try:
        recipe = recorded_recipe(context.stores, record.planned)
        expected = digests_in(context, record)
    except NotFoundError as missing:
        replayed.ends(Verdict.INPUT_MISSING, missing.message)
        return
    except ChecksumError as changed:
        replayed.ends(Verdict.DIVERGED, changed.message)
        return
    except IntegrityError as unknown:
        replayed.ends(Verdict.NOT_REPRODUCIBLE, unknown.message)
        return
    image = scratch / "image.db"
    if _fetched(context, replayed, record.source, image):
        _compare(context, replayed, recipe, expected, scratch)


def _fetched(context: Context, replayed: Replayed, name: str, image: Path) -> bool:
    """Fetch the first copy that is as recorded, else the last that is at least whole."""
    kept_aside = image.with_suffix(".other")
    for store, kept in copies(context, replayed.of, name):
        looked = look_at(context, replayed.of, store, kept, image)
        replayed.looked.append(looked)
        if looked.found is Found.SAME:
            return True
        if image.exists():
            image.replace(kept_aside)
    if kept_aside.exists():
        kept_aside.replace(image)
        return True
    others = [each for each in replayed.looked if each.found is Found.OTHER]
    verdict = Verdict.DIVERGED if others else Verdict.INPUT_MISSING
    replayed.ends(verdict, (others or replayed.looked)[0].sentence)
    return False


def _compare(
    context: Context, replayed: Replayed, recipe: Recipe, expected: dict[str, str], scratch: Path
) -> None:
    """Build the target again and compare it with the recorded digests."""
    image, again = scratch / "image.db", scratch / "again.db"
    snapshot = replayed.looked[-1]
    replayed.tables = len(expected)
    try:
        with reading_image(image) as opened:
            schema = read_schema(opened)
        with context.progress.step("Checking the snapshot", 1, "steps"):
            examination = examine(image, schema, image, full_check=True)
        found = execute(recipe, image, schema, examination, again, context.progress)
    except (MigrationFailedError, IntegrityError) as failed:
        _diverged(replayed, recipe, snapshot, f"it can't be run again: {failed.message}")
        return
    others = differing(expected, found)
    witness = _Witness(context, replayed.of.target, scratch / "target.db")
    for table in others:
        key = witness.first_key(table, expected.get(table), again)
        text = "other rows than recorded" if table in found and table in expected else "is missing"
        replayed.looked.append(Looked(f"table {table}", Found.OTHER, text, key))
    if others:
        _diverged(replayed, recipe, snapshot, f"other rows in table {others[0]}")
    elif snapshot.found is Found.OTHER:
        replayed.ends(Verdict.DIVERGED, snapshot.sentence)
    else:
        replayed.ends(Verdict.REPRODUCED, f"the same digests for all {len(expected)} tables")


def _diverged(replayed: Replayed, recipe: Recipe, snapshot: Looked, reason: str) -> None:
    """End as diverged; where the snapshot is as recorded, other versions may have made it so."""
    changed = [
        f"{name} {recipe.versions.get(name)}, here {version}"
        for name, version in versions().items()
        if name != "python" and recipe.versions.get(name) != version
    ]
    if changed and snapshot.found is Found.SAME:
        why = f"it was run with {' and '.join(changed)}; {reason}"
        replayed.ends(Verdict.NOT_REPRODUCIBLE, why)
    else:
        replayed.ends(Verdict.DIVERGED, reason)


@dataclass
class _Witness:
    """The migration's target where it is still there: it can tell which row is not the same."""

    context: Context
    target: Path | None
    image: Path
    digests: dict[str, str] = field(default_factory=dict)

    def first_key(self, table: str, expected: str | None, again: Path) -> str:
        """The first row in which a table differs from the target's, if that is as recorded."""
        if self.target is None or not self.target.is_file():
            return ""
        if not self.image.exists():
            schema = image_of(self.context, self.target, self.image)
            self.digests = digests_of(self.image, schema)
        if self.digests.get(table) != expected:
            return ""
        return first_key(self.image, again, table)
