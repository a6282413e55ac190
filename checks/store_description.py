"""A look at a store's description and its copy, either of which opens a sealed store."""

from dataclasses import replace

from junmai_svc.checks.store_report import StoreFinding, StoreReport
from junmai_svc.storage.snapshots.description import Flaw

_NO_COPY = "{name} is missing, a copy of store.json; `check --repair` makes it"


def with_description(report: StoreReport, flaw: Flaw | None) -> StoreReport:
    """Return a report that tells what is wrong with the store's description too. Pure."""
    if flaw is None:
        return report
    if not flaw.is_damage:
        return replace(report, notes=(*report.notes, _NO_COPY.format(name=flaw.name)))
    found = StoreFinding("description", flaw.name, flaw.problem)
    return replace(report, findings=(*report.findings, found))
