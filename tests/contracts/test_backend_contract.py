"""What `Backend` promises, tried on every one of them."""

import hashlib
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from junmai_svc.storage.backends.base import Backend, Capabilities, RetainedError
from junmai_svc.storage.errors import IntegrityError, JunmaiError, NotFoundError, UsageError

LIMIT = 1 << 24

ODD_NAMES = sorted(
    [
        "plain",
        "with space",
        " leading and trailing ",
        "a+b&c=d;e,f@g#h?i",
        "100%",
        "%41 is no A",
        "%2F",
        "%%3A",
        "back\\slash",
        "quo\"te and 'apostrophe'",
        "<angle>|pipe|*star*",
        "C:\\drive",
        "con",
        "AUX.txt",
        "lpt1.tar.gz",
        ".hidden",
        ".put.0.partial",
        "ends with dot.",
        "three...dots",
        "~tilde$dollar",
        "käse",
        "ka\u0308se",
        "日本/写真",
        "emoji 😀/🧂.db",
        "\ue000private",
        "\U0010ffff",
        "é" * 100,
        "/".join(["long" * 40] * 4),
        "a-b",
        "a/b",
        "a0",
        "a.b",
    ]
)

BAD_NAMES = [
    "",
    "/absolute",
    "ends/",
    "two//slashes",
    ".",
    "..",
    "../up",
    "down/../../up",
    "a/./b",
    "new\nline",
    "nul\0",
    "tab\t",
    "delete\x7f",
    "c1\x85",
    "surrogate \ud800",
    "x" * 256,
    "é" * 128,
    "/".join(["x" * 200] * 5),
]


def names(backend: Backend, prefix: str = "") -> list[str]:
    return [found.name for found in backend.list(prefix)]


@pytest.mark.parametrize("content", [b"", b"x", os.urandom((1 << 20) + 1)], ids=len)
def test_what_is_put_comes_back_byte_for_byte(
    backend: Backend, content: bytes, tmp_path: Path
) -> None:
    file = tmp_path / "content"
    file.write_bytes(content)
    assert backend.put("bytes", content)
    assert backend.put("folder/file", file)
    for name in ("bytes", "folder/file"):
        assert backend.get(name, len(content)) == content
        assert backend.stat(name).size == len(content)
        path = tmp_path / f"fetched {name.replace('/', ' ')}"
        assert backend.fetch(name, path, len(content)) == hashlib.sha256(content).hexdigest()
        assert path.read_bytes() == content
    assert file.read_bytes() == content


def test_an_empty_place_has_nothing_and_says_so(backend: Backend, tmp_path: Path) -> None:
    assert names(backend) == []
    assert names(backend, "packs/") == []
    backend.delete("packs/ab")
    assert backend.sweep(datetime.now(UTC)) == 0
    asked: list[Callable[[], object]] = [
        lambda: backend.get("packs/ab", LIMIT),
        lambda: backend.get_range("packs/ab", 0, 1),
        lambda: backend.fetch("packs/ab", tmp_path / "file", LIMIT),
        lambda: backend.stat("packs/ab"),
        lambda: backend.rename("packs/ab", "packs/cd"),
    ]
    for ask in asked:
        with pytest.raises(NotFoundError, match="packs/ab") as caught:
            ask()
        assert backend.url in caught.value.message
        assert caught.value.hint
    assert list(tmp_path.glob("file*")) == []


def test_a_put_replaces_what_was_there(backend: Backend) -> None:
    assert backend.put("name", b"first, longer")
    assert backend.put("name", b"second")
    assert backend.get("name", LIMIT) == b"second"
    assert names(backend) == ["name"]


def test_a_put_if_absent_leaves_what_is_there(backend: Backend, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"third")
    assert backend.put("name", b"first", if_absent=True) is True
    assert backend.put("name", b"second", if_absent=True) is False
    assert backend.put("name", file, if_absent=True) is False
    assert backend.get("name", LIMIT) == b"first"


def test_a_deleted_name_is_absent_again(backend: Backend) -> None:
    backend.put("name", b"first")
    backend.delete("name")
    assert backend.put("name", b"second", if_absent=True) is True
    assert backend.get("name", LIMIT) == b"second"


