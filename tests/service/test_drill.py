"""Claims about drills: proven is what was really restored; trouble on the way proves nothing."""

import errno
import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.harness.databases import change, make_current, make_oldest

from junmai_svc.service.backup import backup
from junmai_svc.service.context import Context
from junmai_svc.service.daemon.stopping import Stop, Stoppable
from junmai_svc.service.drill import Result, drill, newest_of
from junmai_svc.service.progress import Silent
from junmai_svc.service.stores import Named
from junmai_svc.service.wiring import context_for
from junmai_svc.storage.errors import (
    InterruptedRunError,
    NoSpaceError,
    NotFoundError,
    StorageUnavailableError,
)
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.journal.soundness import fold_soundness
from junmai_svc.storage.snapshots.manifest import Reason
from junmai_svc.storage.snapshots.store import FileStore


@pytest.fixture(params=["file", "blocks"])
def context(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Context]:
    """A context whose store is of either layout."""
    named = Named(str(tmp_path / "store"), layout=request.param)
    with context_for(
        tmp_path / "journal.db", tmp_path / "junmai.db", [named], None, Silent()
    ) as made:
        yield made


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return make_oldest(tmp_path / "junmai.db")


def ended(context: Context, run: str) -> dict[str, Any]:
    last = context.journal.last(f"drill/{run}")
    assert last is not None
    return {"type": last.type.split(".")[2], **last.data}


def test_a_good_snapshot_is_proven_and_the_journal_knows_every_table(
    context: Context, source: Path
) -> None:
    snapshot = backup(context, source, Reason.MANUAL).snapshot
    done = drill(context, snapshot)
    assert done.result is Result.PROVEN
    told = ended(context, done.run)
    assert told["type"] == "proven"
    assert told["tables"]["photos"]["rows"] == 24
    assert len(told["tables"]["photos"]["digest"]) == 64
    assert snapshot.name in fold_soundness(context.journal.read()).proven_in(context.store.url)


def test_equal_rows_have_equal_digests_in_any_store(tmp_path: Path, source: Path) -> None:
    found = []
    for layout in ("file", "blocks"):
        named = Named(str(tmp_path / layout), layout=layout)
        with context_for(tmp_path / "journal.db", source, [named], None, Silent()) as made:
            found.append(drill(made, backup(made, source, Reason.MANUAL).snapshot).tables)
    assert found[0] == found[1]


