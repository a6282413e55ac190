"""What people see of the daemon, of drills and of notifications."""

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from junmai_svc.service.printable import printable
from junmai_svc.service.views.daemon import View

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


def show_drills(view: View) -> None:
    """A line for each drill, and why one did not prove its snapshot."""
    view = printable(view)
    console = _console()
    table = Table("snapshot", "store", "result", "rows", "seconds", box=None, pad_edge=False)
    for each in view["drills"]:
        table.add_row(
            each["snapshot"],
            each["store"],
            _state(each["result"]),
            str(each["rows"]),
            f"{each['seconds']:.1f}",
        )
    console.print(table)
    for each in view["drills"]:
        if each["message"]:
            console.print(Text(f"{each['snapshot']}: {each['message']}"))
            if each["hint"]:
                console.print(Text(f"Hint: {each['hint']}"))


def show_installed(view: View) -> None:
    """Where the file is and what to do next."""
    view = printable(view)
    console = _console()
    console.print(Text(f"Written: {view['path']}"))
    console.print(Text(f"Next:    {view['next']}"))


def show_sent(view: View) -> None:
    """Who was told."""
    console = _console()
    console.print(f"Sent to {view['addresses']} addresses; pinged: {view['pinged']}")
