"""Claims about what is in a store after publishing, and what publishing costs."""

import random
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from tests.harness.published import made

from junmai_svc.storage.backends.base import Stat
from junmai_svc.storage.backends.local import LocalBackend
from junmai_svc.storage.errors import IntegrityError
from junmai_svc.storage.journal.checkpoint import open_checkpoint
from junmai_svc.storage.journal.failures import DivergedError
from junmai_svc.storage.journal.layout import Tile, new_bundles, new_tiles
from junmai_svc.storage.journal.merkle import leaf_hash, tree_root
from junmai_svc.storage.journal.mirror import Mirror
from junmai_svc.storage.journal.published import published_to
from junmai_svc.storage.journal.publishing import publish
from junmai_svc.storage.journal.rotation import history_of


class Counting(LocalBackend):
    """Counts what is asked of it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.asked: list[str] = []

    def put(self, name: str, content: bytes | Path, **options: object) -> bool:
        """Count and store."""
        self.asked.append("put")
        return super().put(name, content, **options)  # type: ignore[arg-type]

    def get(self, name: str, limit: int) -> bytes:
        """Count and read."""
        self.asked.append("get")
        return super().get(name, limit)

    def list(self, *prefixes: str) -> Iterator[Stat]:
        """Count and list."""
        self.asked.append("list")
        return super().list(*prefixes)


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_however_often_it_is_published_the_store_holds_the_same(tmp_path: Path) -> None:
    """Also across full bundles and tiles: the sizes go past 256 and 512."""
    chance = random.Random(7)  # noqa: S311
    scene = made(tmp_path, runs=1)
    while True:
        for _ in range(chance.randint(1, 3)):
            scene.run(steps=chance.randint(0, 90))
        size = scene.publish().size
        if size > 600:
            break
    scene.publish(tmp_path / "at once")
    often, once = files(tmp_path / "store"), files(tmp_path / "at once")
    numbered = [name for name in often if "/checkpoints/" in name]
    assert len(numbered) > 5
    for name in numbered:
        if not name.endswith(f"{size:020}"):
            del often[name]
    # Of what is not full yet, partial ones stay that wider ones have taken the place of.
    narrower = often.keys() - once.keys()
    assert narrower
    for name in narrower:
        full, _, width = name.partition(".p/")
        assert full not in often
        assert int(width) < size % 256
        del often[name]
    assert often == once


def test_the_store_holds_every_entry_and_the_tree_over_them(tmp_path: Path) -> None:
    scene = made(tmp_path, runs=1)
    scene.run(steps=700)
    scene.publish()
    backend = LocalBackend(scene.store.folder)
    with scene.journal() as journal:
        mirror = Mirror(backend, journal.journal_id)
        entries = [event.entry for event in journal.read()]
        keys = history_of(journal).keys
    assert [entry for step in mirror.entries(0, len(entries)) for entry in step] == entries
    leaves = [leaf_hash(entry) for entry in entries]
    assert mirror.tile(Tile(0, 1)) == b"".join(leaves[256:512])
    assert mirror.tile(Tile(1, 0, 2)) == tree_root(leaves[:256]) + tree_root(leaves[256:512])
    for signed in (mirror.latest(), mirror.numbered(len(entries))):
        checkpoint = open_checkpoint(
            signed or b"", keys, journal_id=mirror.journal_id, where="there"
        )
        assert (checkpoint.size, checkpoint.root) == (len(entries), tree_root(leaves))
    wanted = {tile.path for tile in new_tiles(0, len(entries))}
    wanted |= {bundle.path for bundle in new_bundles(0, len(entries))}
    prefix = mirror.name("")
    stored = {stat.name.removeprefix(prefix) for stat in backend.list(prefix)}
    assert {name for name in stored if name.startswith("tile/")} == wanted


def test_publishing_asks_little_of_a_store(tmp_path: Path) -> None:
    scene = made(tmp_path)
    scene.run()
    backend = Counting(scene.store.folder)
    with scene.journal() as journal:
        publish(journal, backend)
        assert sorted(backend.asked) == ["get", "put", "put", "put", "put"]
        backend.asked.clear()
        publish(journal, backend)
        assert backend.asked == ["get"]


def test_a_damaged_upper_tile_in_the_store_is_made_anew(tmp_path: Path) -> None:
    scene = made(tmp_path, runs=1)
    scene.run(steps=300)
    scene.publish()
    path = scene.mirror / Tile(1, 0, 1).path
    path.write_bytes(b"x" * 32)
    scene.run(steps=300)
    scene.publish()
    scene.publish(tmp_path / "fresh")
    (fresh,) = (tmp_path / "fresh" / "journal").iterdir()
    assert (scene.mirror / Tile(1, 0, 2).path).read_bytes() == (
        fresh / Tile(1, 0, 2).path
    ).read_bytes()


def test_an_edit_long_after_publishing_is_refused_at_its_position(tmp_path: Path) -> None:
    scene = made(tmp_path, runs=1)
    scene.run(steps=600)
    scene.publish()
    with scene.tampering() as other:
        other.execute("UPDATE event SET entry = CAST(entry || ' ' AS BLOB) WHERE position = 77")
    scene.run()
    with pytest.raises(DivergedError, match="EDITED at position 77"):
        scene.publish()


def test_a_store_of_somebody_else_is_not_written_to(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = made(tmp_path / "other")
    scene = made(tmp_path)
    shutil.copy(other.mirror / "checkpoint", scene.mirror / "checkpoint")
    before = files(scene.store.folder)
    scene.run()
    with pytest.raises(IntegrityError, match="no signature by a trusted key"):
        scene.publish()
    assert files(scene.store.folder) == before


def test_two_stores_are_remembered_each_for_itself(tmp_path: Path) -> None:
    scene = made(tmp_path)
    assert scene.publish(tmp_path / "second").added == 16
    scene.run()
    assert scene.publish().added == 5
    shutil.rmtree(tmp_path / "second")
    with pytest.raises(DivergedError, match="EMPTIED"):
        scene.publish(tmp_path / "second")
    assert scene.publish().added == 0


def rewrite_behind_the_back(path: Path, position: int) -> None:
    """Change an entry and its hash, and put back all that tells of it but the head's tree."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        (before,) = other.execute("PRAGMA schema_version").fetchone()
        triggers = other.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'")
        for name, _ in (kept := triggers.fetchall()):
            other.execute(f"DROP TRIGGER {name}")
        row = other.execute("SELECT entry FROM event WHERE position = ?", (position,))
        edited = row.fetchone()[0].replace(b'"n":', b'"m":')
        values = (edited, leaf_hash(edited), position)
        other.execute("UPDATE event SET entry = ?, leaf_hash = ? WHERE position = ?", values)
        for _, sql in kept:
            other.execute(sql)
        other.execute(f"PRAGMA schema_version = {before:d}")


