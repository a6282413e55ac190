"""A journal's file that lost something is judged as it lies there, and made anew from a store."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from tests.harness.published import Scene, made
from tests.harness.recovering import entries, recover

from junmai_svc.checks.proof import Answer, Doubt
from junmai_svc.service.audit.verify import verify_journal
from junmai_svc.storage.errors import IntegrityError, LockedError
from junmai_svc.storage.journal.failures import DivergedError


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """16 events, all of them published."""
    return made(tmp_path)


def doubts(scene: Scene) -> dict[str, list[Doubt]]:
    audit = verify_journal(scene.path, [scene.store])
    return {v.question.value: [*v.doubts] for v in audit.verdicts if v.answer is Answer.FAILED}


def sql(statement: str) -> Callable[[Scene], None]:
    def do(scene: Scene) -> None:
        with scene.tampering() as other:
            other.executescript(statement)

    return do


def without_triggers(scene: Scene) -> None:
    with closing(sqlite3.connect(scene.path)) as other:
        other.executescript("DROP TRIGGER event_no_update; DROP TRIGGER journal_head_follows;")


LOSSES = {
    "the tail, the head kept": (sql("DELETE FROM event WHERE position >= 11"), 5),
    "one in the middle": (sql("DELETE FROM event WHERE position = 9"), 1),
    "some here and there": (sql("DELETE FROM event WHERE position IN (3, 4, 9, 15)"), 4),
    "the triggers": (without_triggers, 0),
    "the head": (sql("UPDATE journal_head SET size = 3, frontier = x'00'"), 0),
    "a column": (sql("UPDATE event SET type = 'x' WHERE position = 4"), 0),
}


@pytest.mark.parametrize(("lose", "count"), LOSSES.values(), ids=LOSSES)
def test_what_was_lost_is_put_back_and_all_is_well_then(
    scene: Scene, lose: Callable[[Scene], None], count: int
) -> None:
    """Each of them is found first, and its hint leads to what helps."""
    before = entries(scene)
    lose(scene)
    found = doubts(scene)
    assert found
    assert all("audit recover" in each.hint for some in found.values() for each in some)
    told = recover(scene)
    assert (told.status, told.added, told.size) == ("recovered", count, 17)
    assert told.kept is not None
    assert told.kept.exists()
    assert entries(scene)[:16] == before
    assert doubts(scene) == {}
    assert scene.publish().added == 1
    assert doubts(scene) == {}
    shutil.rmtree(scene.store.folder)
    with pytest.raises(DivergedError, match="EMPTIED"):
        scene.publish()


def test_one_event_that_is_missing_is_one_finding_for_each_question(scene: Scene) -> None:
    sql("DELETE FROM event WHERE position = 9")(scene)
    found = doubts(scene)
    assert {question: len(some) for question, some in found.items()} == {
        "intact": 1,
        "append-only": 1,
    }
    assert found["intact"][0].message == "event 9 is missing"
    assert found["append-only"][0].message.startswith("MISSING")
    assert {some[0].position for some in found.values()} == {9}


def test_what_no_store_has_yet_goes_along(scene: Scene) -> None:
    scene.run()
    before = entries(scene)
    sql("DELETE FROM event WHERE position = 9")(scene)
    assert recover(scene).size == 22
    assert entries(scene)[:21] == before


def test_what_no_store_has_and_was_changed_or_is_missing_is_not_made_up(scene: Scene) -> None:
    scene.run()
    sql("UPDATE event SET entry = CAST(entry || ' ' AS BLOB) WHERE position = 18")(scene)
    before = scene.path.read_bytes()
    with pytest.raises(IntegrityError, match="EDITED at position 18"):
        recover(scene)
    sql("DELETE FROM event WHERE position = 18")(scene)
    with pytest.raises(IntegrityError, match="MISSING at position 18"):
        recover(scene)
    assert len(before) == len(scene.path.read_bytes())
    assert {path.name for path in scene.folder.iterdir() if "partial" in path.name} == set()


def test_an_event_that_was_changed_is_a_fork_whatever_else_is_missing(scene: Scene) -> None:
    sql(
        "DELETE FROM event WHERE position = 3;"
        "UPDATE event SET entry = CAST(entry || ' ' AS BLOB) WHERE position = 5"
    )(scene)
    told = recover(scene)
    assert (told.status, told.verdict, told.position) == ("forked", "EDITED", 5)


def test_a_journal_that_is_open_is_left_where_it_is(scene: Scene) -> None:
    sql("DELETE FROM event WHERE position = 9")(scene)
    before = scene.path.read_bytes()
    with scene.journal() as journal:
        list(journal.streams_open())
        with pytest.raises(LockedError, match="open somewhere"):
            recover(scene)
    assert scene.path.read_bytes() == before
