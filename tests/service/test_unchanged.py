"""A database to which nothing was written: its manifest alone is stored, and no write is missed."""

import os
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from junmai_svc.service.backup import Backup, backup
from junmai_svc.service.context import Context
from junmai_svc.service.stores import Named, open_store
from junmai_svc.service.unchanged import BELIEVED, Memory, believable
from junmai_svc.storage.databases.footprint import Footprint
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.snapshots.base import SnapshotStore
from junmai_svc.storage.snapshots.manifest import Reason

NOON = datetime(2025, 1, 8, 12, tzinfo=UTC)
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="others are always read in full")


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))


@pytest.fixture
def context(tmp_path: Path) -> Iterator[Context]:
    def later() -> datetime:
        return datetime.now(UTC) + timedelta(seconds=60)

    stores = tuple(
        open_store(None, Named(str(tmp_path / name)), later, create=True) for name in ("a", "b")
    )
    with Journal.open(
        tmp_path / "journal.db", create=True, actor="a@b", clock=later, tool_version="0"
    ) as journal:
        yield Context(journal, stores, clock=later, cache=tmp_path / "cache")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "photos.db"
    execute(path, "CREATE TABLE photos (id INTEGER PRIMARY KEY, name)")
    return path


def execute(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute(statement)


def taken(context: Context, source: Path) -> Backup:
    return backup(context, source, Reason.MANUAL)


def rows(store: SnapshotStore, name: str, scratch: Path) -> int:
    image = scratch / f"{name}.image"
    store.fetch(store.find(name), image)
    with closing(sqlite3.connect(image)) as database:
        (count,) = database.execute("SELECT count(*) FROM photos").fetchone()
    image.unlink()
    return int(count)


def objects(store: SnapshotStore, prefix: str) -> list[str]:
    return [found.name for found in store.backend.list(prefix)]


def test_a_manifest_is_all_that_an_unchanged_database_adds(context: Context, source: Path) -> None:
    first = taken(context, source)
    before = [objects(store, kind) for store in context.stores for kind in ("packs/", "maps/")]
    second = taken(context, source)
    assert first.examination is not None
    assert second.examination is None
    assert [each.store for each in second.stored] == [store.url for store in context.stores]
    assert before == [
        objects(store, kind) for store in context.stores for kind in ("packs/", "maps/")
    ]
    assert all(len(store.snapshots()[0]) == 2 for store in context.stores)


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
def test_a_row_that_was_committed_is_in_the_next_snapshot(
    context: Context, source: Path, tmp_path: Path, mode: str
) -> None:
    execute(source, f"PRAGMA journal_mode = {mode}")
    taken(context, source)
    with closing(sqlite3.connect(source, isolation_level=None)) as database:
        for number in range(3):
            database.execute("INSERT INTO photos (name) VALUES ('new')")
            name = taken(context, source).snapshot.name
            assert rows(context.store, name, tmp_path) == number + 1


def test_a_write_right_after_the_backup_is_not_missed(
    context: Context, source: Path, tmp_path: Path
) -> None:
    """Even where the file's times don't tell the write from what was there before."""
    facts = source.stat()
    at_once = replace(context, clock=lambda: datetime.now(UTC))
    taken(at_once, source)
    execute(source, "INSERT INTO photos (name) VALUES ('new')")
    os.utime(source, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    name = taken(at_once, source).snapshot.name
    assert rows(context.store, name, tmp_path) == 1


def prune(context: Context, source: Path) -> None:
    del source
    for snapshot in context.stores[1].snapshots()[0]:
        context.stores[1].delete_unless_held(snapshot.name)


def lose_pack(context: Context, source: Path) -> None:
    del source
    for name in objects(context.stores[1], "packs/"):
        context.stores[1].backend.delete(name)


def lie(context: Context, source: Path) -> None:
    """A manifest that tells of another image, as one does after a byte of it flipped."""
    del source
    backend = context.stores[1].backend
    [name] = objects(context.stores[1], "snapshots/")
    found = context.stores[1].snapshots()[0][0].manifest.checksum.encode()
    content = backend.get(name, 1 << 20)
    backend.put(name, content.replace(found, found[::-1]))


def scribble(context: Context, source: Path) -> None:
    del source
    assert context.cache is not None
    (memory,) = context.cache.glob("unchanged/*.json")
    memory.write_bytes(b'{"files": 1}')


def touch(context: Context, source: Path) -> None:
    del context
    source.touch()


@pytest.mark.parametrize("change", [prune, lose_pack, lie, scribble, touch])
def test_what_is_not_certain_is_read_again(
    context: Context, source: Path, tmp_path: Path, change: Callable[[Context, Path], None]
) -> None:
    taken(context, source)
    change(context, source)
    done = taken(context, source)
    assert done.examination is not None
    assert [rows(store, done.snapshot.name, tmp_path) for store in context.stores] == [0, 0]


TIMES = st.integers(-2 * 86_400, 2 * 86_400)


@given(TIMES)
def test_a_memory_is_believed_for_a_day_and_never_from_the_future(seconds: int) -> None:
    memory = Memory(("one",), NOON, {})
    believed = believable(memory, Footprint(("one",), 0), NOON + timedelta(seconds=seconds))
    assert believed == (0 <= seconds < BELIEVED.total_seconds())


def test_another_footprint_is_another_database() -> None:
    memory = Memory(("one",), NOON, {})
    assert not believable(memory, Footprint(("two",), 0), NOON)
    assert not believable(memory, Footprint(("one", "its -wal"), 0), NOON)


def test_a_footprint_counts_only_when_its_files_have_rested() -> None:
    now = time.time_ns()
    when = datetime.fromtimestamp(now / 1e9, UTC)
    assert not Footprint((), now).is_settled(when)
    assert not Footprint((), now - 1_900_000_000).is_settled(when)
    assert Footprint((), now - 2_100_000_000).is_settled(when)
