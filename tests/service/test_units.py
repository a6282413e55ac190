"""Claims about what makes a system run the daemon: it parses, is bounded, and holds no secret."""

import plistlib
import shutil
import subprocess
from pathlib import Path, PurePosixPath, PureWindowsPath
from xml.etree import ElementTree as ET

import pytest

from junmai_svc.service.install.units import Options, System, command_of, system_of, unit_for
from junmai_svc.service.install.windows import TASKS

FOLDER = PurePosixPath("/srv/jun mai")
HOME = PurePosixPath("/home/ann")
ODD = [
    "/opt/my env/bin/python",
    "-m",
    "junmai_svc.service",
    "--config",
    '/srv/50%/a "b" $c\\d.toml',
]


def sections(text: str) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for line in text.splitlines():
        if line.startswith("["):
            found[line.strip("[]")] = {}
        elif line:
            key, _, value = line.partition("=")
            found[list(found)[-1]][key] = value
    return found


def test_the_systemd_unit_is_bounded_and_comes_again_only_where_that_may_help() -> None:
    unit = unit_for(System.SYSTEMD, ODD, FOLDER, HOME)
    service = sections(unit.content.decode())["Service"]
    assert service["Restart"] == "on-failure"
    assert service["RestartPreventExitStatus"] == "2 11"
    assert {"MemoryMax", "TasksMax", "LimitNOFILE", "TimeoutStopSec"} <= service.keys()
    assert service["KillSignal"] == "SIGTERM"
    assert "HUP" in service["ExecReload"]
    assert unit.usual == HOME / ".config/systemd/user/junmai-svc.service"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_itself_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    """With a program that exists, and odd names of folders and files."""
    folder = tmp_path / 'a "b" 50% $c'
    folder.mkdir()
    command = ["/bin/sh", *ODD[1:]]
    file = tmp_path / "junmai-svc.service"
    file.write_bytes(unit_for(System.SYSTEMD, command, folder, HOME).content)
    checked = subprocess.run(
        ["systemd-analyze", "--user", "verify", str(file)],
        capture_output=True,
        text=True,
        check=False,
        env={"XDG_RUNTIME_DIR": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )
    complaints = [line for line in checked.stderr.splitlines() if "junmai-svc" in line]
    assert complaints == []


def test_the_plist_parses_and_names_the_command_word_by_word() -> None:
    unit = unit_for(System.LAUNCHD, ODD, FOLDER, HOME)
    plist = plistlib.loads(unit.content)
    assert plist["ProgramArguments"] == ODD
    assert plist["WorkingDirectory"] == str(FOLDER)
    assert plist["KeepAlive"] == {"SuccessfulExit": False}
    assert plist["ProcessType"] == "Background"
    assert unit.usual.name == f"{plist['Label']}.plist"


def test_the_windows_task_parses_and_is_never_ended_by_a_limit_of_time() -> None:
    python = r"C:\Program Files\py\pythonw.exe"
    command = [python, "-m", "junmai_svc.service", "--config", r"C:\my data\junmai.toml", "daemon"]
    unit = unit_for(System.WINDOWS, command, PureWindowsPath(r"C:\my data"), PureWindowsPath("C:/"))
    assert unit.content.startswith(b"\xff\xfe")
    root = ET.fromstring(unit.content)  # noqa: S314  # our own
    found = {
        element.tag.removeprefix(f"{{{TASKS}}}"): (element.text or "").strip()
        for element in root.iter()
    }
    assert found["Command"] == python
    assert found["Arguments"] == (r'-m junmai_svc.service --config "C:\my data\junmai.toml" daemon')
    assert found["ExecutionTimeLimit"] == "PT0S"
    assert found["StopIfGoingOnBatteries"] == "false"
    assert found["RunLevel"] == "LeastPrivilege"
    assert found["MultipleInstancesPolicy"] == "IgnoreNew"
    # What its user starts, ends or loses is started again within a minute, by nobody's privilege.
    assert (found["Interval"], "Duration" in found) == ("PT1M", False)
    assert "LogonTrigger" not in found
    assert "&&" not in unit.next  # which PowerShell may not know
    # The schema wants its parts in this order.
    names = [child.tag.removeprefix(f"{{{TASKS}}}") for child in root]
    assert names == ["RegistrationInfo", "Triggers", "Principals", "Settings", "Actions"]


def test_the_command_is_absolute_and_keeps_the_virtual_environment(tmp_path: Path) -> None:
    python = tmp_path / "bin" / "python"
    command = command_of(python, Options(Path("junmai.toml"), Path("j.db")), System.SYSTEMD)
    assert command[0] == str(python)
    assert command[command.index("--config") + 1] == str(Path.cwd() / "junmai.toml")
    assert command[command.index("--journal") + 1] == str(Path.cwd() / "j.db")
    assert command[-2:] == ["daemon", "run"]


@pytest.mark.parametrize(
    ("platform", "system"),
    [("win32", System.WINDOWS), ("darwin", System.LAUNCHD), ("linux", System.SYSTEMD)],
)
def test_each_platform_has_its_own(platform: str, system: System) -> None:
    assert system_of(platform) is system
