"""Claims about the lock and the note: one daemon for each journal, however that is named."""

from pathlib import Path

import pytest

from junmai_svc.service.daemon.lock import (
    CourseNote,
    Note,
    is_running,
    note_path,
    only_one,
    read_note,
    write_note,
)
from junmai_svc.storage.errors import LockedError


def test_only_one_has_it_and_the_other_is_told_who(tmp_path: Path) -> None:
    journal = tmp_path / "journal.db"
    with only_one(journal):
        write_note(journal, Note(pid=4711, host="desk", since="2026-11-23T10:00:00+00:00"))
        assert is_running(journal)
        with pytest.raises(LockedError) as caught, only_one(tmp_path / "x" / ".." / "journal.db"):
            pass
    assert "process 4711 on desk, since 2026-11-23 10:00:00 UTC" in caught.value.message
    assert not is_running(journal)
    with only_one(journal):
        pass


def test_two_journals_have_two(tmp_path: Path) -> None:
    with only_one(tmp_path / "a.db"), only_one(tmp_path / "b.db"):
        pass


def test_to_look_makes_nothing(tmp_path: Path) -> None:
    assert not is_running(tmp_path / "journal.db")
    assert list(tmp_path.iterdir()) == []


def test_a_note_is_read_back(tmp_path: Path) -> None:
    note = Note(pid=1, succeeded={"写": "x"}, courses={"a": CourseNote(job="b", failures=2)})
    write_note(tmp_path / "journal.db", note)
    assert read_note(tmp_path / "journal.db") == note
    assert [path.name for path in tmp_path.iterdir()] == ["journal.db.daemon.json"]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"pid": "x"}', b"\xff", bytes(range(192, 256))]
)
def test_a_note_that_can_not_be_read_says_nothing(tmp_path: Path, content: bytes) -> None:
    note_path(tmp_path / "journal.db").write_bytes(content)
    assert read_note(tmp_path / "journal.db") == Note()
