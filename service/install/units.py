"""What makes a system run the daemon: a systemd unit, a launchd plist, a Task Scheduler task. Pure.

Each starts it with the user's session, again if it fails, with little priority and bounded means;
none holds anything secret.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePath

from junmai_svc.service.install.launchd import LABEL, launchd_plist
from junmai_svc.service.install.limits import NAME
from junmai_svc.service.install.systemd import systemd_unit
from junmai_svc.service.install.windows import windows_task


class System(StrEnum):
    """What starts programs on a machine."""

    SYSTEMD = "systemd"
    LAUNCHD = "launchd"
    WINDOWS = "windows"


@dataclass(frozen=True)
class Unit:
    """A file for a system: its content, where it usually is, and the command to say next.

    `next` has `{}` where the absolute path of the file goes, `elsewhere` too: it is for a file that
    is not at its usual place.
    """

    content: bytes
    usual: PurePath
    next: str
    elsewhere: str


def unit_for(system: System, command: Sequence[str], folder: PurePath, home: PurePath) -> Unit:
    """Return the file that makes a system run `command` (absolute, first the program) in `folder`.

    `home` is the folder of the user whose session it belongs to.
    """
    if system is System.SYSTEMD:
        usual = home / ".config" / "systemd" / "user" / f"{NAME}.service"
        then = f"systemctl --user daemon-reload && systemctl --user enable --now {NAME}"
        return Unit(
            systemd_unit(command, folder), usual, then, 'systemctl --user enable --now "{}"'
        )
    if system is System.LAUNCHD:
        usual = home / "Library" / "LaunchAgents" / f"{LABEL}.plist"
        then = 'launchctl bootstrap gui/$(id -u) "{}"'
        return Unit(launchd_plist(command, folder), usual, then, then)
    # One command, as not every shell there knows `&&`; its trigger starts it within a minute.
    then = f'schtasks /Create /TN {NAME} /XML "{{}}"'
    return Unit(windows_task(command, folder), folder / f"{NAME}.xml", then, then)


@dataclass(frozen=True)
class Options:
    """What the daemon is started with; paths of any kind, None for what is not said."""

    configuration: Path
    journal: Path | None = None
    log_file: Path | None = None
    log_level: str | None = None


def command_of(python: Path, options: Options, system: System) -> list[str]:
    """Return the command line that runs the daemon, all paths absolute."""
    # Not resolved: a link in a virtual environment is what makes it one.
    program = python.absolute()
    quiet = program.with_name("pythonw.exe")
    if system is System.WINDOWS and quiet.exists():
        program = quiet  # no console window
    paths = {
        "--config": options.configuration,
        "--journal": options.journal,
        "--log-file": options.log_file,
    }
    said = [word for name, path in paths.items() if path for word in (name, str(path.absolute()))]
    if options.log_level is not None:
        said += ["--log-level", options.log_level]
    return [str(program), "-m", "junmai_svc.service", *said, "daemon", "run"]


def system_of(platform: str) -> System:
    """Return what starts programs on a platform, named as `sys.platform` names it."""
    return {"win32": System.WINDOWS, "darwin": System.LAUNCHD}.get(platform, System.SYSTEMD)
