"""What happens to honest people raises no alarm: one claim for each thing that does."""

import datetime as dt
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tests.harness.published import Scene, made

from junmai_svc.checks.proof import Answer, Question
from junmai_svc.service.audit.outside import verify_store
from junmai_svc.service.audit.verify import Audit, verify_journal
from junmai_svc.storage.backends.base import NOTHING_SEEN, Capabilities
from junmai_svc.storage.backends.local import LocalBackend
from junmai_svc.storage.errors import StorageUnavailableError
from junmai_svc.storage.journal.publishing import publish
from junmai_svc.storage.snapshots.store import FileStore

PUBLISH = """
import datetime, pathlib, sys
from junmai_svc.storage.backends.local import LocalBackend
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.journal.publishing import publish
from tests.harness.published import Scene

scene = Scene(pathlib.Path(sys.argv[1]), datetime.datetime.now(datetime.UTC))
for _ in range(int(sys.argv[2])):
    scene.run()
    scene.publish()
"""


def alarms(audit: Audit) -> list[str]:
    return [
        f"{verdict.question}: {doubt.message}"
        for verdict in audit.verdicts
        for doubt in verdict.doubts
    ]


def require_quiet(scene: Scene, store: FileStore | None = None) -> None:
    place = store or scene.store
    assert alarms(verify_journal(scene.path, [place])) == []
    assert alarms(verify_store(place.backend, scene.key, store=place)) == []


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return made(tmp_path)


@pytest.mark.parametrize(
    "step",
    [dt.timedelta(0), dt.timedelta(microseconds=1), dt.timedelta(days=-40), dt.timedelta(days=400)],
    ids=["the clock stands", "less than a second", "the clock goes back", "the clock jumps"],
)
def test_times_of_any_kind(scene: Scene, step: dt.timedelta) -> None:
    scene.now += step
    if not step:
        scene.clock = lambda: scene.now  # type: ignore[method-assign]
    scene.run()
    scene.publish()
    require_quiet(scene)


def test_two_processes_that_append_and_publish_at_once(scene: Scene) -> None:
    """The daemon and a command line: neither takes back what the other published."""
    both = [
        subprocess.Popen([sys.executable, "-c", PUBLISH, scene.folder, "6"], cwd=Path.cwd())
        for _ in range(2)
    ]
    try:
        while any(running.poll() is None for running in both):
            require_quiet(scene)
    finally:
        for running in both:
            running.communicate()
    assert [running.returncode for running in both] == [0, 0]
    require_quiet(scene)
    with scene.journal() as journal:
        assert journal.head().size == 16 + 2 * 6 * 5
    assert scene.publish().added == 0


def test_looking_while_somebody_publishes(scene: Scene) -> None:
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            scene.run()
            scene.publish()

    worker = threading.Thread(target=work)
    worker.start()
    try:
        for _ in range(6):
            require_quiet(scene)
    finally:
        stop.set()
        worker.join()


def test_a_restored_older_copy_of_a_migrated_database(scene: Scene, tmp_path: Path) -> None:
    """What becomes of the databases is no part of the journal's truth."""
    database = tmp_path / "junmai.db"
    database.write_bytes(b"new")
    scene.publish()
    database.write_bytes(b"old")
    require_quiet(scene)


def test_a_store_that_was_copied_elsewhere(scene: Scene, tmp_path: Path) -> None:
    shutil.copytree(scene.store.folder, tmp_path / "copy")
    copy = FileStore(tmp_path / "copy")
    require_quiet(scene, copy)
    scene.run()
    scene.publish()
    require_quiet(scene)
    assert alarms(verify_journal(scene.path, [scene.store, copy])) == []
    assert scene.publish(tmp_path / "copy").added == 5
    require_quiet(scene, copy)


def test_a_store_that_moved_and_a_new_store_in_its_old_place(scene: Scene, tmp_path: Path) -> None:
    scene.store.folder.rename(tmp_path / "moved")
    scene.run()
    assert scene.publish(tmp_path / "moved").added == 5
    require_quiet(scene, FileStore(tmp_path / "moved"))
    assert scene.publish(tmp_path / "another").added == 21
    require_quiet(scene, FileStore(tmp_path / "another"))


class Failing(LocalBackend):
    """A place that stops answering after so many calls that would change it."""

    def __init__(self, folder: Path, calls: int) -> None:
        super().__init__(folder)
        self.calls = calls

    def put(self, name: str, content: bytes | Path, **options: object) -> bool:
        """Store, or fail."""
        self.calls -= 1
        if self.calls < 0:
            raise StorageUnavailableError("the store does not answer", "Try again.")
        return super().put(name, content, **options)  # type: ignore[arg-type]

    def capabilities(self) -> Capabilities:
        """Promise nothing."""
        return NOTHING_SEEN


@pytest.mark.parametrize("calls", range(6))
def test_a_store_that_goes_down_while_publishing(scene: Scene, calls: int) -> None:
    """Whatever was written by then, the next publishing makes it good."""
    scene.run()
    with scene.journal() as journal:
        try:
            publish(journal, Failing(scene.store.folder, calls))
        except StorageUnavailableError:
            assert calls < 4
        else:
            assert calls >= 4
    here = verify_journal(scene.path, [scene.store])
    assert alarms(here) == []
    scene.run()
    scene.publish()
    require_quiet(scene)


def test_a_store_that_is_down_is_told_of_and_fails_nothing(scene: Scene) -> None:
    class Down(FileStore):
        def snapshots(self) -> tuple[list, list]:  # type: ignore[type-arg]
            raise StorageUnavailableError("the store does not answer", "Try again.")

    audit = verify_journal(scene.path, [Down(scene.store.folder)])
    assert alarms(audit) == []
    assert [each.problem.message for each in audit.down] == ["the store does not answer"]
    answers = {verdict.question: verdict.answer for verdict in audit.verdicts}
    assert answers[Question.CURRENT] is Answer.UNCHECKED


def test_a_run_that_is_going_on(scene: Scene) -> None:
    from junmai_svc.storage.journal.events import event_type, stream_name
    from junmai_svc.storage.journal.liveness import RunLock
    from junmai_svc.storage.journal.uuid7 import uuid7

    run = uuid7()
    with RunLock(scene.path, run), scene.journal() as journal:
        stream = stream_name("migration", run)
        journal.append(stream, event_type("migration", "requested"), {}, correlation=run)
        scene.publish()
        require_quiet(scene)
    (doubt,) = alarms(verify_journal(scene.path, [scene.store]))
    assert "its process is gone" in doubt
