"""A pair of databases for each test."""

from pathlib import Path

import pytest
from tests.checks.two_databases import TwoDatabases


@pytest.fixture
def two(tmp_path: Path) -> TwoDatabases:
    """Two databases without a table yet."""
    return TwoDatabases(tmp_path)