@pytest.mark.parametrize("steps", [20, 290], ids=["in the partial bundle", "in a full one"])
def test_who_covers_every_track_is_seen_within_a_day(tmp_path: Path, steps: int) -> None:
    """An entry that is sent again is seen at once; nothing is written in either case."""
    scene = made(tmp_path, runs=1)
    scene.run(steps=steps)
    scene.publish()
    rewrite_behind_the_back(scene.path, 7)
    scene.run()
    if steps > 256:
        assert scene.publish().added == 5
        scene.now += timedelta(days=1)
        scene.run()
    before = files(scene.store.folder)
    with pytest.raises(DivergedError, match="REWRITTEN at position 7"):
        scene.publish()
    assert files(scene.store.folder) == before


def test_what_was_hashed_today_is_not_hashed_again(tmp_path: Path) -> None:
    scene = made(tmp_path, runs=1)
    with scene.journal() as journal:
        first = published_to(journal, str(scene.store.folder))
    scene.now += timedelta(hours=20)
    scene.run()
    scene.publish()
    with scene.journal() as journal:
        second = published_to(journal, str(scene.store.folder))
    scene.now += timedelta(hours=5)
    scene.publish()
    with scene.journal() as journal:
        third = published_to(journal, str(scene.store.folder))
    assert first is not None
    assert second is not None
    assert third is not None
    assert second.hashed == first.hashed
    assert third.hashed - first.hashed == 25 * 3600
