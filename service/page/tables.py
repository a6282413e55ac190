"""The tables of a migration as its page shows them, in shares of the largest one. Pure."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from junmai_svc.service.fields import Data, number_of, object_of, text_of
from junmai_svc.service.story import span

View = dict[str, Any]

SPENT = "microseconds"
LEAST_SHARE = 0.5  # percent: what is not nothing can be seen


def tables_shown(copied: Sequence[Data], verified: Data) -> list[View]:
    """Each table with its rows and its time, in percent of the most; `copied` are their events."""
    digests = object_of(verified, "tables")
    most = max((number_of(table, "rows") for table in copied), default=0)
    longest = max((number_of(table, SPENT) for table in copied), default=0)
    found = []
    for table in copied:
        name, rows, spent = text_of(table, "table"), number_of(table, "rows"), table.get(SPENT)
        found.append(
            {
                "name": name,
                "rows": rows,
                "time": span(timedelta(microseconds=spent)) if isinstance(spent, int) else "",
                "rows_share": share(rows, most),
                "time_share": share(spent, longest) if isinstance(spent, int) else 0,
                "digest": text_of(object_of(digests, name), "digest"),
            }
        )
    return found


def share(part: int, whole: int) -> float:
    """A share in percent."""
    return max(LEAST_SHARE, round(100 * part / whole, 1)) if part else 0


def rules_shown(planned: Data, verified: Data) -> list[View]:
    """The columns that were filled, by what, and in how many rows where that is known."""
    done = object_of(verified, "rules")
    return [
        {
            "column": name,
            "value": str(value),
            "rows": number_of(object_of(done, name), "rows") if name in done else None,
        }
        for name, value in object_of(planned, "rules").items()
    ]
