"""A disk that is really full: the old state stays, the message says so, room is all it takes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.crash.scene import Scene, content
from tests.harness.small_disk import LARGE_ENOUGH, Resize, small_disk

# KiB; the database has 336, a migration needs about 1,500 beside it.
TOO_SMALL = (500, 800, 1_000, 1_200)
NO_SPACE = 31


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[tuple[Path, Resize]]:
    """A disk in memory, as large as it has just been made; its lack is a failure only in CI."""
    with small_disk(tmp_path) as made:
        yield made


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
