"""Claims about defaults: where things are when nobody says."""

import getpass
from pathlib import Path

import pytest

from junmai_svc.service.settings import (
    actor,
    database_beside,
    default_backup_dir,
    default_journal,
    default_target,
    existing_journal,
    existing_store,
    folder_of,
)
from junmai_svc.storage.errors import NotFoundError


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("data/junmai.db", "data/junmai.new.db"),
        ("junmai", "junmai.new.db"),
        ("a.b.sqlite", "a.b.new.db"),
        ("junmai.new.db", "junmai.new.new.db"),
        ("写真 #1.db", "写真 #1.new.db"),
    ],
)
def test_the_target_stands_beside_the_source_and_is_never_the_source(
    source: str, target: str
) -> None:
    assert default_target(Path(source)) == Path(target)


def test_backups_and_journal_are_beside_the_database() -> None:
    assert default_backup_dir(Path("data/junmai.db")) == Path("data/backups")
    assert default_journal(Path("data/junmai.db")) == Path("data/journal.db")
    assert default_backup_dir(Path("junmai.db")) == Path("backups")
    assert default_journal(Path("junmai.db")) == Path("journal.db")


@pytest.mark.parametrize("store", ["data/backups", "./data/backups", "data/backups/"])
def test_a_store_alone_leads_to_the_same_journal_as_its_database(store: str, here: Path) -> None:
    beside = database_beside(Path(store))
    assert default_journal(beside) == default_journal(here / "data" / "junmai.db")
    assert default_backup_dir(beside) == here / store


def test_a_snapshot_that_is_named_by_its_file_tells_its_folder(here: Path) -> None:
    (here / "x.db").touch()
    assert folder_of("x.db") == Path()
    assert folder_of(str(here / "x.db")) == here
    assert folder_of("latest") is None
    assert folder_of(".") is None


def test_the_first_usual_store_that_is_there_is_used(here: Path) -> None:
    with pytest.raises(NotFoundError) as caught:
        existing_store(None)
    assert caught.value.message == (f"No store found; looked at backups, {Path('data', 'backups')}")
    Path("data/backups").mkdir(parents=True)
    assert existing_store(None) == Path("data/backups")
    Path("backups").touch()
    assert existing_store(None) == Path("data/backups")
    Path("backups").unlink()
    Path("backups").mkdir()
    assert existing_store(None) == Path("backups")
    assert existing_store(here) == here


def test_a_store_that_was_named_is_the_only_one_looked_at(here: Path) -> None:
    (here / "backups").mkdir()
    with pytest.raises(NotFoundError, match=r"looked at elsewhere$"):
        existing_store(Path("elsewhere"))


def test_the_first_usual_journal_that_is_there_is_read(here: Path) -> None:
    with pytest.raises(NotFoundError) as caught:
        existing_journal(None)
    assert caught.value.message == (
        f"No journal found; looked at journal.db, {Path('data', 'journal.db')}"
    )
    (here / "data").mkdir()
    for name in (Path("data", "journal.db"), Path("journal.db")):
        name.touch()
        assert existing_journal(None) == name
    with pytest.raises(NotFoundError, match=r"looked at other\.db$"):
        existing_journal(Path("other.db"))


def test_an_actor_has_a_name_even_where_the_system_knows_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = actor()
    assert known.startswith(f"{getpass.getuser()}@")
    for problem in (KeyError("no such uid"), OSError("no such uid"), ImportError("no pwd")):

        def unknown(problem: Exception = problem) -> str:
            raise problem

        monkeypatch.setattr(getpass, "getuser", unknown)
        assert actor() == f"unknown@{known.rpartition('@')[2]}"
