"""What came to a store as a copy is missed there like a backup, and nothing else is."""

import shutil
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from tests.harness.journals import opened_journal
from tests.harness.stores import (
    NOON,
    image_of,
    manifest_for,
    names,
    object_store,
    stored,
    stored_as,
)

from junmai_svc.checks.proof import Doubt, Question
from junmai_svc.service.audit.keep import accept
from junmai_svc.service.audit.verify import verify_journal
from junmai_svc.service.context import Context
from junmai_svc.service.copy import Which, copy
from junmai_svc.service.operation import Kind
from junmai_svc.service.prune import prune
from junmai_svc.service.recovery import close_abandoned
from junmai_svc.service.retention import Policy
from junmai_svc.storage.backends.local import LocalBackend
from junmai_svc.storage.journal.events import event_type, stream_name
from junmai_svc.storage.journal.folding import SNAPSHOTS, Row, rows_named
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.journal.uuid7 import uuid7
from junmai_svc.storage.snapshots.base import Snapshot, SnapshotStore, Staged, Tick, Unreadable
from junmai_svc.storage.snapshots.manifest import Manifest
from junmai_svc.storage.snapshots.store import FileStore

HOUR = timedelta(hours=1)


@pytest.fixture
def here(journal: Journal, tmp_path: Path) -> FileStore:
    """Two snapshots, an hour apart, each with the events of its backup."""
    store = FileStore(tmp_path / "here")
    for number in range(2):
        recorded(journal, stored(store, image_of(number), NOON + number * HOUR), store)
    return store


def recorded(journal: Journal, snapshot: Snapshot, store: SnapshotStore) -> None:
    run = uuid7()
    told = {"snapshot": snapshot.name, "store": store.url, "size": snapshot.manifest.file_size}
    for name, data in (
        ("started", {"store": store.url, "database": "data/junmai.db", "reason": "manual"}),
        ("snapshot_taken", {"snapshot": snapshot.name}),
        ("stored", told | {"checksum": snapshot.manifest.checksum}),
        ("verified", {}),
    ):
        stream = stream_name("backup", run)
        journal.append(stream, event_type("backup", name), data, correlation=run)


def copied(journal: Journal, source: SnapshotStore, target: SnapshotStore) -> int:
    return len(copy(Context(journal, (source,)), Context(journal, (target,)), Which()).copied)


def doubts(journal: Journal, store: SnapshotStore) -> list[Doubt]:
    verdicts = verify_journal(journal.path, [store], read_data=True).verdicts
    (objects,) = (each for each in verdicts if each.question is Question.OBJECTS)
    return list(objects.doubts)


def row_of(journal: Journal, store: SnapshotStore, name: str) -> Row:
    rows = (row for _, row in rows_named(journal.projection(), SNAPSHOTS))
    (found,) = (row for row in rows if (row["store"], row["snapshot"]) == (store.url, name))
    return found


def in_blocks(folder: Path) -> SnapshotStore:
    return object_store(LocalBackend(folder), folder.with_name("cache"))


def deleted(store: SnapshotStore, name: str) -> None:
    store.delete_unless_held(name)


def replaced(store: SnapshotStore, name: str) -> None:
    store.delete_unless_held(name)
    stored_as(store, image_of(7, 8), name)


@pytest.mark.parametrize("make", [FileStore, in_blocks], ids=["images", "blocks"])
@pytest.mark.parametrize(
    ("attack", "word"),
    [(deleted, "is gone"), (replaced, "the manifest of")],
    ids=["deleted", "replaced"],
)
def test_a_copy_that_somebody_deletes_or_replaces_is_named(
    journal: Journal,
    here: FileStore,
    tmp_path: Path,
    make: Callable[[Path], SnapshotStore],
    attack: Callable[[SnapshotStore, str], None],
    word: str,
) -> None:
    there = make(tmp_path / "there")
    assert copied(journal, here, there) == 2
    assert doubts(journal, there) == []
    name = names(there)[0]
    attack(there, name)
    [doubt] = doubts(journal, there)
    row = row_of(journal, there, name)
    assert word in doubt.message
    assert name in doubt.message
    assert doubt.position == row["position"]
    assert (row["reason"], row["database"]) == ("manual", "data/junmai.db")
    assert doubts(journal, here) == []


def test_looking_while_a_copy_is_under_way(
    journal: Journal, here: FileStore, tmp_path: Path
) -> None:
    """Between its manifest and its event, and where it came after the store was listed."""

    class Looking(FileStore):
        def commit(self, staged: Staged, manifest: Manifest, tick: Tick | None = None) -> Snapshot:
            done = super().commit(staged, manifest, tick)
            seen.append(doubts(journal, FileStore(self.folder)))
            return done

    class Late(FileStore):
        def snapshots(self) -> tuple[list[Snapshot], list[Unreadable]]:
            listed = super().snapshots()
            copied(journal, here, FileStore(self.folder))
            return listed

    seen: list[list[Doubt]] = []
    copied(journal, here, Looking(tmp_path / "there"))
    assert seen == [[], []]
    assert doubts(journal, Late(tmp_path / "late")) == []


def test_a_store_under_another_address_and_one_copied_as_files(
    journal: Journal, here: FileStore, tmp_path: Path
) -> None:
    there = FileStore(tmp_path / "there")
    copied(journal, here, there)
    shutil.copytree(there.folder, tmp_path / "files")
    assert doubts(journal, FileStore(tmp_path / "files")) == []
    deleted(FileStore(tmp_path / "files"), names(there)[0])
    assert doubts(journal, FileStore(tmp_path / "files")) == []
    there.folder.rename(tmp_path / "moved")
    assert doubts(journal, FileStore(tmp_path / "moved")) == []


