"""Claims about files that a scanner or an indexer has open for a moment, as on Windows."""

from pathlib import Path

import pytest
from tests.harness.windows import no_waiting, refuse, without_numbers

from junmai_svc.storage.backends.local import LocalBackend
from junmai_svc.storage.files import (
    identity_of,
    remove,
    remove_folder,
    switch_in,
    switch_in_new,
    write_durably,
)

__all__ = ["no_waiting"]

WINERRORS = [5, 32, 33]


@pytest.fixture
def final(tmp_path: Path) -> Path:
    (tmp_path / "final").write_bytes(b"old")
    return tmp_path / "final"


@pytest.mark.parametrize("winerror", WINERRORS)
def test_a_switch_waits_until_the_file_is_let_go(
    final: Path, winerror: int, monkeypatch: pytest.MonkeyPatch, no_waiting: list[float]
) -> None:
    refuse(monkeypatch, "replace", 3, winerror)
    write_durably(final, b"new", "t")
    assert final.read_bytes() == b"new"
    assert [path.name for path in final.parent.iterdir()] == ["final"]
    assert len(no_waiting) == 3


def test_one_that_is_never_let_go_ends_as_it_was_after_two_seconds(
    final: Path, monkeypatch: pytest.MonkeyPatch, no_waiting: list[float]
) -> None:
    refuse(monkeypatch, "replace", 1_000)
    with pytest.raises(PermissionError):
        write_durably(final, b"new", "t")
    assert final.read_bytes() == b"old"
    assert [path.name for path in final.parent.iterdir()] == ["final"]
    assert 1 < sum(no_waiting) < 2


def test_any_other_refusal_is_told_at_once(
    final: Path, monkeypatch: pytest.MonkeyPatch, no_waiting: list[float]
) -> None:
    refuse(monkeypatch, "replace", 1, winerror=87)
    with pytest.raises(PermissionError):
        switch_in(final, final.with_name("other"))
    assert no_waiting == []


def test_a_new_name_is_kept_though_the_staged_one_goes_late(
    final: Path, monkeypatch: pytest.MonkeyPatch, no_waiting: list[float]
) -> None:
    new = final.with_name("new")
    refuse(monkeypatch, "unlink", 2)
    switch_in_new(final, new)
    assert (new.read_bytes(), final.exists(), len(no_waiting)) == (b"old", False, 2)


def test_a_file_or_a_folder_is_deleted_once_it_is_let_go(
    final: Path, monkeypatch: pytest.MonkeyPatch, no_waiting: list[float]
) -> None:
    refuse(monkeypatch, "unlink", 2)
    remove(final)
    remove(final)
    folder = final.with_name("folder")
    folder.mkdir()
    remove_folder(folder)
    assert (list(final.parent.iterdir()), len(no_waiting)) == ([], 2)


def test_where_files_have_no_numbers_two_are_told_apart_and_one_is_known_again(
    final: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = final.with_name("other")
    other.write_bytes(b"another")
    without_numbers(monkeypatch)
    before = identity_of(final)
    assert identity_of(other) != before
    final.rename(final.with_name("renamed"))
    assert identity_of(final.with_name("renamed")) == before


def test_where_files_have_no_numbers_a_rename_puts_none_in_the_place_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = LocalBackend(tmp_path)
    backend.put("one", b"mine")
    backend.put("other", b"another's")
    without_numbers(monkeypatch)
    assert not backend.rename("one", "other")
    assert (backend.get("one", 9), backend.get("other", 9)) == (b"mine", b"another's")
