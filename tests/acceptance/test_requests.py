"""Claims about what a backup costs at a provider that counts requests."""

from pathlib import Path

import pytest
from tests.contracts import s3_server
from tests.harness import counted
from tests.harness.counted import Requests


def test_a_backup_asks_no_more_of_s3_than_it_has_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The journal's checkpoint is read twice: before anything is recorded, and to publish."""
    for name, value in s3_server.ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    found = counted.backups(tmp_path)
    del found[counted.FIRST]  # most of it tries what the server honours
    assert found == {counted.UNCHANGED: Requests(7, 1, 5), counted.CHANGED: Requests(9, 1, 5)}
