"""Claims about what events tell of snapshots: each of the copy whose bytes were read, no other."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from junmai_svc.storage.journal.events import event_type, stream_name
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.journal.soundness import Soundness, fold_soundness
from junmai_svc.storage.journal.uuid7 import uuid7

NAME = "junmai_backup_20261122_140000"
URL = "s3://bucket/backups"

Record = Callable[..., None]


@pytest.fixture
def record(journal: Journal, tmp_path: Path) -> Record:
    """Appends the named events of a run in the folder `desk`, which is told of a store."""

    def append(category: str, store: object, **named: dict[str, Any]) -> None:
        run = uuid7()
        process = {"pid": 17, "folder": str(tmp_path / "desk")}
        start = {"snapshot": NAME, "store": store, "process": process}
        begin = "requested" if category == "restore" else "started"
        for name, data in {begin: start, **named}.items():
            stream = stream_name(category, run)
            journal.append(stream, event_type(category, name), data, correlation=run)

    return append


def told(journal: Journal) -> Soundness:
    return fold_soundness(journal.read())


def damage(record: Record, store: str) -> None:
    record("check", store, examined={"store": store, "damaged": [NAME]}, damage_found={})


def test_damage_is_of_one_store_and_not_of_another_folder_of_its_name(
    journal: Journal, record: Record, tmp_path: Path
) -> None:
    damage(record, str(tmp_path / "here" / "backups"))
    assert told(journal).damaged_in(str(tmp_path / "here" / "backups")) == {NAME}
    assert told(journal).damaged_in(str(tmp_path / "there" / "backups")) == frozenset()


def test_a_path_counts_from_the_folder_in_which_its_run_was(
    journal: Journal, record: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    damage(record, "../backups")
    assert told(journal).damaged_in(str(tmp_path / "backups")) == {NAME}
    monkeypatch.chdir(tmp_path)
    assert told(journal).damaged_in("backups") == {NAME}
    assert told(journal).damaged_in("../backups") == frozenset()


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege on Windows")
def test_a_store_is_known_by_any_path_to_it(
    journal: Journal, record: Record, tmp_path: Path
) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    damage(record, str(tmp_path / "disk" / "backups"))
    assert told(journal).damaged_in(str(tmp_path / "link" / "backups")) == {NAME}


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege on Windows")
def test_damage_is_over_when_the_copy_is_proven_by_any_path_to_it(
    journal: Journal, record: Record, tmp_path: Path
) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    direct, linked = str(tmp_path / "disk" / "backups"), str(tmp_path / "link" / "backups")
    damage(record, direct)
    record("drill", linked, proven={})
    assert told(journal).damaged_in(direct) == told(journal).damaged_in(linked) == frozenset()
    damage(record, linked)
    assert told(journal).damaged_in(direct) == {NAME}


def test_a_copy_was_proven_when_it_was_last_read_under_any_of_its_paths(
    journal: Journal, record: Record, tmp_path: Path
) -> None:
    (tmp_path / "disk").mkdir()
    paths = [tmp_path / "disk" / "backups", tmp_path / "disk" / ".." / "disk" / "backups"]
    if sys.platform != "win32":  # links need a privilege there
        (tmp_path / "link").symlink_to(tmp_path / "disk")
        paths.insert(1, tmp_path / "link" / "backups")
    for path in paths:
        record("drill", str(path), proven={})
        last = max(event.time for event in journal.read())
        assert told(journal).proven_in(str(paths[0])) == {NAME: last}


@pytest.mark.parametrize(
    ("category", "ended"), [("verification", "completed"), ("drill", "proven")]
)
def test_a_proof_mends_the_copy_that_was_read_and_no_other(
    journal: Journal, record: Record, category: str, ended: str
) -> None:
    damage(record, URL)
    damage(record, "/srv/backups")
    record(category, f"{URL}/", **{ended: {}})
    assert told(journal).proven_in(URL).keys() == {NAME}
    assert told(journal).proven_in("/srv/backups") == {}
    assert told(journal).damaged_in(URL) == frozenset()
    assert told(journal).damaged_in("/srv/backups") == {NAME}


@pytest.mark.parametrize(
    ("category", "ended", "data", "damaged"),
    [
        ("verification", "mismatch_found", {}, True),
        ("drill", "failed", {"error": "ChecksumError"}, True),
        ("drill", "failed", {"error": "PermissionError"}, False),
        ("drill", "inconclusive", {"error": "ChecksumError"}, False),
        ("verification", "failed", {"error": "IntegrityError"}, False),
    ],
)
def test_only_what_read_the_bytes_tells_damage(
    journal: Journal, record: Record, category: str, ended: str, data: dict[str, Any], damaged: bool
) -> None:
    record(category, URL, **{ended: data})
    assert (NAME in told(journal).damaged_in(URL)) is damaged
    assert told(journal).proven == {}


@pytest.mark.parametrize("store", [None, 17, ["a"]])
def test_what_names_no_store_proves_nothing_and_damages_nothing(
    journal: Journal, record: Record, store: object
) -> None:
    record("drill", store, proven={})
    record("drill", store, failed={"error": "ChecksumError"})
    record("check", store, examined={"store": store, "damaged": [NAME]}, damage_found={})
    assert told(journal).proven == {}
    assert told(journal).looks == {}


def test_a_check_without_its_beginning_is_no_reason_to_fail(
    journal: Journal, record: Record
) -> None:
    examined = {"store": URL, "damaged": [NAME, 17], "sound": "nonsense"}
    record("check", URL, examined=examined, damage_found={})
    later = (event for event in journal.read() if "started" not in event.type)
    assert fold_soundness(later).damaged_in(URL) == {NAME}


def test_a_restore_from_another_store_says_nothing_of_the_damaged_copy(
    journal: Journal, record: Record
) -> None:
    damage(record, URL)
    record("restore", URL, switched={"store": "s3://bucket/other"})
    assert told(journal).damaged_in(URL) == {NAME}
    record("restore", URL, switched={"store": URL})
    assert told(journal).damaged_in(URL) == frozenset()
