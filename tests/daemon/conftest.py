"""What the daemon's tests share: an installation with one database and a fast schedule."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.daemon.installation import Installation


@pytest.fixture
def quick_installation() -> Iterator[Installation]:
    """An installation in memory where that is possible: for hundreds of backups."""
    memory = Path("/dev/shm")  # noqa: S108  # a folder of its own is made there
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Installation(Path(folder))


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    """A folder with a configuration, a database and a store; what still runs is killed."""
    made = Installation(tmp_path)
    yield made
    made.program.close()
