"""What people and machines see of a result: the only place that prints.

Results go to stdout: a table for people or, with --json, one object. Errors go to stderr.
"""

import json
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import wraps
from typing import Any, Literal

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from junmai_svc.service.printable import printable
from junmai_svc.storage.errors import ToldError

View = dict[str, Any]
SHOWN_FINDINGS = 20
SHOWN_NAMES = 30
_MARKS = {"ok": "ok", "known": "ok, as in the source", "failed": "FAILED"}
_STYLES = {"ok": "green", "known": "yellow", "failed": "bold red"}
_UNITS = ("B", "kB", "MB", "GB", "TB")
_THOUSAND = 1000
_UNBOUNDED = 10_000  # columns
_NUMBERS = {"rows", "seconds", "columns", "source rows", "target rows", "size", "new", "after"}


def shown(show: Callable[[View], None]) -> Callable[[View], None]:
    """Make sure that what is shown to people is printable."""

    @wraps(show)
    def run(view: View) -> None:
        show(printable(view))

    return run


def show_json(view: View) -> None:
    """Print one object on stdout, in ASCII: so it is valid JSON whatever the stream's encoding."""
    sys.stdout.write(json.dumps(view, indent=2) + "\n")
    sys.stdout.flush()


def show_error(error: ToldError) -> None:
    """Print an error and its hint on stderr."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(Text.assemble(("Error: ", "bold red"), printable(error.shown)))
    if error.hint:
        console.print(Text.assemble(("Hint:  ", "bold"), printable(error.hint)))


@shown
def show_findings(view: View) -> None:
    """Print on stderr for what findings a command failed, if it did for any."""
    if view.get("findings"):
        console = Console(stderr=True, highlight=False, markup=False, emoji=False)
        console.width = console.width if sys.stderr.isatty() else _UNBOUNDED
        console.print(Group(*_findings(view)))


_warnings = [True]


@contextmanager
def without_warnings() -> Iterator[None]:
    """Show no warnings in the block: nobody watches the daemon's stderr, and the log has them."""
    before = _warnings[0]
    _warnings[0] = False
    try:
        yield
    finally:
        _warnings[0] = before


def show_warning(text: str, hint: str = "") -> None:
    """Say on stderr what is not as it should be, though the command did what it was asked for."""
    if not _warnings[0]:
        return
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    # In one line: a hint of its own belongs to the error that may follow.
    text = f"{text}. {hint}" if hint else text
    console.print(Text.assemble(("Warning: ", "bold yellow"), printable(text)))


def show_begun(journal: str, public_key: str, key_file: str) -> None:
    """Say on stderr that a journal has begun, by which key it is known, and where the secret is."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    told = f"Began the journal {journal}; keep a copy of {key_file}, which signs it."
    console.print(Text(printable(told)))
    console.print(Text(f"Its public key: {public_key}"))


def show_bug(error: BaseException, where: str) -> None:
    """Say on stderr that this is a bug of the program; the traceback is in the log."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(Text(f"Error: a bug in junmai-svc ({type(error).__name__}); {where}"))


@shown
def show_plan(view: View) -> None:
    """Print what a migration would do."""
    table = table_of("table", "from", "columns", "new columns")
    for row in view["tables"]:
        origin = "carried over" if row["carried"] else (row["from"] or "(new, empty)")
        new = ", ".join(f"{name} = {value}" for name, value in row["new_columns"].items())
        table.add_row(Text(row["table"]), Text(origin), str(row["columns"]), Text(new))
    printed(table, *_carried(view), *_notes(view), Text("Nothing was written (--dry-run)."))


