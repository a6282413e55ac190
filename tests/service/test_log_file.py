"""Claims about the log's files: no line is lost or torn, and they stay as many and as large."""

import io
import json
import logging
import sys
import threading
from pathlib import Path

import pytest
from tests.harness.windows import refuse

from junmai_svc.service import logs
from junmai_svc.service.log_file import RotatingFile


def files(path: Path) -> list[Path]:
    return sorted(path.parent.glob(f"{path.name}*"))


def lines(path: Path) -> list[str]:
    return [line for file in files(path) for line in file.read_text(encoding="utf-8").splitlines()]


def test_a_file_begins_anew_before_it_grows_too_large_and_a_few_older_stay(tmp_path: Path) -> None:
    path = tmp_path / "log"
    file = RotatingFile(path, most=100, keep=2)
    for number in range(100):
        file.write(f"line {number:04}\n")
    file.close()
    assert [each.name for each in files(path)] == ["log", "log.1", "log.2"]
    assert all(each.stat().st_size <= 100 for each in files(path))
    newest = sorted(lines(path))
    assert newest[-1] == "line 0099"
    assert newest == [f"line {number:04}" for number in range(100 - len(newest), 100)]


def test_without_older_ones_there_is_one_file(tmp_path: Path) -> None:
    file = RotatingFile(tmp_path / "log", most=50, keep=0)
    for number in range(50):
        file.write(f"line {number}\n")
    file.close()
    assert [each.name for each in files(tmp_path / "log")] == ["log"]


def test_a_line_that_is_longer_than_a_file_may_be_is_kept_whole(tmp_path: Path) -> None:
    file = RotatingFile(tmp_path / "log", most=10, keep=1)
    file.write("x" * 50 + "\n")
    file.write("y\n")
    file.close()
    assert sorted(lines(tmp_path / "log")) == ["x" * 50, "y"]


def test_while_windows_renames_it_not_no_older_one_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log"
    for number in (1, 2, 3):
        path.with_name(f"log.{number}").write_text(f"older {number}\n", encoding="utf-8")
    file = RotatingFile(path, most=10, keep=3)
    refuse(monkeypatch, "replace", 1_000, which=lambda each: each == path)
    for number in range(5):
        file.write(f"line {number}\n")
    file.close()
    assert lines(path) == [*(f"line {n}" for n in range(5)), *(f"older {n}" for n in (1, 2, 3))]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows renames no file that is open")
def test_several_writers_lose_and_tear_no_line(tmp_path: Path) -> None:
    path = tmp_path / "log"
    writers = [RotatingFile(path, most=2_000, keep=1_000) for _ in range(2)]

    def write(name: int, file: RotatingFile) -> None:
        for number in range(500):
            file.write(f"{name} {number:04} {'x' * 30}\n")
            file.flush()

    threads = [
        threading.Thread(target=write, args=(name, file)) for name, file in enumerate(writers)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for file in writers:
        file.close()
    expected = sorted(f"{name} {number:04} {'x' * 30}" for name in (0, 1) for number in range(500))
    assert sorted(lines(path)) == expected


def test_what_other_libraries_warn_of_comes_in_the_same_form_without_local_variables(
    tmp_path: Path,
) -> None:
    def fail() -> None:
        password = "hunter2"  # noqa: S105  # the point of the test
        raise ValueError(len(password))

    with logs.configured("debug", tmp_path / "log"):
        logging.getLogger("botocore.auth").debug("token: hunter2")
        logging.getLogger("apscheduler.scheduler").warning("skipped %s", "a job")
        try:
            fail()
        except ValueError:
            logging.getLogger("boto3").exception("failed")
    first, second = [json.loads(line) for line in lines(tmp_path / "log")]
    assert (first["event"], first["level"]) == ("skipped a job", "warning")
    assert first["logger"] == "apscheduler.scheduler"
    assert first["timestamp"].endswith("Z")
    assert second["exception"][0]["exc_type"] == "ValueError"
    assert "hunter2" not in "".join(lines(tmp_path / "log"))


def test_what_was_set_up_before_is_back_afterwards(tmp_path: Path) -> None:
    with logs.configured("info", tmp_path / "outer"):
        with logs.configured("info", tmp_path / "inner"):
            logs.log().info("inside")
        logs.log().info("outside")
        logging.getLogger("boto3").warning("outside too")
    assert len(lines(tmp_path / "inner")) == 1
    assert len(lines(tmp_path / "outer")) == 2


class Terminal(io.StringIO):
    """What looks like a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def test_people_get_lines_that_they_can_read_and_no_name_steers_their_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("NO_COLOR", "1")
    with logs.configured("info", people=True):
        logs.log().info("job.done", database="ev\x1b[31mil", seconds=0.25)
        logging.getLogger("boto3").warning("slow")
    said = terminal.getvalue()
    assert "job.done" in said
    assert "seconds=0.25" in said
    assert "slow" in said
    assert "{" not in said
    assert "\x1b" not in said


def test_there_are_colours_where_they_are_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("NO_COLOR", raising=False)
    with logs.configured("info", people=True):
        logs.log().info("job.done")
    assert "\x1b[" in terminal.getvalue()
