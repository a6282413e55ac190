"""The commands around the daemon: drill, install, status, notify."""

import plistlib
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from tests.harness.program import Program

CONFIGURATION = """
[journal]
url = "sqlite:///data/journal.db"
[stores.local]
url = "data/backups"
layout = "file"
[stores.second]
url = "data/blocks"
layout = "blocks"
[[databases]]
name = "junmai"
path = "data/junmai.db"
"""


@pytest.fixture
def configured(program: Program, source: Path) -> Path:
    assert source.parent.name == "data"
    path = program.folder / "junmai.toml"
    path.write_text(CONFIGURATION, encoding="utf-8")
    return path


def test_a_drill_without_a_store_goes_through_all_that_are_configured(
    program: Program, configured: Path, source: Path
) -> None:
    stores = ["--store", "local", "--store", "second"]
    program("--config", configured, "backup", "--source", source, *stores)
    done = program("--config", configured, "drill", "--database", "junmai", "--json").json
    assert done["status"] == "proven"
    assert len({each["store"] for each in done["drills"]}) == 2
    listed = program("--config", configured, "snapshots", "local", "--json").json["snapshots"]
    assert all(each["proven"] for each in listed)
    people = program("--config", configured, "drill", "local")
    assert "proven" in people.out


def test_a_drill_with_a_damaged_snapshot_ends_with_20_and_names_it(
    program: Program, source: Path
) -> None:
    program("backup", "--source", source)
    [image] = (source.parent / "backups").glob("*.db")
    content = bytearray(image.read_bytes())
    content[-100] ^= 1
    image.write_bytes(content)
    found = program("drill", source.parent / "backups", "--json", code=20).json
    assert found["status"] == "failed"
    assert found["drills"][0]["message"]
    assert image.stem in program("drill", source.parent / "backups", code=20).out


def test_a_drill_where_there_is_nothing_says_so(program: Program, source: Path) -> None:
    (source.parent / "backups").mkdir()
    assert "no snapshot" in program("drill", source.parent / "backups", code=10).message


@pytest.mark.parametrize("system", ["systemd", "launchd", "windows"])
def test_install_writes_what_parses_and_says_what_to_do_next(
    program: Program, configured: Path, system: str
) -> None:
    output = program.folder / "units" / system
    arguments = ("--config", configured, "daemon", "install", f"--{system}", "--output")
    said = program(*arguments, output).out
    assert str(output) in said.replace("\n", "")
    assert "Next:" in said
    content = output.read_bytes()
    if system == "launchd":
        assert str(configured) in plistlib.loads(content)["ProgramArguments"]
    elif system == "windows":
        ET.fromstring(content)  # noqa: S314  # our own
        assert str(configured) in content.decode("utf-16")
    else:
        assert f'"{configured}"' in content.decode()
    assert program(*arguments, "-").out.encode(errors="surrogateescape") == content


def test_install_carries_over_what_was_said_and_names_a_file_that_is_not_where_it_is_looked_for(
    program: Program, configured: Path
) -> None:
    output = program.folder / "u.service"
    said = ("--config", configured, "--log-file", "d.log", "--log-level", "debug")
    installed = program(*said, "daemon", "install", "--systemd", "--output", "u.service", "--json")
    command = output.read_text(encoding="utf-8")
    assert f'"--log-file" "{program.folder / "d.log"}" "--log-level" "debug"' in command
    assert installed.json["next"] == f'systemctl --user enable --now "{output}"'


@pytest.mark.parametrize(("system", "encoding"), [("windows", "utf-16"), ("launchd", "utf-8")])
def test_where_nobody_else_keeps_the_log_it_has_a_file(
    program: Program, configured: Path, system: str, encoding: str
) -> None:
    program("--config", configured, "daemon", "install", f"--{system}", "--output", "unit")
    task = (program.folder / "unit").read_bytes().decode(encoding)
    assert "--log-file" in task
    assert "junmai-svc.log" in task


def test_what_can_not_run_is_not_installed(program: Program, configured: Path) -> None:
    install = ("--config", configured, "daemon", "install", "--systemd", "--output", "u.service")
    variable = {"JUNMAI_JOURNAL_URL": str(program.folder / "other.db")}
    assert "JUNMAI_JOURNAL_URL" in program(*install, code=2, env=variable).message
    configured.write_text('[prune]\nschedule = ""\n', encoding="utf-8")
    assert "Nothing is configured to run" in program(*install, code=2).message
    assert not (program.folder / "u.service").exists()


def test_install_needs_a_file_to_name(program: Program, source: Path) -> None:
    del source
    refused = program("daemon", "install", code=2)
    assert "no configuration" in refused.message


def test_status_without_a_daemon_ends_with_3(program: Program, configured: Path) -> None:
    assert program("--config", configured, "daemon", "status", "--json", code=3).json["status"] == (
        "stopped"
    )
    assert "stopped" in program("--config", configured, "daemon", "status", code=3).out


def test_notify_test_with_nobody_to_tell_says_so(program: Program, configured: Path) -> None:
    said = program("--config", configured, "notify", "test", code=2)
    assert "Nobody is to be told" in said.message


def test_notify_test_never_shows_an_address(program: Program, configured: Path) -> None:
    secret = "s3cr3t-t0ken"  # noqa: S105  # the point of the test
    (program.folder / "ping.url").write_text(f"http://127.0.0.1:1/{secret}", encoding="utf-8")
    text = CONFIGURATION + '[notify]\nping_url_file = "ping.url"\n'
    configured.write_text(text, encoding="utf-8")
    said = program("--config", configured, "notify", "test", "--json", code=30)
    assert "127.0.0.1" in said.message
    assert secret not in said.out + said.err


def test_an_address_in_a_variable_is_taken_and_never_shown(
    program: Program, configured: Path
) -> None:
    secret = "s3cr3t-t0ken"  # noqa: S105  # the point of the test
    env = {"JUNMAI_NOTIFY_PING_URL": f"http://127.0.0.1:1/{secret}"}
    said = program("--config", configured, "notify", "test", code=30, env=env)
    assert "127.0.0.1" in said.message
    assert secret not in said.out + said.err


def test_every_command_logs_where_the_configuration_says_and_the_call_comes_over_it(
    program: Program, configured: Path, source: Path
) -> None:
    log = program.folder / "junmai.log"
    configured.write_text(f'{CONFIGURATION}[log]\nfile = "junmai.log"\n', encoding="utf-8")
    backup = ("backup", "--source", source, "--store", "local")
    assert program("--config", configured, *backup).log == []
    assert '"backup.verified"' in log.read_text(encoding="utf-8")
    size = log.stat().st_size
    program("--config", configured, "--log-file", program.folder / "other.log", *backup)
    assert log.stat().st_size == size
    assert '"backup.verified"' in (program.folder / "other.log").read_text(encoding="utf-8")


def test_the_configured_level_holds_unless_the_call_says_another(
    program: Program, configured: Path, source: Path
) -> None:
    configured.write_text(f'{CONFIGURATION}[log]\nlevel = "error"\n', encoding="utf-8")
    backup = ("backup", "--source", source, "--store", "local")
    assert program("--config", configured, *backup).log == []
    assert program("--config", configured, "--log-level", "info", *backup).log != []