def test_copies_made_by_another_journal(journal: Journal, here: FileStore, tmp_path: Path) -> None:
    there = FileStore(tmp_path / "there")
    with opened_journal(tmp_path / "other.db") as other:
        copied(other, here, there)
        assert doubts(other, there) == []
    assert doubts(journal, there) == []
    deleted(there, names(there)[0])
    assert doubts(journal, there) == []


def test_a_pruned_copy_is_not_missed_until_it_is_copied_once_more(
    journal: Journal, here: FileStore, tmp_path: Path
) -> None:
    there = FileStore(tmp_path / "there")
    copied(journal, here, there)
    [_, old] = names(there)
    context = Context(journal, (there,), clock=lambda: NOON + 1.5 * HOUR)
    assert prune(context, Policy(keep_within=HOUR, keep_last=1)).deleted == (old,)
    assert row_of(journal, there, old)["deleted"] is not None
    assert doubts(journal, there) == []
    assert copied(journal, here, there) == 1
    assert row_of(journal, there, old)["deleted"] is None
    deleted(there, old)
    assert ["is gone" in doubt.message for doubt in doubts(journal, there)] == [True]


def test_a_store_that_was_given_up_is_not_missed_but_what_comes_there_later_is(
    journal: Journal, here: FileStore, tmp_path: Path
) -> None:
    there = FileStore(tmp_path / "there")
    copied(journal, here, there)
    shutil.rmtree(there.folder)
    assert len(doubts(journal, there)) == 2
    accept(journal, there.url, "the disk died")
    assert doubts(journal, there) == []
    assert copied(journal, here, there) == 2
    assert doubts(journal, there) == []
    deleted(there, names(there)[0])
    assert len(doubts(journal, there)) == 1


def test_a_copy_that_is_pruned_before_its_event_is_not_missed(
    journal: Journal, here: FileStore, tmp_path: Path
) -> None:
    class Pruned(FileStore):
        def commit(self, staged: Staged, manifest: Manifest, tick: Tick | None = None) -> Snapshot:
            done = super().commit(staged, manifest, tick)
            self.delete_unless_held(done.name)
            run = uuid7()
            for name, data in (
                ("planned", {"store": self.url}),
                ("snapshot_deleted", {"snapshots": [done.name]}),
                ("completed", {}),
            ):
                stream = stream_name("prune", run)
                journal.append(stream, event_type("prune", name), data, correlation=run)
            return done

    there = Pruned(tmp_path / "there")
    assert copied(journal, here, there) == 2
    assert names(there) == []
    assert doubts(journal, there) == []


def test_a_copy_that_was_whole_when_its_run_died_is_known(
    journal: Journal, here: FileStore, tmp_path: Path
) -> None:
    class DiedError(Exception):
        pass

    class Dying(FileStore):
        def commit(self, staged: Staged, manifest: Manifest, tick: Tick | None = None) -> Snapshot:
            super().commit(staged, manifest, tick)
            raise DiedError

    there = FileStore(tmp_path / "there")
    # As of who is killed there is no last event.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("junmai_svc.service.operation._record_failure", lambda *_: None)
        with pytest.raises(DiedError):
            copied(journal, here, Dying(there.folder))
    [name] = names(there)
    assert len(close_abandoned(journal)) == 1
    row = row_of(journal, there, name)
    assert (row["checksum"], row["reason"]) == (there.find(name).manifest.checksum, "manual")
    assert doubts(journal, there) == []
    deleted(there, name)
    assert ["is gone" in doubt.message for doubt in doubts(journal, there)] == [True]


def open_run(journal: Journal, kind: Kind, **events: Mapping[str, object]) -> str:
    """A run that was killed after these events."""
    run = uuid7()
    for name, data in events.items():
        journal.append(stream_name(kind, run), event_type(kind, name), data, correlation=run)
    return run


def test_what_a_killed_prune_took_is_not_missed_and_nothing_else_is(
    journal: Journal, here: FileStore
) -> None:
    young, old = names(here)
    open_run(journal, "prune", planned={"store": here.url}, deleting={"snapshots": [old]})
    deleted(here, old)
    assert len(close_abandoned(journal)) == 1
    assert doubts(journal, here) == []
    deleted(here, young)
    assert [young in doubt.message for doubt in doubts(journal, here)] == [True]


def test_what_a_prune_did_not_take_is_missed_when_it_is_gone(
    journal: Journal, here: FileStore
) -> None:
    _young, old = names(here)
    planned: dict[str, Mapping[str, object]] = {
        "planned": {"store": here.url},
        "deleting": {"snapshots": [old]},
    }
    open_run(journal, "prune", **planned, completed={"deleted": 0})
    assert doubts(journal, here) == []
    deleted(here, old)
    assert [old in doubt.message for doubt in doubts(journal, here)] == [True]


def test_what_a_killed_backup_stored_is_explained_and_nothing_else_of_its_is(
    journal: Journal, tmp_path: Path
) -> None:
    blocks = in_blocks(tmp_path / "blocks")
    for number, kept in enumerate([True, False]):
        name = f"junmai_backup_2025010{number + 1}_120000"
        told = {"snapshot": name if kept else "junmai_backup_20200101_000000"}
        started = {"store": blocks.url, "database": "data/junmai.db"}
        run = open_run(journal, "backup", started=started, snapshot_taken=told)
        with blocks.stage_as(name) as staged:
            staged.image.write_bytes(image_of(number))
            manifest = manifest_for(image_of(number), name)
            blocks.commit(staged, msgspec.structs.replace(manifest, run=run))
    assert len(close_abandoned(journal)) == 2
    assert ["20250102" in doubt.message for doubt in doubts(journal, blocks)] == [True]
