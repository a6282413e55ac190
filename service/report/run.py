"""What people see of runs: their list, the timeline of one, a replay's verdict."""

import re
from collections.abc import Sequence
from datetime import timedelta

from rich.cells import cell_len
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from junmai_svc.service.report import View, printed, room, shown, table_of
from junmai_svc.service.story import CLOCK_WENT_BACK, count, span

_SHOWN = 40
SHORT_ID = 12  # the random end of a run's id; its beginning is the time
_TIME, _ID, _ACTOR = 19, 36, 12
_MARGINS, _BETWEEN = 2, 3
_NARROWEST = 8
# What a timeline's other columns take without its times, with a few words, and with both.
_NARROW, _WIDE = 50, 80
_FOUND_STYLES = {"as recorded": "green", "differs": "bold red", "missing": "yellow"}
_VERDICT_STYLES = {"confirmed": "green", "reproduced": "green", "diverged": "bold red"}
_GOOD = {"verified", "completed", "switched", "confirmed", "reproduced", "proven"}
_BAD = {"failed", "diverged", "mismatch_found"}


@shown
def show_history(view: View) -> None:
    """Print runs, newest first."""
    parts: list[RenderableType] = []
    if view["position"] is not None:
        parts.append(Text(f"As of event {view['position']}"))
    if not view["runs"]:
        printed(*parts, Text("No runs."))
        return
    printed(*parts, _list(view["runs"]))


def _list(rows: Sequence[View]) -> Table:
    """Runs as a table that fits.

    Else their ids are their ends, databases the names of their files, and who acted is left out.
    """
    kind, status, database = (
        max(cell_len(row[name] or "") for row in rows) for name in ("kind", "status", "database")
    )
    known = _TIME + kind + status
    has_room = known + database + _ACTOR + _ID + _MARGINS + 5 * _BETWEEN <= room()
    fits = known + _NARROWEST + SHORT_ID + _MARGINS + 4 * _BETWEEN <= room()
    columns = ("started (UTC)", "kind", "status", "database", *(("actor",) if has_room else ()))
    fixed = ("started (UTC)", "kind", "status", "run")
    table = table_of(*columns, "run", whole=fixed if fits else ())
    for row in rows:
        started = (row["started"] or "")[:_TIME].replace("T", " ")
        actor = row["actor"].removeprefix("actor:")
        table.add_row(
            started,
            row["kind"],
            Text(row["status"], _style(row["status"])),
            Text(row["database"] or "" if has_room else _short(row["database"] or "")),
            *((actor,) if has_room else ()),
            row["run"] if has_room else row["run"][-SHORT_ID:],
        )
    return table


def _short(path: str) -> str:
    """A path as its file's name, by which `--database` finds it too."""
    return re.split(r"[/\\]", path)[-1] or path


@shown
def show_run(view: View) -> None:
    """Print one run's stream as a timeline."""
    head = [f"Run      {view['run']}", f"Kind     {view['kind']}", f"Status   {view['status']}"]
    head += [
        f"{label:<8} {view[key]}"
        for label, key in (
            ("Database", "database"),
            ("Target", "target"),
            ("Snapshot", "snapshot"),
            ("Message", "message"),
        )
        if view.get(key)
    ]
    began = view["started"][:_TIME].replace("T", " ")
    went_back = any(event["after_ms"] < 0 for event in view["events"])
    doubt = f" ({CLOCK_WENT_BACK})" if went_back else ""
    took = span(timedelta(milliseconds=view["ms"]))
    head += [f"Began    {began} UTC", f"Took     {took}{doubt}"]
    # The times can be done without, as each step says how long after the one before it was.
    longest = max(cell_len(event["name"]) for event in view["events"])
    has_room = room() >= _WIDE + longest
    fits = room() >= _NARROW + longest
    fixed = ("event", *(("time (UTC)",) if has_room else ()), "after", "step")
    table = table_of(*fixed, "what happened", whole=fixed if fits else ())
    for event in view["events"]:
        time = event["time"][:_TIME].replace("T", " ")
        after = "" if event["version"] == 1 else span(timedelta(milliseconds=event["after_ms"]))
        times = (time,) if has_room else ()
        table.add_row(str(event["position"]), *times, after, event["name"], Text(event["text"]))
    printed(Text("\n".join(head)), table)


@shown
def show_page(view: View) -> None:
    """Print where the page of a run is."""
    printed(Text(f"Wrote {view['page']}"))


@shown
def show_replay(view: View) -> None:
    """Print what a replay came to, and what it looked at."""
    parts: list[RenderableType] = []
    for row in view["looked"][:_SHOWN]:  # in lines, as a table would break names and paths
        style = _FOUND_STYLES.get(row["found"], "")
        parts.append(Text.assemble((row["found"], style), f": {row['subject']}"))
        key = f"first key {row['key']}" if row["key"] else ""
        said = "; ".join(text for text in (row["text"], key) if text)
        parts += [Text(f"  {said}")] if said else []
    if len(view["looked"]) > _SHOWN:
        parts.append(Text(f"{count(len(view['looked']), 'thing')} in all, {_SHOWN} shown."))
    verdict = view["status"].replace("_", " ").upper()
    line = Text.assemble(
        (verdict, _VERDICT_STYLES.get(view["status"], "yellow")), f": {view['reason']}"
    )
    about = f"Replayed the {view['of_kind']} {view['of']}\nRun      {view['run']}"
    printed(*parts, line, Text(about))


def _style(status: str) -> str:
    return "green" if status in _GOOD else "bold red" if status in _BAD else "yellow"
