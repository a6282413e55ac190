"""What crash tests share. strace has to be there: without it they are skipped, in CI they fail."""

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from tests.crash.program import WITHOUT_SIGNALS
from tests.crash.scene import Scene, copy_database


@pytest.fixture(scope="session")
def strace() -> None:
    """Require that strace is installed and may trace; where CI is set, its lack is a failure."""
    missing = _missing()
    if missing is None:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(missing)
    pytest.skip(missing)


def _missing() -> str | None:
    if shutil.which("strace") is None:
        return "needs strace, which is not installed"
    command = [*WITHOUT_SIGNALS, "-o", os.devnull, "-e", "trace=fsync", sys.executable, "-c", ""]
    tried = subprocess.run(command, capture_output=True, text=True, check=False)
    return None if tried.returncode == 0 else f"needs strace, which may not trace: {tried.stderr}"


@pytest.fixture(scope="session")
def changed_since(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a scene with a backup, and a database in WAL mode that was changed since."""
    scratch = tmp_path_factory.mktemp("changed")
    scene = Scene(scratch / "scene")
    scene.run_well(*scene.backup)
    live = scratch / "changing.db"
    scene.source.rename(live)
    with closing(sqlite3.connect(live, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("DELETE FROM learning_data WHERE id % 2 = 0")
        copy_database(live, scene.source)
    return scene.folder
