"""What changes a store of blocks without a backup, killed at any moment: prune, copy, repair, key.

Every listed snapshot restores whole, except what was damaged before, and the same command then ends
well. Of the many moments a share is tried; all of them where JUNMAI_EVERY_MOMENT is set.
"""

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.crash import program
from tests.crash.program import NAMES, PUBLISHED, SYNCS, moments
from tests.crash.scene import Scene
from tests.crash.test_stores import KILLED
from tests.crash.upkeep import CARES, Place, make_stores

from junmai_svc.service.stores import Named

MOMENTS, PUBLISHINGS = 5, 1


class Disk(Place):
    """Stores in the folder of the scene."""

    def named(self, store: str, key: str | None = None) -> Named:
        """A folder of the scene."""
        folder = self.scene.folder
        return Named(str(folder / store), key_file=folder / key if key else None)

    def count(self, store: str, folder: str) -> int:
        """How many files are in a folder of a store."""
        return len(list((self.scene.folder / store / folder).iterdir()))


@pytest.fixture(scope="module")
def like(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a scene with stores: one of an old and a new snapshot, one that is damaged."""
    scratch = tmp_path_factory.mktemp("upkeep")
    with pytest.MonkeyPatch.context() as patched:
        program.set_variable(patched, "XDG_CACHE_HOME", str(scratch / "cache"))
        scene = Scene(scratch / "scene")
        make_stores(Disk(scene, scratch))
    store = scene.folder / "store"
    two_hours_ago = datetime.now(UTC).timestamp() - 7_200
    for path in store.rglob("*"):
        if path.is_file():  # what is young is not deleted
            os.utime(path, (two_hours_ago, two_hours_ago))
    for name in ("whole", "damaged"):
        shutil.copytree(store, scene.folder / name)
    largest = max((scene.folder / "damaged").glob("packs/*/*"), key=lambda p: p.stat().st_size)
    bytes_of = bytearray(largest.read_bytes())
    bytes_of[1_000] ^= 1
    largest.write_bytes(bytes_of)
    return scene.folder


@pytest.mark.usefixtures("strace")
@pytest.mark.parametrize("name", CARES)
def test_upkeep_that_was_killed_lost_nothing_and_ends_well_the_next_time(
    name: str,
    like: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    subtests: pytest.Subtests,
) -> None:
    program.set_variable(monkeypatch, "XDG_CACHE_HOME", str(tmp_path / "cache"))
    care = CARES[name]
    scene = Scene(tmp_path / "undisturbed", like=like)
    place = Disk(scene, tmp_path)
    arguments = care.arguments(place)
    seen = program.calls(scene.folder, (*SYNCS, *NAMES), *arguments, publishing=True)
    # How often SQLite takes its own files away depends on who else has the journal open.
    worked = [call for call in seen if call.worked and "journal.db-" not in call.detail]
    working = [call for call in worked if PUBLISHED not in call.detail]
    publishing = [call for call in worked if PUBLISHED in call.detail]
    care.at_the_end(place)
    chosen = [*moments(working, MOMENTS), *moments(publishing, PUBLISHINGS)]
    killed = 0
    for number, call in enumerate(chosen):
        with subtests.test(str(call)):
            scene = Scene(tmp_path / str(number), like=like)
            place = Disk(scene, tmp_path)
            # Threads share the work as they come: the last calls of one may be another's this time.
            ended = program.kill_at(call, scene.folder, *care.arguments(place))
            assert ended.code in (0, KILLED), ended.err
            killed += ended.code == KILLED
            care.after(place)
            scene.run_well(*care.arguments(place))
            care.at_the_end(place)
            shutil.rmtree(scene.folder)
    assert 2 * killed > len(chosen)
