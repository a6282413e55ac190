"""Claims about what people see, and about the log that machines keep."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.harness.databases import change, make_oldest, rows
from tests.harness.program import Program
from tests.harness.terminal import on_terminal

COMMANDS = (
    "migrate",
    "backup",
    "restore",
    "verify",
    "snapshots",
    "history",
    "show",
    "replay",
    "completion",
)
TABLES = 11
# What a terminal is told beside text.
CONTROLS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")

has_terminals = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pty")


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A source whose migration takes long enough for bars to be drawn."""
    return make_oldest(tmp_path / "junmai.db", photos=20_000)


def test_in_a_pipe_there_is_no_progress_and_nothing_is_coloured(
    program: Program, source: Path
) -> None:
    outcome = program("migrate", "--source", source)
    assert "\x1b" not in outcome.out + outcome.err
    assert outcome.message == ""
    assert outcome.log
    assert "Copying" not in outcome.err


@has_terminals
def test_on_a_terminal_bars_show_how_far_it_is(large: Path) -> None:
    outcome = on_terminal(large.parent, "migrate", "--source", large)
    seen = CONTROLS.sub("", outcome.err)
    for label in ("Backing up junmai.db", "Checking the backup", "Copying photos", "Verifying"):
        assert label in seen
    assert re.search(r"\d+/20000", seen), "rows are counted"
    assert '"event"' not in seen, "the log is for pipes and files"
    assert "Next steps" in outcome.out
    assert "\x1b" not in outcome.out


@has_terminals
def test_on_a_terminal_the_log_may_go_to_a_file(source: Path) -> None:
    log = source.with_name("log.jsonl")
    on_terminal(source.parent, "--log-file", log, "backup", "--source", source)
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    assert [line["event"] for line in lines][-1] == "backup.verified"


@has_terminals
def test_an_error_is_readable_on_a_terminal(tmp_path: Path) -> None:
    outcome = on_terminal(tmp_path, "migrate", "--source", "nowhere.db")
    seen = CONTROLS.sub("", outcome.err)
    assert outcome.code == 10
    assert "Error: Source database not found: nowhere.db" in seen
    assert "Hint:  Check the path to your database file." in seen


def test_the_closing_table_has_every_table_with_rows_seconds_and_verdict(
    program: Program, source: Path
) -> None:
    change(source, 'CREATE TABLE "[bold]tags[/bold] 📷" (tag); CREATE TABLE alembic_version (v)')
    told = program("migrate", "--source", source).out
    head = next(line for line in told.splitlines() if "verdict" in line)
    assert head.split() == ["table", "rows", "seconds", "verdict"]
    lines = [line for line in told.splitlines() if re.search(r" \d+ +\d+\.\d\d +ok", line)]
    assert len(lines) == TABLES + 2
    assert any(line.split()[:2] == ["photos", "24"] for line in lines)
    assert any("[bold]tags[/bold] 📷" in line for line in lines)
    assert "Carried over as they are: table [bold]tags[/bold] 📷, table alembic_version" in told


def test_the_next_steps_can_be_followed_word_by_word(program: Program, source: Path) -> None:
    told = program("migrate", "--source", source).out
    assert "Next steps" in told
    for what in ("Backup", "Log", "Run"):
        (line,) = [line for line in told.splitlines() if line.startswith(f"{what} ")]
        assert line.split(maxsplit=1)[1]
    show = re.search(r"junmai-svc (.*show .*)", told)
    back = re.search(r"junmai-svc (.*restore .*)", told)
    assert show
    assert back
    assert "verified" in program(*show[1].split()).out
    change(source, "DELETE FROM jobs")
    program(*back[1].split())
    assert len(rows(source, "jobs")) == 24


def test_a_dry_run_tells_what_would_happen_and_that_nothing_did(
    program: Program, source: Path
) -> None:
    change(source, "CREATE VIEW v AS SELECT 1; CREATE TABLE tags (tag)")
    told = program("migrate", "--source", source, "--dry-run").out
    assert "Nothing was written" in told
    assert "is_best_in_group = 0" in told
    assert "(new, empty)" in told
    assert "table tags, view v" in told


def test_differences_are_shown_with_table_key_column_and_both_values(
    program: Program, source: Path
) -> None:
    program("migrate", "--source", source)
    target = source.with_suffix(".new.db")
    change(target, "UPDATE sessions SET name = 'other' WHERE id = 1; UPDATE photos SET iso = 1")
    told = program("verify", "--source", source, "--target", target, code=3).out
    line = next(line for line in told.splitlines() if "'other'" in line)
    for part in ("Value differs", "sessions", "id = 1", "name", "'京都の秋'"):
        assert part in line
    assert "25 findings in all" in told
    assert len([line for line in told.splitlines() if " iso " in line]) < 24


def test_the_help_of_every_command_teaches(program: Program) -> None:
    told = program("--help").out
    for name in COMMANDS:
        assert f"  {name}" in told
    for code in ("2 usage", "10 not found", "11 in use", "20 damaged", "31 no space"):
        assert code in " ".join(told.split())
    for name in COMMANDS:
        told = program(name, "--help").out
        assert f"Usage: junmai-svc {name}" in told
        assert len(told.splitlines()) > 6
        assert "Hint" not in told
    assert program("-h").out == program("--help").out


def test_the_version_is_one_line(program: Program) -> None:
    assert re.fullmatch(r"junmai-svc, version \d+\.\d+\.\d+\n", program("--version").out)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_are_printed(program: Program, shell: str) -> None:
    assert "_JUNMAI_SVC_COMPLETE" in program("completion", shell).out


