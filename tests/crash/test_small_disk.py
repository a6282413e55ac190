"""A disk that is really full: the old state stays, the message says so, room is all it takes."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.crash.scene import Scene, content

# KiB; the database has 336, a migration needs about 1,500 beside it.
TOO_SMALL = (500, 800, 1_000, 1_200)
LARGE_ENOUGH = 8_192
NO_SPACE = 31

Resize = Callable[[int], None]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[tuple[Path, Resize]]:
    """A disk in memory, as large as it has just been made; its lack is a failure only in CI."""
    place = tmp_path / "disk"
    place.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={LARGE_ENOUGH}k", "tmpfs", str(place)]
    missing = None
    try:
        mounted = subprocess.run(["mount", *options], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        missing = "needs mount, which is not installed"
    else:
        if mounted.returncode:
            missing = f"needs to mount a small disk, which is refused: {mounted.stderr.strip()}"
    if missing is not None:
        assert os.environ.get("CI") != "true", missing
        pytest.skip(missing)

    def resize(kib: int) -> None:
        subprocess.run(["mount", "-o", f"remount,size={kib}k", str(place)], check=True)

    yield place, resize
    subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.mark.parametrize("kib", TOO_SMALL)
def test_a_migration_without_room_leaves_all_as_it_was_and_works_with_room(
    kib: int, disk: tuple[Path, Resize]
) -> None:
    place, resize = disk
    scene = Scene(place / "data")
    resize(kib)
    ended = scene.run(*scene.migrate)
    assert ended.code == NO_SPACE, ended.message
    assert "Hint:  Free some space" in ended.message
    assert not scene.target.exists()
    scene.require_source_untouched()
    scene.snapshots()

    resize(LARGE_ENOUGH)
    scene.run_well(*scene.migrate)
    assert content(scene.target)
    scene.require_source_untouched()
    scene.require_abandoned([])
    scene.require_tidy()


def test_a_restore_without_room_leaves_the_old_database(disk: tuple[Path, Resize]) -> None:
    place, resize = disk
    scene = Scene(place / "data")
    scene.run_well(*scene.backup)
    resize(1_000)
    assert scene.run(*scene.restore).code == NO_SPACE
    scene.require_source_untouched()
    resize(LARGE_ENOUGH)
    scene.run_well(*scene.restore)
    assert scene.ways_back() == [content(scene.source)]
    scene.require_tidy()
