"""Claims about what dead runs leave behind: told, cleaned up, closed once."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from junmai_svc.service.recovery import close_abandoned
from junmai_svc.service.scratch import scratch_name
from junmai_svc.storage.files import identity_of, staged_path, token_of
from junmai_svc.storage.journal.events import STARTS, event_type, stream_name
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.journal.liveness import RunLock
from junmai_svc.storage.journal.uuid7 import uuid7

SIDECARS = ("-wal", "-shm", "-journal")


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal.open(
        tmp_path / "journal.db",
        create=True,
        actor="ann@desk",
        clock=lambda: datetime.now(UTC),
        tool_version="0",
    ) as opened:
        yield opened


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "junmai_new.db"


@pytest.fixture
def staged(target: Path) -> Path:
    return staged_path(target, "0123456789ab")


def begun(journal: Journal, kind: str, *steps: tuple[str, dict[str, Any]], **start: Any) -> str:
    """Record a run that does not end, and return its stream."""
    run = uuid7()
    stream = stream_name(kind, run)
    for name, data in ((STARTS[kind].name, start), *steps):
        journal.append(stream, event_type(kind, name), data, correlation=run)
    return stream


def closed_as(journal: Journal, stream: str) -> str:
    last = journal.last(stream)
    assert last is not None
    assert last.type == event_type(stream.partition("/")[0], "abandoned")
    return str(last.data["found"])


def make(path: Path) -> str:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"database")
    return identity_of(path)


def test_where_everything_ended_there_is_nothing_to_do(journal: Journal) -> None:
    stream = begun(journal, "backup")
    journal.append(stream, event_type("backup", "verified"), {}, correlation="run")
    assert close_abandoned(journal) == []


def test_a_run_that_is_alive_is_left_alone(journal: Journal, target: Path, staged: Path) -> None:
    make(staged)
    stream = begun(journal, "restore", ("staged", {"staged": str(staged)}), target=str(target))
    with RunLock(journal.path, stream.partition("/")[2]):
        assert close_abandoned(journal) == []
        assert staged.exists()
    assert close_abandoned(journal) == [stream]
    assert not staged.exists()


def test_a_dead_run_is_closed_once_and_its_story_goes_on(journal: Journal) -> None:
    stream = begun(journal, "migration", ("planned", {}), target="/nowhere/new.db")
    before = list(journal.read(stream))
    assert close_abandoned(journal) == [stream]
    assert close_abandoned(journal) == []
    *same, last = journal.read(stream)
    assert same == before
    assert last.data == {"found": "absent", "after": "junmai.migration.planned.v1"}
    assert last.correlation == before[0].correlation
    assert last.causation == before[-1].id


def test_every_dead_run_is_closed_the_oldest_first(journal: Journal) -> None:
    streams = [begun(journal, kind) for kind in ("migration", "backup", "verification", "restore")]
    assert close_abandoned(journal) == streams
    assert {closed_as(journal, stream) for stream in streams} == {"absent"}


@pytest.mark.parametrize("kind", ["migration", "restore"])
def test_a_half_written_target_is_partial_and_removed(
    kind: str, journal: Journal, target: Path, staged: Path
) -> None:
    scratch = staged.with_name(staged.name.replace(".partial", ".source.partial"))
    again = staged.with_name(staged.name.replace(".partial", ".again.partial"))
    left = [staged, scratch, again, *(Path(f"{staged}{suffix}") for suffix in SIDECARS)]
    for path in left:
        make(path)
    step = "planned" if kind == "migration" else "staged"
    names = {"staged": str(staged), "scratch": str(scratch), "again": str(again)}
    stream = begun(journal, kind, (step, names), target=str(target))
    close_abandoned(journal)
    assert closed_as(journal, stream) == "partial"
    assert not [path for path in left if path.exists()]


@pytest.mark.parametrize("existed", [False, True])
def test_a_target_that_the_run_renamed_is_complete_and_stays(
    existed: bool, journal: Journal, target: Path, staged: Path
) -> None:
    if existed:
        make(target)
    steps = [
        ("staged", {"staged": str(staged)}),
        ("digests_matched", {"file": make(staged)}),
    ]
    stream = begun(journal, "restore", *steps, target=str(target))
    staged.replace(target)
    close_abandoned(journal)
    assert closed_as(journal, stream) == "complete"
    assert target.read_bytes() == b"database"


@pytest.mark.parametrize("was_written", [False, True])
def test_an_older_target_is_not_taken_for_the_runs_own(
    was_written: bool, journal: Journal, target: Path, staged: Path
) -> None:
    """It died before its switch; what stands there is what stood there before."""
    make(target)
    steps = [("staged", {"staged": str(staged)})]
    if was_written:
        steps.append(("digests_matched", {"file": make(staged)}))
    stream = begun(journal, "restore", *steps, target=str(target))
    close_abandoned(journal)
    assert closed_as(journal, stream) == ("partial" if was_written else "absent")
    assert target.read_bytes() == b"database"
    assert not staged.exists()


@pytest.mark.parametrize("has_manifest", [False, True])
def test_an_image_without_a_manifest_is_removed_and_a_snapshot_stays(
    has_manifest: bool, journal: Journal, tmp_path: Path
) -> None:
    image = tmp_path / "backups" / "junmai_backup_20250108_120000.db"
    staged = image.with_name(f".{image.name}.partial")
    steps = [
        ("staged", {"staged": str(staged), "image": str(image)}),
        ("snapshot_taken", {"file": make(image)}),
    ]
    stream = begun(journal, "backup", *steps, source="junmai.db")
    if has_manifest:
        image.with_suffix(".json").write_text("{}", encoding="utf-8")
    close_abandoned(journal)
    assert closed_as(journal, stream) == ("complete" if has_manifest else "partial")
    assert image.exists() is has_manifest


def test_the_image_that_a_migration_read_is_never_removed(
    journal: Journal, tmp_path: Path, target: Path, staged: Path
) -> None:
    """Its own steps name it, but another run has made and recorded it."""
    image = tmp_path / "backups" / "junmai_backup_20250108_120000.db"
    file = make(image)
    steps = [
        ("planned", {"staged": str(staged)}),
        ("started", {"image": str(image)}),
        ("constraints_checked", {"file": file}),
    ]
    begun(journal, "migration", *steps, target=str(target))
    close_abandoned(journal)
    assert image.exists()


@pytest.mark.parametrize("name", ["junmai.db", ".junmai.db", "junmai.db.partial", ""])
def test_only_names_of_our_own_making_are_removed(
    name: str, journal: Journal, tmp_path: Path
) -> None:
    """A journal that was tampered with must not make us delete what matters."""
    for file in (tmp_path / name, tmp_path / "precious"):
        if not file.is_dir():
            make(file)
    before = sorted(tmp_path.rglob("*"))
    names = {"staged": str(tmp_path / name), "scratch": ["precious", 7]}
    begun(journal, "migration", ("planned", names), target=7)
    close_abandoned(journal)
    left = [path for path in before if not path.name.startswith("journal.db")]
    assert all(path.exists() for path in left)


def test_what_a_run_said_counts_from_the_folder_where_it_ran(
    journal: Journal, target: Path, staged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(staged)
    process = {"pid": 1, "folder": str(staged.parent)}
    steps = [("staged", {"staged": staged.name})]
    stream = begun(journal, "restore", *steps, target=target.name, process=process)
    (staged.parent / "elsewhere").mkdir()
    monkeypatch.chdir(staged.parent / "elsewhere")
    close_abandoned(journal)
    assert closed_as(journal, stream) == "partial"
    assert not staged.exists()


def test_a_staged_file_that_can_not_be_removed_stops_nobody_who_comes_after(
    journal: Journal, target: Path, staged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(staged)
    stream = begun(journal, "restore", ("staged", {"staged": str(staged)}), target=str(target))

    def refuse(path: Path, **_: bool) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refuse)
        assert close_abandoned(journal) == [stream]
    assert staged.exists()
    assert closed_as(journal, stream) == "partial"


def test_the_manifest_or_log_that_it_was_writing_is_removed_and_no_others(
    journal: Journal, tmp_path: Path
) -> None:
    store = tmp_path / "backups"
    stream = begun(journal, "migration", store=str(store))
    own = staged_path(store / "migration_log_20251108_120000.json", token_of(stream))
    other = staged_path(store / "migration_log_20251108_120000.json", token_of(uuid7()))
    for path in (own, other):
        make(path)
    close_abandoned(journal)
    assert list(store.iterdir()) == [other]


def test_a_name_that_a_living_run_has_is_not_taken_from_it(
    journal: Journal, tmp_path: Path
) -> None:
    """Both announced it; the dead one did not live to see that the other one got it."""
    image = tmp_path / ".junmai_backup_20251108_120000.db.partial"
    make(image)
    living, dead = (begun(journal, "backup", ("staged", {"staged": str(image)})) for _ in range(2))
    with RunLock(journal.path, living.partition("/")[2]):
        assert close_abandoned(journal) == [dead]
    assert closed_as(journal, dead) == "absent"
    assert image.exists()


@pytest.fixture
def room(tmp_path: Path) -> Path:
    folder = tmp_path / scratch_name().name
    make(folder / "image.db")
    return folder


@pytest.mark.parametrize("kind", ["replay", "drill", "verification", "check"])
def test_the_images_that_a_dead_run_looked_at_are_removed(
    kind: str, journal: Journal, room: Path
) -> None:
    stream = begun(journal, kind, room=str(room))
    close_abandoned(journal)
    assert closed_as(journal, stream) == "partial"
    assert not room.exists()


def test_the_scratch_folder_of_a_living_run_is_left_alone(journal: Journal, room: Path) -> None:
    stream = begun(journal, "replay", room=str(room))
    with RunLock(journal.path, stream.partition("/")[2]):
        assert close_abandoned(journal) == []
    assert (room / "image.db").exists()


def test_no_folder_is_removed_that_is_not_ours(journal: Journal, room: Path) -> None:
    """By name, through a link, or by a path that goes on behind a name of ours."""
    other = room.with_name("junmai-svc-backups")
    room.rename(other)
    room.symlink_to(other, target_is_directory=True)
    for named in (other, room, room / "..", room.parent):
        begun(journal, "replay", room=str(named))
    close_abandoned(journal)
    assert (other / "image.db").exists()
    assert room.is_symlink()
