"""What a person should know about a plan before it runs. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from junmai_svc.storage.databases.mapping import TablePair
from junmai_svc.storage.databases.names import fold
from junmai_svc.storage.databases.schema import ForeignKey, Index, Schema, Table
from junmai_svc.storage.databases.sqltext import check_expressions, normalised


@dataclass(frozen=True)
class Note:
    """Something that a person should know before the migration runs."""

    subject: str
    text: str


def notes_on(source: Schema, pairs: Sequence[TablePair]) -> Iterable[Note]:
    """Yield what is not carried over as it was, and what else is odd about the source.

    `pairs` are all tables of the target.
    """
    if all(pair.source is None for pair in pairs if not pair.carried):
        yield Note("source", "holds no table of the target schema; all it has is carried over")
    for pair in pairs:
        origin = pair.source
        if origin is None:
            continue
        if pair.carried:
            yield from _rowid_notes(pair, origin)
            continue
        yield from _column_notes(pair)
        yield from _constraint_notes(origin, pair.target)
    if "sqlite_stat4" in source.internal_tables:
        yield Note("sqlite_stat4", "is not carried over; ANALYZE makes it anew")


def _rowid_notes(pair: TablePair, origin: Table) -> Iterable[Note]:
    has_own = origin.rowid_alias is None and origin.rowid_name is not None
    if has_own and not pair.keeps_rowid:
        yield Note(pair.name, "has too many columns for its rowids to be carried over")


def _column_notes(pair: TablePair) -> Iterable[Note]:
    for column in pair.copied:
        assert column.source is not None  # noqa: S101  # that is what `copied` means
        before, after = column.source, column.target
        if before.declared_type.upper() != after.declared_type.upper():
            yield Note(
                f"{pair.name}.{after.name}",
                f"is declared {after.declared_type or '(no type)'},"
                f" was {before.declared_type or '(no type)'}",
            )
        if before.generated:
            yield Note(f"{pair.name}.{after.name}", "was computed and becomes a stored value")
        if before.default is not None and before.default != after.default:
            yield Note(f"{pair.name}.{after.name}", f"loses its DEFAULT {before.default}")
        if before.not_null and not (after.not_null or after.key_position):
            yield Note(f"{pair.name}.{after.name}", "may be NULL from now on")


def _constraint_notes(origin: Table, target: Table) -> Iterable[Note]:
    kept = {fold(index.name): index for index in target.indexes}
    kept_unique = {_unique_columns(index) for index in target.indexes if index.unique}
    for index in origin.indexes:
        same = kept.get(fold(index.name))
        if index.sql is not None and same is not None and not _does_the_same(index, same):
            yield Note(f"index {index.name}", "is replaced by the target schema's")
        if index.origin == "u" and _unique_columns(index) not in kept_unique:
            columns = ", ".join(column.name or "expression" for column in index.columns)
            yield Note(f"{origin.name}", f"UNIQUE ({columns}) is not in the target schema")
    kept_checks = {normalised(text) for text in check_expressions(target.sql)}
    for text in check_expressions(origin.sql):
        if normalised(text) not in kept_checks:
            yield Note(origin.name, f"CHECK ({text}) is not in the target schema")
    kept_keys = {_reference(key) for key in target.foreign_keys}
    for key in origin.foreign_keys:
        if _reference(key) not in kept_keys:
            columns = ", ".join(key.columns)
            yield Note(origin.name, f"FOREIGN KEY ({columns}) is not in the target schema")
    if "AUTOINCREMENT" in origin.sql.upper():
        yield Note(origin.name, "AUTOINCREMENT is not in the target schema; its mark is dropped")


def _does_the_same(index: Index, other: Index) -> bool:
    if any(column.name is None for column in index.columns) or index.partial or other.partial:
        return normalised(index.sql or "") == normalised(other.sql or "")
    return (index.columns, index.unique) == (other.columns, other.unique)


def _unique_columns(index: Index) -> tuple[str, ...]:
    return tuple(fold(column.name or "") for column in index.columns)


def _reference(key: ForeignKey) -> tuple[tuple[str, ...], str]:
    return tuple(fold(name) for name in key.columns), fold(key.parent)
