"""What people see of copies and stores."""

from rich.console import RenderableType
from rich.text import Text

from junmai_svc.service.report import View, printed, shown, sized, table_of


@shown
def show_copy(view: View) -> None:
    """Print what was copied, or would be, and what could not be."""
    parts: list[RenderableType] = []
    planned = view["status"] == "planned"
    rows = view["missing"] if planned else view["copied"]
    if rows:
        table = table_of("snapshot", "size", *(() if planned else ("new bytes",)))
        for row in rows:
            sizes = [sized(row["file_size"])]
            if not planned:
                new = row["new_bytes"]
                sizes.append(sized(row["file_size"] if new is None else new))
            table.add_row(Text(row["snapshot"]), *sizes)
        parts.append(table)
    parts += [
        Text(f"Not copied {row['snapshot']}: {row['problem']}", "yellow")
        for row in view["not_copied"]
    ]
    present = f"{len(view['present'])} were there already."
    if planned:
        size = sized(view["bytes"])
        parts.append(
            Text(f"{len(rows)} would be copied, {size}; {present} Nothing was copied (--dry-run).")
        )
    else:
        parts.append(Text(f"Copied {len(rows)} snapshots to {view['to']}; {present}"))
        if view["run"]:
            parts.append(Text(f"Run      {view['run']}"))
    printed(*parts)


@shown
def show_store(view: View) -> None:
    """Print what a store is and holds."""
    honours = ", ".join(name.replace("_", " ") for name, is_so in view["honours"].items() if is_so)
    lines = [
        f"Store    {view['store']}",
        f"Layout   {view['layout']}",
        f"Id       {view['id'] or 'none: a folder of images has no store.json'}",
        f"Sealed   {view['sealed'] or 'no'}",
        f"Honours  {honours or 'nothing that was tried'}",
        f"Bytes    {sized(view['bytes'])}",
    ]
    table = table_of("objects", "count", "size")
    for kind, held in view["objects"].items():
        table.add_row(kind, f"{held['count']:,}", sized(held["bytes"]))
    notes = [Text(f"Note     {note}", "yellow") for note in view["notes"]]
    printed(Text("\n".join(lines)), *([table] if view["objects"] else []), *notes)