def test_of_several_that_put_an_absent_name_one_is_told_that_it_did(backend: Backend) -> None:
    """Where that is not promised, several may be told so, and one of these is there."""
    ready = threading.Barrier(6)

    def put(content: bytes) -> bool:
        ready.wait()
        return backend.put("claim", content, if_absent=True)

    contents = [bytes([65 + number]) * 50_000 for number in range(6)]
    with ThreadPoolExecutor(6) as threads:
        told = list(threads.map(put, contents))
    if backend.capabilities().conditional_put:
        assert told.count(True) == 1
    assert told[contents.index(backend.get("claim", LIMIT))]


def test_a_reader_sees_old_or_new_and_never_a_part(backend: Backend, tmp_path: Path) -> None:
    contents = {letter * 300_000 for letter in (b"a", b"b")}
    backend.put("folder/name", min(contents))
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            for content in sorted(contents):
                backend.put("folder/name", content)

    with ThreadPoolExecutor(1) as threads:
        writing = threads.submit(write)
        try:
            for number in range(10):
                assert backend.get("folder/name", LIMIT) in contents
                found = list(backend.list())
                assert [(stat.name, stat.size) for stat in found] == [("folder/name", 300_000)]
                path = tmp_path / f"file {number}"
                backend.fetch("folder/name", path, LIMIT)
                assert path.read_bytes() in contents
        finally:
            stop.set()
        writing.result()


def test_a_get_refuses_what_is_larger_than_it_can_be(backend: Backend, tmp_path: Path) -> None:
    backend.put("name", b"12345")
    assert backend.get("name", 5) == b"12345"
    for ask in (
        lambda: backend.get("name", 4),
        lambda: backend.fetch("name", tmp_path / "file", 4),
    ):
        with pytest.raises(IntegrityError, match=r"name in .* is larger than 4 bytes"):
            ask()
    assert not (tmp_path / "file").exists()


def test_a_range_is_exactly_what_was_asked_for(backend: Backend) -> None:
    content = bytes(range(256))
    backend.put("name", content)
    for offset, length in ((0, 1), (0, 256), (100, 50), (255, 1)):
        assert backend.get_range("name", offset, length) == content[offset : offset + length]


@pytest.mark.parametrize(("offset", "length"), [(0, 257), (255, 2), (256, 1), (1000, 1)])
def test_a_range_beyond_the_end_is_damage(backend: Backend, offset: int, length: int) -> None:
    backend.put("name", bytes(256))
    with pytest.raises(IntegrityError, match="name"):
        backend.get_range("name", offset, length)


def test_a_fetch_tells_its_steps(backend: Backend, tmp_path: Path) -> None:
    backend.put("name", bytes(3_000_000))
    steps: list[int] = []
    backend.fetch("name", tmp_path / "file", LIMIT, steps.append)
    assert sum(steps) == 3_000_000


def test_a_fetch_never_writes_over_a_file(backend: Backend, tmp_path: Path) -> None:
    backend.put("name", b"theirs")
    (tmp_path / "file").write_bytes(b"mine")
    with pytest.raises(UsageError, match="file exists already"):
        backend.fetch("name", tmp_path / "file", LIMIT)
    assert (tmp_path / "file").read_bytes() == b"mine"


def test_a_stat_tells_size_and_time_in_utc(backend: Backend) -> None:
    before = datetime.now(UTC) - timedelta(seconds=2)  # some places keep whole seconds
    backend.put("name", b"12345")
    found = backend.stat("name")
    assert (found.name, found.size, found.held) == ("name", 5, False)
    assert before <= found.modified <= datetime.now(UTC) + timedelta(seconds=2)
    assert found.modified.utcoffset() == timedelta(0)
    (listed,) = backend.list()
    assert (listed.name, listed.size) == ("name", 5)
    assert abs(listed.modified - found.modified) < timedelta(seconds=1)


def test_odd_names_are_held_and_listed_in_the_order_of_code_points(backend: Backend) -> None:
    for name in ODD_NAMES:
        assert backend.put(name, name.encode(), if_absent=True), name
    assert names(backend) == ODD_NAMES
    for name in ODD_NAMES:
        assert backend.get(name, LIMIT) == name.encode()
        moved = f"moved/{name}"
        assert backend.rename(name, moved)
        assert backend.get(moved, LIMIT) == name.encode()
        backend.delete(moved)
    assert names(backend) == []


