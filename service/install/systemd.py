"""A unit for the user's systemd; see systemd.service(5), systemd.exec(5). Pure."""

from collections.abc import Sequence
from pathlib import PurePath

from junmai_svc.service.install.limits import (
    AGAIN_SECONDS,
    DESCRIPTION,
    MOST_FILES,
    NICE,
    STOP_SECONDS,
)

MOST_MEMORY = "1G"
MOST_TASKS = 64
# A call that can't be carried out, or a daemon that runs already: once more would not help.
IN_VAIN = (2, 11)


def systemd_unit(command: Sequence[str], folder: PurePath) -> bytes:
    """Return the unit that runs a command in a folder."""
    in_vain = " ".join(str(code) for code in IN_VAIN)
    text = f"""\
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
Nice={NICE}
IOSchedulingClass=best-effort
IOSchedulingPriority=7
MemoryMax={MOST_MEMORY}
TasksMax={MOST_TASKS}
LimitNOFILE={MOST_FILES}
NoNewPrivileges=true

[Install]
WantedBy=default.target
"""
    return text.encode()


def _specified(text: str) -> str:
    """A text in which systemd sees no specifier."""
    return text.replace("%", "%%")


def _quoted(word: str) -> str:
    """A word of a command line as systemd.syntax(7) and systemd.service(5) read it."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    return f'"{_specified(escaped)}"'
