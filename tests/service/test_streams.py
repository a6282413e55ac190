"""Claims about the standard streams: no encoding of theirs stops a result from being printed."""

import errno
import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from junmai_svc.service.streams import is_reader_gone, ready_streams

SCRIPT = """
import sys
from junmai_svc.service import report
from junmai_svc.service.streams import ready_streams
ready_streams()
report.show_hold({"status": "held", "snapshot": "写真 \\udcff", "gone": False})
print("写真", file=sys.stderr)
"""


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_a_name_that_the_encoding_lacks_is_escaped(encoding: str) -> None:
    environment = os.environ | {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    done = subprocess.run(
        [sys.executable, "-X", "utf8=0", "-c", SCRIPT],
        env=environment,
        capture_output=True,
        check=True,
    )
    name = "写真" if encoding == "utf-8" else "\\u5199\\u771f"
    assert done.stdout.decode(encoding).startswith(f"{name} \\udcff is held")
    assert done.stderr.decode(encoding).strip() == name


def test_streams_that_can_not_be_told_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = object()
    monkeypatch.setattr(sys, "stderr", stream)
    ready_streams()
    assert sys.stderr is stream


WITHOUT = """
import runpy, sys
sys.stdin = sys.stdout = sys.stderr = None
sys.argv = ["junmai-svc", *sys.argv[1:]]
runpy.run_module("junmai_svc.service", run_name="__main__")
"""


@pytest.mark.parametrize("arguments", [["--version"], ["snapshots", "nowhere"]])
def test_a_program_without_any_stream_ends_as_ever(arguments: list[str], tmp_path: Path) -> None:
    """As pythonw.exe starts it."""
    usual, without = (
        subprocess.run(
            [sys.executable, *command, *arguments], cwd=tmp_path, capture_output=True, check=False
        )
        for command in (("-m", "junmai_svc.service"), ("-c", WITHOUT))
    )
    assert without.returncode == usual.returncode
    assert (without.stdout, without.stderr) == (b"", b"")


@pytest.mark.parametrize(
    ("platform", "error", "is_gone"),
    [
        ("linux", BrokenPipeError(), True),
        ("linux", OSError(errno.EINVAL, "Invalid argument"), False),
        ("win32", OSError(errno.EINVAL, "Invalid argument"), True),
        ("win32", OSError(errno.EINVAL, "Invalid argument", "a:b"), False),
        ("win32", OSError(errno.ENOSPC, "No space left"), False),
    ],
)
def test_a_pipe_that_nobody_reads_is_known_by_what_each_system_says(
    platform: str, error: OSError, is_gone: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    assert is_reader_gone(error) is is_gone


def test_lines_of_the_log_are_json_in_any_encoding(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "\U0001f376.db")) as database:
        database.execute("CREATE TABLE t (a)")
    done = subprocess.run(
        [sys.executable, "-m", "junmai_svc.service", "backup", "--source", "\U0001f376.db"],
        env=os.environ | {"PYTHONIOENCODING": "cp932"},
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    lines = [json.loads(line) for line in done.stderr.splitlines() if line.startswith(b"{")]
    assert lines[0]["database"] == "\U0001f376.db"
