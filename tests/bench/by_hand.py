"""The baseline: what a person would type to copy the rows, with nothing checked and no backup.

A process of its own: `python -m tests.bench.by_hand SOURCE TARGET`.
"""

import sqlite3
import sys
from contextlib import closing
from pathlib import Path

SCHEMA = Path(__file__).parents[1] / "golden" / "schema_current.sql"
TABLES = ("sessions", "photos", "jobs", "presets", "statistics", "learning_data")
CACHE_KIB = 64 * 1024


def copy_by_hand(source: Path, target: Path) -> None:
    """ATTACH, INSERT..SELECT for each table in one transaction, then the indexes."""
    statements = [part.strip() for part in SCHEMA.read_text(encoding="utf-8").split(";")]
    with closing(sqlite3.connect(target, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = DELETE")
        database.execute("PRAGMA synchronous = FULL")
        database.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        database.execute("ATTACH DATABASE ? AS source", (str(source),))
        database.execute("BEGIN")
        for statement in statements:
            if statement.startswith("CREATE TABLE"):
                database.execute(statement)
        for table in TABLES:
            described = database.execute(f"SELECT * FROM source.{table} LIMIT 0").description
            columns = ", ".join(f'"{name}"' for name, *_ in described)
            database.execute(
                f"INSERT INTO main.{table} ({columns}) SELECT {columns} FROM source.{table}"
            )
        for statement in statements:
            if statement.startswith("CREATE INDEX"):
                database.execute(statement)
        database.execute("COMMIT")


if __name__ == "__main__":
    copy_by_hand(Path(sys.argv[1]), Path(sys.argv[2]))
