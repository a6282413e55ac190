"""A property list for macOS's launchd; see launchd.plist(5). Pure."""

import plistlib
from collections.abc import Sequence
from pathlib import PurePath

from junmai_svc.service.install.limits import AGAIN_SECONDS, MOST_FILES, NICE, STOP_SECONDS

LABEL = "svc.junmai.daemon"


def launchd_plist(command: Sequence[str], folder: PurePath) -> bytes:
    """Return the list that runs a command in a folder."""
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
            "Nice": NICE,
            "SoftResourceLimits": {"NumberOfFiles": MOST_FILES},
            "HardResourceLimits": {"NumberOfFiles": MOST_FILES},
        }
    )