@shown
def show_migration(view: View) -> None:
    """Print the closing table of a migration and what to do next."""
    table = table_of("table", "rows", "seconds", "verdict")
    for row in view["tables"]:
        verdict = row["verdict"]
        table.add_row(
            Text(row["table"]),
            f"{row['rows']:,}",
            f"{row['seconds']:.2f}",
            Text(_MARKS[verdict], _STYLES[verdict]),
        )
    rows = sum(row["rows"] for row in view["tables"])
    source, target = view["source"], view["target"]
    done = f"Migrated {source} to {target}: {rows:,} rows, every value compared with the backup."
    lines = [
        f"Log      {view['log']}",
        f"Run      {view['run']}",
    ]
    if view["replaced"]:
        lines.append(f"Before   the replaced target is kept as {view['replaced']}")
    for name, rule in view["rules"].items():
        lines.append(f"Filled   {name} with {rule['value']} in {rule['rows']:,} rows (new column)")
    steps = [
        f"1. Open {target} with your application and look around; {source} is untouched.",
        f"2. When you are content, close the application, keep {source} under another name,",
        f"   and rename {target} to {source}.",
        f"3. See all that was done: junmai-svc --journal {view['journal']} show {view['run']}",
    ]
    if view["snapshot"]:
        steps.append(f"4. To go back: junmai-svc restore {view['backup_path']} --to {source}")
    printed(
        table,
        *_carried(view),
        *_notes(view),
        *_findings(view),
        Text(done),
        *_stored("Backup", view),
        Text("\n".join(lines)),
        *down_stores(view),
        Text("Next steps", "bold"),
        Text("\n".join(steps)),
    )


@shown
def show_backup(view: View) -> None:
    """Print a stored snapshot."""
    printed(
        *_stored("Stored", view, f" ({sized(view['file_size'])})"),
        Text(f"SHA-256  {view['checksum']}\nChecked  {view['check']}\nRun      {view['run']}"),
        *_violations(view),
        *down_stores(view),
    )


@shown
def show_restored(view: View) -> None:
    """Print a finished restore and the way back."""
    lines = [
        f"Restored {view['snapshot']} to {view['target']}",
        f"SHA-256  {view['checksum']} (as recorded)",
        f"Run      {view['run']}",
    ]
    for each in view["damaged_copies"]:
        lines.append(f"Damaged  the copy in {each['store']}: {each['problem']}")
        lines.append(f"From     {view['store']} instead")
    if view["pre_restore_snapshot"]:
        lines.append(f"Before   what was there is kept as {view['pre_restore_snapshot']}")
    if "undo" in view:
        lines.append(f"Undo     {view['undo']}")
    lines += [
        f"Before   what was there can't be read; kept as {path}" for path in view["set_aside"]
    ]
    printed(Text("\n".join(lines)), *_violations(view))


@shown
def show_verification(view: View) -> None:
    """Print what a verification found."""
    parts: list[RenderableType] = []
    if view["tables"]:
        table = table_of("table", "source rows", "target rows", "verdict")
        for row in view["tables"]:
            table.add_row(
                Text(row["table"]),
                f"{row['source_rows']:,}",
                f"{row['target_rows']:,}",
                Text(_MARKS[row["verdict"]], _STYLES[row["verdict"]]),
            )
        parts.append(table)
    checks = sorted({check["check"] for check in view["checks"]})
    parts.append(Text(f"Checked  {view['subject']}: {', '.join(checks)}"))
    passed = view["status"] == "passed"
    parts.append(
        Text("Verified: no difference found.", "green")
        if passed
        else Text("Differences found.", "bold red")
    )
    printed(*parts, *_findings(view), Text(f"Run      {view['run']}"))


@shown
def show_hold(view: View) -> None:
    """Print that a snapshot is held, or not any more."""
    what = "is held: no policy drops it" if view["status"] == "held" else "is not held any more"
    if view["gone"]:
        what += "; the snapshot itself is gone"
    printed(Text(f"{view['snapshot']} {what}."))


class _Results(Console):
    """Where results are printed."""

    def on_broken_pipe(self) -> None:
        """Leave it to the command line, where rich would end the process with 1."""
        raise BrokenPipeError


