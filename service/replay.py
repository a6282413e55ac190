"""Look again at what a run left (reverify), or do it again (execute), and record what came of it.

What is stored is compared with what the journal recorded; nothing that is looked at is changed.
All work is done on copies in a scratch folder, gone at the end.
"""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from junmai_svc.checks.image import examine
from junmai_svc.service.backup import image_of
from junmai_svc.service.context import Context
from junmai_svc.service.details import fitting
from junmai_svc.service.execution import (
    Recipe,
    differing,
    digests_of,
    execute,
    first_key,
    is_recorded,
    recorded_recipe,
    versions,
)
from junmai_svc.service.history import find_run
from junmai_svc.service.operation import operation
from junmai_svc.service.record import Kept, Record, record_of
from junmai_svc.storage.databases.connection import reading_image
from junmai_svc.storage.databases.failures import translated
from junmai_svc.storage.databases.schema import read_schema
from junmai_svc.storage.errors import (
    ChecksumError,
    IntegrityError,
    MigrationFailedError,
    NotFoundError,
    UsageError,
)
from junmai_svc.storage.files import copy_hashing
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.journal.projection import fold_runs


class Verdict(StrEnum):
    """What a replay ends with; the names of the events that end its stream."""

    CONFIRMED = "confirmed"
    REPRODUCED = "reproduced"
    DIVERGED = "diverged"
    NOT_REPRODUCIBLE = "not_reproducible"
    INPUT_MISSING = "input_missing"

    @property
    def passed(self) -> bool:
        """True where everything is as it was recorded."""
        return self in {Verdict.CONFIRMED, Verdict.REPRODUCED}


class Found(StrEnum):
    """What one thing that was looked at is; GONE is none of the replay's business."""

    SAME = "as recorded"
    OTHER = "differs"
    MISSING = "missing"
    GONE = "not there any more"


@dataclass(frozen=True)
class Looked:
    """One thing that was looked at. `key` names a row; it is shown and never recorded."""

    subject: str
    found: Found
    text: str = ""
    key: str = ""


@dataclass
class Replayed:
    """A replay and all that it looked at; `reason` says in a sentence why it ended as it did."""

    run: str
    of: Record
    mode: str
    verdict: Verdict = Verdict.CONFIRMED
    reason: str = ""
    looked: list[Looked] = field(default_factory=list)
    tables: int = 0

    def ends(self, verdict: Verdict, reason: str) -> None:
        """Settle the verdict and why."""
        self.verdict, self.reason = verdict, reason


def record_in(journal: Journal, reference: str) -> Record:
    """Return what a journal tells of a run, which is named by as much of its id as it needs.

    Raises:
        NotFoundError: no run has that id.
        UsageError: several runs fit.
        JunmaiError: the journal can't be read.
    """
    run = find_run(fold_runs(journal.read()), reference, journal.path)
    return record_of(run, journal.read())


def reverify(context: Context, record: Record) -> Replayed:
    """Compare the snapshots of a run, and the target of a migration, with what was recorded.

    Raises:
        UsageError: the run left nothing that could be looked at.
        JunmaiError: something that is there can't be read, or the journal not written.
    """
    target = record.start.get("target") if record.verified else None
    if not record.kept and target is None:
        raise UsageError(
            f"The run {record.run} ({record.kind}, {record.status}) stored nothing to look at",
            "Name a run that took or restored a snapshot, or that migrated; see `history`.",
        )
    with _recorded(context, record, "reverify") as (replayed, scratch):
        for kept in record.kept.values():
            looked = _look_at(context, record, kept, scratch / "image.db")
            replayed.looked.append(looked)
        if isinstance(target, str):
            replayed.looked += _target(context, record, record.placed(target), scratch)
        _judge(replayed)
        return replayed


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
    with _recorded(context, record, "execute") as (replayed, scratch):
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
    if record.migrated_from is None:
        replayed.ends(Verdict.INPUT_MISSING, "no snapshot was kept (--no-backup)")
        return
    try:
        recipe = recorded_recipe(context.store, record.planned)
        expected = _digests(context, record)
    except NotFoundError as missing:
        replayed.ends(Verdict.INPUT_MISSING, missing.message)
        return
    except IntegrityError as damaged:
        what = isinstance(damaged, ChecksumError)
        verdict = Verdict.DIVERGED if what else Verdict.NOT_REPRODUCIBLE
        replayed.ends(verdict, damaged.message)
        return
    image = scratch / "image.db"
    looked = _look_at(context, record, record.migrated_from, image)
    replayed.looked.append(looked)
    if not image.exists():
        verdict = Verdict.INPUT_MISSING if looked.found is Found.MISSING else Verdict.DIVERGED
        replayed.ends(verdict, f"{looked.subject}: {looked.text}")
        return
    _compare(context, replayed, recipe, expected, scratch)


