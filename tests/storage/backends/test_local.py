"""What only a folder has: links, devices, files of others, staged files, one file system."""

import errno
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from junmai_svc.storage import files
from junmai_svc.storage.backends import local
from junmai_svc.storage.backends.local import LocalBackend
from junmai_svc.storage.errors import (
    IntegrityError,
    JunmaiError,
    NoSpaceError,
    NotFoundError,
    StorageUnavailableError,
    UsageError,
)

LIMIT = 1 << 20
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="only POSIX has these")


@pytest.fixture
def backend(tmp_path: Path) -> LocalBackend:
    return LocalBackend(tmp_path / "store")


def names(backend: LocalBackend, prefix: str = "") -> list[str]:
    return [found.name for found in backend.list(prefix)]


def every_file(folder: Path) -> list[str]:
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()
    )


def reading(backend: LocalBackend, name: str, folder: Path) -> list[Callable[[], object]]:
    return [
        lambda: backend.get(name, LIMIT),
        lambda: backend.get_range(name, 0, 1),
        lambda: backend.fetch(name, folder / "fetched", LIMIT),
        lambda: backend.stat(name),
        lambda: backend.rename(name, "other"),
    ]


def writing(backend: LocalBackend, name: str) -> list[Callable[[], object]]:
    return [
        lambda: backend.put(name, b"overwritten"),
        lambda: backend.put(name, b"overwritten", if_absent=True),
        lambda: backend.delete(name),
        lambda: backend.rename("good", name),
    ]


def test_an_ordinary_name_is_the_file_s_path(backend: LocalBackend) -> None:
    backend.put("packs/ab/abcd", b"content")
    assert (backend.folder / "packs" / "ab" / "abcd").read_bytes() == b"content"


