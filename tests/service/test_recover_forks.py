"""Claims about forks from any of several stores, and about what a dead or a bold hand left."""

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from tests.harness.published import Scene, made
from tests.harness.recovering import entries, recover
from tests.harness.windows import refuse

from junmai_svc.storage.errors import LockedError
from junmai_svc.storage.snapshots.store import FileStore

_DIES_WITH_IT_OPEN = """
import os, sqlite3, sys
file = sqlite3.connect(sys.argv[1], isolation_level=None)
file.execute("UPDATE journal_head SET published_size = 0")
os._exit(9)
"""


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """Two runs published here and there; of two more, the other store saw one of another history.

    The journal was put back, and went on and was published here while the other store was away.
    """
    scene = made(tmp_path, runs=2)
    scene.publish(tmp_path / "other")
    shutil.copy(scene.path, tmp_path / "older.db")
    scene.run()
    scene.publish(tmp_path / "other")
    shutil.copy(tmp_path / "older.db", scene.path)
    scene.run()
    scene.run()
    scene.publish()
    return scene


def test_a_fork_from_the_store_that_holds_less_is_explained_too(scene: Scene) -> None:
    before = entries(scene)
    found = recover(scene, FileStore(scene.folder / "other"))
    assert (found.status, found.verdict, found.position) == ("forked", "REWRITTEN", 11)
    assert found.store.endswith("other")
    assert found.theirs is not None
    assert found.theirs.size == 16
    assert entries(scene) == before


def test_after_it_a_new_epoch_carries_what_that_store_signed(scene: Scene) -> None:
    found = recover(scene, FileStore(scene.folder / "other"), new_epoch="the disk was put back")
    assert found.status == "new epoch"
    with scene.journal() as journal:
        (opened,) = journal.read()
    assert "\n16\n" in opened.data["continues"]["store_checkpoint"]


def test_stores_of_one_history_at_different_lengths_are_no_fork(tmp_path: Path) -> None:
    scene = made(tmp_path, runs=2)
    scene.publish(tmp_path / "other")
    scene.run()
    scene.publish()
    assert recover(scene, FileStore(tmp_path / "other")).status == "intact"


@pytest.mark.parametrize("damaged", [False, True])
def test_a_new_epoch_begins_where_somebody_dropped_the_triggers(
    scene: Scene, *, damaged: bool
) -> None:
    with closing(sqlite3.connect(scene.path, isolation_level=None)) as other:
        other.execute("DROP TRIGGER event_no_update")
        if damaged:
            other.execute("UPDATE event SET entry = x'7b7d' WHERE position = 12")
    found = recover(scene, FileStore(scene.folder / "other"), new_epoch="somebody changed it")
    assert found.status == "new epoch"
    assert found.kept is not None
    assert found.kept.exists()
    scene.key.unlink()
    scene.publish()


def test_what_a_killed_process_left_beside_a_journal_does_not_count_as_open(scene: Scene) -> None:
    with closing(sqlite3.connect(scene.path, isolation_level=None)) as other:
        other.execute("DROP TRIGGER event_no_update")
    subprocess.run([sys.executable, "-c", _DIES_WITH_IT_OPEN, scene.path], check=False)
    assert scene.path.with_name("journal.db-wal").exists()
    found = recover(scene)
    assert found.status == "recovered"
    assert found.kept is not None


def test_a_journal_that_somebody_has_open_is_not_put_aside(scene: Scene) -> None:
    with closing(sqlite3.connect(scene.path, isolation_level=None)) as other:
        other.execute("DROP TRIGGER event_no_update")
        with pytest.raises(LockedError, match="is open somewhere"):
            recover(scene)


def test_a_fork_that_can_not_be_put_aside_keeps_its_key(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, "rename", 1, which=lambda each: each == scene.path)
    with pytest.raises(LockedError, match="another process"):
        recover(scene, FileStore(scene.folder / "other"), new_epoch="the disk was put back")
    assert scene.path.exists()
    assert scene.path.with_name("journal.db.key").exists()
    scene.run()
