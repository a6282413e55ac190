"""What tests of the use cases share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.harness.journals import opened_journal

from junmai_svc.storage.journal.journal import Journal


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """A new journal, which begins with its own first event."""
    with opened_journal(tmp_path / "journal.db") as journal:
        yield journal
