"""What people see of a prune."""

from collections.abc import Iterable
from datetime import datetime

from rich.console import RenderableType
from rich.text import Text

from junmai_svc.service.report import View, aged, printed, shown, sized, table_of, unusable
from junmai_svc.service.retention import CLOCK_MAY_HAVE_JUMPED, NONE_RECENT, OF_THE_FUTURE
from junmai_svc.service.story import count

SHOWN = 10

_ADVICE = {
    NONE_RECENT: "take a backup, then prune again.",
    OF_THE_FUTURE: "some are of the future; set the clock, or wait until they are not.",
    CLOCK_MAY_HAVE_JUMPED: "it is taken for a real pause once there are as many days of snapshots"
    " after it as are kept.",
}


@shown
def show_prune(view: View) -> None:
    """Print every snapshot with the reasons that keep it, what is dropped and what can't be."""
    dry = view["status"] == "planned"
    locked = {each["name"]: each for each in view["locked_snapshots"]}
    table = table_of("snapshot", "age", "size", "kept because")
    for row in view["snapshots"]:
        if row["keep"]:
            why = Text(", ".join(row["reasons"]))
        elif row["snapshot"] in locked:
            why = Text(_until(locked[row["snapshot"]]), "yellow")
        else:
            why = Text("would be dropped" if dry else "dropped", "yellow")
        if row["damaged"]:
            why.append(" (damaged)", "bold red")
        table.add_row(
            Text(row["snapshot"]),
            aged(datetime.fromisoformat(row["taken"])),
            sized(row["file_size"]),
            why,
        )
    drops = sum(not row["keep"] for row in view["snapshots"])
    if dry:
        last = f"{drops} would be dropped, {sized(view['bytes'])}. Nothing was deleted (--dry-run)."
    else:
        last = f"Deleted {count(len(view['deleted']), 'snapshot')}, {sized(view['bytes'])}."
    if view["repacked"]["maps"]:
        last += " Packs that were mostly dead were rewritten."
    printed(table, *_doubted(view), *unusable(view), *_locked(view), *_problems(view), Text(last))


def _doubted(view: View) -> Iterable[RenderableType]:
    """What to do where all of a database is kept because something may be wrong."""
    found = {reason for row in view["snapshots"] for reason in row["reasons"]}
    for reason, advice in _ADVICE.items():
        if reason in found:
            yield Text(f"Note     Where all is kept for “{reason}”: {advice}", "yellow")


def _locked(view: View) -> Iterable[RenderableType]:
    objects = view["locked_objects"]
    for each in objects[:SHOWN]:
        yield Text(f"Left     {each['name']}, which nothing needs: {_until(each)}", "yellow")
    if len(objects) > SHOWN:
        yield Text(f"Left     {len(objects) - SHOWN:,} more that are locked", "yellow")


def _problems(view: View) -> Iterable[RenderableType]:
    for each in (*view["problems"], *view["not_repacked"])[:SHOWN]:
        yield Text(f"Problem  {each['problem']}. {each['hint']}", "bold red")
    if view["problems"]:
        yield Text("No bytes were freed: what can't be read may lead to any of them.", "bold red")


def _until(locked: View) -> str:
    until = (locked["until"] or "")[:16].replace("T", " ")
    return f"locked until {until} UTC" if until else "locked, without a date"