@POSIX
def test_a_link_is_not_followed(backend: LocalBackend, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_bytes(b"secret")
    backend.put("good", b"")
    (backend.folder / "file").symlink_to(tmp_path / "outside" / "secret")
    (backend.folder / "folder").symlink_to(tmp_path / "outside")
    (backend.folder / "broken").symlink_to(tmp_path / "nowhere")
    for name in ("file", "folder/secret", "broken"):
        for ask in (*reading(backend, name, tmp_path), *writing(backend, name)):
            with pytest.raises(IntegrityError, match="link"):
                ask()
    assert names(backend) == ["good"]
    assert names(backend, "g") == ["good"]
    for prefix in ("folder/", "folder/deeper/"):
        with pytest.raises(IntegrityError, match="link"):
            names(backend, prefix)
    assert names(backend, "f") == ["file", "folder"]  # and who reads them is told
    assert every_file(tmp_path / "outside") == ["secret"]
    assert (tmp_path / "outside" / "secret").read_bytes() == b"secret"


@POSIX
def test_the_folder_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    backend = LocalBackend(tmp_path / "link")
    backend.put("name", b"content")
    assert names(backend) == ["name"]
    assert (tmp_path / "real" / "name").read_bytes() == b"content"


@POSIX
def test_a_pipe_is_no_object_and_nobody_waits_for_it(backend: LocalBackend, tmp_path: Path) -> None:
    backend.put("good", b"")
    os.mkfifo(backend.folder / "pipe")
    for ask in reading(backend, "pipe", tmp_path):
        with pytest.raises(IntegrityError, match="not a regular file"):
            ask()
    assert names(backend) == ["good"]


def test_files_of_others_are_not_listed(backend: LocalBackend) -> None:
    backend.put("good", b"")
    for name in (".DS_Store", ".object.partial", "a%3a", "%41"):
        (backend.folder / name).write_bytes(b"")
    (backend.folder / ".hidden").mkdir()
    (backend.folder / ".hidden" / "file").write_bytes(b"")
    assert names(backend) == ["good"]


def test_a_name_cannot_be_a_folder_of_another(backend: LocalBackend) -> None:
    backend.put("a/b", b"")
    backend.put("c", b"")
    asked: list[Callable[[], object]] = [
        lambda: backend.put("a", b""),
        lambda: backend.put("a", b"", if_absent=True),
        lambda: backend.put("c/d", b""),
        lambda: backend.rename("c", "a"),
        lambda: backend.rename("a/b", "c/d"),
    ]
    for ask in asked:
        with pytest.raises(UsageError):
            ask()
    with pytest.raises(NotFoundError):
        backend.get("c/d", LIMIT)
    assert names(backend) == ["a/b", "c"]


words = st.text(st.sampled_from("ab-./0%é"), min_size=1, max_size=6)


@settings(deadline=None)  # it writes files
@given(st.sets(words, max_size=12), words)
def test_a_listing_is_what_was_put_sorted_and_filtered(
    tmp_path_factory: pytest.TempPathFactory, wanted: set[str], prefix: str
) -> None:
    backend = LocalBackend(tmp_path_factory.mktemp("store"))
    held = []
    for name in wanted:
        try:
            backend.put(name, b"")
        except UsageError:  # no name, or a folder of another
            continue
        held.append(name)
    assert names(backend) == sorted(held)
    try:
        assert names(backend, prefix) == sorted(n for n in held if n.startswith(prefix))
    except UsageError:
        assert not any(name.startswith(prefix) for name in held)


def test_a_put_that_fails_leaves_nothing(
    backend: LocalBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend.put("name", b"before")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(local, "sync", full)
    with pytest.raises(NoSpaceError, match="store name in"):
        backend.put("name", b"after")
    monkeypatch.undo()
    assert backend.get("name", LIMIT) == b"before"
    assert every_file(backend.folder) == ["name"]


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.EIO, StorageUnavailableError),
        (errno.ENAMETOOLONG, UsageError),
        (errno.EDQUOT, NoSpaceError),
        (errno.ETIMEDOUT, StorageUnavailableError),
    ],
)
def test_what_the_system_refuses_is_told_as_what_it_is(
    backend: LocalBackend, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[JunmaiError]
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(local, "switch_in", refuse)
    with pytest.raises(kind, match=r"Can't store name in .*store: ") as caught:
        backend.put("name", b"")
    assert caught.value.hint
    assert isinstance(caught.value.__cause__, OSError)
    assert every_file(backend.folder) == []


def test_a_fetch_that_fails_leaves_no_file(backend: LocalBackend, tmp_path: Path) -> None:
    backend.put("name", b"content")

    def stop(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backend.fetch("name", tmp_path / "file", LIMIT, stop)
    assert not (tmp_path / "file").exists()


def test_without_hard_links_nothing_is_promised_and_all_else_works(
    backend: LocalBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)
    assert backend.put("name", b"first", if_absent=True) is True
    assert not backend.capabilities().conditional_put
    assert not backend.capabilities().atomic_rename
    assert backend.put("name", b"second", if_absent=True) is False
    assert backend.rename("name", "other") is True
    assert backend.put("name", b"third") is True
    assert backend.rename("name", "other") is False
    assert backend.get("other", LIMIT) == b"first"
    assert every_file(backend.folder) == ["name", "other"]


def test_a_rename_that_was_interrupted_between_its_two_names_is_finished(
    backend: LocalBackend,
) -> None:
    backend.put("pending", b"content")
    (backend.folder / "final").hardlink_to(backend.folder / "pending")
    assert backend.rename("pending", "final") is True
    assert every_file(backend.folder) == ["final"]


def test_a_sweep_removes_old_staged_files_of_its_own_only(backend: LocalBackend) -> None:
    backend.put("folder/name", b"")
    now = datetime.now(UTC)
    old = (now - timedelta(days=2)).timestamp()
    for path in (".put.1.partial", "folder/.put.2.partial", ".snapshot.db.partial"):
        (backend.folder / path).write_bytes(b"")
        os.utime(backend.folder / path, (old, old))
    (backend.folder / ".put.3.partial").write_bytes(b"at work")
    os.utime(backend.folder / "folder" / "name", (old, old))
    assert backend.sweep(now - timedelta(days=1)) == 2
    assert every_file(backend.folder) == [
        ".put.3.partial",
        ".snapshot.db.partial",
        "folder/name",
    ]


@POSIX
def test_every_new_name_is_synced_with_the_folder_that_holds_it(
    backend: LocalBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []

    def note(folder: Path) -> None:
        synced.append(folder)
        files.sync_folder(folder)

    monkeypatch.setattr(local, "sync_folder", note)
    backend.put("packs/ab/name", b"")
    root = backend.folder
    assert {root.parent, root, root / "packs"} <= set(synced)
    synced.clear()
    assert backend.put("packs/ab/name", b"", if_absent=True) is False
    assert synced == [root / "packs" / "ab"]
    synced.clear()
    backend.rename("packs/ab/name", "other")
    assert synced == [root, root / "packs" / "ab"]
    synced.clear()
    backend.delete("other")
    assert synced == [root]
