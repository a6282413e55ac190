"""What people see of the daemon, of drills and of notifications."""

from rich.cells import cell_len
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from junmai_svc.service.printable import printable
from junmai_svc.service.report import printed, room, shown
from junmai_svc.service.views.daemon import View

_NARROW = 60
_STYLES = {
    "proven": "green",
    "failed": "bold red",
    "inconclusive": "yellow",
    "running": "green",
    "failing": "bold red",
    "stopped": "yellow",
    "succeeded": "green",
}


def _console() -> Console:
    return Console(highlight=False, soft_wrap=True)


def _state(word: str | None) -> Text:
    return Text(word or "", style=_STYLES.get(word or "", ""))


def _moment(text: str | None) -> str:
    return text[:19].replace("T", " ") if text else ""


def show_status(view: View) -> None:
    """How the daemon is, then a line for each part of its jobs."""
    view = printable(view)
    console = _console()
    console.print(Text("Daemon  ") + _state(view["status"]))
    if view["pid"]:
        console.print(f"        process {view['pid']}, since {_moment(view['since'])} UTC")
    table = Table(Column("what", min_width=20, overflow="fold"), box=None, pad_edge=False)
    for heading in ("last", "when (UTC)", "next (UTC)"):
        table.add_column(heading, no_wrap=True)
    failed: list[tuple[str, str]] = []
    for job in view["jobs"]:
        rows = job["parts"] or [{"subject": job["job"], "outcome": None, "finished": None}]
        for part in rows:
            finished, following = _moment(part["finished"]), _moment(job["next"])
            table.add_row(part["subject"], _state(part["outcome"]), finished, following)
            if part.get("message"):
                failed.append((part["subject"], part["message"]))
    if view["jobs"]:
        console.print(table)
    # Below the table, where there is the whole width for them.
    for subject, message in failed:
        console.print(Text.assemble("\n", (subject, "bold"), ": ", (message, "red")))


@shown
def show_drills(view: View) -> None:
    """A line for each drill, and why one did not prove its snapshot."""
    table = Table(box=None, pad_edge=False)
    longest = max((cell_len(each["snapshot"]) for each in view["drills"]), default=0)
    table.add_column("snapshot", overflow="fold", no_wrap=2 * longest <= room())
    table.add_column("store", overflow="fold")
    for heading in ("result", "rows", "seconds"):
        table.add_column(heading, overflow="fold", no_wrap=room() >= _NARROW)
    told: list[Text] = []
    for each in view["drills"]:
        seconds = f"{each['seconds']:.1f}"
        state = _state(each["result"])
        table.add_row(
            Text(each["snapshot"]), Text(each["store"]), state, str(each["rows"]), seconds
        )
        if each["message"]:
            told.append(Text(f"{each['snapshot']}: {each['message']}"))
            if each["hint"]:
                told.append(Text(f"Hint: {each['hint']}"))
    printed(table, *told)


def show_installed(view: View) -> None:
    """Where the file is and what to do next."""
    view = printable(view)
    console = _console()
    console.print(Text(f"Written: {view['path']}"))
    console.print(Text(f"Next:    {view['next']}"))


def show_sent(view: View) -> None:
    """Who was told."""
    console = _console()
    count = view["addresses"]
    plural = "" if count == 1 else "es"
    console.print(f"Sent to {count} address{plural}; pinged: {view['pinged']}")
