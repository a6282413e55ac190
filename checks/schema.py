"""The schema a database should have against the one it has, object by object. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from junmai_svc.checks.finding import CheckResult, Finding
from junmai_svc.checks.values import SHOWN_CHARACTERS
from junmai_svc.storage.databases.names import fold
from junmai_svc.storage.databases.schema import Column, Definition, ForeignKey, Index, Schema, Table
from junmai_svc.storage.databases.sqltext import check_expressions, normalised

CHECK = "schema"
HINT = "Migrate again with this version; the target's schema is not the planned one"

# The journal mode is a matter of the last step, after all checks.
SETTINGS = ("page_size", "encoding", "application_id", "user_version", "auto_vacuum")


def check(expected: Schema, actual: Schema) -> CheckResult:
    """Compare two schemas; a finding says what of which object differs.

    Names are compared as SQLite compares them, SQL texts without regard to how they are written.
    `counts` has `objects`, those expected.
    """
    findings = [
        *_settings(expected, actual),
        *_tables(expected.tables, actual.tables),
        *_definitions("virtual table", expected.virtual_tables, actual.virtual_tables),
        *_definitions("view", expected.views, actual.views),
        *_definitions("trigger", expected.triggers, actual.triggers),
    ]
    objects = (expected.tables, expected.virtual_tables, expected.views, expected.triggers)
    indexes = sum(len(table.indexes) for table in expected.tables)
    return CheckResult(
        CHECK,
        total=len(findings),
        findings=tuple(findings),
        counts={"objects": sum(len(some) for some in objects) + indexes},
    )


def _settings(expected: Schema, actual: Schema) -> Iterator[Finding]:
    for name in SETTINGS:
        should, is_ = getattr(expected.settings, name), getattr(actual.settings, name)
        if should != is_:
            yield _finding(f"Setting {name} differs", "", str(should), str(is_))


def _tables(expected: Sequence[Table], actual: Sequence[Table]) -> Iterator[Finding]:
    there = {fold(table.name): table for table in actual}
    for table in expected:
        other = there.pop(fold(table.name), None)
        if other is None:
            yield _finding("Table missing", table.name, "a table", "")
            continue
        found = [*_flags(table, other), *_columns(table, other), *_parts(table, other)]
        if not found and normalised(table.sql) != normalised(other.sql):
            # Such as a collation or the expression of a generated column.
            found = [_finding("Definition differs", table.name, table.sql, other.sql)]
        yield from found
    for table in there.values():
        yield _finding("Unexpected table", table.name, "", "a table")


def _flags(expected: Table, actual: Table) -> Iterator[Finding]:
    for name, flag in (("WITHOUT ROWID", "without_rowid"), ("STRICT", "strict")):
        should, is_ = getattr(expected, flag), getattr(actual, flag)
        if should != is_:
            yield _finding(f"{name} differs", expected.name, _yes(should), _yes(is_))


def _columns(expected: Table, actual: Table) -> Iterator[Finding]:
    should = [fold(column.name) for column in expected.columns]
    there = [fold(column.name) for column in actual.columns]
    for column in expected.columns:
        other = actual.column(column.name)
        if other is None:
            yield _finding("Column missing", expected.name, described(column), "", column.name)
        elif described(column) != described(other):
            texts = described(column), described(other)
            yield _finding("Column differs", expected.name, *texts, column.name)
    for column in actual.columns:
        if expected.column(column.name) is None:
            yield _finding("Unexpected column", expected.name, "", described(column), column.name)
    if should != there and sorted(should) == sorted(there):
        texts = ", ".join(should), ", ".join(there)
        yield _finding("Order of columns differs", expected.name, *texts)


def _parts(expected: Table, actual: Table) -> Iterator[Finding]:
    """What hangs on a table, compared as bags of descriptions."""
    for what, should, there in (
        ("index", _indexes(expected.indexes), _indexes(actual.indexes)),
        ("foreign key", _keys(expected.foreign_keys), _keys(actual.foreign_keys)),
        ("CHECK", _checks(expected), _checks(actual)),
    ):
        left = list(there)
        for text in should:
            if text in left:
                left.remove(text)
            else:
                yield _finding(f"{what[0].upper()}{what[1:]} missing", expected.name, text, "")
        for text in left:
            yield _finding(f"Unexpected {what}", expected.name, "", text)


def _definitions(
    what: str, expected: Sequence[Definition], actual: Sequence[Definition]
) -> Iterator[Finding]:
    there: Mapping[str, Definition] = {fold(each.name): each for each in actual}
    names = {fold(each.name) for each in expected}
    for each in expected:
        other = there.get(fold(each.name))
        if other is None:
            yield _finding(f"{what.capitalize()} missing", each.name, f"a {what}", "")
        elif normalised(each.sql) != normalised(other.sql):
            yield _finding(f"{what.capitalize()} differs", each.name, each.sql, other.sql)
    for each in actual:
        if fold(each.name) not in names:
            yield _finding(f"Unexpected {what}", each.name, "", f"a {what}")


def described(column: Column) -> str:
    """Return what a column declares, on one line."""
    parts = [
        column.declared_type,
        "NOT NULL" if column.not_null else "",
        f"DEFAULT {column.default}" if column.default is not None else "",
        f"key {column.key_position}" if column.key_position else "",
        "generated" if column.generated else "",
    ]
    return " ".join(part for part in parts if part) or "no type"


def _indexes(indexes: Iterable[Index]) -> Iterator[str]:
    for index in indexes:
        if index.sql is not None:
            yield normalised(index.sql)
            continue
        kind = "PRIMARY KEY" if index.origin == "pk" else "UNIQUE"
        columns = (
            f"{fold(c.name or '')} COLLATE {c.collation.upper()}{' DESC' if c.descending else ''}"
            for c in index.columns
        )
        yield f"{kind} ({', '.join(columns)})"


def _keys(keys: Iterable[ForeignKey]) -> Iterator[str]:
    for key in keys:
        child, parent = (
            ", ".join(fold(name) for name in names) for names in (key.columns, key.parent_columns)
        )
        actions = f"ON UPDATE {key.on_update} ON DELETE {key.on_delete} MATCH {key.match}"
        yield f"({child}) REFERENCES {fold(key.parent)} ({parent}) {actions}"


def _checks(table: Table) -> Iterator[str]:
    return (normalised(expression) for expression in check_expressions(table.sql))


def _finding(message: str, table: str, expected: str, actual: str, column: str = "") -> Finding:
    texts = (_cut(expected), _cut(actual))
    return Finding(CHECK, table, "", column, *texts, hint=HINT, message=message, of_row=False)


def _cut(text: str) -> str:
    text = " ".join(text.split())
    limit = 2 * SHOWN_CHARACTERS
    return text if len(text) <= limit else text[:limit] + "…"


def _yes(value: object) -> str:
    return "yes" if value else "no"
