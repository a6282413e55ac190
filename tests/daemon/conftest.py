"""What the daemon's tests share: an installation with one database and a fast schedule."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.daemon.installation import Installation


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    """A folder with a configuration, a database and a store; what still runs is killed."""
    made = Installation(tmp_path)
    yield made
    made.program.close()
