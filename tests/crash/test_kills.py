"""Killed (kill -9) at any moment: the old or the new, whole; and the same command works again."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.crash import program
from tests.crash.program import EVERY_MOMENT, NAMES, PUBLISHED, SYNCS, Call, spread
from tests.crash.scene import Scene, content, copy_database

pytestmark = pytest.mark.usefixtures("strace")

CHUNKS = 6  # so that several workers share the moments
WRITES = 8


def moments(scene: Scene, *arguments: str, every: int) -> list[Call]:
    """Return the calls at which to kill a command: before it waits for the disk, or names a file.

    Of those every `every`th (all of them where JUNMAI_EVERY_MOMENT is set), and some of its writes
    to databases and of its calls while it publishes the journal, which come when its work is done.
    """
    names = (*SYNCS, *NAMES, "pwrite64")
    seen = program.calls(scene.folder, names, *arguments, publishing=True)
    writes = [call for call in seen if call.name == "pwrite64"]
    others = [call for call in seen if call.name != "pwrite64" and call.worked]
    working = [call for call in others if PUBLISHED not in call.detail]
    publishing = [call for call in others if PUBLISHED in call.detail]
    every = 1 if EVERY_MOMENT else every
    return [*working[::every], *spread(publishing, WRITES), *spread(writes, WRITES)]


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("undisturbed")


@pytest.fixture(scope="module")
def migrated(scratch: Path) -> str:
    """The content of the right target."""
    scene = Scene(scratch / "migrated")
    scene.run_well(*scene.migrate)
    return content(scene.target)


@pytest.fixture(scope="module")
def migrate_moments(scratch: Path) -> list[Call]:
    scene = Scene(scratch / "migrate")
    return moments(scene, *scene.migrate, every=2)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_a_killed_migration_leaves_no_target_or_the_right_one(
    chunk: int,
    migrate_moments: list[Call],
    migrated: str,
    tmp_path: Path,
    subtests: pytest.Subtests,
) -> None:
    for number, call in enumerate(migrate_moments[chunk::CHUNKS]):
        with subtests.test(str(call)):
            scene = Scene(tmp_path / str(number))
            scene.kill_at(call, *scene.migrate)
            published = scene.target.exists()
            assert not published or content(scene.target) == migrated
            scene.require_source_untouched()
            left = scene.left(done=published)

            again = scene.run(*scene.migrate)
            if published:
                assert again.code == 2
                assert "exists already" in again.err
                scene.run_well(*scene.migrate, "--overwrite")
            else:
                assert again.code == 0, again.err
            assert content(scene.target) == migrated
            scene.require_source_untouched()
            scene.require_abandoned(left)
            scene.require_tidy()
            scene.snapshots()


@pytest.fixture(scope="module")
def in_wal(scratch: Path) -> Path:
    """A WAL database whose newest rows are only in its -wal, as after a crash of its program."""
    live, left = scratch / "live.db", scratch / "in_wal.db"
    copy_database(Scene(scratch / "rows").source, live)
    with closing(sqlite3.connect(live, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("UPDATE photos SET rejection_reason = 'only in the -wal' WHERE id % 7 = 0")
        copy_database(live, left)
    return left


@pytest.fixture(scope="module")
def backup_moments(scratch: Path, in_wal: Path) -> list[Call]:
    scene = Scene(scratch / "backup", in_wal)
    return moments(scene, *scene.backup, every=2)


@pytest.mark.parametrize("chunk", range(CHUNKS // 2))
def test_a_killed_backup_lists_no_snapshot_or_the_right_one(
    chunk: int,
    backup_moments: list[Call],
    in_wal: Path,
    tmp_path: Path,
    subtests: pytest.Subtests,
) -> None:
    rows = content(in_wal)
    for number, call in enumerate(backup_moments[chunk :: CHUNKS // 2]):
        with subtests.test(str(call)):
            scene = Scene(tmp_path / str(number), in_wal)
            scene.kill_at(call, *scene.backup)
            listed = scene.snapshots()
            scene.require_source_untouched()
            left = scene.left(done=False)

            scene.run_well(*scene.backup)
            now = scene.snapshots()
            assert len(now) == len(listed) + 1
            assert [content(Path(snapshot.place)) for snapshot in now] == [rows] * len(now)
            scene.require_source_untouched()
            scene.require_abandoned(left)
            scene.require_tidy()


@pytest.fixture(scope="module")
def restore_moments(scratch: Path, changed_since: Path) -> list[Call]:
    scene = Scene(scratch / "restore", like=changed_since)
    return moments(scene, *scene.restore, every=2)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_a_killed_restore_leaves_the_old_database_or_the_snapshot(
    chunk: int,
    restore_moments: list[Call],
    changed_since: Path,
    tmp_path: Path,
    subtests: pytest.Subtests,
) -> None:
    old = content(changed_since / "junmai.db")
    for number, call in enumerate(restore_moments[chunk::CHUNKS]):
        with subtests.test(str(call)):
            scene = Scene(tmp_path / str(number), like=changed_since)
            (wanted,) = scene.snapshots()
            new = Path(wanted.place).read_bytes()
            scene.kill_at(call, *scene.restore)
            switched = scene.source.read_bytes() == new
            assert content(scene.source) == (content(Path(wanted.place)) if switched else old)
            # Before the switch there is a way back.
            assert not switched or old in scene.ways_back()
            left = scene.left(done=switched)

            scene.run_well(*scene.restore)
            assert scene.source.read_bytes() == new
            assert not list(scene.folder.glob("junmai.db-*"))
            assert old in scene.ways_back()
            scene.require_abandoned(left)
            scene.require_tidy()
