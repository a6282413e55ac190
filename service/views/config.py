"""What the commands about the configuration say, as plain data: the form of their --json. Pure."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from junmai_svc.service.configuration.checks import SCHEDULED
from junmai_svc.service.configuration.form import Configuration
from junmai_svc.service.configuration.origins import Setting
from junmai_svc.service.configuration.probe import Looked
from junmai_svc.service.schedule import parse, upcoming
from junmai_svc.service.views import error_view
from junmai_svc.storage.errors import JunmaiError

View = dict[str, Any]
SHOWN_TIMES = 5


def schedules_view(configuration: Configuration, now: datetime) -> list[View]:
    """Every job that is scheduled, with the next times at which it is due."""
    texts = {f"backup {each.name}": each.schedule for each in configuration.databases}
    texts |= {name: getattr(configuration, name).schedule for name in SCHEDULED}
    return [
        {
            "job": job,
            "schedule": text,
            "next": [
                due.isoformat(timespec="seconds")
                for due in (upcoming(parse(text), now, SHOWN_TIMES) if text else ())
            ],
        }
        for job, text in texts.items()
    ]


def check_view(
    path: Path | None,
    schedules: Sequence[View],
    looked: Iterable[Looked],
    idle: JunmaiError | None = None,
) -> View:
    """Everything that was tried, each with its problem if it has one.

    `idle` is why a daemon would have nothing to do.
    """
    rows = [
        {
            "kind": each.kind,
            "name": each.name,
            "where": each.where,
            "usable": each.problem is None,
            "notes": list(each.notes),
            "error": error_view(each.problem)["error"] if each.problem else None,
        }
        for each in looked
    ]
    return {
        "run": None,
        "status": "usable" if all(row["usable"] for row in rows) else "problems",
        "file": str(path) if path else None,
        "schedules": list(schedules),
        "tried": rows,
        "daemon": error_view(idle)["error"] if idle else None,
    }


def show_view(path: Path | None, settings: Sequence[Setting]) -> View:
    """Every key that counts, with where its value comes from."""
    return {
        "run": None,
        "status": "shown",
        "file": str(path) if path else None,
        "settings": [
            {"key": each.key, "value": each.value, "from": each.origin} for each in settings
        ],
    }


def init_view(path: Path) -> View:
    """A configuration that was written."""
    return {"run": None, "status": "written", "file": str(path)}
