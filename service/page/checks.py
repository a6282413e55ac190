"""The checks of a migration as its page shows them: table by table, and what they found. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from junmai_svc.service.fields import Data, number_of, object_of, objects_of

View = dict[str, Any]

_NAMES = {
    "counts": "Row count",
    "rows": "Every value",
    "foreign_keys": "Foreign keys",
    "indexes": "Indexes",
    "constraints": "Constraints",
    "backup_checksum": "The snapshot's SHA-256 is the recorded one",
    "schema": "The schema is the planned one",
    "sqlite_file": "SQLite finds the file sound",
}
_NOT_LOOKED_AT = {"verdict": "none", "label": "not looked at", "total": 0}


def checks_shown(checked: Data) -> View:
    """Everything about checks, from what `constraints_checked` holds.

    `whole` are those of the database, `matrix` has a row for each table with its name and the
    outcome of each of `columns`.
    """
    results = objects_of(checked, "results")
    failed = failed_checks(checked)
    kinds = dict.fromkeys(str(each.get("check")) for each in results if each.get("table"))
    matrix = list(_matrix(results, list(kinds)))
    return {
        "whole": [_check(each) for each in results if not each.get("table")],
        "columns": [_NAMES.get(kind, kind) for kind in kinds],
        "matrix": matrix,
        "unseen": any(cell is _NOT_LOOKED_AT for _, cells in matrix for cell in cells),
        "differences": _differences(results, objects_of(checked, "differences")),
        "only_known": all(each.get("verdict") != "failed" for each in results),
        "recorded": bool(results),
        "failed_checks": failed,
    }


def failed_checks(checked: Data) -> int | None:
    """How many checks failed; None where that is not known, as the details are missing."""
    if isinstance(checked.get("failed"), Mapping):
        return len(object_of(checked, "failed"))
    number = checked.get("failing")
    return number if isinstance(number, int) else None


def _matrix(results: Sequence[Data], kinds: Sequence[str]) -> Iterable[tuple[str, list[View]]]:
    tables: dict[str, dict[str, View]] = {}
    for each in results:
        if each.get("table"):
            tables.setdefault(str(each["table"]), {})[str(each.get("check"))] = _check(each)
    for name, found in tables.items():
        yield name, [found.get(kind, _NOT_LOOKED_AT) for kind in kinds]


def _check(each: Data) -> View:
    check, verdict = str(each.get("check")), str(each.get("verdict"))
    total = number_of(each, "total")
    labels = {"ok": "passed", "known": f"{total:,}, as in the source"}
    label = labels.get(verdict, f"{total:,} found")
    return {"name": _NAMES.get(check, check), "verdict": verdict, "label": label, "total": total}


def _differences(results: Iterable[Data], found: Sequence[Data]) -> list[View]:
    """What was found by which check in which table, in full, and in which columns."""
    return [
        _check(each) | {"table": str(each.get("table") or ""), "places": _places(each, found)}
        for each in results
        if each.get("verdict") != "ok"
    ]


def _places(check: Data, found: Iterable[Data]) -> list[str]:
    texts = (
        f"{each.get('message')}" + (f" in {each['column']}" if each.get("column") else "")
        for each in found
        if all(each.get(name) == check.get(name) for name in ("check", "table"))
    )
    return list(dict.fromkeys(texts))
