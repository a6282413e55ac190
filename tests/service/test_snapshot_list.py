"""Claims about the list of snapshots: one row for each, wherever it is."""

from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath

import pytest

from junmai_svc.service import views_snapshots
from junmai_svc.service.context import StoreProblem
from junmai_svc.service.snapshot_list import (
    InStore,
    Listing,
    is_of,
    list_snapshots,
    merged,
    stores_of_database,
)
from junmai_svc.storage.errors import (
    ChecksumError,
    JunmaiError,
    NotFoundError,
    StorageUnavailableError,
)
from junmai_svc.storage.snapshots.base import Snapshot, Unreadable
from junmai_svc.storage.snapshots.manifest import STAMP, Manifest, Reason

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


class Store:
    """A store as far as a list asks it."""

    def __init__(self, url: str, problem: JunmaiError | None = None) -> None:
        self.url, self.layout, self._problem = url, "file", problem

    def snapshots(self) -> tuple[list[Snapshot], list[Unreadable]]:
        """One snapshot, or the problem."""
        if self._problem is not None:
            raise self._problem
        return [snapshot()], []

    def held(self) -> frozenset[str]:
        """None is held."""
        return frozenset()


def in_stores(near: list[Snapshot], far: list[Snapshot]) -> list[InStore]:
    return [InStore("near", "file", near), InStore("far", "blocks", far)]


def test_a_snapshot_in_several_stores_is_one_row_newest_first() -> None:
    near, far = [snapshot(1), snapshot(0)], [snapshot(2, new=1), snapshot(0, new=7)]
    rows = merged(in_stores(near, far), {})
    assert [row.snapshot.name[-6:] for row in rows] == ["140000", "130000", "120000"]
    assert [[copy.store for copy in row.copies] for row in rows] == [
        ["far"],
        ["near"],
        ["near", "far"],
    ]


def test_one_name_for_two_images_is_two_rows() -> None:
    rows = merged(in_stores([snapshot()], [snapshot(checksum="cd", new=7)]), {})
    assert [row.copies[0].store for row in rows] == ["near", "far"]


def test_all_that_is_known_of_a_snapshot_is_told() -> None:
    name = snapshot().name
    stores = (
        InStore("near", "file", [snapshot()], frozenset([name])),
        InStore("far", "blocks", [snapshot(new=7)], damaged=frozenset([name])),
    )
    down = StoreProblem("s3://away", StorageUnavailableError("no answer", "Wait."))
    bad = Unreadable("bad.json", ChecksumError("it is damaged"))
    stores += (InStore("odd", "file", [], unreadable=[bad]),)
    view = views_snapshots.snapshots_view(Listing(merged(stores, {name: NOON}), stores, (down,)))
    assert view["snapshots"] == [
        {
            "snapshot": name,
            "taken": "2025-01-08T12:00:00.123456+00:00",
            "reason": "scheduled",
            "database": "data/junmai.db",
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
                },
                {
                    "store": "far",
                    "layout": "blocks",
                    "new_bytes": 7,
                    "held": False,
                    "damaged": True,
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


def test_a_store_that_fails_while_it_is_read_stops_no_other() -> None:
    down = Store("away", StorageUnavailableError("no answer"))
    found = list_snapshots([down, Store("here")], (), None)
    assert [each.store for each in found.failed] == ["away"]
    assert [row.copies[0].store for row in found.snapshots] == ["here"]
    with pytest.raises(StorageUnavailableError):
        list_snapshots([down], (), None)


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
    assert is_of(snapshot(of=path), PurePosixPath("/home/data/junmai.db")) is belongs
    kept = list_snapshots([Store("here")], (), None, PurePosixPath("/x/other.db"))
    assert kept.snapshots == ()


def test_a_database_that_is_not_configured_is_not_found() -> None:
    with pytest.raises(NotFoundError, match="junmai"):
        stores_of_database(None, "junmai")
