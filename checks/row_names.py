"""How a row is named in a finding: by its primary key, else by its rowid."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import peewee

from junmai_svc.checks import values
from junmai_svc.storage.databases.names import node
from junmai_svc.storage.databases.schema import Table


@dataclass(frozen=True)
class RowName:
    """The columns that name a row, as labels and as expressions; nothing where none can."""

    labels: tuple[str, ...]
    nodes: tuple[peewee.ColumnBase, ...]

    def selected(self) -> list[peewee.ColumnBase]:
        """Return the expressions to select for `text`: `width` of them."""
        return [part for expression in self.nodes for part in values.selected(expression)]

    @property
    def width(self) -> int:
        """How many expressions `selected` has."""
        return len(self.nodes) * values.WIDTH

    def text(self, parts: Sequence[Any], codec: str) -> str:
        """Return a name such as `id = 7` from the selected values of one row."""
        cells = [parts[at : at + values.WIDTH] for at in range(0, self.width, values.WIDTH)]
        return ", ".join(
            f"{label} = {values.literal(cell, codec)}"
            for label, cell in zip(self.labels, cells, strict=True)
        )


def is_identified(table: Table) -> bool:
    """Whether the primary key names every row: there is one, and it can't be NULL."""
    if table.without_rowid or table.rowid_alias:
        return True
    key = [column for column in table.columns if column.key_position]
    return bool(key) and all(column.not_null for column in key)


def row_name(table: Table, alias: str) -> RowName:
    """Return how rows of a table are named that is called `alias` in the query.

    A key that may be NULL is followed by the rowid.
    """
    labels = list(table.key)
    if not is_identified(table) and table.rowid_name is not None:
        labels.append(table.rowid_name)
    return RowName(tuple(labels), tuple(node(alias, label) for label in labels))
