"""The log is JSON lines with the run's id, goes where it was sent, and holds nothing secret."""

import json
import logging
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import structlog

from junmai_svc.service import logs
from junmai_svc.storage.errors import AccessDeniedError, NotFoundError, UsageError


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_line_is_one_json_object_with_the_runs_id(tmp_path: Path) -> None:
    with (
        logs.configured("info", tmp_path / "log"),
        structlog.contextvars.bound_contextvars(run="r1"),
    ):
        logs.log().info("stored", name="撮影")
    (line,) = lines(tmp_path / "log")
    assert (line["event"], line["run"], line["name"], line["level"]) == (
        "stored",
        "r1",
        "撮影",
        "info",
    )
    assert str(line["timestamp"]).endswith("Z")


def test_lines_below_the_level_are_dropped(tmp_path: Path) -> None:
    with logs.configured("warning", tmp_path / "log"):
        logs.log().info("quiet")
        logs.log().warning("loud")
    assert [line["event"] for line in lines(tmp_path / "log")] == ["loud"]


def test_a_traceback_in_the_log_carries_no_local_variables(tmp_path: Path) -> None:
    def fail() -> None:
        password = "hunter2"  # noqa: S105  # the point of the test
        raise ValueError(len(password))

    with logs.configured("info", tmp_path / "log"):
        try:
            fail()
        except ValueError as error:
            logs.log().error("bug", exc_info=error)
    text = (tmp_path / "log").read_text(encoding="utf-8")
    assert "ValueError" in text
    assert "hunter2" not in text


def test_a_traceback_in_the_log_does_not_repeat_what_sqlite_quotes_of_a_row(tmp_path: Path) -> None:
    with logs.configured("info", tmp_path / "log"), closing(sqlite3.connect(":memory:")) as one:
        try:
            one.execute("SELECT json_extract('{}', 'jane.doe')")
        except sqlite3.Error as error:
            logs.log().error("bug", exc_info=error)
    text = (tmp_path / "log").read_text(encoding="utf-8")
    assert "OperationalError" in text
    assert "jane" not in text.replace(json.dumps(__file__), "")


def test_an_unknown_level_and_a_file_that_can_not_be_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="loud"), logs.configured("loud"):
        pass
    missing = tmp_path / "missing" / "log"
    with pytest.raises((NotFoundError, AccessDeniedError)), logs.configured("info", missing):
        pass


def test_inside_another_program_the_lines_go_to_its_logging(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO, logger="junmai_svc"):
        logs.log().info("stored", message="a field may be called that")
    (record,) = caplog.records
    assert json.loads(record.getMessage())["event"] == "stored"


def test_a_program_that_configures_nothing_gets_nothing_on_stdout(tmp_path: Path) -> None:
    script = (
        "from data_migration_tool import DataMigrationTool;"
        "tool = DataMigrationTool('missing.db');"
        "assert tool.migrate_data() is False and tool.restore_from_backup('x.db') is False"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout == ""
