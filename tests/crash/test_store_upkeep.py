"""What changes a store of blocks without a backup, killed at any moment: prune, copy, repair, key.

Every listed snapshot restores whole, except what was damaged before, and the same command then ends
well. Of the many moments a share is tried; all of them where JUNMAI_EVERY_MOMENT is set.
"""

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from tests.crash import program
from tests.crash.program import NAMES, PUBLISHED, SYNCS, moments
from tests.crash.scene import Scene, content
from tests.crash.test_stores import KILLED, change, restored
from tests.harness.stores import stored

from junmai_svc.service.stores import Named, open_store
from junmai_svc.storage.errors import AccessDeniedError

MOMENTS, PUBLISHINGS = 5, 1


@dataclass(frozen=True)
class Care:
    """A command on a store; what must hold after it was killed, and what at the end."""

    arguments: Callable[[Scene], tuple[str, ...]]
    after: Callable[[Scene, Path], None]
    at_the_end: Callable[[Scene, Path], None]


def named(scene: Scene, store: str, key: str | None = None) -> Named:
    return Named(str(scene.folder / store), key_file=scene.folder / key if key else None)


def old_and_new(scene: Scene) -> tuple[str, str]:
    return (scene.folder / "old.txt").read_text(), (scene.folder / "new.txt").read_text()


def after_prune(scene: Scene, scratch: Path) -> None:
    old, new = old_and_new(scene)
    assert restored(named(scene, "store"), scratch) in ([new, old], [new])


def pruned(scene: Scene, scratch: Path) -> None:
    assert restored(named(scene, "store"), scratch) == [old_and_new(scene)[1]]
    assert len(list((scene.folder / "store" / "maps").iterdir())) == 1


def after_copy(scene: Scene, scratch: Path) -> None:
    old, new = old_and_new(scene)
    assert restored(named(scene, "other"), scratch) in ([], [old], [new, old])
    assert restored(named(scene, "store"), scratch) == [new, old]


def copied(scene: Scene, scratch: Path) -> None:
    assert restored(named(scene, "other"), scratch) == [*reversed(old_and_new(scene))]


def after_repair(scene: Scene, scratch: Path) -> None:
    assert restored(named(scene, "whole"), scratch) == [*reversed(old_and_new(scene))]


def repaired(scene: Scene, scratch: Path) -> None:
    scene.run_well("check", str(scene.folder / "damaged"), "--read-data")
    assert restored(named(scene, "damaged"), scratch) == [*reversed(old_and_new(scene))]


def opened_by(scene: Scene, scratch: Path) -> list[str]:
    """The keys that open the sealed store, in which every snapshot then restores."""
    found = []
    for key in ("a.key", "b.key"):
        with suppress(AccessDeniedError):
            assert restored(named(scene, "sealed", key), scratch) == [old_and_new(scene)[1]]
            found.append(key)
    return found


def after_key(scene: Scene, scratch: Path) -> None:
    [key] = opened_by(scene, scratch)
    if key == "b.key":  # it was done, so the old key is taken for a wrong one from now on
        shutil.copyfile(scene.folder / "b.key", scene.folder / "a.key")


def changed_key(scene: Scene, scratch: Path) -> None:
    assert "b.key" in opened_by(scene, scratch)


CARES = {
    "prune": Care(
        lambda scene: ("prune", str(scene.folder / "store"), "--keep-last", "1"),
        after_prune,
        pruned,
    ),
    "copy": Care(
        lambda scene: (
            "copy",
            "--from",
            str(scene.folder / "store"),
            "--to",
            str(scene.folder / "other"),
        ),
        after_copy,
        copied,
    ),
    "repair": Care(
        lambda scene: (
            "check",
            str(scene.folder / "damaged"),
            "--repair",
            "--from",
            str(scene.folder / "whole"),
        ),
        after_repair,
        repaired,
    ),
    "key": Care(
        lambda scene: (
            "store",
            "key",
            str(scene.folder / "sealed"),
            "--key-file",
            str(scene.folder / "a.key"),
            "--new-key-file",
            str(scene.folder / "b.key"),
        ),
        after_key,
        changed_key,
    ),
}


@pytest.fixture(scope="module")
def like(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a scene with stores: one of an old and a new snapshot, one that is damaged."""
    scratch = tmp_path_factory.mktemp("upkeep")
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(program.ENVIRONMENT, "XDG_CACHE_HOME", str(scratch / "cache"))
        patched.setenv("XDG_CACHE_HOME", str(scratch / "cache"))
        scene = Scene(scratch / "scene")
        make_stores(scene)
    return scene.folder


def make_stores(scene: Scene) -> None:
    store = scene.folder / "store"
    opened = open_store(None, Named(str(store)), partial(datetime.now, UTC), create=True)
    long_ago = datetime.now(UTC) - timedelta(days=40)
    stored(opened, scene.source.read_bytes(), long_ago, str(scene.source))
    (scene.folder / "old.txt").write_text(content(scene.source))
    (scene.folder / "new.txt").write_text(change(scene.source, 1))
    scene.run_well(*scene.backup, "--store", str(store))
    for name, key in (("a.key", bytes(32)), ("b.key", bytes(range(32)))):
        (scene.folder / name).write_bytes(key)
    sealed = str(scene.folder / "sealed")
    scene.run_well("store", "init", sealed, "--key-file", str(scene.folder / "a.key"))
    scene.run_well(*scene.backup, "--store", sealed, "--key-file", str(scene.folder / "a.key"))
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


@pytest.mark.usefixtures("strace")
@pytest.mark.parametrize("name", CARES)
def test_upkeep_that_was_killed_lost_nothing_and_ends_well_the_next_time(
    name: str,
    like: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    subtests: pytest.Subtests,
) -> None:
    monkeypatch.setitem(program.ENVIRONMENT, "XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    care = CARES[name]
    scene = Scene(tmp_path / "undisturbed", like=like)
    arguments = care.arguments(scene)
    seen = program.calls(scene.folder, (*SYNCS, *NAMES), *arguments, publishing=True)
    # How often SQLite takes its own files away depends on who else has the journal open.
    worked = [call for call in seen if call.worked and "journal.db-" not in call.detail]
    working = [call for call in worked if PUBLISHED not in call.detail]
    publishing = [call for call in worked if PUBLISHED in call.detail]
    care.at_the_end(scene, tmp_path)
    chosen = [*moments(working, MOMENTS), *moments(publishing, PUBLISHINGS)]
    killed = 0
    for number, call in enumerate(chosen):
        with subtests.test(str(call)):
            scene = Scene(tmp_path / str(number), like=like)
            # Threads share the work as they come: the last calls of one may be another's this time.
            ended = program.kill_at(call, scene.folder, *care.arguments(scene))
            assert ended.code in (0, KILLED), ended.err
            killed += ended.code == KILLED
            care.after(scene, tmp_path)
            scene.run_well(*care.arguments(scene))
            care.at_the_end(scene, tmp_path)
            shutil.rmtree(scene.folder)
    assert 2 * killed > len(chosen)