def _compare(
    context: Context, replayed: Replayed, recipe: Recipe, expected: dict[str, str], scratch: Path
) -> None:
    """Build the target again and compare it with the recorded digests."""
    image, again = scratch / "image.db", scratch / "again.db"
    replayed.tables = len(expected)
    try:
        with reading_image(image) as opened:
            schema = read_schema(opened)
        with context.progress.step("Checking the snapshot", 1, "steps"):
            examination = examine(image, schema, image, full_check=True)
        found = execute(recipe, image, schema, examination, again, context.progress)
    except (MigrationFailedError, IntegrityError) as failed:
        _diverged(replayed, recipe, f"it can't be run again: {failed.message}")
        return
    others = differing(expected, found)
    for table in others:
        key = _first_key(context, replayed.of, expected, again, table, scratch)
        text = "other rows than recorded" if table in found and table in expected else "is missing"
        replayed.looked.append(Looked(f"table {table}", Found.OTHER, text, key))
    if others:
        _diverged(replayed, recipe, f"other rows in table {others[0]}")
    elif replayed.looked[0].found is Found.OTHER:
        snapshot = replayed.looked[0]
        replayed.ends(Verdict.DIVERGED, f"{snapshot.subject}: {snapshot.text}")
    else:
        replayed.ends(Verdict.REPRODUCED, f"the same digests for all {len(expected)} tables")


def _diverged(replayed: Replayed, recipe: Recipe, reason: str) -> None:
    """End as diverged; where the snapshot is as recorded, other versions may have made it so."""
    changed = [
        f"{name} {recipe.versions.get(name)}, here {version}"
        for name, version in versions().items()
        if name != "python" and recipe.versions.get(name) != version
    ]
    if changed and all(each.found is not Found.OTHER for each in replayed.looked[:1]):
        why = f"it was run with {' and '.join(changed)}; {reason}"
        replayed.ends(Verdict.NOT_REPRODUCIBLE, why)
    else:
        replayed.ends(Verdict.DIVERGED, reason)


def _first_key(
    context: Context,
    record: Record,
    expected: dict[str, str],
    again: Path,
    table: str,
    scratch: Path,
) -> str:
    """The first row in which a table differs from the target, where that is still as recorded."""
    target = record.placed(str(record.start.get("target")))
    image = scratch / "target.db"
    if not image.exists():
        if not target.is_file():
            return ""
        image_of(context, target, image)
    with reading_image(image) as opened:
        schema = read_schema(opened)
    if digests_of(image, schema).get(table) != expected.get(table):
        return ""
    return first_key(image, again, table)


