"""Journals for tests that need one and have no wish of their own about it."""

from datetime import UTC, datetime
from pathlib import Path

from junmai_svc.storage.journal.journal import Journal


def opened_journal(path: Path) -> Journal:
    """Open a journal, or make it, with the clock of this machine."""
    return Journal.open(
        path, create=True, actor="a@b", clock=lambda: datetime.now(UTC), tool_version="0"
    )
