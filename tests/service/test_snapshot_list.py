"""Claims about the list of snapshots: one row for each, wherever it is."""

from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath

import pytest
from msgspec.structs import replace
from tests.contracts.memory import Fault, MemoryBackend, Seeded

from junmai_svc.service.context import StoreProblem
from junmai_svc.service.snapshot_list import (
    InStore,
    Listing,
    list_snapshots,
    merged,
    stores_of_database,
)
from junmai_svc.service.views.snapshots import snapshots_view
from junmai_svc.storage.errors import (
    ChecksumError,
    JunmaiError,
    NotFoundError,
    StorageUnavailableError,
)
from junmai_svc.storage.snapshots.base import Snapshot, Unreadable
from junmai_svc.storage.snapshots.blocks.sealing import Unsealed
from junmai_svc.storage.snapshots.cache import StoreCache
from junmai_svc.storage.snapshots.description import new_store_id
from junmai_svc.storage.snapshots.manifest import STAMP, UNKNOWN, Manifest, Reason
from junmai_svc.storage.snapshots.objects import ObjectStore
from junmai_svc.storage.snapshots.store import FileStore
from junmai_svc.storage.snapshots.whole import WholeImages

NOON = datetime(2025, 1, 8, 12, 0, 0, 123_456, tzinfo=UTC)


def snapshot(
    hours: int = 0, *, checksum: str = "ab", new: int | None = None, of: str = "data/junmai.db"
) -> Snapshot:
    taken = NOON + timedelta(hours=hours)
    name = f"junmai_backup_{taken.strftime(STAMP)}"
    return Snapshot(
        Manifest(
            original_path=of,
            backup_path=f"data/backups/{name}.db",
            timestamp=taken.strftime(STAMP),
            checksum=checksum * 32,
            file_size=4096,
            format=1,
            name=name,
            created_at=taken.isoformat(),
            reason=Reason.SCHEDULED,
            layout="file" if new is None else "blocks",
            new_bytes=new,
        ),
        store="near" if new is None else "far",
    )


def store_in(folder: Path) -> FileStore:
    """A folder with one snapshot; what is in its image does not matter here."""
    store = FileStore(folder)
    with store.stage("junmai", NOON) as staged:
        staged.image.write_bytes(b"image")
        manifest = replace(snapshot().manifest, name=staged.name, checksum=UNKNOWN, file_size=5)
        store.commit(staged, manifest)
    return store


def in_stores(near: list[Snapshot], far: list[Snapshot]) -> list[InStore]:
    return [InStore("near", "file", near), InStore("far", "blocks", far)]


def test_a_snapshot_in_several_stores_is_one_row_newest_first() -> None:
    near, far = [snapshot(1), snapshot(0)], [snapshot(2, new=1), snapshot(0, new=7)]
    rows = merged(in_stores(near, far))
    assert [row.snapshot.name[-6:] for row in rows] == ["140000", "130000", "120000"]
    assert [[copy.store for copy in row.copies] for row in rows] == [
        ["far"],
        ["near"],
        ["near", "far"],
    ]


def test_one_name_for_two_images_is_two_rows() -> None:
    rows = merged(in_stores([snapshot()], [snapshot(checksum="cd", new=7)]))
    assert [row.copies[0].store for row in rows] == ["near", "far"]


def test_all_that_is_known_of_a_snapshot_is_told() -> None:
    name = snapshot().name
    stores: tuple[InStore, ...] = (
        InStore("near", "file", [snapshot()], frozenset([name]), proven={name: NOON}),
        InStore(
            "far",
            "blocks",
            [snapshot(new=7)],
            damaged=frozenset([name]),
            proven={name: NOON - timedelta(hours=1)},
        ),
    )
    down = StoreProblem("s3://away", StorageUnavailableError("no answer", "Wait."))
    bad = Unreadable("bad.json", ChecksumError("it is damaged"))
    stores += (InStore("odd", "file", [], unreadable=[bad]),)
    view = snapshots_view(Listing(merged(stores), stores, (down,)))
    assert view["snapshots"] == [
        {
            "snapshot": name,
            "taken": "2025-01-08T12:00:00.123456+00:00",
            "reason": "scheduled",
            "database": "data/junmai.db",
            "path": "data/junmai.db",
            "file_size": 4096,
            "checksum": "ab" * 32,
            "layout": "file",
            "new_bytes": None,
            "store": "near",
            "held": True,
            "proven": "2025-01-08T12:00:00.123456+00:00",
            "stores": [
                {
                    "store": "near",
                    "layout": "file",
                    "new_bytes": None,
                    "held": True,
                    "damaged": False,
                    "proven": "2025-01-08T12:00:00.123456+00:00",
                },
                {
                    "store": "far",
                    "layout": "blocks",
                    "new_bytes": 7,
                    "held": False,
                    "damaged": True,
                    "proven": "2025-01-08T11:00:00.123456+00:00",
                },
            ],
        }
    ]
    assert view["stores"][0] == {"store": "near", "layout": "file", "snapshots": 1}
    assert view["unreadable"] == [
        {"store": "odd", "manifest": "bad.json", "problem": "it is damaged"}
    ]
    assert view["failed_stores"] == [
        {"store": "s3://away", "problem": "no answer", "hint": "Wait."}
    ]


def test_a_store_that_fails_while_it_is_read_stops_no_other(tmp_path: Path) -> None:
    fails = MemoryBackend(faults=Seeded(0, {Fault.FAIL: 1.0}))
    cache = StoreCache(tmp_path, new_store_id())
    away = ObjectStore(fails, WholeImages(fails), Unsealed(), cache, lambda: None)
    here = store_in(tmp_path / "here")
    found = list_snapshots([away, here], (), None)
    assert [each.store for each in found.failed] == [away.url]
    assert [row.copies[0].store for row in found.snapshots] == [here.url]
    with pytest.raises(JunmaiError):
        list_snapshots([away], (), None)


@pytest.mark.parametrize(
    ("path", "belongs"),
    [
        ("/home/data/junmai.db", True),
        ("data/junmai.db", True),
        ("junmai.db", True),
        ("/data/junmai.db", False),
        ("other/junmai.db", False),
        ("", False),
    ],
)
def test_a_snapshot_is_of_the_database_whose_path_it_has(path: str, belongs: bool) -> None:
    assert snapshot(of=path).manifest.is_of(PurePosixPath("/home/data/junmai.db")) is belongs


@pytest.mark.parametrize(("database", "listed"), [("/x/data/junmai.db", 1), ("/x/other.db", 0)])
def test_only_the_snapshots_of_a_database_are_listed(
    tmp_path: Path, database: str, listed: int
) -> None:
    store = store_in(tmp_path / "here")
    assert len(list_snapshots([store], (), None, PurePosixPath(database)).snapshots) == listed


def test_a_database_that_is_not_configured_is_not_found() -> None:
    with pytest.raises(NotFoundError, match="junmai"):
        stores_of_database(None, "junmai")
