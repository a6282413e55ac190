"""Which source column becomes which target column: the pairs that copying and checks share."""

from dataclasses import dataclass

from junmai_svc.storage.databases.schema import Column, Table


@dataclass(frozen=True)
class Rule:
    """A declared change of values: `sql` is a constant SQL expression that fills a new column."""

    sql: str
    reason: str


@dataclass(frozen=True)
class ColumnPair:
    """One target column and where its values come from.

    Exactly one of `source` and `rule` is set, except where a comparison found a target column of
    unknown origin: then both are None and the column can't be compared.
    """

    target: Column
    source: Column | None = None
    rule: Rule | None = None


@dataclass(frozen=True)
class TablePair:
    """A source table (None where it is new) and its target, column by column.

    `keeps_rowid` says that the rowid itself is a value to carry over and compare (carried tables
    whose rowid is not a column). `carried` marks tables that the target models don't know.
    """

    source: Table | None
    target: Table
    columns: tuple[ColumnPair, ...]
    carried: bool = False
    keeps_rowid: bool = False

    @property
    def name(self) -> str:
        """The target table's name, under which everything is reported."""
        return self.target.name

    @property
    def copied(self) -> tuple[ColumnPair, ...]:
        """The pairs whose values come from the source."""
        return tuple(pair for pair in self.columns if pair.source is not None)
