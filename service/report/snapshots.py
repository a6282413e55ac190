"""What people see of snapshots: lists, and what changed from one to another.

A list fits 80 columns, so what is the same for all is said once: the database above a table, the
stores as numbers with a legend below.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from rich.cells import cell_len
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from junmai_svc.service.report import View, aged, down_stores, printed, room, shown, sized, table_of

SHOWN = 20
SHOWN_COLUMNS = 6
_STYLES = {"added": "green", "removed": "red", "changed": "yellow"}


@shown
def show_snapshots(view: View) -> None:
    """Print the snapshots of one or several stores, newest first, a table for each database."""
    parts: list[RenderableType] = []
    if not view["snapshots"] and not view["unreadable"]:
        parts.append(Text("No snapshots yet. Take one with: junmai-svc backup --source PATH"))
    numbers = {each["store"]: str(at) for at, each in enumerate(view["stores"], 1)}
    by_database: dict[str, list[View]] = {}
    for row in view["snapshots"]:
        by_database.setdefault(row["path"], []).append(row)
    named = {path: rows[0]["database"] for path, rows in by_database.items()}
    for path, rows in by_database.items():
        # As a person named it last, unless another one was named so too.
        database = named[path] if [*named.values()].count(named[path]) == 1 else path
        parts += [Text(f"Snapshots of {database}", "bold"), _list(rows, numbers), Text()]
    if view["snapshots"] and len(numbers) > 1:
        parts += [_legend(each, numbers[each["store"]]) for each in view["stores"]]
    for each in view["unreadable"]:
        where = f" ({each['store']})" if len(numbers) > 1 else ""
        parts.append(Text(f"Can't be used: {each['problem']}{where}", "yellow"))
    printed(*parts, *down_stores(view))


def _list(rows: Sequence[View], numbers: Mapping[str, str]) -> Table:
    some_new = any(copy["new_bytes"] is not None for row in rows for copy in row["stores"])
    some_held = any(row["held"] for row in rows)
    columns = {
        "snapshot": True,
        "age": True,
        "size": True,
        "new": some_new,
        "reason": True,
        "held": some_held,
        "proven": True,
        "in": len(numbers) > 1,
    }
    table = table_of(*(name for name, is_there in columns.items() if is_there))
    table.show_edge = False
    table.padding = (0, 1, 0, 0)
    # Where a name can stand in one line, other columns give way first.
    longest = max(cell_len(row["snapshot"]) for row in rows)
    table.columns[0].no_wrap = 2 * longest <= room()
    for row in rows:
        cells: dict[str, Text | str] = {
            "snapshot": Text(row["snapshot"]),
            "age": aged(datetime.fromisoformat(row["taken"])),
            "size": sized(row["file_size"]),
            "new": _new(row),
            "reason": row["reason"],
            "held": "held" if row["held"] else "",
            "proven": _proven(row),
            "in": " ".join(numbers[copy["store"]] for copy in row["stores"]),
        }
        table.add_row(*(cells[name] for name, is_there in columns.items() if is_there))
    return table


def _new(row: View) -> str:
    """What the snapshot added to the first store that counts it."""
    counted = [copy["new_bytes"] for copy in row["stores"] if copy["new_bytes"] is not None]
    return sized(counted[0]) if counted else ""


def _proven(row: View) -> Text:
    """How long ago it was proven."""
    if any(copy["damaged"] for copy in row["stores"]):
        return Text("DAMAGED", "bold red")
    proven = row["proven"]
    return Text(aged(datetime.fromisoformat(proven)) if proven else "never")


def _legend(store: View, number: str) -> Text:
    return Text(f"{number}  {store['store']} ({store['layout']}, {store['snapshots']:,} of them)")


@shown
def show_diff(view: View) -> None:
    """Print what changed from one snapshot to another."""
    parts: list[RenderableType] = [
        Text(f"{label}   {side['snapshot']} in {side['store']}")
        for label, side in (("Before", view["before"]), ("After ", view["after"]))
    ]
    if view["same_image"]:
        parts.append(Text("No difference: both are the same image, byte for byte.", "green"))
    elif view["status"] == "equal":
        count = view["totals"]["tables"]
        parts.append(Text(f"No difference: all rows of {count:,} tables are equal.", "green"))
    else:
        parts += [*_schema(view["schema"]), *_tables(view)]
    printed(*parts)


def _schema(changes: Sequence[View]) -> Iterable[RenderableType]:
    for each in changes[:SHOWN]:
        name = f"{each['table']}.{each['name']}" if each["kind"] == "column" else each["name"]
        told = f"Schema   {each['kind']} {name} {each['change']}"
        if each["kind"] in {"column", "setting"}:
            values = [text for text in (each["before"], each["after"]) if text]
            told += f": {' -> '.join(values)}"
        yield Text(told, _STYLES[each["change"]])
    if len(changes) > SHOWN:
        yield Text(f"Schema   {len(changes) - SHOWN:,} more changes; --json has all")


def _tables(view: View) -> Iterable[RenderableType]:
    different = [each for each in view["tables"] if each["status"] == "different"]
    if different:
        table = table_of("table", "before", "after", "added", "removed", "changed", "cells changed")
        for name in ("before", "after", "added", "removed", "changed"):
            next(column for column in table.columns if column.header == name).justify = "right"
        for each in different:
            numbers = ("rows_before", "rows_after", "added", "removed", "changed")
            table.add_row(
                Text(each["table"]), *(f"{each[name]:,}" for name in numbers), Text(_cells(each))
            )
        yield table
        yield from _examples(different)
    equal = len(view["tables"]) - len(different)
    yield Text(f"{len(different):,} tables differ, {equal:,} are equal.")


def _cells(table: View) -> str:
    if table["compared"] != "key":
        return f"({table['compared']})"
    counted = sorted(table["columns"].items(), key=lambda item: -item[1])
    told = [f"{name} {number:,}" for name, number in counted[:SHOWN_COLUMNS]]
    more = len(counted) - SHOWN_COLUMNS
    return ", ".join(told) + (f" and {more:,} more columns" if more > 0 else "")


def _examples(tables: Sequence[View]) -> Iterable[RenderableType]:
    for table in tables:
        for each in table["examples"]:
            cells = "; ".join(
                f"{cell['column']} {cell['before']} -> {cell['after']}" for cell in each["cells"]
            )
            key = each["key"] or "a row"
            told = f"{table['table']}: {each['change']} {key}" + (f": {cells}" if cells else "")
            yield Text(told, _STYLES[each["change"]])
