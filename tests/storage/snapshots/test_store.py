"""Claims about a store of snapshots in a folder: names, order, and what is never given out."""

import hashlib
import json
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from unicodedata import normalize

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from junmai_svc.storage.errors import IntegrityError, NotFoundError
from junmai_svc.storage.files import staged_path, token_of
from junmai_svc.storage.snapshots.base import Snapshot, Staged
from junmai_svc.storage.snapshots.manifest import NAME, STAMP, Manifest, Reason
from junmai_svc.storage.snapshots.store import FileStore, snapshot_of_file

NOON = datetime(2025, 1, 8, 12, 0, 0, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path / "not there yet" / "backups [1]")


def manifest_of(staged: Staged, when: datetime, reason: Reason, database: str) -> Manifest:
    return Manifest(
        original_path=f"data/{database}",
        backup_path="nobody follows this",
        timestamp=when.strftime(STAMP),
        checksum="ab" * 32,
        file_size=5,
        format=1,
        name=staged.name,
        created_at=when.isoformat(timespec="microseconds"),
        reason=reason,
    )


def stored(
    store: FileStore,
    when: datetime = NOON,
    reason: Reason = Reason.MANUAL,
    database: str = "junmai.db",
) -> Snapshot:
    with store.stage(Path(database).stem, when) as staged:
        staged.image.write_bytes(b"image")
        return store.commit(staged, manifest_of(staged, when, reason, database))


def names(store: FileStore) -> list[str]:
    return [snapshot.name for snapshot in store.snapshots()[0]]


def test_a_store_that_is_not_there_yet_is_empty_and_stays_away(store: FileStore) -> None:
    assert store.snapshots() == ([], [])
    assert not store.folder.exists()


def test_what_is_stored_is_found_again_equal(store: FileStore) -> None:
    snapshot = stored(store)
    assert snapshot.name == "junmai_backup_20250108_120000"
    assert Path(snapshot.place).read_bytes() == b"image"
    assert store.snapshots() == ([snapshot], [])
    assert store.find(snapshot.name) == snapshot
    assert {file.name for file in store.folder.iterdir()} == {
        "junmai_backup_20250108_120000.db",
        "junmai_backup_20250108_120000.json",
    }


def test_a_snapshot_is_found_by_the_name_of_its_image_and_of_its_manifest(
    store: FileStore,
) -> None:
    snapshot = stored(store)
    assert store.find(f"{snapshot.name}.db") == store.find(f"{snapshot.name}.json") == snapshot


def test_what_is_staged_is_no_snapshot_and_is_gone_afterwards(store: FileStore) -> None:
    with store.stage("junmai", NOON) as staged:
        assert staged.image.parent == store.folder
        for suffix in ("", "-wal", "-shm", "-journal"):
            Path(f"{staged.image}{suffix}").write_bytes(b"half")
        assert store.snapshots() == ([], [])
        with pytest.raises(NotFoundError):
            store.find(staged.name)
    assert list(store.folder.iterdir()) == []


