"""What people see of the commands about the configuration."""

from rich.text import Text

from junmai_svc.service.configuration.text import toml_of
from junmai_svc.service.report import View, printed, shown, table_of


@shown
def show_init(view: View) -> None:
    """Print where the configuration is, and what to do with it."""
    path = view["file"]
    printed(
        Text(
            f"Wrote    {path}, in which every key stands with its default.\n"
            f"Next     Name your database and stores in it, then try it:\n"
            f"         junmai-svc --config {path} config check"
        )
    )


@shown
def show_check(view: View) -> None:
    """Print what was tried, and when each job is due."""
    tried = table_of("what", "name", "where", "verdict")
    for row in view["tried"]:
        notes = "; ".join(row["notes"])
        if row["usable"]:
            verdict = Text(f"ok: {notes}" if notes else "ok", "green")
        else:
            verdict = Text(f"FAILED: {row['error']['message']}", "bold red")
        tried.add_row(row["kind"], Text(row["name"]), Text(row["where"]), verdict)
    due = table_of("job", "schedule", "next times (UTC)")
    for row in view["schedules"]:
        times = [time[:19].replace("T", " ") for time in row["next"]]
        when = _joined(times) if times else "only by hand"
        due.add_row(Text(row["job"]), Text(row["schedule"]), when)
    wrong = sum(not row["usable"] for row in view["tried"])
    last = f"{wrong} of {len(view['tried'])} can't be used." if wrong else "All can be used."
    hints = dict.fromkeys(row["error"]["hint"] for row in view["tried"] if row["error"])
    printed(
        Text(f"Checked  {view['file'] or 'what the environment says'}"),
        tried,
        due,
        *(Text(f"Hint:    {hint}") for hint in hints if hint),
        Text(last, "bold red" if wrong else "green"),
        *_idle(view["daemon"]),
    )


def _idle(problem: View | None) -> list[Text]:
    if problem is None:
        return []
    return [Text(f"`daemon run` would refuse: {problem['message']}. {problem['hint']}", "yellow")]


def _joined(times: list[str]) -> str:
    """Due times in few words: what they have in common, the day or the time, is said once."""
    days = list(dict.fromkeys(time[:10] for time in times))
    clocks = list(dict.fromkeys(time[11:].removesuffix(":00") for time in times))
    if len(clocks) == 1:
        return f"{', '.join(days)} at {clocks[0]}"
    return "\n".join(
        f"{day} at {', '.join(time[11:].removesuffix(':00') for time in times if time[:10] == day)}"
        for day in days
    )


@shown
def show_settings(view: View) -> None:
    """Print every key that counts, with where its value comes from."""
    table = table_of("key", "value", "from")
    for row in view["settings"]:
        value = "" if row["value"] is None else toml_of(row["value"])
        table.add_row(Text(row["key"]), Text(value), Text(row["from"]))
    printed(Text(f"File     {view['file'] or 'none'}"), table)