def printed(*parts: RenderableType) -> None:
    """Print parts of a result on stdout, one below the other."""
    _console().print(Group(*parts))


def room() -> int:
    """The columns that what is printed may take; more than anything needs where that is a pipe."""
    return _console().width


def _console() -> Console:
    # Names may look like markup; none of what is printed here is.
    console = _Results(
        highlight=False, markup=False, emoji=False, soft_wrap=not sys.stdout.isatty()
    )
    if not sys.stdout.isatty():
        # A pipe has no width to fit; nothing may be cut or wrapped there.
        console.width = _UNBOUNDED
    return console


def table_of(*columns: str, whole: Collection[str] = ()) -> Table:
    """Return an empty table with these columns, numbers to the right.

    Those in `whole` are never wrapped: they would be cut where there is no room for them.
    """
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        numeric = column in _NUMBERS
        justify: Literal["left", "right"] = "right" if numeric else "left"
        table.add_column(column, justify=justify, overflow="fold", no_wrap=column in whole)
    return table


def unusable(view: View) -> Iterable[RenderableType]:
    """A line for each manifest that can't be used."""
    for item in view["unreadable"]:
        yield Text(f"Can't be used: {item['problem']}", "yellow")


def _carried(view: View) -> Iterable[RenderableType]:
    if view["carried"]:
        names = view["carried"]
        more = f" and {len(names) - SHOWN_NAMES:,} more" if len(names) > SHOWN_NAMES else ""
        yield Text("Carried over as they are: " + ", ".join(names[:SHOWN_NAMES]) + more)


def _notes(view: View) -> Iterable[RenderableType]:
    for note in view["notes"]:
        yield Text(f"Note     {note['subject']} {note['text']}", "yellow")


def _stored(label: str, view: View, size: str = "") -> Iterable[RenderableType]:
    """A line for each store that has the snapshot, with what it took there where that is known."""
    if not view["backup_path"]:
        yield Text(f"{label}   none (--no-backup)")
    for store in view["stores"]:
        new = store["new_bytes"]
        took = f", {sized(new)} new" if new is not None else ""
        yield Text(f"{label}   {store['place']}{size}{took}")


def down_stores(view: View) -> Iterable[RenderableType]:
    """What to know of each store that could not be used."""
    for each in view["failed_stores"]:
        yield Text(f"Down     {each['store']}: {each['problem']}", "bold red")
        if each["hint"]:
            yield Text(f"Hint     {each['hint']}")


def _violations(view: View) -> Iterable[RenderableType]:
    for what, rows in view["violations"].items():
        yield Text(f"Note     {rows:,} rows break {what}; they are kept as they are", "yellow")


def _findings(view: View) -> Iterable[RenderableType]:
    findings: Sequence[View] = view["findings"]
    if not findings:
        return
    table = table_of("finding", "table", "key", "column", "expected", "actual", "what to do")
    for finding in findings[:SHOWN_FINDINGS]:
        known = " (already in the source)" if finding["known"] else ""
        table.add_row(
            Text(finding["message"] + known),
            *(Text(finding[name]) for name in ("table", "key", "column", "expected", "actual")),
            Text(finding["hint"]),
        )
    yield table
    total = sum(check["total"] for check in view["checks"])
    shown = min(SHOWN_FINDINGS, len(findings))
    noun = "finding" if total == 1 else "findings"
    yield Text(f"{total:,} {noun} in all, {shown} shown.")


def sized(count: int) -> str:
    """Return bytes in the unit that people would use."""
    amount = float(count)
    for unit in _UNITS:
        if amount < _THOUSAND or unit == _UNITS[-1]:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= _THOUSAND
    raise AssertionError("the last unit takes everything")


def aged(taken: datetime) -> str:
    """Return how long ago something was."""
    seconds = int((datetime.now(UTC) - taken).total_seconds())
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{max(0, seconds)} s"
