"""A signal while the journal is published: it stops a run that goes on, and spoils no ended one."""

import shutil
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing
from pathlib import Path

import pytest
from tests.harness.databases import make_oldest

from junmai_svc.service.backup import backup
from junmai_svc.service.context import Context
from junmai_svc.service.migrate import migrate
from junmai_svc.service.migration import MigrateRequest
from junmai_svc.service.progress import Silent
from junmai_svc.service.publish import publish_intent
from junmai_svc.service.restore import Which, restore
from junmai_svc.service.signals import ignore_from_here, interruptible
from junmai_svc.service.stores import Named
from junmai_svc.service.wiring import context_for
from junmai_svc.storage.backends.local import LocalBackend
from junmai_svc.storage.errors import InterruptedRunError, LockedError, StorageUnavailableError
from junmai_svc.storage.snapshots.manifest import Reason

SIGNUM = signal.SIGINT


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "photos.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE photos (id INTEGER PRIMARY KEY, name)")
    return path


@pytest.fixture
def at_publishing(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[BaseException | None]]:
    """What happens when something of the journal is put into a store: None stands for a signal."""
    left: list[BaseException | None] = []
    put = LocalBackend.put

    def struck(self: LocalBackend, name: str, *arguments: object, **keywords: object) -> object:
        if name.startswith("journal/") and left:
            error = left.pop()
            if error is not None:
                raise error
            signal.raise_signal(SIGNUM)
        return put(self, name, *arguments, **keywords)  # type: ignore[arg-type]

    monkeypatch.setattr(LocalBackend, "put", struck)
    yield left
    assert not left, "nothing was published"


def opened(source: Path) -> AbstractContextManager[Context]:
    store = Named(str(source.parent / "backups"), is_folder=True)
    return context_for(None, source, [store], None, Silent())


def published(source: Path) -> int:
    checkpoints = (source.parent / "backups" / "journal").glob("*/checkpoint")
    return sum(int(each.read_text(encoding="utf-8").splitlines()[1]) for each in checkpoints)


def test_a_signal_is_not_taken_for_a_store_that_is_down(
    source: Path, at_publishing: list[BaseException | None]
) -> None:
    """What was announced must not be done any more."""
    with opened(source) as context:
        backup(context, source, Reason.MANUAL)
    with interruptible(), opened(source) as context:
        backup(context, source, Reason.MANUAL)
        at_publishing.append(None)
        with pytest.raises(InterruptedRunError):
            publish_intent(context)


def test_a_store_that_is_down_stops_nothing_and_is_told(
    source: Path, at_publishing: list[BaseException | None], capsys: pytest.CaptureFixture[str]
) -> None:
    at_publishing.extend(StorageUnavailableError("The store is down") for _ in range(2))
    with opened(source) as context:
        backup(context, source, Reason.MANUAL)
        assert publish_intent(context).stores == ()
    said = capsys.readouterr().err
    assert "Only the local journal knows that this was begun" in said
    assert "The journal is not published to" in said
    assert "The store is down" in said


@pytest.mark.parametrize("late", [False, True], ids=["in time", "too late for the run"])
def test_a_signal_at_the_very_end_spoils_no_run_that_is_done(
    source: Path,
    at_publishing: list[BaseException | None],
    capsys: pytest.CaptureFixture[str],
    *,
    late: bool,
) -> None:
    at_publishing.append(None)
    with interruptible():
        with opened(source) as context:
            backup(context, source, Reason.MANUAL)
            if late:
                ignore_from_here()
        signal.raise_signal(signal.SIGTERM)  # what is left is to say how it went
    assert "interrupted. The next command does it." in capsys.readouterr().err
    assert published(source) == 0
    with opened(source) as context:
        backup(context, source, Reason.MANUAL)
        recorded = context.journal.head().size
    assert published(source) == recorded


def replace_target(context: Context, by: str, source: Path, target: Path) -> None:
    if by == "migrate":
        migrate(context, MigrateRequest(source, target, overwrite=True))
    else:
        restore(context, Which(), target)


@pytest.mark.parametrize("by", ["migrate", "restore"])
def test_what_replaces_a_database_is_published_before_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    source = make_oldest(tmp_path / "junmai.db")
    target = Path(shutil.copy(source, tmp_path / "target.db"))
    sizes: list[int] = []

    def replacing(_path: Path) -> None:
        sizes.extend((published(source), context.journal.head().size))
        raise LockedError("In use", "")

    monkeypatch.setattr("junmai_svc.service.replace.held", replacing)
    with opened(source) as context:
        backup(context, source, Reason.MANUAL)
        with pytest.raises(LockedError):
            replace_target(context, by, source, target)
    assert sizes[0] == sizes[1] > 0


def test_a_signal_before_it_leaves_the_publishing_to_the_next(source: Path) -> None:
    with interruptible(), opened(source) as context:
        backup(context, source, Reason.MANUAL)
        with pytest.raises(InterruptedRunError):
            signal.raise_signal(SIGNUM)
    assert published(source) == 0
