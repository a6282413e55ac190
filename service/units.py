"""What makes a system run the daemon: a systemd unit, a launchd plist, a Task Scheduler task. Pure.

Each starts it with the user's session, again if it fails, with little priority and bounded means;
none holds anything secret. Sources: systemd.service(5), systemd.exec(5), launchd.plist(5) and
https://learn.microsoft.com/windows/win32/taskschd/task-scheduler-schema.
"""

import plistlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePath
from xml.etree import ElementTree as ET

NAME = "junmai-svc"
LABEL = "svc.junmai.daemon"
DESCRIPTION = "Backs up SQLite databases and proves the backups (junmai-svc)"
STOP_SECONDS = 60
AGAIN_SECONDS = 60
MOST_MEMORY = "1G"
MOST_TASKS = 64
MOST_FILES = 1_024
TASKS = "http://schemas.microsoft.com/windows/2004/02/mit/task"
# A call that can't be carried out, or a daemon that runs already: once more would not help.
IN_VAIN = (2, 11)


class System(StrEnum):
    """What starts programs on a machine."""

    SYSTEMD = "systemd"
    LAUNCHD = "launchd"
    WINDOWS = "windows"


@dataclass(frozen=True)
class Unit:
    """A file for a system: its content, where it usually is, and the command to say next.

    `next` has `{}` where the path of the file goes.
    """

    content: bytes
    usual: PurePath
    next: str


def unit_for(system: System, command: Sequence[str], folder: PurePath, home: PurePath) -> Unit:
    """Return the file that makes a system run `command` (absolute, first the program) in `folder`.

    `home` is the folder of the user whose session it belongs to.
    """
    if system is System.SYSTEMD:
        usual = home / ".config" / "systemd" / "user" / f"{NAME}.service"
        then = f"systemctl --user daemon-reload && systemctl --user enable --now {NAME}"
        return Unit(_systemd(command, folder).encode(), usual, then)
    if system is System.LAUNCHD:
        usual = home / "Library" / "LaunchAgents" / f"{LABEL}.plist"
        then = 'launchctl bootstrap gui/$(id -u) "{}"'
        return Unit(_launchd(command, folder), usual, then)
    then = f'schtasks /Create /TN {NAME} /XML "{{}}" && schtasks /Run /TN {NAME}'
    return Unit(_task(command, folder), folder / f"{NAME}.xml", then)


def _systemd(command: Sequence[str], folder: PurePath) -> str:
    in_vain = " ".join(str(code) for code in IN_VAIN)
    return f"""\
[Unit]
Description={DESCRIPTION}
StartLimitIntervalSec=0

[Service]
Type=exec
ExecStart={" ".join(_quoted(word) for word in command)}
ExecReload=/bin/kill -HUP $MAINPID
WorkingDirectory={_specified(str(folder))}
Restart=on-failure
RestartSec={AGAIN_SECONDS}
RestartPreventExitStatus={in_vain}
KillSignal=SIGTERM
TimeoutStopSec={STOP_SECONDS}
Nice=10
IOSchedulingClass=best-effort
IOSchedulingPriority=7
MemoryMax={MOST_MEMORY}
TasksMax={MOST_TASKS}
LimitNOFILE={MOST_FILES}
NoNewPrivileges=true

[Install]
WantedBy=default.target
"""


def _specified(text: str) -> str:
    """A text in which systemd sees no specifier."""
    return text.replace("%", "%%")


def _quoted(word: str) -> str:
    """A word of a command line as systemd.syntax(7) and systemd.service(5) read it."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    return f'"{_specified(escaped)}"'


def _launchd(command: Sequence[str], folder: PurePath) -> bytes:
    return plistlib.dumps(
        {
            "Label": LABEL,
            "ProgramArguments": list(command),
            "WorkingDirectory": str(folder),
            "RunAtLoad": True,
            "KeepAlive": {"SuccessfulExit": False},
            "ThrottleInterval": AGAIN_SECONDS,
            "ExitTimeOut": STOP_SECONDS,
            "ProcessType": "Background",
            "LowPriorityIO": True,
            "Nice": 10,
            "SoftResourceLimits": {"NumberOfFiles": MOST_FILES},
            "HardResourceLimits": {"NumberOfFiles": MOST_FILES},
        }
    )


def _task(command: Sequence[str], folder: PurePath) -> bytes:
    ET.register_namespace("", TASKS)
    task = ET.Element(f"{{{TASKS}}}Task", version="1.2")
    _into(task, "RegistrationInfo", Description=DESCRIPTION, URI=f"\\{NAME}")
    _into(_into(task, "Triggers"), "LogonTrigger", Enabled="true")
    principal = _into(_into(task, "Principals"), "Principal")
    principal.set("id", "Author")
    _texts(principal, LogonType="InteractiveToken", RunLevel="LeastPrivilege")
    settings = _into(
        task,
        "Settings",
        MultipleInstancesPolicy="IgnoreNew",
        DisallowStartIfOnBatteries="false",
        StopIfGoingOnBatteries="false",
        AllowHardTerminate="true",
        StartWhenAvailable="true",
        ExecutionTimeLimit="PT0S",
        Priority="7",
    )
    _into(settings, "RestartOnFailure", Interval=f"PT{AGAIN_SECONDS // 60}M", Count="999")
    actions = _into(task, "Actions")
    actions.set("Context", "Author")
    arguments = " ".join(_argument(word) for word in command[1:])
    _into(actions, "Exec", Command=command[0], Arguments=arguments, WorkingDirectory=str(folder))
    ET.indent(task)
    # schtasks takes UTF-16 with its mark, and the declaration must say so.
    text = ET.tostring(task, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-16"?>\n{text}\n'.encode("utf-16")


def _into(parent: ET.Element, name: str, /, **texts: str) -> ET.Element:
    child = ET.SubElement(parent, f"{{{TASKS}}}{name}")
    _texts(child, **texts)
    return child


def _texts(parent: ET.Element, /, **texts: str) -> None:
    for name, text in texts.items():
        ET.SubElement(parent, f"{{{TASKS}}}{name}").text = text


def _argument(word: str) -> str:
    """A word as Windows programs split their command line; paths hold no quotes there."""
    if word and not any(space in word for space in ' \t"'):
        return word
    backslashes = len(word) - len(word.rstrip("\\"))
    return '"' + word.replace('"', '\\"') + "\\" * backslashes + '"'


def command_of(
    python: Path, configuration: Path, journal: Path | None, system: System
) -> list[str]:
    """Return the command line that runs the daemon, all paths absolute."""
    program = (
        python.absolute()
    )  # not resolved: a link in a virtual environment is what makes it one
    quiet = program.with_name("pythonw.exe")
    if system is System.WINDOWS and quiet.exists():
        program = quiet  # no console window
    named = ["--config", str(configuration.absolute())]
    if journal is not None:
        named += ["--journal", str(journal.absolute())]
    return [str(program), "-m", "junmai_svc.service", *named, "daemon", "run"]


def system_of(platform: str) -> System:
    """Return what starts programs on a platform, named as `sys.platform` names it."""
    return {"win32": System.WINDOWS, "darwin": System.LAUNCHD}.get(platform, System.SYSTEMD)