def _look_at(context: Context, record: Record, kept: Kept, image: Path) -> Looked:
    """Fetch a snapshot's image to `image` and compare its SHA-256 with the recorded one.

    The image is there on return wherever it could be fetched.
    """
    subject = f"snapshot {kept.name}"
    try:
        with translated("read the snapshots in", context.store.folder):
            snapshot = context.store.find(kept.name)
    except NotFoundError:
        return Looked(subject, Found.MISSING, _who_pruned(record, kept.name))
    except IntegrityError as damaged:
        return Looked(subject, Found.OTHER, damaged.message)
    image.unlink(missing_ok=True)
    size = snapshot.manifest.file_size
    with (
        translated("read", snapshot.image),
        context.progress.step(f"Reading {kept.name}", size, "bytes") as tick,
    ):
        checksum = copy_hashing(snapshot.image, image, tick)
    if checksum != snapshot.manifest.checksum:
        image.unlink()
        return Looked(subject, Found.OTHER, "its bytes are not those of its manifest")
    if kept.checksum is not None and checksum != kept.checksum:
        text = f"SHA-256 {checksum[:16]}… is not the recorded {kept.checksum[:16]}…"
        return Looked(subject, Found.OTHER, text)
    return Looked(subject, Found.SAME, f"SHA-256 {checksum[:16]}…")


def _who_pruned(record: Record, name: str) -> str:
    pruned = record.pruned.get(name)
    if pruned is None:
        return "it is not in the store, and no event says that it was deleted"
    return f"deleted by the prune {pruned.run} at {pruned.time} (event {pruned.position})"


def _target(context: Context, record: Record, target: Path, scratch: Path) -> list[Looked]:
    """Compare the tables of a migration's target with their recorded digests."""
    subject = f"target {target}"
    if not target.is_file():
        return [Looked(subject, Found.GONE)]
    try:
        expected = _digests(context, record)
    except (NotFoundError, ChecksumError) as missing:
        return [Looked(subject, Found.MISSING, missing.message)]
    image = scratch / "target.db"
    schema = image_of(context, target, image)
    found = digests_of(image, schema)
    others = [name for name in differing(expected, found) if name in expected]
    if not others:
        return [Looked(subject, Found.SAME, f"the same digests for all {len(expected)} tables")]
    hint = "other rows than the migration left, as when an application has written since"
    return [
        Looked(f"table {name} of {target}", Found.OTHER, hint if name in found else "is missing")
        for name in others
    ]


def _digests(context: Context, record: Record) -> dict[str, str]:
    """The digest of each table as the migration recorded it.

    Raises:
        NotFoundError, ChecksumError: it is in the store's details, which are not there any more, or
            are not what was stored.
    """
    verified = record.verified
    if "tables" not in verified and isinstance(verified.get("details"), str):
        with translated("read from", context.store.folder):
            verified = json.loads(context.store.get_details(verified["details"]))
    return {name: facts["digest"] for name, facts in verified["tables"].items()}


def _judge(replayed: Replayed) -> None:
    """Settle the verdict of a reverification by all that was looked at."""
    for found, verdict in (
        (Found.OTHER, Verdict.DIVERGED),
        (Found.MISSING, Verdict.INPUT_MISSING),
    ):
        for each in replayed.looked:
            if each.found is found:
                replayed.ends(verdict, f"{each.subject}: {each.text}")
                return
    replayed.ends(Verdict.CONFIRMED, "everything that is stored is as it was recorded")


@contextmanager
def _recorded(context: Context, record: Record, mode: str) -> Iterator[tuple[Replayed, Path]]:
    """Record the replay of the block, which settles the verdict, and give it a scratch folder."""
    start = {"of": record.run, "of_kind": record.kind, "mode": mode}
    with (
        operation(context.journal, "replay", record.database, start=start) as this,
        translated("make room for the images in", tempfile.gettempdir()),
        tempfile.TemporaryDirectory(prefix="junmai-svc-") as folder,
    ):
        replayed = Replayed(this.id, record, mode)
        yield replayed, Path(folder)
        this.finish(replayed.verdict.value, **fitting(context.store, _evidence(replayed)))


def _evidence(replayed: Replayed) -> dict[str, Any]:
    """What the event that ends a replay records: no key, as that may be a value of a row."""
    return {
        "of": replayed.of.run,
        "message": replayed.reason,
        "tables": replayed.tables,
        "versions": versions(),
        "looked": [
            {"subject": each.subject, "found": each.found.value, "text": each.text}
            for each in replayed.looked
        ],
    }
