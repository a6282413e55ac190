"""What a check of a store comes to, as plain data. Pure."""

from typing import Any

from junmai_svc.checks.store_report import StoreFinding, StoreReport
from junmai_svc.service.check import Checked
from junmai_svc.service.repair import Repaired

View = dict[str, Any]


def check_view(checked: Checked, called: str = "STORE") -> View:
    """A finished check. A finding's `ranges` are bytes of the database, from and up to.

    `called` is the store as it was named, for the commands in hints.
    """
    return {
        "run": checked.run,
        "status": "findings" if checked.report.findings else "sound",
        **report_view(checked.store, checked.report, called),
    }


def repair_view(repaired: Repaired, called: str = "STORE") -> View:
    """A finished repair; `findings` are what could not be mended."""
    mended = repaired.mended
    return {
        "run": repaired.run,
        "status": "findings" if repaired.after.findings else "repaired",
        **report_view(repaired.store, repaired.after, called),
        "found": [finding_view(each, called) for each in repaired.before.findings],
        "saved_blocks": mended.saved,
        "found_blocks": mended.found,
        "lost_blocks": mended.lost,
        "new_maps": mended.maps,
        "quarantined": [*repaired.aside, *mended.quarantined],
        "put_back": [*repaired.put_back, *mended.rebuilt],
    }


def report_view(store: str, report: StoreReport, called: str) -> View:
    """What was looked at in a store, and what was found."""
    return {
        "store": store,
        "snapshots": len(report.snapshots),
        "objects": report.objects,
        "bytes_read": report.read,
        "whole": report.whole,
        "damaged": list(report.damaged),
        "findings": [finding_view(each, called) for each in report.findings],
        "notes": list(report.notes),
    }


def finding_view(finding: StoreFinding, called: str) -> View:
    """One finding, in the form that all findings have, and the snapshots that it concerns."""
    return {
        "check": finding.what,
        "message": finding.problem,
        "table": "",
        "key": finding.name,
        "column": "",
        "expected": "",
        "actual": "",
        "hint": finding.hint.replace("check STORE ", f"check {called} "),
        "known": False,
        "snapshots": [
            {
                "snapshot": hit.snapshot,
                "database": hit.database,
                "bytes": hit.size,
                "ranges": [[each.start, each.stop] for each in hit.ranges],
            }
            for hit in finding.hits
        ],
    }
