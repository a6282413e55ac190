"""Ctrl-C and SIGTERM at any moment: the run ends soon, cleans up after itself and says so."""

import json
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.bench.workload import make_database
from tests.crash import program
from tests.crash.program import ENVIRONMENT, PROGRAM
from tests.crash.scene import Scene

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs signals as POSIX has them")

PHOTOS = 35_000  # 102,562 rows, so that single statements take long enough
SOON = 10.0  # seconds


@dataclass(frozen=True)
class Moment:
    """Some time after the log told of an event."""

    event: str
    seconds: float = 0.0

    def __str__(self) -> str:
        return f"{self.event} + {self.seconds} s"


BACKUP = (
    Moment("backup.staged"),
    Moment("backup.snapshot_taken"),
    Moment("backup.snapshot_taken", 0.01),
)
WITH_BACKUP = (
    Moment("backup.stored"),
    Moment("migration.started"),
    Moment("migration.started", 0.05),
    Moment("migration.started", 0.15),
    Moment("migration.table_copied"),
    Moment("migration.table_copied", 0.1),
    Moment("migration.constraints_checked", 0.02),
)
RESTORE = (
    Moment("restore.staged"),
    Moment("restore.staged", 0.1),
    Moment("restore.digests_matched"),
    Moment("restore.digests_matched", 0.01),
    Moment("backup.staged"),
)
SIGNALS = (signal.SIGINT, signal.SIGTERM)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("large") / "large.db"
    make_database(path, PHOTOS)
    return path


def stop(moment: Moment, signum: signal.Signals, *arguments: str) -> tuple[int, str]:
    """Run the program, send it a signal at a moment, and return how it ended and what it said.

    Raises:
        AssertionError: the moment never came, or the program did not end soon after the signal.
    """
    with subprocess.Popen(
        [*PROGRAM, *arguments],
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if json.loads(line)["event"] == moment.event:
                break
        time.sleep(moment.seconds)
        process.send_signal(signum)
        sent = time.monotonic()
        said = process.stderr.read()
        code = process.wait()
        assert time.monotonic() - sent < SOON
    assert "Traceback" not in said
    return code, "\n".join(line for line in said.splitlines() if not line.startswith("{"))


def require_interrupted(scene: Scene, ended: tuple[int, str], signum: signal.Signals) -> None:
    """The exit code tells which signal it was, a person is told, and the journal has the end."""
    code, message = ended
    assert code == 128 + signum, message
    assert message.startswith("Error: Interrupted")
    for stream, events in scene.streams().items():
        assert events[-1].type.rpartition(".v")[0].endswith(("failed", "verified")), stream
    assert any(events[-1].data.get("exit") == code for events in scene.streams().values())


@pytest.mark.parametrize("signum", SIGNALS, ids=str)
def test_a_migration_that_is_stopped_leaves_nothing_but_a_backup(
    signum: signal.Signals, large: Path, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    for number, moment in enumerate((Moment("migration.requested"), *BACKUP, *WITH_BACKUP)):
        with subtests.test(str(moment)):
            scene = Scene(tmp_path / str(number), large)
            ended = stop(moment, signum, *scene.migrate)
            require_interrupted(scene, ended, signum)
            assert not scene.target.exists()
            scene.require_source_untouched()
            scene.require_tidy()
            assert len(scene.snapshots()) == (moment in WITH_BACKUP)


@pytest.mark.parametrize("signum", SIGNALS, ids=str)
def test_a_backup_that_is_stopped_lists_no_snapshot(
    signum: signal.Signals, large: Path, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    for number, moment in enumerate(BACKUP):
        with subtests.test(str(moment)):
            scene = Scene(tmp_path / str(number), large)
            ended = stop(moment, signum, *scene.backup)
            require_interrupted(scene, ended, signum)
            assert not scene.snapshots()
            scene.require_source_untouched()
            scene.require_tidy()


@pytest.mark.parametrize("signum", SIGNALS, ids=str)
def test_a_restore_that_is_stopped_leaves_the_old_database(
    signum: signal.Signals, large: Path, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    stored = Scene(tmp_path / "stored", large)
    stored.run_well(*stored.backup)
    with closing(sqlite3.connect(stored.source)) as database:
        database.execute("DELETE FROM jobs WHERE priority = 1")
        database.commit()
    for number, moment in enumerate(RESTORE):
        with subtests.test(str(moment)):
            scene = Scene(tmp_path / str(number), like=stored.folder)
            ended = stop(moment, signum, *scene.restore)
            require_interrupted(scene, ended, signum)
            scene.require_source_untouched()
            scene.require_tidy()
            scene.snapshots()


@pytest.mark.usefixtures("strace")
@pytest.mark.parametrize("command", ["migrate", "restore"])
def test_a_signal_after_the_switch_comes_too_late(
    command: str, changed_since: Path, tmp_path: Path
) -> None:
    """The new name is there; what says so in the journal and to the person is not torn."""
    undisturbed = Scene(tmp_path / "undisturbed", like=changed_since)
    arguments = undisturbed.migrate if command == "migrate" else undisturbed.restore
    seen = program.calls(undisturbed.folder, ["fsync"], *arguments)
    last = [call for call in seen if f"<{undisturbed.folder}>" in call.detail][-1]
    scene = Scene(tmp_path / "scene", like=changed_since)
    arguments = scene.migrate if command == "migrate" else scene.restore
    fault = f"fsync:signal=TERM:when={last.number}"
    assert scene.run_faulty(fault, {0}, *arguments)
    assert {events[-1].type.split(".")[2] for events in scene.streams().values()} <= {
        "verified",
        "switched",
    }
    scene.require_tidy()
