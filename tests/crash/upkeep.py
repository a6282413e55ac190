"""What changes a store of blocks without a backup: prune, copy, repair, key; on disk and on S3.

For each what must hold after it was killed at any moment, and at the end of the same command again.
"""

import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from tests.crash.scene import Scene, content
from tests.crash.test_stores import change, restored
from tests.harness.stores import stored

from junmai_svc.service.stores import Named, open_store
from junmai_svc.storage.errors import AccessDeniedError

KEYS = {"a.key": bytes(32), "b.key": bytes(range(32))}


@dataclass(frozen=True)
class Place(ABC):
    """Where the stores of a scene are; `scratch` is for images that are looked at."""

    scene: Scene
    scratch: Path

    @abstractmethod
    def named(self, store: str, key: str | None = None) -> Named:
        """A store, as it is named on the command line; `key` is a file of the scene."""

    @abstractmethod
    def count(self, store: str, folder: str) -> int:
        """How many objects of a store are in a folder."""

    def restored(self, store: str, key: str | None = None) -> list[str]:
        """The contents of all snapshots of a store, each proven."""
        return restored(self.named(store, key), self.scratch)

    def option(self, name: str, store: str, key: str | None = None) -> tuple[str, ...]:
        """What names a store: after the option `name`, or as the argument where that is empty."""
        named = self.named(store, key)
        found = [f"--{name}", named.address] if name else [named.address]
        prefix = f"--{name}-" if name in {"from", "to"} else "--"
        if named.endpoint_url:
            found += [f"{prefix}endpoint-url", named.endpoint_url]
        if named.key_file:
            found += [f"{prefix}key-file", str(named.key_file)]
        return tuple(found)

    def old_and_new(self) -> tuple[str, str]:
        """The contents of the older and the newer snapshot."""
        old, new = (self.scene.folder / name for name in ("old.txt", "new.txt"))
        return old.read_text(), new.read_text()


@dataclass(frozen=True)
class Care:
    """A command on a store; what must hold after it was killed, and what at the end."""

    arguments: Callable[[Place], tuple[str, ...]]
    after: Callable[[Place], None]
    at_the_end: Callable[[Place], None]


def make_stores(place: Place) -> None:
    """Make a store with an old and a new snapshot, and a sealed one with the new one."""
    scene = place.scene
    opened = open_store(None, place.named("store"), partial(datetime.now, UTC), create=True)
    long_ago = datetime.now(UTC) - timedelta(days=40)
    stored(opened, scene.source.read_bytes(), long_ago, str(scene.source))
    opened.backend.close()
    (scene.folder / "old.txt").write_text(content(scene.source))
    (scene.folder / "new.txt").write_text(change(scene.source, 1))
    scene.run_well(*scene.backup, *place.option("store", "store"))
    for name, key in KEYS.items():
        (scene.folder / name).write_bytes(key)
    scene.run_well("store", "init", *place.option("", "sealed", "a.key"))
    scene.run_well(*scene.backup, *place.option("store", "sealed", "a.key"))


def _after_prune(place: Place) -> None:
    old, new = place.old_and_new()
    assert place.restored("store") in ([new, old], [new])


def _pruned(place: Place) -> None:
    assert place.restored("store") == [place.old_and_new()[1]]
    assert place.count("store", "maps") == 1


def _after_copy(place: Place) -> None:
    old, new = place.old_and_new()
    assert place.restored("other") in ([], [old], [new, old])
    assert place.restored("store") == [new, old]


def _copied(place: Place) -> None:
    assert place.restored("other") == [*reversed(place.old_and_new())]


def _after_repair(place: Place) -> None:
    assert place.restored("whole") == [*reversed(place.old_and_new())]


def _repaired(place: Place) -> None:
    place.scene.run_well("check", *place.option("", "damaged"), "--read-data")
    assert place.restored("damaged") == [*reversed(place.old_and_new())]


def _opened_by(place: Place) -> list[str]:
    """The keys that open the sealed store, in which every snapshot then restores."""
    found = []
    for key in KEYS:
        with suppress(AccessDeniedError):
            assert place.restored("sealed", key) == [place.old_and_new()[1]]
            found.append(key)
    return found


def _after_key(place: Place) -> None:
    [key] = _opened_by(place)
    if key == "b.key":  # it was done, so the old key is taken for a wrong one from now on
        shutil.copyfile(place.scene.folder / "b.key", place.scene.folder / "a.key")


def _changed_key(place: Place) -> None:
    assert "b.key" in _opened_by(place)


CARES = {
    "prune": Care(
        lambda place: ("prune", *place.option("", "store"), "--keep-last", "1"),
        _after_prune,
        _pruned,
    ),
    "copy": Care(
        lambda place: ("copy", *place.option("from", "store"), *place.option("to", "other")),
        _after_copy,
        _copied,
    ),
    "repair": Care(
        lambda place: (
            *("check", *place.option("", "damaged"), "--repair"),
            *place.option("from", "whole"),
        ),
        _after_repair,
        _repaired,
    ),
    "key": Care(
        lambda place: (
            *("store", "key", *place.option("", "sealed", "a.key")),
            *("--new-key-file", str(place.scene.folder / "b.key")),
        ),
        _after_key,
        _changed_key,
    ),
}
