"""What people see of a check of a store."""

import re
from collections.abc import Iterable

from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from junmai_svc.service.report import View, printed, shown, sized
from junmai_svc.service.story import count

SHOWN_FINDINGS = 20
SHOWN_HITS = 5
SHOWN_RANGES = 3
_INDENTED = (0, 0, 0, 2)
# The names of packs and of maps.
_DIGITS = re.compile(r"\b([0-9a-f]{12})(?:[0-9a-f]{52}|[0-9a-f]{20})\b")


@shown
def show_check(view: View) -> None:
    """Print what was looked at, what is damaged, and which snapshots that concerns where."""
    printed(*looked_at(view))


@shown
def show_repair(view: View) -> None:
    """Print what was mended and what could not be."""
    found = len(view["found"])
    blocks = view["saved_blocks"] + view["found_blocks"]
    lines = [f"Found    {found:,} damaged {'thing' if found == 1 else 'things'}"]
    if blocks:
        lines.append(f"Mended   {blocks:,} blocks, {view['found_blocks']:,} of them from elsewhere")
    lines += [f"Put back {name}" for name in view["put_back"][:SHOWN_FINDINGS]]
    lines += [f"Aside    quarantine/{name}" for name in view["quarantined"][:SHOWN_FINDINGS]]
    if view["lost_blocks"]:
        lines.append(f"Lost     {view['lost_blocks']:,} blocks could not be had from anywhere")
    printed(Text("\n".join(lines)), *looked_at(view))


def looked_at(view: View) -> Iterable[RenderableType]:
    """The parts of a report on a store."""
    kinds = "pack or image" if view["objects"] == 1 else "packs or images"
    yield Text(
        f"Store    {view['store']}: {count(view['snapshots'], 'snapshot')},"
        f" {view['objects']:,} {kinds}, {_how_much(view)}"
    )
    findings = view["findings"]
    if findings:
        for finding in findings[:SHOWN_FINDINGS]:
            yield from _finding(finding)
        if len(findings) > SHOWN_FINDINGS:
            yield Text(f"{len(findings):,} findings in all, {SHOWN_FINDINGS} shown.")
        for hint in dict.fromkeys(finding["hint"] for finding in findings if finding["hint"]):
            yield Text(f"Hint     {hint}", "bold")
    if damaged := view["damaged"]:
        yield Text(f"Damaged  {len(damaged):,} snapshots: {_some(damaged, SHOWN_HITS)}", "bold red")
    for note in view["notes"]:
        yield Text(f"Note     {note}", "yellow")
    yield Text(f"Run      {view['run']}")
    if not findings:
        yield Text("Nothing is damaged.", "green")


def _finding(finding: View) -> Iterable[RenderableType]:
    yield Text(_cut(finding["key"]), "bold red")
    yield Padding(Text(_cut(finding["message"])), _INDENTED, expand=False)
    hits = finding["snapshots"]
    if not hits and finding["check"] != "description":  # which all of them may need
        yield Padding(Text("no snapshot needs it"), _INDENTED, expand=False)
    for hit in hits[:SHOWN_HITS]:
        where = f": bytes {_ranges(hit['ranges'])} of {hit['database']}" if hit["ranges"] else ""
        yield Padding(Text(f"{hit['snapshot']}{where}"), _INDENTED, expand=False)
    if len(hits) > SHOWN_HITS:
        yield Padding(
            Text(f"and {len(hits) - SHOWN_HITS:,} more snapshots"), _INDENTED, expand=False
        )


def _cut(text: str) -> str:
    """A text in which the names that are long numbers are cut; --json has them whole."""
    return _DIGITS.sub(r"\1…", text)


def _how_much(view: View) -> str:
    if view["whole"]:
        return f"every byte read ({sized(view['bytes_read'])})"
    if view["bytes_read"]:
        return f"{sized(view['bytes_read'])} read"
    return "structure only (--read-data reads the rest)"


def _some(names: list[str], most: int) -> str:
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _ranges(ranges: list[list[int]]) -> str:
    return _some([f"{start:,} to {stop:,}" for start, stop in ranges], SHOWN_RANGES)
