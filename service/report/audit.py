"""What people see of an audit."""

import json
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from junmai_svc.service.printable import printable

View = dict[str, Any]

_STYLES = {"ok": "green", "failed": "bold red", "unchecked": "dim"}
_MARKS = {"ok": "ok", "failed": "FAILED", "unchecked": "not checked"}


def show_audit(view: View) -> None:
    """Print the verdicts, what fails them, and what to know."""
    view = printable(view)
    console = Console(highlight=False, soft_wrap=True)
    table = Table(box=box.SIMPLE_HEAD)
    for title in ("question", "verdict", "from position"):
        table.add_column(title, justify="right" if title == "from position" else "left")
    for each in view["verdicts"]:
        position = "" if each["position"] is None else f"{each['position']:,}"
        answer = each["answer"]
        mark = Text(_MARKS[answer], _STYLES[answer])
        if each["extent"]:
            mark.append(f", {each['extent']}", "dim")
        table.add_row(each["verdict"], mark, position)
    console.print(table)
    for each in view["verdicts"]:
        for finding in each["findings"]:
            _show_finding(console, each["verdict"], finding)
        if each["total"] > len(each["findings"]):
            console.print(Text(f"... {each['total'] - len(each['findings']):,} more"))
    notes = [note for each in view["verdicts"] for note in each["notes"]]
    for note in notes:
        console.print(Text(f"Note: {note}"))
    _show_down(console, view)
    console.print(Text(f"Journal  {view['journal']}: {view['size']:,} events, root {view['root']}"))
    if view["pin"]:
        console.print(Text(f"Pin      {_told_pin(view['pin'])}"))


def _show_down(console: Console, view: View) -> None:
    for down in view["unreachable"]:
        console.print(Text(f"Not asked: {down['store']}: {down['problem']}", "yellow"))


def _told_pin(pin: View) -> str:
    at = "" if pin["size"] is None else f" at {pin['size']:,} events"
    before = f", from {pin['before']:,}" if pin["status"] == "moved on" else ""
    return f"{pin['file']}: {pin['status']}{at}{before}"


def _show_finding(console: Console, verdict: str, finding: View) -> None:
    place = "" if finding["position"] is None else f" at position {finding['position']:,}"
    where = f" ({finding['where']})" if finding["where"] else ""
    console.print(
        Text.assemble((f"{verdict}: ", "bold red"), f"{finding['message']}{place}{where}")
    )
    if finding["hint"]:
        console.print(Text(f"  {finding['hint']}"))


def show_checkpoint(view: View) -> None:
    """Print a checkpoint as it is signed, then the key and the stores."""
    console = Console(highlight=False, soft_wrap=True)
    console.print(Text(view["checkpoint"]))
    console.print(Text(f"Key      {view['key']}"))
    for each in view["published"]:
        line = (
            f"Published {each['size']:,} events, {each['added']:,} of them new, to {each['store']}"
        )
        console.print(Text(printable(line)))
        if each["mended"]:
            console.print(Text(f"Repaired {each['mended']:,} objects there"))
    for each in view["problems"]:
        line = f"Not published to {each['store']}: {each['problem']}"
        console.print(Text(printable(line), "bold red"))


def show_lines(lines: dict[str, str]) -> None:
    """Print names and values below each other."""
    console = Console(highlight=False, soft_wrap=True)
    width = max(8, *map(len, lines))
    for name, value in lines.items():
        console.print(Text(printable(f"{name:<{width}} {value}")))


def show_proven(view: View) -> None:
    """Print an event whose proof holds."""
    told = {
        "Proven": f"position {view['position']} of {view['size']:,} in {view['journal']}",
        "Event": f"{view['type']} of {view['stream']}, {view['time']}",
    }
    data = {name: _text(value) for name, value in view["data"].items() if value is not None}
    show_lines(told | data)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


_RECOVERIES = {
    "intact": "Nothing to recover: the journal holds all that was signed in each store asked.",
    "recovered": "Refilled from the store; every entry is the one that was signed.",
    "forked": "Two histories: nothing was changed, and nothing is ever merged.",
    "new epoch": "A new journal has begun; its first event carries both checkpoints.",
}


def show_recovery(view: View) -> None:
    """Print what a recovery found and did; of a fork, both sides."""
    told = {
        "Journal": f"{view['journal']}, {view['size']:,} events",
        "Store": view["store"],
        "Found": _RECOVERIES[view["status"]],
    }
    if view["added"]:
        told["Put back"] = f"{view['added']:,} events"
    if view["position"] is not None:
        told["Differs"] = f"from position {view['position']:,} on ({view['verdict']})"
        told["Here"] = f"{view['ours']['size']:,} events, root {view['ours']['root']}"
        told["There"] = f"{view['theirs']['size']:,} events, root {view['theirs']['root']}"
    if view["kept"]:
        told["Kept"] = view["kept"]
    if view["status"] == "forked":
        told["Next"] = (
            "find out which one is true. To take the store's: put this journal away and run"
            " `junmai-svc audit recover` again. To go on with this one: --new-epoch REASON"
        )
    if view["besides"]:
        told["Others"] = "; ".join(view["besides"])
        told["Next"] = (
            "to go on with one of those, as on a new machine: put this journal and its key away,"
            " and its public key, one line, into a file for `junmai-svc audit recover --key FILE`"
        )
    show_lines(told)
    _show_down(Console(highlight=False, soft_wrap=True), printable(view))