def test_what_was_staged_is_removed_after_an_error_too(store: FileStore) -> None:
    with pytest.raises(ZeroDivisionError), store.stage("junmai", NOON) as staged:
        staged.image.write_bytes(bytes(1 // 0))
    assert list(store.folder.iterdir()) == []


def test_a_crash_between_image_and_manifest_leaves_no_snapshot(store: FileStore) -> None:
    snapshot = stored(store)
    (store.folder / f"{snapshot.name}.json").unlink()
    assert store.snapshots() == ([], [])
    with pytest.raises(IntegrityError, match="has no manifest"):
        store.find(snapshot.name)


def test_backups_in_the_same_second_are_snapshots_of_their_own(store: FileStore) -> None:
    found = [stored(store).name for _ in range(3)]
    base = "junmai_backup_20250108_120000"
    assert found == [base, f"{base}_2", f"{base}_3"]
    assert sorted(names(store)) == found


def test_the_last_name_that_was_announced_is_the_claim(store: FileStore) -> None:
    """Whoever comes after a crash finds what was made."""
    stored(store)
    heard: list[Staged] = []

    def announce(staged: Staged) -> None:
        assert not staged.image.exists()
        heard.append(staged)

    with store.stage("junmai", NOON, announce) as staged:
        assert heard[-1] == staged
        assert staged.name == "junmai_backup_20250108_120000_2"
        assert staged.image.exists()


def test_a_name_that_can_not_be_announced_is_not_claimed(store: FileStore) -> None:
    def refuse(_: Staged) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), store.stage("junmai", NOON, refuse):
        pytest.fail("nobody would find it")
    assert list(store.folder.iterdir()) == []


def test_an_image_whose_manifest_can_not_be_written_does_not_stay(store: FileStore) -> None:
    with store.stage("junmai", NOON) as staged:
        manifest = manifest_of(staged, NOON, Reason.MANUAL, "junmai.db")
        in_the_way = staged_path(
            (store.folder / f"{staged.name}.db").with_suffix(".json"), token_of(manifest.run)
        )
        in_the_way.write_bytes(b"somebody's")
        with pytest.raises(FileExistsError):
            store.commit(staged, manifest)
    assert list(store.folder.iterdir()) == [in_the_way]


@pytest.mark.parametrize("taken", [".db", ".json"])
def test_a_name_of_which_anything_is_left_is_not_used_again(taken: str, store: FileStore) -> None:
    store.folder.mkdir(parents=True)
    left = store.folder / f"junmai_backup_20250108_120000{taken}"
    left.write_bytes(b"left by a crash")
    assert stored(store).name == "junmai_backup_20250108_120000_2"
    assert left.read_bytes() == b"left by a crash"


def test_many_claims_in_the_same_second_get_names_of_their_own(store: FileStore) -> None:
    """Some give up, the others commit; every image is that of its own claimant."""
    workers, each = 8, 12
    barrier = threading.Barrier(workers)
    committed: dict[str, bytes] = {}
    problems: list[BaseException] = []

    def work(worker: int) -> None:
        barrier.wait()
        for turn in range(each):
            content = f"{worker} {turn}".encode()
            with store.stage("junmai", NOON) as staged:
                staged.image.write_bytes(content)
                if turn % 3:
                    manifest = manifest_of(staged, NOON, Reason.MANUAL, "junmai.db")
                    name = store.commit(staged, manifest).name
                    assert name not in committed
                    committed[name] = content

    def guarded(worker: int) -> None:
        try:
            work(worker)
        except BaseException as problem:  # noqa: BLE001  # told to the test's own thread
            problems.append(problem)

    threads = [threading.Thread(target=guarded, args=[worker]) for worker in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert len(committed) == workers * each * 2 // 3
    good, bad = store.snapshots()
    assert bad == []
    assert {snapshot.name: Path(snapshot.place).read_bytes() for snapshot in good} == committed
    assert not [file for file in store.folder.iterdir() if file.name.startswith(".")]


def test_the_newest_is_first_whatever_its_name(store: FileStore) -> None:
    times = [NOON + timedelta(microseconds=step) for step in (5, 900_000, 70, 3)]
    times += [NOON + timedelta(days=400), NOON - timedelta(days=400)]
    for when in times:
        stored(store, when, database=f"{len(list(store.folder.glob('*.db')))}.db")
    taken = [snapshot.manifest.taken for snapshot in store.snapshots()[0]]
    assert taken == sorted(times, reverse=True)


def test_other_files_in_the_folder_are_passed_over(store: FileStore) -> None:
    snapshot = stored(store)
    for name in (
        "migration_log_20250108_120000.json",
        "notes.txt",
        "x_backup_y.json",
        "store.json",
    ):
        (store.folder / name).write_text("{}", encoding="utf-8")
    assert store.snapshots() == ([snapshot], [])


def test_what_macos_keeps_beside_a_manifest_is_passed_over(store: FileStore) -> None:
    snapshot = stored(store)
    beside = store.folder / f"._{snapshot.name}.json"
    beside.write_bytes(bytes.fromhex("00051607 00020000") + b"Mac OS X        ")
    assert store.snapshots() == ([snapshot], [])
    beside.write_bytes(b"{")
    assert len(store.snapshots()[1]) == 1


def test_a_copy_whose_names_macos_decomposed_is_as_good(store: FileStore) -> None:
    snapshot = stored(store, database="F\u00fcr.db")
    for path in list(store.folder.iterdir()):
        path.rename(path.with_name(normalize("NFD", path.name)))
    (found,), unreadable = store.snapshots()
    assert (unreadable, normalize("NFC", found.name)) == ([], snapshot.name)
    assert store.find(found.name) == found
    assert Path(found.place).read_bytes()
    store.hold(found.name)
    assert store.held() == {found.name}


def test_a_manifest_that_can_not_be_used_is_told_and_hides_no_other(store: FileStore) -> None:
    good, bad, imageless = (stored(store, NOON + timedelta(hours=hour)) for hour in (0, 1, 2))
    (store.folder / f"{bad.name}.json").write_text("{", encoding="utf-8")
    Path(imageless.place).unlink()
    listed, unreadable = store.snapshots()
    assert listed == [good]
    assert [Path(item.manifest).stem for item in unreadable] == [bad.name, imageless.name]
    assert "is damaged" in unreadable[0].problem.message
    assert "only its manifest is left" in unreadable[1].problem.message
    assert store.find("latest", Path("/srv/junmai.db")) == good


def test_a_manifest_of_another_snapshot_is_refused(store: FileStore) -> None:
    one, other = stored(store), stored(store)
    manifest = (store.folder / f"{one.name}.json").read_bytes()
    (store.folder / f"{other.name}.json").write_bytes(manifest)
    with pytest.raises(IntegrityError, match="belongs to another snapshot"):
        store.find(other.name)


def test_latest_is_the_newest_that_was_not_taken_for_undoing(store: FileStore) -> None:
    """Restoring it twice gives the same rows twice: the first restore's own snapshot is newer."""
    stored(store)
    newest = stored(store, NOON + timedelta(hours=1), Reason.SCHEDULED)
    stored(store, NOON + timedelta(hours=2), Reason.PRE_RESTORE)
    stored(store, NOON + timedelta(hours=3), Reason.PRE_OVERWRITE)
    assert store.find("latest", Path("/srv/junmai.db")) == newest
    assert store.find("latest") == newest


def test_latest_is_of_the_database_that_is_asked_for(store: FileStore) -> None:
    own = stored(store, NOON)
    stored(store, NOON + timedelta(hours=1), database="other.db")
    assert store.find("latest", Path("/srv/junmai.db")) == own
    holds = {Path("/srv/third.db"): "none of /srv/third.db, but of", None: "those of several"}
    for unknown, text in holds.items():
        with pytest.raises(NotFoundError, match=text) as caught:
            store.find("latest", unknown)
        assert caught.value.message.endswith("data/junmai.db, data/other.db")
        assert caught.value.hint == "Name the snapshot."


def test_latest_of_a_store_of_one_database_is_that_databases(store: FileStore) -> None:
    """It may be restored under another name."""
    own = stored(store)
    assert store.find("latest", Path("/srv/renamed.db")) == own


def test_latest_of_nothing_is_not_found(store: FileStore) -> None:
    with pytest.raises(NotFoundError, match="no snapshot in"):
        store.find("latest", Path("/srv/junmai.db"))
    stored(store, reason=Reason.PRE_RESTORE)
    with pytest.raises(NotFoundError, match="no snapshot in"):
        store.find("latest", Path("/srv/junmai.db"))


@pytest.fixture
def outside(store: FileStore) -> Iterator[Path]:
    """A good snapshot beside the store's folder, which must not be given out by it."""
    beside = FileStore(store.folder.parent)
    yield Path(stored(beside).place)
    assert beside.snapshots()[1] == []


HOSTILE = [
    "../{}",
    "{folder}/{}",
    "./{}",
    "sub/../../{}",
    "../{}.db",
    "..",
    ".",
    "",
    "/",
    "\0",
    "*",
]


@pytest.mark.parametrize("reference", HOSTILE)
def test_a_name_never_leads_out_of_the_folder(
    reference: str, store: FileStore, outside: Path
) -> None:
    stored(store, NOON + timedelta(days=1))
    (store.folder / "sub").mkdir()
    with pytest.raises(NotFoundError, match="Backup not found"):
        store.find(reference.format(outside.stem, folder=outside.parent))


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
@pytest.mark.parametrize("suffix", [".db", ".json"])
def test_links_are_not_followed(suffix: str, store: FileStore, outside: Path) -> None:
    snapshot = stored(store)
    link = store.folder / f"{snapshot.name}{suffix}"
    link.unlink()
    link.symlink_to(outside.with_suffix(suffix))
    with pytest.raises(IntegrityError):
        store.find(snapshot.name)
    assert store.snapshots()[0] == []


def test_the_path_in_a_manifest_is_never_followed(store: FileStore, outside: Path) -> None:
    snapshot = stored(store)
    path = store.folder / f"{snapshot.name}.json"
    content = json.loads(path.read_bytes()) | {"backup_path": str(outside)}
    path.write_text(json.dumps(content), encoding="utf-8")
    assert store.find(snapshot.name).image == snapshot.image


def test_the_replaced_tools_backups_are_listed_and_found(store: FileStore) -> None:
    store.folder.mkdir(parents=True)
    name = "junmai_backup_20240108_120000"
    (store.folder / f"{name}.db").write_bytes(b"image")
    fields = {
        "original_path": "data\\junmai.db",
        "backup_path": f"data\\backups\\{name}.db",
        "timestamp": "20240108_120000",
        "checksum": "cd" * 32,
        "file_size": 5,
    }
    (store.folder / f"{name}.json").write_text(json.dumps(fields), encoding="utf-8")
    assert names(store) == [name]
    assert store.find("latest", Path("/srv/junmai.db")).name == name
    newer = stored(store)
    assert names(store) == [newer.name, name]


# What file systems refuse, and what Windows refuses beside that.
STEMS = st.text(
    st.characters(
        exclude_categories=["Cs", "Cc"] if sys.platform == "win32" else ["Cs"],
        exclude_characters='<>:"/\\|?*.' if sys.platform == "win32" else "/\0",
    ),
    min_size=1,
    max_size=40,
)


@settings(max_examples=30, deadline=None)
@given(STEMS)
def test_a_snapshot_of_any_name_is_listed_and_found(stem: str) -> None:
    with TemporaryDirectory() as folder:
        store = FileStore(Path(folder))
        with store.stage(stem, NOON) as staged:
            snapshot = store.commit(staged, manifest_of(staged, NOON, Reason.MANUAL, "x"))
        assert store.snapshots() == ([snapshot], [])
        assert store.find(snapshot.name) == store.find("latest") == snapshot
        matched = NAME.fullmatch(snapshot.name)
        assert matched is not None
        assert matched["stem"] == stem


def test_a_file_is_a_snapshot_where_its_manifest_lies_beside_it(store: FileStore) -> None:
    snapshot = stored(store)
    assert snapshot_of_file(Path(snapshot.place)) == snapshot
    assert snapshot_of_file(Path(snapshot.place).with_suffix(".json")) == snapshot


def test_a_file_may_have_been_moved_with_its_manifest(store: FileStore, tmp_path: Path) -> None:
    snapshot = stored(store)
    moved = tmp_path / Path(snapshot.place).name
    Path(snapshot.place).rename(moved)
    Path(snapshot.place).with_suffix(".json").rename(moved.with_suffix(".json"))
    assert snapshot_of_file(moved) == Snapshot(snapshot.manifest, moved, str(moved.parent))


def test_a_file_without_a_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="Backup not found"):
        snapshot_of_file(tmp_path / "missing.db")
    alone = tmp_path / "alone.db"
    alone.write_bytes(b"image")
    with pytest.raises(IntegrityError, match="has no manifest"):
        snapshot_of_file(alone)


def test_a_file_is_never_taken_for_the_image_that_lies_beside_it(store: FileStore) -> None:
    """Two files share a name but for its end; the manifest is of the .db only."""
    snapshot = stored(store)
    other = Path(snapshot.place).with_suffix(".sqlite")
    other.write_bytes(b"another image")
    with pytest.raises(IntegrityError, match=r"\.sqlite has no manifest"):
        snapshot_of_file(other)


def test_what_is_held_is_not_deleted_until_it_is_released(store: FileStore) -> None:
    snapshot, other = stored(store), stored(store)
    assert store.held() == frozenset()
    for _ in range(2):
        store.hold(snapshot.name)
        assert store.held() == {snapshot.name}
    assert not store.delete_unless_held(snapshot.name)
    assert store.delete_unless_held(other.name)
    assert store.snapshots() == ([snapshot], [])
    for _ in range(2):
        store.release(f"{snapshot.name}.db")
        assert store.held() == frozenset()
    assert store.delete_unless_held(snapshot.name)
    assert store.snapshots() == ([], [])
    assert not list(store.folder.glob("*_backup_*"))


@pytest.mark.parametrize("name", ["../x", "missing", "holds", ""])
def test_only_a_snapshot_can_be_held_or_released(name: str, store: FileStore) -> None:
    stored(store)
    for act in (store.hold, store.release):
        with pytest.raises(NotFoundError):
            act(name)
    assert store.held() == frozenset()


def test_details_are_stored_once_by_their_digest(store: FileStore) -> None:
    content = "写真".encode()
    digest = store.put_details(content)
    assert digest == hashlib.sha256(content).hexdigest() == store.put_details(content)
    (path,) = (store.folder / "details").iterdir()
    assert path.name == f"{digest}.json"
    assert path.read_bytes() == content
    assert store.snapshots() == ([], [])


def test_a_committed_manifest_keeps_every_field(store: FileStore) -> None:
    with store.stage("junmai", NOON) as staged:
        manifest = msgspec.structs.replace(
            manifest_of(staged, NOON, Reason.MIGRATION, "写真 [red].db"),
            run="0190163d-8694-739b-aea5-966c26f8ad91",
            checkpoint="some",
            tool="junmai-svc 0.1.0",
        )
        store.commit(staged, manifest)
    place = str(store.folder / f"{manifest.name}.db")
    as_stored = msgspec.structs.replace(manifest, backup_path=place)
    assert store.find(manifest.name).manifest == as_stored


def test_a_name_is_announced_before_anything_is_made_under_it(store: FileStore) -> None:
    heard: list[tuple[str, bool]] = []

    def hear(claim: Staged) -> None:
        heard.append((claim.name, claim.image.exists()))

    with store.stage("junmai", NOON, hear) as first, store.stage("junmai", NOON, hear) as second:
        assert heard == [(first.name, False), (second.name, False)]
