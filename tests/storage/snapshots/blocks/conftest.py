"""A scratch store of either kind."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.storage.snapshots.blocks.scratch import SEALS, ScratchStore

from junmai_svc.storage.snapshots.blocks.sealing import Seal


@pytest.fixture(params=SEALS)
def seal(request: pytest.FixtureRequest) -> Seal:
    kind: str = request.param
    return SEALS[kind]()


@pytest.fixture
def store(tmp_path: Path, seal: Seal) -> ScratchStore:
    return ScratchStore(tmp_path / "store", seal)


@pytest.fixture
def quick_folder() -> Iterator[Path]:
    """A folder in memory where the system has one: caches are written durably, again and again."""
    memory = Path("/dev/shm")  # noqa: S108  # only to be quick
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)
