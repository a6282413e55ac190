"""Writes reported done and dropped: what is stored or published is right, or the command fails."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.crash import program
from tests.crash.program import Call, spread
from tests.crash.scene import SAMPLE, Scene, content, copy_database

pytestmark = pytest.mark.usefixtures("strace")

MOMENTS = 12
PAGE = 4096
DONE, DAMAGED, FAILED, UNAVAILABLE = 0, 20, 21, 30


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample, with long texts beside it: SQLite's checks look into none of those."""
    path = tmp_path_factory.mktemp("source") / "long.db"
    copy_database(SAMPLE, path)
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE letters (id INTEGER PRIMARY KEY, body TEXT)")
        rows = ((f"letter {number} " * 1_500,) for number in range(15))
        database.executemany("INSERT INTO letters (body) VALUES (?)", rows)
        database.commit()
    return path


def dropped(call: Call) -> str:
    """Return the fault that lets a write seem to have been done."""
    return f"{call.name}:retval={call.returned}:when={call.number}"


def written(scene: Scene, *arguments: str, name: str = "pwrite64") -> list[Call]:
    """Return the writes of a command into files that are staged."""
    seen = program.calls(scene.folder, [name], *arguments)
    return [call for call in seen if ".partial>" in call.detail]


def to_long_texts(calls: list[Call], source: Path) -> list[Call]:
    """Return the writes of pages that hold the ends of long texts, in an image of the source."""
    content = source.read_bytes()
    found = []
    for call in calls:
        page = content[call.offset : call.offset + PAGE]
        if page[:4] == bytes(4) and b"letter" in page:
            found.append(call)
    return found


def test_a_dropped_write_is_never_stored_as_a_backup(
    source: Path, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    undisturbed = Scene(tmp_path / "undisturbed", source)
    calls = written(undisturbed, *undisturbed.backup)
    unseen = to_long_texts(calls, source)
    assert unseen
    for number, call in enumerate({*spread(calls, MOMENTS), *spread(unseen, 3)}):
        with subtests.test(str(call)):
            scene = Scene(tmp_path / str(number), source)
            done = scene.run_faulty(dropped(call), {DONE, DAMAGED}, *scene.backup)
            # Where it says that it is done the write was made again, as that of page 1 is.
            assert [content(Path(one.place)) for one in scene.snapshots()] == [
                content(source)
            ] * done
            scene.require_source_untouched()
            scene.require_tidy()
            assert not (done and call in unseen)


def test_a_dropped_write_is_never_published_by_a_migration(
    source: Path, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    undisturbed = Scene(tmp_path / "undisturbed", source)
    calls = written(undisturbed, *undisturbed.migrate)
    right = content(undisturbed.target)
    for number, call in enumerate(spread(calls, 2 * MOMENTS)):
        with subtests.test(str(call)):
            scene = Scene(tmp_path / str(number), source)
            done = scene.run_faulty(dropped(call), {DONE, DAMAGED, FAILED}, *scene.migrate)
            assert scene.target.exists() == done
            assert not done or content(scene.target) == right
            scene.snapshots()
            scene.require_source_untouched()
            scene.require_tidy()


def test_a_dropped_write_is_never_restored(
    changed_since: Path, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    old = content(changed_since / "junmai.db")
    undisturbed = Scene(tmp_path / "undisturbed", like=changed_since)
    copied = written(undisturbed, *undisturbed.restore, name="write")
    assert copied
    for number, call in enumerate(copied):
        with subtests.test(str(call)):
            scene = Scene(tmp_path / str(number), like=changed_since)
            assert not scene.run_faulty(dropped(call), {DAMAGED, UNAVAILABLE}, *scene.restore)
            assert content(scene.source) == old
            scene.snapshots()
            scene.require_tidy()
