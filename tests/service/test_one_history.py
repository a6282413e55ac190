"""Before anything is recorded: what a journal lacks is refilled, and a fork is no place to destroy.

The journal has 16 events, `older.db` its first 11.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.harness.published import Scene, made

from junmai_svc.service.one_history import keep_one_history, refuse_forked
from junmai_svc.storage.backends.local import LocalBackend
from junmai_svc.storage.errors import (
    IntegrityError,
    JunmaiError,
    NoSpaceError,
    StorageUnavailableError,
)
from junmai_svc.storage.journal.events import event_type
from junmai_svc.storage.journal.failures import DivergedError
from junmai_svc.storage.journal.layout import Bundle
from junmai_svc.storage.journal.rotation import rotate_key
from junmai_svc.storage.snapshots.store import FileStore


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    scene = made(tmp_path, runs=2)
    scene.publish(tmp_path / "lagging")
    shutil.copy(scene.path, tmp_path / "older.db")
    scene.run()
    scene.publish()
    return scene


def put_back(scene: Scene) -> None:
    shutil.copy(scene.folder / "older.db", scene.path)


def kept(scene: Scene, *folders: str) -> list[str]:
    """Look at the stores in some folders; return the verdicts on those that forked."""
    places = [LocalBackend(scene.folder / name) for name in folders or ("store",)]
    with scene.journal() as journal:
        forks = keep_one_history(journal, places)
    return [each.problem.verdict for each in forks if isinstance(each.problem, DivergedError)]


def entries(scene: Scene) -> list[bytes]:
    with scene.journal() as journal:
        return [event.entry for event in journal.read()]


def test_where_nothing_is_lacking_nothing_is_recorded(scene: Scene) -> None:
    before = entries(scene)
    for folders in (["store"], ["lagging"], ["never used"], ["store", "lagging", "never used"]):
        assert kept(scene, *folders) == []
        assert entries(scene) == before
    scene.run()  # and where the journal is ahead of the store
    assert kept(scene) == []
    assert len(entries(scene)) == len(before) + 5


def test_it_costs_one_request_to_each_store(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    get = LocalBackend.get

    def counted(self: LocalBackend, name: str, limit: int) -> bytes:
        asked.append(name)
        return get(self, name, limit)

    monkeypatch.setattr(LocalBackend, "get", counted)
    monkeypatch.setattr(LocalBackend, "list", None)
    kept(scene, "store", "lagging", "never used")
    assert [name.rpartition("/")[2] for name in asked] == ["checkpoint"] * 3


def test_an_older_copy_is_refilled_recorded_and_told(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    before = entries(scene)
    put_back(scene)
    assert kept(scene) == []
    assert entries(scene)[:-1] == before
    with scene.journal() as journal:
        last = list(journal.read(after=15))
        assert [event.type for event in last] == [event_type("journal", "recovered")]
        assert (last[0].data["from"], last[0].data["to"]) == (11, 16)
        assert journal.rebuild()[0] == journal.rebuild()[1]
    assert "5 events that it lacked were refilled" in capsys.readouterr().err
    assert kept(scene) == []
    assert scene.publish().added == 1


@pytest.mark.parametrize("lost", [None, "the disk died"], ids=["handed over", "lost"])
def test_an_older_copy_has_not_heard_of_a_new_key(scene: Scene, lost: str | None) -> None:
    if lost:
        scene.path.with_name("journal.db.key").unlink()
    with scene.journal() as journal:
        rotate_key(journal, lost=lost)
    scene.publish()
    before = entries(scene)
    put_back(scene)
    kept(scene)
    assert entries(scene)[:-1] == before


def test_of_several_stores_the_one_that_knows_most_refills(scene: Scene) -> None:
    before = entries(scene)
    put_back(scene)
    assert kept(scene, "lagging", "store") == []
    assert entries(scene)[:-1] == before


def test_where_something_is_lacking_all_stores_are_asked_not_only_those_named(
    scene: Scene,
) -> None:
    scene.publish(scene.folder / "lagging")
    scene.run()
    scene.publish()
    before = entries(scene)
    put_back(scene)
    with scene.journal() as journal:
        named = LocalBackend(scene.folder / "lagging")
        keep_one_history(journal, [named], lambda: [LocalBackend(scene.folder / "store")])
    assert entries(scene)[:-1] == before


def test_a_fork_is_left_as_it_is_and_named(scene: Scene) -> None:
    for steps in (1, 6):  # shorter than the store's history, and longer
        put_back(scene)
        scene.run(steps=steps)
        before = entries(scene)
        assert kept(scene) == ["FORKED" if steps == 1 else "REWRITTEN"]
        assert kept(scene, "lagging") == []
        assert entries(scene) == before


def no_entries(scene: Scene, _monkeypatch: pytest.MonkeyPatch) -> None:
    (scene.mirror / Bundle(0, 16).path).unlink()


def damaged(scene: Scene, _monkeypatch: pytest.MonkeyPatch) -> None:
    path = scene.mirror / Bundle(0, 16).path
    path.write_bytes(path.read_bytes()[:-9])


def down(_scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    get = LocalBackend.get

    def down_by_then(self: LocalBackend, name: str, limit: int) -> bytes:
        if "tile" in name:
            raise StorageUnavailableError("the store does not answer", "Try again.")
        return get(self, name, limit)

    monkeypatch.setattr(LocalBackend, "get", down_by_then)


def no_space(_scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_arguments: object, **_keywords: object) -> None:
        raise NoSpaceError("the disk is full", "Free some.")

    monkeypatch.setattr("junmai_svc.storage.journal.catching_up.refill", full)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (no_entries, IntegrityError),
        (damaged, IntegrityError),
        (down, StorageUnavailableError),
        (no_space, NoSpaceError),
    ],
)
def test_what_could_be_refilled_and_is_not_lets_nothing_be_recorded(
    scene: Scene,
    monkeypatch: pytest.MonkeyPatch,
    fault: Callable[[Scene, pytest.MonkeyPatch], None],
    kind: type[JunmaiError],
) -> None:
    shutil.copytree(scene.folder / "store", scene.folder / "another")
    put_back(scene)
    fault(scene, monkeypatch)
    with pytest.raises(kind, match="can't be had") as refused:
        kept(scene)
    assert "audit recover" in refused.value.hint
    assert len(entries(scene)) == 11
    monkeypatch.undo()
    assert kept(scene, "store", "another") == []
    assert len(entries(scene)) == 17


def test_a_store_that_does_not_answer_stops_nothing(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*_arguments: object) -> bytes:
        raise StorageUnavailableError("the store does not answer", "Try again.")

    monkeypatch.setattr(LocalBackend, "get", down)
    assert kept(scene) == []


def test_a_checkpoint_of_somebody_else_refills_nothing(scene: Scene, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = made(tmp_path / "other", runs=5)
    shutil.copy(other.mirror / "checkpoint", scene.mirror / "checkpoint")
    before = entries(scene)
    assert kept(scene) == []
    assert entries(scene) == before


def test_another_process_that_refills_or_appends_first_is_no_fork(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = entries(scene)
    put_back(scene)
    get = LocalBackend.get
    others: list[Callable[[], object]] = [lambda: kept(scene)]

    def interrupted(self: LocalBackend, name: str, limit: int) -> bytes:
        if "tile/entries" in name and others:
            others.pop()()
        return get(self, name, limit)

    monkeypatch.setattr(LocalBackend, "get", interrupted)
    assert kept(scene) == []
    assert entries(scene)[:-1] == before

    put_back(scene)
    others.append(scene.run)
    assert kept(scene) == ["REWRITTEN"]


def test_others_that_append_and_publish_meanwhile_are_no_fork(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    get = LocalBackend.get

    def busy(self: LocalBackend, name: str, limit: int) -> bytes:
        found = get(self, name, limit)
        if name.endswith("/checkpoint"):
            monkeypatch.undo()
            scene.run()
            scene.publish()
        return found

    monkeypatch.setattr(LocalBackend, "get", busy)
    assert kept(scene) == []
    assert len(entries(scene)) == 21


def test_only_two_histories_refuse_what_cannot_be_undone(scene: Scene) -> None:
    def problems() -> tuple:  # type: ignore[type-arg]
        with scene.journal() as journal:
            return keep_one_history(journal, [FileStore(scene.folder / "store").backend])

    refuse_forked(problems())
    put_back(scene)
    scene.run(steps=6)
    with pytest.raises(IntegrityError, match="two histories") as refused:
        refuse_forked(problems())
    assert "audit recover" in refused.value.hint
