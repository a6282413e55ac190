"""A scratch store of either kind."""

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
