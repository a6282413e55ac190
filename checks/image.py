"""A fresh image, opened again and looked at whole: is it sound, and what do its rows break?

Damage raises, as nothing damaged may be stored. Violations are the database's own business: they
are counted, by what they break.
"""

import hashlib
import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from junmai_svc.checks import foreign_keys, sqlite_file
from junmai_svc.storage import interruption
from junmai_svc.storage.databases.connection import writing
from junmai_svc.storage.databases.failures import DAMAGED_HINT, translated, without_values
from junmai_svc.storage.databases.names import quoted
from junmai_svc.storage.databases.schema import Schema
from junmai_svc.storage.errors import IntegrityError

# A CHECK can be made to run for ever; a healthy one never takes this long beyond the copy itself.
CHECK_SECONDS = 45.0
CHECK_SECONDS_PER_COPY_SECOND = 10.0


@dataclass(frozen=True)
class Examination:
    """What was found. `facts` are the header's, `violations` count rows by what they break.

    `null_tables` are the tables with a NULL in a NOT NULL column. `rows` counts the rows of each
    table where a full check was asked for, else it is empty.
    """

    method: str
    facts: Mapping[str, int | str]
    violations: Mapping[str, int]
    null_tables: frozenset[str]
    rows: Mapping[str, int]


def examine(
    image: Path, schema: Schema, of: Path, *, full_check: bool, copy_seconds: float = 0.0
) -> Examination:
    """Let SQLite check an image of ours: all of it, or quickly whether it is damaged.

    A full check is integrity_check with all constraints and foreign keys; the quick one is
    quick_check, which finds what is damaged and rows with NULL where there may be none, and takes
    an eighth of the time. `of` is what it is an image of, which messages name. `copy_seconds`, the
    time that the copy took, bounds the time for the checks.

    Raises:
        IntegrityError: it is damaged, or needs an extension that is not there.
        MigrationFailedError: a CHECK ran longer than anything healthy could.
    """
    with writing(image) as copy, translated("check", of):
        seconds = CHECK_SECONDS + CHECK_SECONDS_PER_COPY_SECOND * copy_seconds
        interruption.watch(copy, seconds=seconds)
        result = sqlite_file.integrity(copy, full=full_check, check_constraints=full_check)
        if result.damage:
            what = f"{of}, or the copy just made of it, is damaged: "
            line = result.damage[0]
            raise IntegrityError(what + without_values(line), DAMAGED_HINT, shown=what + line)
        violations = dict(result.violations)
        for orphan in foreign_keys.orphans(copy, schema) if full_check else ():
            violations[f"foreign key {orphan.child} -> {orphan.parent}"] = orphan.rows
        return Examination(
            method="integrity_check" if full_check else "quick_check",
            facts=_facts(copy, schema),
            violations=violations,
            null_tables=frozenset(result.null_tables),
            rows={t.name: _count(copy, t.name) for t in schema.tables} if full_check else {},
        )


def schema_digest(schema: Schema) -> str:
    """Return the SHA-256 of a schema: of the JSON list of its SQL texts, in order of creation."""
    texts = [table.sql for table in schema.tables]
    texts += [index.sql for table in schema.tables for index in table.indexes if index.sql]
    for definitions in (schema.virtual_tables, schema.views, schema.triggers):
        texts += [definition.sql for definition in definitions]
    return hashlib.sha256(json.dumps(texts, ensure_ascii=True).encode()).hexdigest()


def _facts(copy: sqlite3.Connection, schema: Schema) -> Mapping[str, int | str]:
    return {
        "page_size": schema.settings.page_size,
        "page_count": int(copy.execute("PRAGMA page_count").fetchone()[0]),
        "encoding": schema.settings.encoding,
        "application_id": schema.settings.application_id,
        "user_version": schema.settings.user_version,
        "schema_digest": schema_digest(schema),
        "sqlite_version": sqlite3.sqlite_version,
    }


def _count(copy: sqlite3.Connection, table: str) -> int:
    (rows,) = copy.execute(f"SELECT count(*) FROM {quoted(table)}").fetchone()
    return int(rows)
