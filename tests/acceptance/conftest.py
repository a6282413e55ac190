"""What the acceptance tests share: the program, started in the test's own folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.harness.databases import make_oldest
from tests.harness.program import Program


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    """The real program; what is still running at the end is killed."""
    started = Program(tmp_path)
    yield started
    started.close()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A database of the oldest schema, named as Junmai names it, in a folder of its own."""
    folder = tmp_path / "data"
    folder.mkdir()
    return make_oldest(folder / "junmai.db")
