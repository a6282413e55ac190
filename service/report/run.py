"""What people see of runs: their list, the timeline of one, a replay's verdict."""

from datetime import timedelta

from rich.console import RenderableType
from rich.text import Text

from junmai_svc.service.report import View, printed, shown, table_of
from junmai_svc.service.story import count, span

_SHOWN = 40
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
    table = table_of("started (UTC)", "kind", "status", "database", "actor", "run")
    for row in view["runs"]:
        started = (row["started"] or "")[:19].replace("T", " ")
        actor = row["actor"].removeprefix("actor:")
        status = Text(row["status"], _style(row["status"]))
        database = Text(row["database"] or "")
        table.add_row(started, row["kind"], status, database, actor, row["run"])
    printed(*parts, table)


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
    head.append(f"Took     {span(timedelta(milliseconds=view['ms']))}")
    table = table_of("event", "time (UTC)", "after", "step", "what happened")
    for event in view["events"]:
        time = event["time"][:19].replace("T", " ")
        after = "" if event["version"] == 1 else span(timedelta(milliseconds=event["after_ms"]))
        what = Text(event["text"])
        table.add_row(str(event["position"]), time, after, event["name"], what)
    printed(Text("\n".join(head)), table)


@shown
def show_page(view: View) -> None:
    """Print where the page of a run is."""
    printed(Text(f"Wrote {view['page']}"))


@shown
def show_replay(view: View) -> None:
    """Print what a replay came to, and what it looked at."""
    parts: list[RenderableType] = []
    if view["looked"]:
        table = table_of("looked at", "found", "what", "first key")
        for row in view["looked"][:_SHOWN]:
            found = Text(row["found"], _FOUND_STYLES.get(row["found"], ""))
            table.add_row(Text(row["subject"]), found, Text(row["text"]), Text(row["key"]))
        parts.append(table)
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