def test_several_prefixes_are_listed_as_one_in_order(backend: Backend) -> None:
    own = ["maps/a", "maps/b/c", "packs/00/x", "packs/ff/y"]
    for name in [*own, "journal/z", "maps.old/a", "notes/n", "packs0", "snapshots/s", "zz"]:
        backend.put(name, b"")
    assert [found.name for found in backend.list("packs/", "maps/")] == own
    assert [found.name for found in backend.list("packs/", "nothing/")] == own[2:]
    assert [*backend.list("nothing/", "neither/")] == []


def test_names_that_lead_elsewhere_are_refused(backend: Backend, tmp_path: Path) -> None:
    backend.put("good", b"")
    asked: list[Callable[[str], object]] = [
        lambda name: backend.put(name, b""),
        lambda name: backend.get(name, LIMIT),
        lambda name: backend.get_range(name, 0, 1),
        lambda name: backend.fetch(name, tmp_path / "file", LIMIT),
        backend.stat,
        backend.delete,
        lambda name: backend.rename("good", name),
        lambda name: backend.rename(name, "other"),
        lambda name: backend.replace("good", name),
        lambda name: backend.replace(name, "other"),
    ]
    for name in BAD_NAMES:
        for ask in asked:
            with pytest.raises(UsageError, match="can't be the name of an object"):
                ask(name)
    assert names(backend) == ["good"]


def test_a_prefix_is_the_beginning_of_names(backend: Backend) -> None:
    held = ["a", "ab", "b/c", "b/cd/e", "b/d", "bb"]
    for name in held:
        backend.put(name, b"")
    for prefix in ("", "a", "ab", "abc", "b", "b/", "b/c", "b/cd", "b/cd/", "b/cd/e", "c", "B"):
        assert names(backend, prefix) == [name for name in held if name.startswith(prefix)]
    for prefix in ("/", "../", "b/../", "b//"):
        with pytest.raises(UsageError):
            names(backend, prefix)


def test_a_delete_removes_one_object_and_may_be_repeated(backend: Backend) -> None:
    for name in ("a", "ab", "a-folder/b"):
        backend.put(name, b"old")
        backend.put(name, b"new")
    backend.delete("a")
    backend.delete("a")
    assert names(backend) == ["a-folder/b", "ab"]
    with pytest.raises(NotFoundError):
        backend.get("a", LIMIT)


def test_a_folder_of_objects_is_no_object(backend: Backend) -> None:
    backend.put("folder/name", b"")
    backend.delete("folder")
    with pytest.raises(NotFoundError):
        backend.stat("folder")
    assert names(backend) == ["folder/name"]


def test_a_rename_moves_an_object(backend: Backend) -> None:
    backend.put("state/pending/x", b"content")
    assert backend.rename("state/pending/x", "x") is True
    assert backend.get("x", LIMIT) == b"content"
    assert names(backend) == ["x"]
    with pytest.raises(NotFoundError, match="state/pending/x"):
        backend.rename("state/pending/x", "x")


def test_a_rename_never_replaces(backend: Backend) -> None:
    backend.put("source", b"content")
    backend.put("target", b"content")
    assert backend.rename("source", "target") is False
    backend.put("target", b"other")
    assert backend.rename("source", "target") is False
    assert backend.get("target", LIMIT) == b"other"
    assert backend.get("source", LIMIT) == b"content"


def test_a_rename_and_a_delete_of_one_name_leave_one_of_two_states(backend: Backend) -> None:
    """Either the delete came first and the rename fails, or the renamed object is there."""
    for number in range(5):
        source, target = f"pending/{number}", f"final/{number}"
        backend.put(source, b"content")

        def rename(source: str = source, target: str = target) -> bool:
            try:
                return backend.rename(source, target)
            except NotFoundError:
                return False

        with ThreadPoolExecutor(2) as threads:
            renaming = threads.submit(rename)
            threads.submit(backend.delete, source).result()
            renamed = renaming.result()
        assert names(backend, source) == []
        assert names(backend, target) == ([target] if renamed else [])


def test_a_replace_gives_an_object_the_name_of_another(backend: Backend) -> None:
    backend.put("maps/x", b"old, longer")
    backend.put("pending/x", b"new")
    backend.replace("pending/x", "maps/x")
    assert backend.get("maps/x", LIMIT) == b"new"
    assert names(backend) == ["maps/x"]
    with pytest.raises(NotFoundError, match="pending/x"):
        backend.replace("pending/x", "maps/x")
    assert backend.get("maps/x", LIMIT) == b"new"
    backend.replace("maps/x", "elsewhere/y")
    assert names(backend) == ["elsewhere/y"]
    backend.delete("elsewhere/y")
    assert names(backend) == []  # and nothing older comes up


