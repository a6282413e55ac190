"""A task for Windows' Task Scheduler. Pure.

See https://learn.microsoft.com/windows/win32/taskschd/task-scheduler-schema.
"""

from collections.abc import Sequence
from pathlib import PurePath
from xml.etree import ElementTree as ET

from junmai_svc.service.install.limits import AGAIN_SECONDS, DESCRIPTION, NAME

TASKS = "http://schemas.microsoft.com/windows/2004/02/mit/task"


def windows_task(command: Sequence[str], folder: PurePath) -> bytes:
    """Return the task that runs a command in a folder."""
    ET.register_namespace("", TASKS)
    task = ET.Element(f"{{{TASKS}}}Task", version="1.2")
    _into(task, "RegistrationInfo", Description=DESCRIPTION, URI=f"\\{NAME}")
    # Every minute, where it is not running: as the scheduler sees it no program fails that could be
    # started, whatever its exit code. At any logon would take an administrator.
    trigger = _into(
        _into(task, "Triggers"), "TimeTrigger", Enabled="true", StartBoundary="2000-01-01T00:00:00"
    )
    _into(trigger, "Repetition", Interval=f"PT{AGAIN_SECONDS // 60}M")
    principal = _into(_into(task, "Principals"), "Principal")
    principal.set("id", "Author")
    _texts(principal, LogonType="InteractiveToken", RunLevel="LeastPrivilege")
    _into(
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
