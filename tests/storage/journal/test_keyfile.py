"""The file of a signing key: made once, whole, for its owner only."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import Popen

import pytest

from junmai_svc.storage.errors import (
    AccessDeniedError,
    IntegrityError,
    JunmaiError,
    NotFoundError,
)
from junmai_svc.storage.journal.keyfile import open_key_file
from junmai_svc.storage.journal.keys import SigningKey

NAME = "junmai-svc/journal/0190163d-8694-739b-aea5-966c26f8ad90"
POSIX_ONLY = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no file modes")
MAKER = """
import sys
from pathlib import Path
from junmai_svc.storage.journal.keyfile import open_key_file
print("ready", flush=True)
sys.stdin.readline()
print(open_key_file(Path(sys.argv[1]), sys.argv[2], create=True).verifier)
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "journal ü.key"


def test_a_key_is_made_at_first_use_and_is_the_same_ever_after(file: Path) -> None:
    made = open_key_file(file, NAME, create=True)
    assert made.verifier.name == NAME
    for create in (True, False):
        assert open_key_file(file, NAME, create=create).secret_text() == made.secret_text()
    assert list(file.parent.iterdir()) == [file]


def test_the_file_is_one_line_that_holds_the_key(file: Path) -> None:
    made = open_key_file(file, NAME, create=True)
    assert file.read_bytes() == made.secret_text().encode() + b"\n"


@POSIX_ONLY
def test_only_its_owner_may_read_it_whatever_the_umask(file: Path) -> None:
    before = os.umask(0)
    try:
        open_key_file(file, NAME, create=True)
    finally:
        os.umask(before)
    assert file.stat().st_mode & 0o777 == 0o600


@POSIX_ONLY
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o644, 0o666])
def test_a_key_that_is_open_to_others_is_not_used(file: Path, mode: int) -> None:
    open_key_file(file, NAME, create=True)
    file.chmod(mode)
    with pytest.raises(AccessDeniedError, match=f"its mode is {mode:04o}") as raised:
        open_key_file(file, NAME, create=True)
    assert "chmod 600" in raised.value.hint


@POSIX_ONLY
def test_a_key_that_its_owner_may_only_read_is_used(file: Path) -> None:
    made = open_key_file(file, NAME, create=True)
    file.chmod(0o400)
    assert open_key_file(file, NAME, create=False).verifier == made.verifier


def test_a_missing_key_is_not_replaced(file: Path) -> None:
    with pytest.raises(NotFoundError, match="There is no signing key in"):
        open_key_file(file, NAME, create=False)
    assert not file.exists()


def test_a_missing_folder_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        open_key_file(tmp_path / "absent" / "key", NAME, create=True)
    assert list(tmp_path.iterdir()) == []


def test_the_key_of_another_journal_is_not_used(file: Path) -> None:
    open_key_file(file, NAME, create=True)
    with pytest.raises(IntegrityError, match=f"is that of {NAME}, not of {NAME[:-1]}1"):
        open_key_file(file, NAME[:-1] + "1", create=True)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff" * 32,
        SigningKey(NAME, bytes(32)).secret_text()[:-10].encode(),
        SigningKey(NAME, bytes(32)).secret_text().encode() + b"\n" * 5000,
        str(SigningKey(NAME, bytes(32)).verifier).encode(),
    ],
)
def test_another_file_is_refused_and_left_as_it_is(file: Path, content: bytes) -> None:
    file.touch(mode=0o600)
    file.write_bytes(content)
    with pytest.raises(IntegrityError, match="is no signing key"):
        open_key_file(file, NAME, create=True)
    assert file.read_bytes() == content


def test_a_folder_is_no_key(file: Path) -> None:
    file.mkdir()
    with pytest.raises(JunmaiError):
        open_key_file(file, NAME, create=True)


@POSIX_ONLY
def test_a_pipe_is_no_key_and_is_not_waited_for(file: Path) -> None:
    os.mkfifo(file, 0o600)
    with pytest.raises(IntegrityError, match="it is no file"):
        open_key_file(file, NAME, create=True)


@POSIX_ONLY
def test_a_dangling_link_is_not_written_through(file: Path) -> None:
    elsewhere = file.with_name("elsewhere")
    file.symlink_to(elsewhere)
    with pytest.raises(NotFoundError):
        open_key_file(file, NAME, create=True)
    assert not elsewhere.exists()


def test_what_a_crash_left_staged_is_in_nobodys_way(file: Path) -> None:
    left = file.with_name(f".{file.name}.0123456789abcdef.partial")
    left.write_bytes(b"PRIVATE+KEY+")
    made = open_key_file(file, NAME, create=True)
    assert open_key_file(file, NAME, create=False).verifier == made.verifier


def test_who_comes_second_takes_the_key_of_who_came_first(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both looked when there was no file yet."""
    first = open_key_file(file, NAME, create=True)
    monkeypatch.setattr("os.path.lexists", lambda _: False)
    assert open_key_file(file, NAME, create=True).verifier == first.verifier
    assert list(file.parent.iterdir()) == [file]


def test_of_processes_that_make_it_at_once_all_return_the_same_key(
    file: Path, process: Callable[..., Popen[str]]
) -> None:
    makers = [process(MAKER, file, NAME) for _ in range(4)]
    for maker in makers:
        assert maker.stdout is not None
        assert maker.stdout.readline() == "ready\n"
    for maker in makers:
        assert maker.stdin is not None
        maker.stdin.write("\n")
        maker.stdin.flush()
    keys = {maker.communicate()[0].strip() for maker in makers}
    assert keys == {str(open_key_file(file, NAME, create=False).verifier)}
    assert list(file.parent.iterdir()) == [file]