def test_a_replaced_object_is_never_missing(backend: Backend) -> None:
    contents = [bytes([65 + number]) * 100 for number in range(20)]
    backend.put("name", contents[0])
    stop = threading.Event()
    seen: list[bytes] = []

    def read() -> None:
        while not stop.is_set():
            seen.append(backend.get("name", LIMIT))

    with ThreadPoolExecutor(1) as threads:
        reading = threads.submit(read)
        try:
            for content in contents[1:]:
                backend.put("pending", content)
                backend.replace("pending", "name")
        finally:
            stop.set()
        reading.result()
    assert set(seen) <= set(contents)


def test_what_is_locked_is_not_replaced(backend: Backend) -> None:
    until = datetime.now(UTC) + timedelta(hours=1)
    backend.put("locked", b"content", retain_until=until)
    backend.put("pending", b"other")
    if not backend.capabilities().object_lock:
        backend.replace("pending", "locked")
        assert backend.get("locked", LIMIT) == b"other"
        return
    with pytest.raises(RetainedError):
        backend.replace("pending", "locked")
    assert backend.get("locked", LIMIT) == b"content"
    assert backend.get("pending", LIMIT) == b"other"
    assert backend.capabilities().versioning
    backend.replace("pending", "locked", retain_until=until, despite_retention=True)
    assert backend.get("locked", LIMIT) == b"other"
    assert names(backend, "pending") == []
    with pytest.raises(RetainedError):
        backend.delete("locked")


def test_a_lock_is_honoured_where_it_is_promised(backend: Backend) -> None:
    until = (datetime.now(UTC) + timedelta(hours=1)).replace(microsecond=0)
    backend.put("locked", b"content", retain_until=until)
    backend.put("pending", b"content")
    backend.rename("pending", "renamed", retain_until=until)
    for name in ("locked", "renamed"):
        if not backend.capabilities().object_lock:
            assert backend.stat(name).retain_until is None
            backend.delete(name)
            continue
        assert backend.stat(name).retain_until == until
        for despite in (False, True):
            with pytest.raises(JunmaiError) as caught:
                backend.delete(name, despite_retention=despite)
            if not despite:
                assert isinstance(caught.value, RetainedError)
                assert caught.value.retain_until == until
                assert f"{until:%Y-%m-%d}" in caught.value.message
        assert backend.get(name, LIMIT) == b"content"


def test_a_lock_is_made_longer_where_too_little_is_left_and_never_shorter(
    backend: Backend,
) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    short, long = now + timedelta(hours=1), now + timedelta(hours=3)
    backend.put("locked", b"content", retain_until=short)
    backend.put("free", b"content")
    if not backend.capabilities().object_lock:
        backend.retain("locked", long, enough=long)
        assert backend.stat("locked").retain_until is None
    else:
        assert backend.retain("locked", long, enough=short) == short
        assert backend.stat("locked").retain_until == short
        for name in ("locked", "free"):
            assert backend.retain(name, long, enough=long) == long
            assert backend.stat(name).retain_until == long
            assert backend.retain(name, short, enough=short) == long
            assert backend.stat(name).retain_until == long
    assert backend.get("locked", LIMIT) == b"content"
    with pytest.raises(NotFoundError):
        backend.retain("none", long, enough=long)


def test_a_file_that_is_not_there_is_not_put(backend: Backend, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"store name in .* file"):
        backend.put("name", tmp_path / "file")
    assert names(backend) == []


def test_a_place_that_is_trusted_more_is_the_same_place(backend: Backend) -> None:
    backend.put("name", b"content")
    other = backend.trusting(Capabilities())
    assert other.url == backend.url
    assert other.get("name", LIMIT) == b"content"
    assert other.put("name", b"other", if_absent=True) is False


def test_a_place_that_was_closed_can_be_used_again(backend: Backend) -> None:
    backend.put("name", b"content")
    backend.close()
    backend.close()
    assert backend.get("name", LIMIT) == b"content"


def test_a_sweep_removes_no_object(backend: Backend) -> None:
    backend.put("name", b"content")
    backend.put(".put.name.partial", b"content")
    assert backend.sweep(datetime.now(UTC) + timedelta(days=1)) == 0
    assert names(backend) == [".put.name.partial", "name"]
