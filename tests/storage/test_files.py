"""Claims about files made durable: staged, synced, switched, never half there."""

import errno
import os
import sys
import threading
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from junmai_svc.storage import files
from junmai_svc.storage.files import (
    CHUNK,
    STAGED_SUFFIX,
    copy_hashing,
    make_folder,
    sha256_of,
    staged_path,
    switch_in,
    switch_in_new,
    sync_file,
    sync_folder,
    write_durably,
)

SIZES = (0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 7)


@pytest.fixture
def final(tmp_path: Path) -> Path:
    return tmp_path / "データ #1.db"


def content_of(size: int) -> bytes:
    return (bytes(range(251)) * (size // 251 + 1))[:size]


def test_a_staged_file_stands_beside_its_final_one_hidden_and_by_its_token(final: Path) -> None:
    one, other = staged_path(final, "aa"), staged_path(final, "bb")
    assert one.parent == final.parent
    assert one != other
    assert one.name.startswith(f".{final.name}.")
    assert one.name.endswith(STAGED_SUFFIX)


@pytest.mark.parametrize("size", SIZES)
def test_a_hash_is_of_every_byte_and_its_steps_add_up(final: Path, size: int) -> None:
    final.write_bytes(content_of(size))
    steps: list[int] = []
    assert sha256_of(final, steps.append) == sha256(content_of(size)).hexdigest()
    assert sum(steps) == size
    assert sha256_of(final) == sha256(content_of(size)).hexdigest()


@pytest.mark.parametrize("size", SIZES)
def test_a_copy_has_every_byte_and_the_hash_of_what_was_copied(final: Path, size: int) -> None:
    final.write_bytes(content_of(size))
    staged = staged_path(final, "copy")
    steps: list[int] = []
    assert copy_hashing(final, staged, steps.append) == sha256(content_of(size)).hexdigest()
    assert staged.read_bytes() == final.read_bytes()
    assert sum(steps) == size


def test_a_copy_never_overwrites(final: Path) -> None:
    final.write_bytes(b"new")
    staged = staged_path(final, "copy")
    staged.write_bytes(b"somebody's")
    with pytest.raises(FileExistsError):
        copy_hashing(final, staged)
    assert staged.read_bytes() == b"somebody's"


def test_a_copy_of_what_is_not_there_leaves_nothing(final: Path) -> None:
    with pytest.raises(FileNotFoundError):
        copy_hashing(final, staged_path(final, "copy"))
    assert list(final.parent.iterdir()) == []


@settings(max_examples=25, deadline=None)
@given(st.binary(max_size=200), st.binary(max_size=200))
def test_what_is_written_durably_replaces_what_was_there_as_a_whole(old: bytes, new: bytes) -> None:
    with TemporaryDirectory() as folder:
        final = Path(folder, "final.json")
        final.write_bytes(old)
        write_durably(final, new, "token")
        assert final.read_bytes() == new
        assert list(Path(folder).iterdir()) == [final]


def test_a_write_that_fails_leaves_the_old_one_and_no_staged_file(final: Path) -> None:
    final.mkdir()
    (final / "old").touch()
    with pytest.raises((IsADirectoryError, PermissionError)):
        write_durably(final, b"new", "token")
    assert list(final.parent.rglob("*")) == [final, final / "old"]


def test_a_new_file_never_replaces_another(final: Path) -> None:
    write_durably(final, b"one", "token", new=True)
    with pytest.raises(FileExistsError):
        write_durably(final, b"other", "token", new=True)
    assert final.read_bytes() == b"one"
    assert list(final.parent.iterdir()) == [final]


def test_a_staged_file_of_somebody_else_is_left_to_them(final: Path) -> None:
    staged = staged_path(final, "token")
    staged.write_bytes(b"theirs")
    with pytest.raises(FileExistsError):
        write_durably(final, b"ours", "token")
    assert staged.read_bytes() == b"theirs"
    assert not final.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems sync in other ways")
@pytest.mark.parametrize("existing", [False, True])
def test_content_is_durable_before_the_name_and_the_name_on_return(
    final: Path, existing: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen at each fsync: what is synced, and what the final name shows at that moment."""
    if existing:
        final.write_bytes(b"old")
    seen: list[tuple[str, bytes | None]] = []
    real_fsync = os.fsync

    def fsync(handle: int) -> None:
        synced = Path(f"/proc/self/fd/{handle}").readlink()
        kind = "folder" if synced.is_dir() else "file"
        seen.append((kind, final.read_bytes() if final.exists() else None))
        real_fsync(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    write_durably(final, b"new", "token")
    assert seen == [("file", b"old" if existing else None), ("folder", b"new")]


def test_switching_in_replaces_and_leaves_no_staged_file(final: Path) -> None:
    staged = staged_path(final, "token")
    final.write_bytes(b"old")
    staged.write_bytes(b"new")
    switch_in(staged, final)
    assert final.read_bytes() == b"new"
    assert not staged.exists()


def no_hard_links(_self: Path, _target: Path) -> None:
    raise PermissionError


@pytest.fixture(params=["hard links", "no hard links"])
def file_system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "no hard links":
        monkeypatch.setattr(Path, "hardlink_to", no_hard_links)


@pytest.mark.usefixtures("file_system")
def test_a_free_name_is_taken_and_the_staged_one_is_gone(final: Path) -> None:
    staged = staged_path(final, "token")
    staged.write_bytes(b"new")
    switch_in_new(staged, final)
    assert final.read_bytes() == b"new"
    assert list(final.parent.iterdir()) == [final]


@pytest.mark.usefixtures("file_system")
def test_a_name_that_can_not_be_made_durable_is_given_back(
    final: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a power cut it might be gone, so nobody may build on it."""

    def refuse(_: Path) -> None:
        raise OSError(errno.EIO, "the disk refuses")

    monkeypatch.setattr(files, "sync_folder", refuse)
    staged = staged_path(final, "token")
    staged.write_bytes(b"new")
    with pytest.raises(OSError, match="the disk refuses"):
        switch_in_new(staged, final)
    assert not final.exists()


@pytest.mark.usefixtures("file_system")
def test_a_taken_name_is_refused_and_neither_file_is_touched(final: Path) -> None:
    staged = staged_path(final, "token")
    staged.write_bytes(b"new")
    final.write_bytes(b"somebody's")
    with pytest.raises(FileExistsError):
        switch_in_new(staged, final)
    assert final.read_bytes() == b"somebody's"
    assert staged.read_bytes() == b"new"


def together(acts: list[Callable[[], None]]) -> None:
    """Run all at the same time, as far as threads go."""
    barrier = threading.Barrier(len(acts))

    def run(act: Callable[[], None]) -> None:
        barrier.wait()
        act()

    threads = [threading.Thread(target=run, args=[act]) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_of_many_who_want_one_name_exactly_one_gets_it(final: Path) -> None:
    refused: list[int] = []

    def want(number: int) -> None:
        staged = staged_path(final, str(number))
        staged.write_bytes(str(number).encode())
        try:
            switch_in_new(staged, final)
        except FileExistsError:
            refused.append(number)

    together([lambda number=number: want(number) for number in range(8)])  # type: ignore[misc]
    assert len(refused) == 7
    assert {int(final.read_bytes())} == set(range(8)) - set(refused)


def test_a_folder_is_made_with_its_parents_once(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b" / "c"
    make_folder(folder)
    make_folder(folder)
    assert folder.is_dir()


def test_a_folder_under_a_file_is_refused(final: Path) -> None:
    final.touch()
    for folder in (final, final / "below"):
        with pytest.raises((FileExistsError, NotADirectoryError, FileNotFoundError)):
            make_folder(folder)


def test_what_is_not_there_can_not_be_synced(final: Path) -> None:
    with pytest.raises(FileNotFoundError):
        sync_file(final)
    if sys.platform != "win32":
        with pytest.raises(FileNotFoundError):
            sync_folder(final)


def test_syncing_changes_no_byte(final: Path) -> None:
    final.write_bytes(b"as it is\r\n\x1a")
    sync_file(final)
    sync_folder(final.parent)
    with final.open("rb") as file:
        files.sync(file.fileno())
    assert final.read_bytes() == b"as it is\r\n\x1a"
