"""One run as a page shows it: everything in words and in shares of a bar. Pure.

What an event holds is input: what is missing or of another kind is left out of the page.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from junmai_svc.service.story import count, name_of, span, told
from junmai_svc.storage.journal.entry import Event
from junmai_svc.storage.journal.projection import RUNNING, Run

View = dict[str, Any]

GROUPED = "table_copied"
SPENT = "microseconds"
_GOOD = {"verified", "completed", "switched", "confirmed", "reproduced", "proven", "stopped"}
_OPEN = {RUNNING, "abandoned", "input_missing", "not_reproducible", "inconclusive"}
_CHECKS = {
    "counts": "Row count",
    "rows": "Every value",
    "foreign_keys": "Foreign keys",
    "indexes": "Indexes",
    "constraints": "Constraints",
    "backup_checksum": "The snapshot's SHA-256 is the recorded one",
    "schema": "The schema is the planned one",
    "sqlite_file": "SQLite finds the file sound",
}
_FACTS = (
    ("Database", "database"),
    ("Target", "target"),
    ("Snapshot", "snapshot"),
    ("Store", "store"),
)


@dataclass(frozen=True)
class Proof:
    """What lets others check the page: the journal's signed checkpoint and its public key."""

    journal: str
    checkpoint: str | None = None
    public_key: str | None = None


def page_view(run: Run, events: Sequence[Event], proof: Proof) -> View:
    """Everything that the page of a run shows; what was too large for an event is in its data."""
    data = {name: event.data for event in events for name in [_name(event)] if name != GROUPED}
    tables = _tables(events, data)
    checks = _list(data.get("constraints_checked", {}), "results")
    matrix = _matrix(checks)
    ended = run.ended or events[-1].time
    return {
        "run": run.id,
        "kind": run.kind,
        "status": run.status.replace("_", " "),
        "mood": "good" if run.status in _GOOD else "open" if run.status in _OPEN else "bad",
        "title": _title(run, data),
        "lead": _lead(run, tables, data),
        "message": run.message if run.status not in _GOOD else None,
        "hint": _text(events[-1].data, "hint"),
        "when": day(run.started),
        "actor": run.actor.removeprefix("actor:"),
        "figures": _figures(tables, checks, ended - run.started, data),
        "facts": _facts(run, events),
        "tables": [table for table in tables if table["rows"]],
        "empty": [table["name"] for table in tables if not table["rows"]],
        "timed": any(table["time"] for table in tables),
        "rules": _rules(data),
        "notes": [str(note) for note in _list(data.get("planned", {}), "notes")],
        "carried": [str(name) for name in _list(data.get("planned", {}), "carried")],
        "checked": "constraints_checked" in data,
        "whole": [_check(each) for each in checks if not each.get("table")],
        "unseen": any(c["verdict"] == "none" for _, row in matrix for c in row),
        "columns": [_CHECKS.get(name, name) for name in _kinds(checks)],
        "matrix": matrix,
        "differences": _differences(data, checks),
        "only_known": all(each.get("verdict") != "failed" for each in checks),
        "looked": _list(events[-1].data, "looked"),
        "timeline": _timeline(events),
        "digests": [(table["name"], table["digest"]) for table in tables if table["digest"]],
        "circumstances": _circumstances(data.get("planned", {})),
        "proof": proof,
        "positions": (events[0].position, events[-1].position),
    }


def day(time: datetime) -> str:
    """A time in UTC as a page shows it: `27 November 2026, 14:00:05 UTC`."""
    return f"{time.day} {time:%B %Y, %H:%M:%S} UTC"


def _title(run: Run, data: Mapping[str, Any]) -> list[str]:
    """The page's title: one name, or two with an arrow between them."""
    start: Mapping[str, Any] = next(iter(data.values()), {})
    source = run.source or run.database
    names = [run.snapshot or _text(start, "snapshot"), run.target]
    if run.kind in {"migration", "verification"}:
        names = [source, run.target]
    elif run.kind != "restore":
        names = [run.database]
    return [_file(name) for name in names if name]


