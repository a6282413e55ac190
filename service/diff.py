"""What changed from one snapshot to another: which objects, which tables, how many rows.

Both images are fetched into scratch, where they are proven to be what was stored. Nothing is
recorded: this only looks.
"""

from dataclasses import dataclass
from pathlib import Path

from junmai_svc.checks.row_changes import TableChanges, compare, only_after, only_before
from junmai_svc.checks.schema_changes import SchemaChange, schema_changes
from junmai_svc.service.progress import Progress
from junmai_svc.service.restore import Found
from junmai_svc.service.scratch import room_for, scratch
from junmai_svc.storage.databases.connection import reading_image
from junmai_svc.storage.databases.failures import translated
from junmai_svc.storage.databases.pair import Pair, open_pair
from junmai_svc.storage.databases.schema import Schema, Table, read_schema
from junmai_svc.storage.errors import UsageError
from junmai_svc.storage.snapshots.base import Snapshot


@dataclass(frozen=True)
class Diff:
    """What changed from `before` to `after`; `same_image` where both are the same bytes.

    Then no table was looked at, else all of them are among `tables`.
    """

    before: Snapshot
    after: Snapshot
    schema: tuple[SchemaChange, ...] = ()
    tables: tuple[TableChanges, ...] = ()
    same_image: bool = False

    @property
    def is_equal(self) -> bool:
        """Whether both hold the same rows in the same schema."""
        return not self.schema and all(table.is_equal for table in self.tables)


def diff(before: Found, after: Found, progress: Progress, *, examples: int = 3) -> Diff:
    """Compare two snapshots from any two stores; up to `examples` rows of each table are named.

    Tables that SQLite keeps for itself (`sqlite_sequence`, `sqlite_stat1`) are not compared.

    Raises:
        ChecksumError, IntegrityError: one of them is not what its manifest says, or no database.
        UsageError: they store their texts in different encodings.
        JunmaiError: one of them can't be read, or there is no room for both.
    """
    one, other = before.snapshot, after.snapshot
    if one.manifest.checksum == other.manifest.checksum:
        return Diff(one, other, same_image=True)
    with scratch() as folder:
        source = _fetched(before, folder / "before.db", progress)
        target = _fetched(after, folder / "after.db", progress)
        schemas = _schema(source), _schema(target)
        _require_one_encoding(before, after, *schemas)
        with (
            translated("compare", other.place),
            open_pair(target, source, target_mode="rw") as pair,
        ):
            tables = _tables(pair, *schemas, progress, examples)
    return Diff(one, other, schema_changes(*schemas), tables)


def _fetched(found: Found, path: Path, progress: Progress) -> Path:
    size = found.snapshot.manifest.file_size
    with (
        room_for(path),
        translated("read", found.snapshot.place),
        progress.step(f"Reading {found.snapshot.name}", size, "bytes") as tick,
    ):
        found.store.fetch(found.snapshot, path, tick)
    return path


def _schema(image: Path) -> Schema:
    with reading_image(image) as opened:
        return read_schema(opened)


def _tables(
    pair: Pair, before: Schema, after: Schema, progress: Progress, examples: int
) -> tuple[TableChanges, ...]:
    added = [table for table in after.tables if before.table(table.name) is None]
    found = []
    total = len(before.tables) + len(added)
    with progress.step("Comparing tables", total, "steps") as tick:
        for table in (*before.tables, *added):
            found.append(_table(pair, before.table(table.name), after.table(table.name), examples))
            if tick is not None:
                tick(1)
    return tuple(found)


def _table(pair: Pair, before: Table | None, after: Table | None, examples: int) -> TableChanges:
    if before is not None and after is not None:
        return compare(pair, before, after, limit=examples)
    if before is not None:
        return only_before(pair, before)
    assert after is not None, "one of the two has it"  # noqa: S101
    return only_after(pair, after)


def _require_one_encoding(before: Found, after: Found, one: Schema, other: Schema) -> None:
    """SQLite attaches only databases of one text encoding.

    Raises:
        UsageError: they have two.
    """
    encodings = one.settings.encoding, other.settings.encoding
    if encodings[0] != encodings[1]:
        raise UsageError(
            f"Can't compare {before.snapshot.name} ({encodings[0]}) with {after.snapshot.name}"
            f" ({encodings[1]}): their texts are stored in different encodings",
            "Restore both under names of their own and look at them with SQLite.",
        )