def test_damaged_bytes_are_a_failure_and_prove_nothing(context: Context, source: Path) -> None:
    snapshot = backup(context, source, Reason.MANUAL).snapshot
    places = [snapshot.image] if snapshot.image else []
    folder = source.parent / "store"
    places += [path for path in folder.rglob("packs/**/*") if path.is_file()]
    for place in places:
        content = bytearray(place.read_bytes())
        content[len(content) // 2] ^= 0xFF
        place.write_bytes(content)
    done = drill(context, snapshot)
    assert done.result is Result.FAILED
    assert done.problem is not None
    assert ended(context, done.run)["type"] == "failed"
    assert fold_soundness(context.journal.read()).proven == {}


def test_a_table_that_is_not_what_the_manifest_says_is_a_failure(
    context: Context, source: Path
) -> None:
    snapshot = backup(context, source, Reason.MANUAL, full_check=True).snapshot
    tables = {
        name: msgspec.structs.replace(facts, rows=facts.rows + (name == "photos"))
        for name, facts in snapshot.manifest.tables.items()
    }
    other = replace(snapshot, manifest=msgspec.structs.replace(snapshot.manifest, tables=tables))
    assert drill(context, snapshot).result is Result.PROVEN
    done = drill(context, other)
    assert done.result is Result.FAILED
    assert "photos" in ended(context, done.run)["message"]


class Unplugged(FileStore):
    """A store that answers no more when it is read."""

    def fetch(self, *_: object, **__: object) -> None:
        """Fail.

        Raises:
            StorageUnavailableError: always.
        """
        raise StorageUnavailableError("The store does not answer")


def test_a_store_that_does_not_answer_leaves_it_inconclusive(
    context: Context, source: Path, tmp_path: Path
) -> None:
    snapshot = backup(context, source, Reason.MANUAL).snapshot
    unplugged = replace(context, stores=(Unplugged(tmp_path / "store"),))
    done = drill(unplugged, snapshot)
    assert done.result is Result.INCONCLUSIVE
    assert ended(context, done.run)["type"] == "inconclusive"
    assert fold_soundness(context.journal.read()).proven == {}


class Overflowing(FileStore):
    """A store whose snapshots are larger than what is left of the disk for temporary files."""

    def fetch(self, *_: object, **__: object) -> None:
        """Fail as a write does, without the name of the file.

        Raises:
            OSError: always.
        """
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_where_scratch_is_full_that_is_what_is_named(
    context: Context, source: Path, tmp_path: Path
) -> None:
    snapshot = backup(context, source, Reason.MANUAL).snapshot
    full = replace(context, stores=(Overflowing(tmp_path / "store"),))
    problem = drill(full, snapshot).problem
    assert problem is not None
    assert isinstance(problem, NoSpaceError)
    assert f"in {tempfile.gettempdir()}" in problem.message
    assert "TMPDIR" in problem.hint


def test_a_stop_in_the_middle_leaves_it_inconclusive_and_nothing_behind(
    context: Context, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    snapshot = backup(context, source, Reason.MANUAL).snapshot
    stop = Stop()
    stop.signum = 15
    with pytest.raises(InterruptedRunError):
        drill(replace(context, progress=Stoppable(stop)), snapshot)
    kinds = [event.type for event in context.journal.read()]
    assert kinds[-1] == "junmai.drill.inconclusive.v1"
    assert list(scratch.iterdir()) == []


def test_the_newest_of_each_database_is_found_and_none_that_only_undoes_something(
    context: Context, source: Path, tmp_path: Path
) -> None:
    other = make_current(tmp_path / "other.db")
    backup(context, source, Reason.MANUAL)
    change(source, "UPDATE photos SET iso = 7")
    newest = backup(context, source, Reason.SCHEDULED).snapshot
    backup(context, source, Reason.PRE_RESTORE)
    its = backup(context, other, Reason.MANUAL).snapshot
    assert {each.name for each in newest_of(context.store, None)} == {newest.name, its.name}
    assert [each.name for each in newest_of(context.store, source)] == [newest.name]
    with pytest.raises(NotFoundError, match=r"third\.db"):
        newest_of(context.store, tmp_path / "third.db")


def test_of_two_databases_of_one_file_name_each_has_its_own(
    context: Context, source: Path, tmp_path: Path
) -> None:
    (tmp_path / "twin").mkdir()
    twin = make_oldest(tmp_path / "twin" / "junmai.db")
    own = backup(context, source, Reason.MANUAL).snapshot
    its = backup(context, twin, Reason.MANUAL).snapshot
    assert [each.name for each in newest_of(context.store, source)] == [own.name]
    assert [each.name for each in newest_of(context.store, twin)] == [its.name]


def test_the_journal_is_needed_and_an_unfinished_one_is_closed(tmp_path: Path) -> None:
    with Journal.open(
        tmp_path / "j.db",
        create=True,
        actor="a@b",
        clock=lambda: datetime.now(UTC),
        tool_version="0",
    ) as journal:
        journal.append(
            "drill/0190163d-8694-739b-aea5-966c26f8ad91",
            "junmai.drill.started.v1",
            {"snapshot": "x"},
            correlation="0190163d-8694-739b-aea5-966c26f8ad91",
        )
        assert fold_soundness(journal.read()).proven == {}
        from junmai_svc.service.recovery import close_abandoned

        assert len(close_abandoned(journal)) == 1