def _lead(run: Run, tables: Sequence[View], data: Mapping[str, Any]) -> str:
    if run.kind == "replay":
        return _replayed(run, data)
    if run.kind != "migration" or run.status != "verified":
        return ""
    rows = sum(table["rows"] for table in tables)
    text = f"{count(rows, 'row')} in {count(len(tables), 'table')} were moved to the current schema"
    if _text(data.get("backup_linked", {}), "snapshot"):
        return f"{text}, and every value was compared with the snapshot taken before."
    return f"{text}, and every value was compared with the source."


def _replayed(run: Run, data: Mapping[str, Any]) -> str:
    start: Mapping[str, Any] = next(iter(data.values()), {})
    how = "run again from its snapshot" if _text(start, "mode") == "execute" else "looked at again"
    text = f"The {_text(start, 'of_kind')} {_text(start, 'of')} was {how}"
    return f"{text}: {run.message}." if run.message and run.status in _GOOD else f"{text}."


def _figures(
    tables: Sequence[View], checks: Sequence[View], spent: timedelta, data: Mapping[str, Any]
) -> list[tuple[str, str]]:
    figures = []
    if tables:
        figures += [
            (f"{sum(table['rows'] for table in tables):,}", "rows"),
            (f"{len(tables):,}", "tables"),
        ]
    if "constraints_checked" in data:
        found = data["constraints_checked"]
        failed = len(_object(found, "failed")) or sum(c.get("verdict") == "failed" for c in checks)
        figures += [(f"{_int(found, 'checks'):,}", "checks"), (f"{failed:,}", "failed")]
    return [*figures, (span(spent), "from start to end")]


def _facts(run: Run, events: Sequence[Event]) -> list[tuple[str, str]]:
    told_first = events[0].data
    facts = [
        (label, value)
        for label, name in _FACTS
        if (value := getattr(run, name, None) or _text(told_first, name))
    ]
    checksum = next((c for event in events if (c := _text(event.data, "checksum"))), "")
    return facts + ([("SHA-256", checksum)] if checksum else [])


def _tables(events: Iterable[Event], data: Mapping[str, Any]) -> list[View]:
    digests = _object(data.get("verified", {}), "tables")
    verdicts = _verdicts(_list(data.get("constraints_checked", {}), "results"))
    copied = [event.data for event in events if _name(event) == GROUPED]
    most = max((_int(table, "rows") for table in copied), default=0) or 1
    longest = max((_int(table, SPENT) for table in copied), default=0) or 1
    found = []
    for table in copied:
        name, rows, spent = _text(table, "table"), _int(table, "rows"), table.get(SPENT)
        facts = digests.get(name)
        found.append(
            {
                "name": name,
                "rows": rows,
                "time": span(timedelta(microseconds=spent)) if isinstance(spent, int) else "",
                "rows_share": _share(rows, most),
                "time_share": _share(spent, longest) if isinstance(spent, int) else 0,
                "verdict": verdicts.get(name, ""),
                "digest": _text(facts, "digest") if isinstance(facts, dict) else "",
            }
        )
    return found


def _share(part: int, whole: int) -> float:
    """A share in percent; what is not nothing can be seen."""
    return max(0.5, round(100 * part / whole, 1)) if part else 0


def _verdicts(checks: Iterable[View]) -> dict[str, str]:
    """The worst verdict of each table."""
    order = ["ok", "known", "failed"]
    found: dict[str, str] = {}
    for check in checks:
        verdict = check.get("verdict")
        if verdict in order:
            table = str(check.get("table"))
            found[table] = max(found.get(table, "ok"), verdict, key=order.index)
    return found


def _kinds(checks: Iterable[View]) -> list[str]:
    """The checks that look at one table at a time, in their order."""
    return list(dict.fromkeys(str(each.get("check")) for each in checks if each.get("table")))


