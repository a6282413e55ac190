"""Two real database files, made of SQL or values, and opened as the checks see them."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from junmai_svc.storage.databases.mapping import ColumnPair, Rule, TablePair
from junmai_svc.storage.databases.names import fold, quoted
from junmai_svc.storage.databases.pair import Pair, open_pair
from junmai_svc.storage.databases.schema import Schema, Table, read_schema

Value = int | float | str | bytes | None


@dataclass(frozen=True)
class Text:
    """Text made of raw bytes, which need not be valid UTF-8."""

    raw: bytes


@dataclass
class TwoDatabases:
    """A source and a target in one folder; `rules` are by `table.column` of the target."""

    folder: Path
    rules: dict[str, Rule] = field(default_factory=dict)
    keeps_rowid: bool = False

    @property
    def source(self) -> Path:
        """The source's file."""
        return self.folder / "source.db"

    @property
    def target(self) -> Path:
        """The target's file."""
        return self.folder / "target.db"

    def both(self, *statements: str) -> None:
        """Run SQL on both sides."""
        run(self.source, *statements)
        run(self.target, *statements)

    def on_source(self, *statements: str) -> None:
        """Run SQL on the source."""
        run(self.source, *statements)

    def on_target(self, *statements: str) -> None:
        """Run SQL on the target."""
        run(self.target, *statements)

    @contextmanager
    def opened(self) -> Iterator[tuple[Pair, tuple[TablePair, ...]]]:
        """Open both, with every target table and column paired by name."""
        with open_pair(self.target, self.source, target_mode="rw") as pair:
            source = read_schema(pair.connection, "source")
            target = read_schema(pair.connection)
            yield pair, tuple(self._paired(source, table) for table in target.tables)

    def _paired(self, source: Schema, table: Table) -> TablePair:
        before = source.table(table.name)
        columns = []
        for column in table.columns:
            origin = before.column(column.name) if before is not None else None
            rule = self.rules.get(f"{table.name}.{column.name}")
            columns.append(ColumnPair(column, None if rule else origin, rule))
        return TablePair(before, table, tuple(columns), keeps_rowid=self.keeps_rowid)


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a database file in autocommit mode, made if need be; no test cuts the power."""
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA synchronous = OFF")
        yield database


def run(path: Path, *statements: str) -> None:
    """Run SQL statements on a database file."""
    with opened(path) as database:
        for statement in statements:
            database.execute(statement)


def insert(path: Path, table: str, rows: Iterable[Iterable[Value | Text]]) -> None:
    """Insert rows of values, raw texts among them."""
    with opened(path) as database:
        database.execute("BEGIN")
        for row in rows:
            cells = list(row)
            marks = ", ".join("CAST(? AS TEXT)" if isinstance(c, Text) else "?" for c in cells)
            values = [cell.raw if isinstance(cell, Text) else cell for cell in cells]
            database.execute(f"INSERT INTO {quoted(table)} VALUES ({marks})", values)
        database.execute("COMMIT")


def rewrite_sql(path: Path, name: str, sql: str) -> None:
    """Give a table or an index other SQL without touching what is stored."""
    with opened(path) as database:
        database.execute("PRAGMA writable_schema = 1")
        database.execute("UPDATE sqlite_schema SET sql = ? WHERE name = ?", (sql, name))


def lose_index_entries(path: Path, index: str, column: str) -> None:
    """Make an index of one column forget every row of its table.

    The index is given the empty tree of another index, as if its page had been lost.
    """
    with opened(path) as database:
        database.execute(f"CREATE TABLE lost ({column}, UNIQUE ({column}))")
        (root,) = database.execute(
            "SELECT rootpage FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'lost'"
        ).fetchone()
        database.execute("PRAGMA writable_schema = 1")
        database.execute("UPDATE sqlite_schema SET rootpage = ? WHERE name = ?", (root, index))
        database.execute("DELETE FROM sqlite_schema WHERE tbl_name = 'lost'")
        database.execute("SELECT * FROM sqlite_schema").fetchall()


def by_name(tables: Iterable[TablePair]) -> Mapping[str, TablePair]:
    return {fold(table.name): table for table in tables}
