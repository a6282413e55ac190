"""Verifying two databases, or a snapshot: what can't be compared is told before it is tried."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from junmai_svc.checks.finding import Verdict
from junmai_svc.service.backup import backup
from junmai_svc.service.context import Context
from junmai_svc.service.restore import Found
from junmai_svc.service.verify import verify_databases, verify_snapshot
from junmai_svc.storage.errors import UsageError
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.snapshots.manifest import Reason
from junmai_svc.storage.snapshots.store import FileStore


@pytest.fixture
def context(journal: Journal, tmp_path: Path) -> Context:
    return Context(journal, (FileStore(tmp_path / "backups"),))


def make(path: Path, encoding: str = "UTF-8", rows: int = 2) -> Path:
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute(f"PRAGMA encoding = '{encoding}'")
        database.execute("CREATE TABLE photos (id INTEGER PRIMARY KEY, name TEXT)")
        database.executemany("INSERT INTO photos VALUES (?, '写真')", [(n,) for n in range(rows)])
    return path


def test_databases_of_two_encodings_can_not_be_compared(context: Context, tmp_path: Path) -> None:
    source, target = make(tmp_path / "a.db"), make(tmp_path / "b.db", "UTF-16le")
    with pytest.raises(UsageError, match=r"a\.db \(UTF-8\) with .*b\.db \(UTF-16le\)"):
        verify_databases(context, source, target)


def test_a_difference_is_recorded_as_the_streams_end(context: Context, tmp_path: Path) -> None:
    source, target = make(tmp_path / "a.db"), make(tmp_path / "b.db", rows=1)
    done = verify_databases(context, source, target)
    assert not done.report.passed
    assert done.rows == {"photos": (2, 1)}
    last = context.journal.last(f"verification/{done.run}")
    assert last is not None
    assert last.type == "junmai.verification.mismatch_found.v1"


def test_neither_side_is_written(context: Context, tmp_path: Path) -> None:
    source, target = make(tmp_path / "a.db"), make(tmp_path / "b.db")
    before = source.read_bytes(), target.read_bytes()
    assert verify_databases(context, source, target).report.passed
    assert (source.read_bytes(), target.read_bytes()) == before
    assert sorted(p.name for p in tmp_path.glob("[ab].db*")) == ["a.db", "b.db"]


@pytest.mark.parametrize("at", [0, 100, 5000])
def test_a_snapshot_whose_bytes_changed_is_a_finding(
    context: Context, tmp_path: Path, at: int
) -> None:
    snapshot = backup(context, make(tmp_path / "a.db"), Reason.MANUAL).snapshot
    found = Found(context.store, snapshot)
    assert verify_snapshot(context, found).report.passed
    assert snapshot.image is not None
    content = bytearray(snapshot.image.read_bytes())
    content[at] ^= 1
    snapshot.image.write_bytes(content)
    (result,) = verify_snapshot(context, found).report.results
    assert result.verdict is Verdict.FAILED
    assert result.findings[0].message == "Backup checksum mismatch"