def _matrix(checks: Sequence[View]) -> list[tuple[str, list[View]]]:
    """Each table with the outcome of each check of it."""
    tables: dict[str, dict[str, View]] = {}
    for each in checks:
        if each.get("table"):
            tables.setdefault(str(each["table"]), {})[str(each.get("check"))] = _check(each)
    none = {"verdict": "none", "label": "not looked at", "total": 0}
    return [(name, [found.get(k, none) for k in _kinds(checks)]) for name, found in tables.items()]


def _check(each: View) -> View:
    check, verdict, total = str(each.get("check")), str(each.get("verdict")), _int(each, "total")
    label = {"ok": "passed", "known": f"{total:,}, as in the source"}.get(
        verdict, f"{total:,} found"
    )
    return {"name": _CHECKS.get(check, check), "verdict": verdict, "label": label, "total": total}


def _differences(data: Mapping[str, Any], checks: Iterable[View]) -> list[View]:
    """What was found where: by check in full, with the first messages."""
    told_of = _list(data.get("constraints_checked", {}), "differences")
    found = []
    for each in checks:
        if each.get("verdict") == "ok":
            continue
        table = str(each.get("table") or "")
        places = [
            f"{d.get('message')}" + (f" in {d['column']}" if d.get("column") else "")
            for d in told_of
            if (d.get("check"), d.get("table")) == (each.get("check"), table)
        ]
        found.append(_check(each) | {"table": table, "places": list(dict.fromkeys(places))})
    return found


def _rules(data: Mapping[str, Any]) -> list[View]:
    """The columns that were filled, by what, and in how many rows where that is known."""
    done = _object(data.get("verified", {}), "rules")
    planned = _object(data.get("planned", {}), "rules")
    return [
        {
            "column": name,
            "value": str(value),
            "rows": _int(done[name], "rows") if isinstance(done.get(name), dict) else None,
        }
        for name, value in planned.items()
    ]


def _circumstances(planned: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What decides about a second execution beside the snapshot."""
    versions = _object(planned, "versions")
    told_of = [(label, _text(planned, name)) for label, name in _RECIPE]
    told_of += [(f"{name} version", str(version)) for name, version in versions.items()]
    return [(label, value) for label, value in told_of if value]


_RECIPE = (("Plan (SHA-256)", "plan"), ("Clock", "clock"), ("Seed", "seed"))


def _timeline(events: Sequence[Event]) -> list[View]:
    """The steps in order, each with its distance to the start; tables that were copied as one."""
    steps = []
    for is_copied, some in groupby(events, lambda event: _name(event) == GROUPED):
        group = list(some)
        if is_copied and len(group) > 1:
            steps.append(_tables_copied(group, events[0].time))
        else:
            steps += [_step(event, events[0].time) for event in group]
    return steps


def _step(event: Event, start: datetime) -> View:
    return {
        "at": span(event.time - start),
        "events": f"event {event.position}",
        "name": name_of(event).capitalize(),
        "text": told(event),
        "mood": "bad" if _name(event) == "failed" else "",
    }


def _tables_copied(group: Sequence[Event], start: datetime) -> View:
    rows = sum(_int(event.data, "rows") for event in group)
    return _step(group[-1], start) | {
        "events": f"events {group[0].position} to {group[-1].position}",
        "name": "Tables copied",
        "text": f"{count(len(group), 'table')} with {count(rows, 'row')}",
    }


def _name(event: Event) -> str:
    return event.type.split(".")[2]


def _file(path: str) -> str:
    """The last part of a path of any system, or the name as it is."""
    return path.replace("\\", "/").rstrip("/").rpartition("/")[2] or path


def _text(data: Mapping[str, Any], name: str) -> str:
    value = data.get(name)
    return value if isinstance(value, str) else ""


def _int(data: Mapping[str, Any], name: str) -> int:
    value = data.get(name)
    return value if isinstance(value, int) else 0


def _object(data: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = data.get(name)
    return value if isinstance(value, dict) else {}


def _list(data: Mapping[str, Any], name: str) -> list[Any]:
    value = data.get(name)
    return value if isinstance(value, list) else []