def test_bash_is_offered_commands_and_options(program: Program) -> None:
    def offered(*words: str) -> set[str]:
        env = {
            "_JUNMAI_SVC_COMPLETE": "bash_complete",
            "COMP_WORDS": " ".join(["junmai-svc", *words]),
            "COMP_CWORD": str(len(words)),
        }
        lines = program(env=env, code=None).out.splitlines()
        return {line.partition(",")[2] for line in lines}

    assert offered("mi") == {"migrate"}
    assert {"--source", "--target", "--dry-run"} <= offered("migrate", "--")
    assert offered("completion", "z") == {"zsh"}


def events(lines: list[dict[str, Any]]) -> list[str]:
    return [line["event"] for line in lines]


def test_every_line_of_the_log_has_the_runs_id_on_success(program: Program, source: Path) -> None:
    outcome = program("migrate", "--source", source, "--json")
    run = outcome.json["run"]
    lines = outcome.log
    own = [line for line in lines if line["command"] == "migration"]
    assert {line["run"] for line in own} == {run}
    assert events(own)[0] == "migration.requested"
    assert events(own)[-1] == "migration.verified"
    backups = [line for line in lines if line["command"] == "backup"]
    assert len({line["run"] for line in backups}) == 1
    assert len(own) + len(backups) == len(lines)
    for line in lines:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", line["timestamp"])
        assert line["level"] == "info"


def test_every_line_of_the_log_has_the_runs_id_on_failure(program: Program, source: Path) -> None:
    change(source, "ALTER TABLE photos ADD COLUMN rating INTEGER")
    outcome = program("migrate", "--source", source, code=2)
    assert len({line["run"] for line in outcome.log}) == 1
    assert events(outcome.log)[-1] == "migration.error"
    assert outcome.log[-1]["level"] == "error"
    assert "photos.rating" in outcome.log[-1]["error"]


def test_a_log_file_gets_every_run_and_stderr_none(program: Program, source: Path) -> None:
    log = source.with_name("log.jsonl")
    for _ in range(2):
        assert program("--log-file", log, "backup", "--source", source).err == ""
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    assert events(lines).count("backup.verified") == 2


def test_the_level_of_the_log_can_be_raised(program: Program, source: Path) -> None:
    assert program("--log-level", "error", "backup", "--source", source).err == ""


def test_no_value_of_a_row_and_nobodys_name_is_in_log_or_journal(
    program: Program, source: Path
) -> None:
    """Findings show values; they are printed, and in the migration log beside the backups."""
    change(
        source,
        """UPDATE sessions SET name = 'very-private'; CREATE TABLE keys (secret TEXT);
        INSERT INTO keys VALUES ('hunter2-token')""",
    )
    env = {"LOGNAME": "somebody-by-name", "USER": "somebody-by-name"}
    done = program("migrate", "--source", source, env=env)
    target = source.with_suffix(".new.db")
    change(target, "UPDATE sessions SET name = 'other'; DELETE FROM keys")
    found = program("verify", "--source", source, "--target", target, env=env, code=3)
    journal = b"".join(path.read_bytes() for path in source.parent.glob("journal.db*")
                       if path.is_file())  # fmt: skip
    for secret in ("very-private", "hunter2-token", "somebody-by-name"):
        assert secret not in done.err + found.err
        assert secret.encode() not in journal
    assert "hunter2-token" not in done.out


def test_json_is_one_object_on_stdout_whatever_happens(program: Program, source: Path) -> None:
    store = source.parent / "backups"
    journal = ("--journal", source.with_name("journal.db"))
    calls: list[tuple[tuple[str | Path, ...], int]] = [
        (("migrate", "--source", source, "--dry-run"), 0),
        (("migrate", "--source", source), 0),
        (("migrate", "--source", source), 2),
        (("backup", "--source", source), 0),
        (("snapshots", store), 0),
        (("verify", "--snapshot", "latest", "--backup-dir", store), 0),
        (("restore", "latest", "--to", source), 0),
        (("restore", "nothing", "--to", source), 10),
        ((*journal, "history"), 0),
        ((*journal, "show", "zzz"), 10),
    ]
    for arguments, code in calls:
        said = program(*arguments, "--json", code=code).json
        assert "run" in said
        assert said["status"] == "failed" or code == 0
        if code:
            assert set(said["error"]) == {"type", "message", "hint", "exit"}
            assert said["error"]["exit"] == code


def test_a_console_that_knows_only_ascii_is_no_obstacle(program: Program, source: Path) -> None:
    """So it is on some Windows consoles; what can't be shown is escaped."""
    change(source, 'CREATE TABLE "写真 📷" (x)')
    ascii_only = {"PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
    outcome = program("migrate", "--source", source, env=ascii_only)
    assert "\\u5199\\u771f" in outcome.out
    assert "Next steps" in outcome.out


def test_a_reader_that_has_seen_enough_is_no_error(program: Program, source: Path) -> None:
    """As with `junmai-svc snapshots | head -1`."""
    for _ in range(2):
        program("backup", "--source", source)
    running = program.start("snapshots", source.parent / "backups")
    assert running.stdout is not None
    running.stdout.close()
    running.stdout = None
    _, problem = running.communicate(timeout=60)
    assert (running.returncode, problem) == (0, "")


def test_the_version_comes_without_loading_what_it_does_not_need(program: Program) -> None:
    script = (
        "import sys; sys.argv = ['junmai-svc', '--version']\n"
        "from junmai_svc.service.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "slow = {'peewee', 'rich', 'msgspec', 'structlog', 'boto3', 'jinja2'}\n"
        "print(sorted(slow & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True,
        cwd=program.folder,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "[]"
